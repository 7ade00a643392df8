"""Makes an engine: converts the network where it has to be, and keeps what was converted."""

from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from seglet.core.errors import ConfigError, ModelError, StorageError
from seglet.model import EngineName, EnginePrecision, Model
from seglet.prediction.engines import onnx, openvino
from seglet.prediction.engines.cache import folder_of
from seglet.prediction.engines.engine import NetworkEngine
from seglet.prediction.engines.exported import step_of
from seglet.prediction.engines.pytorch import TorchEngine

if TYPE_CHECKING:
    import openvino as ov

Graph = TypeVar("Graph")
Used = TypeVar("Used")
Choice = tuple[EngineName, EnginePrecision]

INT8 = "int8"  # folder of a model that holds its quantized graph
CPU = torch.device("cpu")
MOST_SIZES = 8  # of windows, of a network that has a graph for each; those used last


def make_engine(model: Model, choice: Choice, shape: tuple[int, ...]) -> NetworkEngine:
    """Prepare an engine; graphs are converted once for a model, and kept.

    Parameters
    ----------
    model : Model
        What to run.
    choice : (str, str)
        Engine and precision.
    shape : (n, c, [z,] y, x)
        Of the windows it will see.

    Raises
    ------
    ModelError
        If it is ``int8`` and the model is not quantized.
    MissingExtra
        If it is not installed.
    """
    if choice[0] != "torch" and step_of(model.network) is None:
        return _OfEachSize(model, choice, shape)
    return _made(model, choice, shape)


class _OfEachSize(NetworkEngine):
    """Engines of a network whose graph is of one size of windows: one for each size."""

    def __init__(self, model: Model, choice: Choice, shape: tuple[int, ...]) -> None:
        super().__init__(model.card)
        self._engine_of = lru_cache(MOST_SIZES)(lambda sides: _made(model, choice, (1, *sides)))
        self._first = self._engine_of(shape[1:])

    @property
    def name(self) -> str:
        """That of each."""
        return self._first.name

    def _logits(self, images: Tensor) -> Tensor:
        engine: NetworkEngine = self._engine_of(tuple(images.shape[1:]))
        return engine._logits(images)


def _made(model: Model, choice: Choice, shape: tuple[int, ...]) -> NetworkEngine:
    match choice:
        case "torch", ("fp32" | "bf16" | "fp16") as kind:
            return TorchEngine(model, kind, CPU)
        case "openvino", "int8":
            return openvino.OpenVinoEngine(openvino.read_graph(_require_int8(model)), model.card, "int8")
        case "openvino", ("fp32" | "bf16") as kind:
            return openvino.OpenVinoEngine(make_graph(model, shape), model.card, kind)
        case "onnx", "fp32":
            return _kept(
                _graphs(model, "onnx", shape),
                onnx.read_graph,
                lambda: onnx.graph_of(model, shape),
                onnx.write_graph,
                lambda graph: onnx.OnnxEngine(graph, model.card),
            )
    raise ConfigError(
        "predict",
        found=" ".join(choice),
        expected="an engine and a precision that it has",
        remedy="See docs/engines.md for those there are.",
    )


def make_graph(model: Model, shape: tuple[int, ...]) -> "ov.Model":
    """The network as OpenVINO's graph: as it was kept, else converted now; see `make_engine`."""
    return _kept(
        _graphs(model, "openvino", shape),
        openvino.read_graph,
        lambda: openvino.graph_of(model, shape),
        openvino.write_graph,
        lambda graph: graph,
    )


def int8_folder(model: Model) -> Path | None:
    """Where a model's quantized graph stands, if it has one."""
    folder = None if model.folder is None else model.folder / INT8
    return folder if folder is not None and (folder / openvino.GRAPH).is_file() else None


def _require_int8(model: Model) -> Path:
    folder = int8_folder(model)
    if folder is None:
        raise ModelError(
            model.folder or "model",
            found="a model that is not quantized",
            expected=f"a folder {INT8} in it",
            remedy="Run `seglet model quantize` on the run first, or choose another precision.",
        )
    return folder


def _graphs(model: Model, kind: str, shape: tuple[int, ...]) -> Path:
    """Where a model's graph is kept; networks of fixed sizes have one for each."""
    sizes = "" if step_of(model.network) else "-" + "x".join(map(str, shape[2:]))
    return folder_of(model) / f"{kind}{sizes}"


def _kept(
    folder: Path,
    read: Callable[[Path], Graph],
    make: Callable[[], Graph],
    write: Callable[[Graph, Path], Path],
    use: Callable[[Graph], Used],
) -> Used:
    """Use what stands in a folder; where nothing usable does, make it, and write it there if that can be."""
    try:
        return use(read(folder))
    except (OSError, RuntimeError):
        graph = make()
    with suppress(StorageError, OSError, RuntimeError):  # it is converted anew the next time
        write(graph, folder)
    return use(graph)
