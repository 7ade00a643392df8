"""Runs a network by ONNX Runtime on the CPU."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seglet.core.errors import MissingExtra
from seglet.core.storage import whole_folder
from seglet.model import Model, ModelCard
from seglet.prediction.engines.engine import NetworkEngine
from seglet.prediction.engines.exported import exported_model, silent

GRAPH = "network.onnx"


class OnnxEngine(NetworkEngine):
    """Runs a network's graph in float32.

    Parameters
    ----------
    graph : bytes
        See `graph_of` and `read_graph`.
    card : ModelCard
        What it says.

    Raises
    ------
    MissingExtra
        If ONNX Runtime is not installed.
    RuntimeError
        If it cannot read the graph.
    """

    def __init__(self, graph: bytes, card: ModelCard) -> None:
        super().__init__(card)
        runtime = _runtime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        try:
            self._session = runtime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its own errors have no class in common
            raise RuntimeError(f"ONNX Runtime cannot read a graph: {error}") from error
        self._input = self._session.get_inputs()[0].name

    @property
    def name(self) -> str:
        """The library and its arithmetic."""
        return "ONNX Runtime fp32"

    def _logits(self, images: Tensor) -> Tensor:
        try:
            logits = self._session.run(None, {self._input: images.contiguous().numpy()})[0]
        except Exception as error:  # as above
            raise RuntimeError(f"ONNX Runtime cannot run a graph: {error}") from error
        return torch.from_numpy(logits)


def graph_of(model: Model, shape: tuple[int, ...]) -> bytes:
    """Convert a model's network; takes seconds.

    Parameters
    ----------
    model : Model
        Its network is moved to the CPU.
    shape : (n, c, [z,] y, x)
        An example of what it will see; see `exported`.

    Raises
    ------
    MissingExtra
        If the converter is not installed.
    """
    _runtime()
    program = exported_model(model, shape)
    with silent("torch.onnx"):  # it tells of torchvision, which nobody needs
        converted = torch.onnx.export(program, dynamo=True, verbose=False)
    assert converted is not None
    return bytes(converted.model_proto.SerializeToString())


def write_graph(graph: bytes, folder: Path) -> Path:
    """Write a graph as a new folder, whole or not at all."""
    with whole_folder(folder) as aside:
        (aside / GRAPH).write_bytes(graph)
    return folder


def read_graph(folder: Path) -> bytes:
    """Read what `write_graph` wrote."""
    return (folder / GRAPH).read_bytes()


def _runtime() -> Any:
    try:
        import onnxruntime
        import onnxscript  # noqa: F401 (what converts)
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "predict.engine",
            found=f"no {error.name}",
            expected="the extra onnx",
            remedy="pip install 'seglet[onnx]', or predict with --engine torch.",
        ) from error
    onnxruntime.disable_telemetry_events()  # of its builds for Windows
    return onnxruntime
