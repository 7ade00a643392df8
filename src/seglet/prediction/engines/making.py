"""Makes an engine: converts the network where it has to be, and keeps what was converted."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import torch

from seglet.core.errors import ConfigError, StorageError
from seglet.model import EngineName, Model
from seglet.networks.hardware import PrecisionChoice
from seglet.prediction.engines import onnx, openvino
from seglet.prediction.engines.cache import folder_of
from seglet.prediction.engines.engine import NetworkEngine
from seglet.prediction.engines.exported import step_of
from seglet.prediction.engines.pytorch import TorchEngine

Graph = TypeVar("Graph")
Choice = tuple[EngineName, PrecisionChoice]

CPU = torch.device("cpu")


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
    MissingExtra
        If it is not installed.
    """
    match choice:
        case "torch", ("fp32" | "bf16" | "fp16") as kind:
            return TorchEngine(model, kind, CPU)
        case "openvino", ("fp32" | "bf16") as kind:
            graph = _kept(
                _graphs(model, "openvino", shape),
                openvino.read_graph,
                lambda: openvino.graph_of(model, shape),
                openvino.write_graph,
            )
            return openvino.OpenVinoEngine(graph, model.card, kind)
        case "onnx", "fp32":
            program = _kept(
                _graphs(model, "onnx", shape),
                onnx.read_graph,
                lambda: onnx.graph_of(model, shape),
                onnx.write_graph,
            )
            return onnx.OnnxEngine(program, model.card)
    raise ConfigError(
        "predict",
        found=" ".join(choice),
        expected="an engine and a precision that it has",
        remedy="See docs/engines.md for those there are.",
    )


def _graphs(model: Model, kind: str, shape: tuple[int, ...]) -> Path:
    """Where a model's graph is kept; networks of fixed sizes have one for each."""
    sizes = "" if step_of(model.network) else "-" + "x".join(map(str, shape[2:]))
    return folder_of(model) / f"{kind}{sizes}"


def _kept(
    folder: Path,
    read: Callable[[Path], Graph],
    make: Callable[[], Graph],
    write: Callable[[Graph, Path], Path],
) -> Graph:
    """What stands in a folder; made, and written there if that can be, where nothing readable does."""
    try:
        return read(folder)
    except (OSError, RuntimeError):
        graph = make()
    with suppress(StorageError, RuntimeError):  # it is converted anew the next time
        write(graph, folder)
    return graph
