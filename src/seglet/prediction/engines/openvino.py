"""Runs a network by OpenVINO on the CPU."""

import sys
from collections import OrderedDict
from functools import cache
from math import prod
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
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
FIRST = Lock()
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
    lanes : int
        Calls that are made at the same time, by as many threads; each gets its share of the cores.
    """

    def __init__(
        self, graph: "openvino.Model", card: ModelCard, arithmetic: Arithmetic, lanes: int = 1
    ) -> None:
        super().__init__(card)
        self._graph, self._arithmetic, self._lanes = graph, arithmetic, lanes
        self._compiled: OrderedDict[tuple[int, ...], SimpleQueue[Any]] = OrderedDict()
        self._lock = Lock()
        self._abreast: OpenVinoEngine | None = None

    @property
    def name(self) -> str:
        """The library and its arithmetic."""
        return f"OpenVINO {self._arithmetic}"

    def abreast(self, shape: tuple[int, ...], lanes: int) -> tuple["OpenVinoEngine", int]:
        """As many lanes as there are cores for: threads that share a window wait for each other.

        A batch then takes longer, and two of them less time; by what else the cores have to do, 0 to 20 %.
        """
        lanes = min(lanes, torch.get_num_threads())
        if lanes == self._lanes:
            return self, lanes
        if self._abreast is None or self._abreast._lanes != lanes:
            self._abreast = OpenVinoEngine(self._graph, self._card, self._arithmetic, lanes)
        return self._abreast, lanes

    def prepare(self, shape: tuple[int, ...], lanes: int) -> None:
        """Compile."""
        runner, _ = self.abreast(shape, lanes)
        with runner._lock:
            runner._requests(shape)

    def _logits(self, images: Tensor) -> Tensor:
        with self._lock:
            requests = self._requests(tuple(images.shape))
        request = requests.get()
        try:
            request.infer([images.contiguous().numpy()], share_inputs=True)
            logits = np.array(request.get_output_tensor(0).data, np.float32)
        finally:
            requests.put(request)
        return torch.from_numpy(logits)

    def _requests(self, shape: tuple[int, ...]) -> "SimpleQueue[Any]":
        """What runs windows of one size, one for each lane; the size used longest ago is let go."""
        if shape in self._compiled:
            self._compiled.move_to_end(shape)
            return self._compiled[shape]
        while self._compiled and not self._has_room(shape):
            self._compiled.popitem(last=False)
        graph = self._graph.clone()
        graph.reshape(list(shape))
        settings = {
            "INFERENCE_PRECISION_HINT": HINTS[self._arithmetic],
            "PERFORMANCE_HINT": "LATENCY" if self._lanes == 1 else "THROUGHPUT",
            "NUM_STREAMS": self._lanes,
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }
        if self._lanes > 1:
            settings["ENABLE_CPU_PINNING"] = False  # other threads want a turn, too
        compiled = _core().compile_model(graph, "CPU", settings)
        requests = self._compiled[shape] = SimpleQueue()
        for _ in range(self._lanes):
            requests.put(compiled.create_infer_request())
        return requests

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


def _core() -> Any:
    """One for the process: each that is let go takes the stack along on which signals would be handled."""
    with FIRST:
        return _first_core()


@cache
def _first_core() -> Any:
    """Also hands an array over: two threads that are the first to do so, at once, wait for each other."""
    ov = _openvino()
    ov.Tensor(np.zeros(1, np.float32)).data.copy()
    return ov.Core()


def keep_private() -> None:
    """Leave out the package by which OpenVINO and NNCF report their use to their makers, unasked.

    Both take it for missing then; it also writes an identifier to the home folder.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]


def _openvino() -> Any:
    keep_private()
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
