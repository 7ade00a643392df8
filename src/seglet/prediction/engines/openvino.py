"""Runs a network by OpenVINO on the CPU."""

from collections import OrderedDict
from functools import cache
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from seglet.core.errors import MissingExtra
from seglet.core.storage import whole_folder
from seglet.model import Model, ModelCard
from seglet.prediction.engines.engine import NetworkEngine
from seglet.prediction.engines.exported import exported_model, silent

if TYPE_CHECKING:
    import openvino

Arithmetic = Literal["fp32", "bf16", "int8"]

HINTS: dict[Arithmetic, str] = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}
GRAPH = "network.xml"
MOST_SHAPES = 8  # compiled at a time; images of many sizes take turns
MOST_PIXELS = 3 * 512 * 512  # of all of them, but for one: each keeps what it computes with


class OpenVinoEngine(NetworkEngine):
    """Runs a network's graph, compiled for each size of a batch of windows as it comes.

    Compiling for one size takes a tenth of a second. A graph for all sizes would be as fast, but gives its
    logits in bfloat16 where it computes in that, and thousands of pixels the same probability.

    Parameters
    ----------
    graph : openvino.Model
        See `graph_of` and `read_graph`.
    card : ModelCard
        What it says.
    arithmetic : str
        ``fp32``, ``bf16``, or ``int8`` of a graph that is quantized.
    """

    def __init__(self, graph: "openvino.Model", card: ModelCard, arithmetic: Arithmetic) -> None:
        super().__init__(card)
        self._graph, self._arithmetic = graph, arithmetic
        self._compiled: OrderedDict[tuple[int, ...], Any] = OrderedDict()

    @property
    def name(self) -> str:
        """The library and its arithmetic."""
        return f"OpenVINO {self._arithmetic}"

    def _logits(self, images: Tensor) -> Tensor:
        request = self._request(tuple(images.shape))
        request.infer([images.contiguous().numpy()], share_inputs=True)
        return torch.from_numpy(np.asarray(request.get_output_tensor(0).data, np.float32))

    def _request(self, shape: tuple[int, ...]) -> Any:
        """What runs windows of one size; the size used longest ago is let go."""
        if shape in self._compiled:
            self._compiled.move_to_end(shape)
            return self._compiled[shape]
        while self._compiled and not self._has_room(shape):
            self._compiled.popitem(last=False)
        graph = self._graph.clone()
        graph.reshape(list(shape))
        settings = {
            "INFERENCE_PRECISION_HINT": HINTS[self._arithmetic],
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        compiled = _core().compile_model(graph, "CPU", settings)
        self._compiled[shape] = compiled.create_infer_request()
        return self._compiled[shape]

    def _has_room(self, shape: tuple[int, ...]) -> bool:
        n_pixels = sum(n * prod(sides) for n, _, *sides in (*self._compiled, shape))
        return len(self._compiled) < MOST_SHAPES and n_pixels <= MOST_PIXELS


def graph_of(model: Model, shape: tuple[int, ...]) -> "openvino.Model":
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
        If OpenVINO is not installed.
    """
    program = exported_model(model, shape)
    with silent("openvino"):
        graph: openvino.Model = _openvino().convert_model(program)
    return graph


def write_graph(graph: "openvino.Model", folder: Path) -> Path:
    """Write a graph as a new folder, whole or not at all."""
    with whole_folder(folder) as aside:
        _openvino().save_model(graph, aside / GRAPH, compress_to_fp16=False)
    return folder


def read_graph(folder: Path) -> "openvino.Model":
    """Read what `write_graph` wrote.

    Raises
    ------
    MissingExtra
        If OpenVINO is not installed.
    RuntimeError
        OpenVINO's own, if the files are damaged.
    """
    graph: openvino.Model = _core().read_model(folder / GRAPH)
    return graph


def has_bf16() -> bool:
    """Whether this CPU computes in bfloat16 itself."""
    return "BF16" in _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


@cache
def _core() -> Any:
    """One for the process: each that is let go takes the stack along on which signals would be handled."""
    return _openvino().Core()


def _openvino() -> Any:
    try:
        import openvino
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "predict.engine",
            found="no OpenVINO",
            expected="the extra fast",
            remedy="pip install 'seglet[fast]', or predict with --engine torch.",
        ) from error
    return openvino
