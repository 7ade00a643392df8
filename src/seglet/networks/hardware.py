"""Which arithmetic this machine is fastest in; measured, not assumed."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Literal

import psutil
import torch
from torch import Tensor, nn

PrecisionChoice = Literal["auto", "fp32", "bf16", "fp16"]
Kind = Literal["fp32", "bf16", "fp16"]

DTYPES: dict[Kind, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

WORTHWHILE = 1.15  # bfloat16 must be this much faster before its rounding is accepted
N_TIMED = 2
LONGEST_S = 1.0  # of timing one arithmetic; where others hold the cores, a step takes seconds
CHANNELS_LAST = {False: torch.channels_last, True: torch.channels_last_3d}  # by: is it a volume?


@dataclass(frozen=True)
class Precision:
    """Arithmetic of a network's convolutions.

    Attributes
    ----------
    kind : str
        ``bf16`` or ``fp16`` where they run in 16 bits (autocast), weights and losses stay in float32.
    reason : str
        Why, in words.
    """

    kind: Kind
    reason: str

    @property
    def bf16(self) -> bool:
        """Whether convolutions run in bfloat16."""
        return self.kind == "bf16"

    @property
    def name(self) -> str:
        """What the log says."""
        return f"{self.kind}{'' if self.kind == 'fp32' else ' autocast'}, channels-last"


def best_device() -> torch.device:
    """The first GPU there is, else the CPU."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def free_memory() -> int:
    """Bytes that training may fill on the best device."""
    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    return int(psutil.virtual_memory().available)


def on_device(network: nn.Module, device: torch.device) -> nn.Module:
    """Move a network to a device, its weights in channels-last order."""
    order = CHANNELS_LAST[max((p.ndim for p in network.parameters()), default=0) == 5]
    moved: nn.Module = network.to(device).to(memory_format=order)  # type: ignore[call-overload]
    return moved


def channels_last(images: Tensor) -> Tensor:
    """The same images with the channels of a pixel side by side in memory, as fast convolutions want them.

    It pays for volumes as for images: a step of the standard 3D network on two patches of 40x56x40 took
    0.40 s in the usual order and 0.32 s in this one, in bfloat16 0.23 s and 0.20 s (two CPU threads).
    """
    return images.contiguous(memory_format=CHANNELS_LAST[images.ndim == 5])


def autocast(device: torch.device, precision: Precision) -> AbstractContextManager[object]:
    """Run what is inside in the chosen arithmetic."""
    return torch.autocast(device.type, dtype=DTYPES[precision.kind], enabled=precision.kind != "fp32")


def choose_precision(
    choice: PrecisionChoice, network: nn.Module, images: Tensor, *, training: bool
) -> Precision:
    """Choose between float32 and bfloat16 by timing the network on real input.

    Parameters
    ----------
    choice : str
        ``auto`` measures; all others are taken at their word.
    network : Module
        On its device; its weights and statistics are left as they were.
    images : (n, c, [z,] y, x) float tensor
        Input of the size that will be used.
    training : bool
        Whether the backward pass counts too.
    """
    if choice != "auto":
        return Precision(choice, "as the recipe says")
    if not has_bf16(images.device):
        return Precision("fp32", "no fast bfloat16 on this hardware")
    kinds: tuple[Kind, ...] = ("fp32", "bf16")
    slow, fast = (_seconds(network, images, Precision(kind, ""), training) for kind in kinds)
    gain = f"bf16 {fast * 1000:.0f} ms, fp32 {slow * 1000:.0f} ms"
    return Precision("bf16" if slow > WORTHWHILE * fast else "fp32", f"measured: {gain}")


@contextmanager
def own_threads() -> Iterator[None]:
    """Give PyTorch back the threads that it had, once what is inside has chosen others."""
    n_threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def choose_threads(run: Callable[[], object], most: int) -> float:
    """Time a computation by `most` threads and by one, and go on with as many as were faster.

    Threads wait for each other after every layer. Where other programs hold the cores that costs more than
    it gains: beside eight other programs on two cores a training step took 7 s by two threads and 1 s by one.

    Parameters
    ----------
    run : callable
        What is timed.
    most : int
        Threads to use where the cores are free.

    Returns
    -------
    float
        Seconds, by the threads that were chosen.
    """
    took: dict[int, float] = {}
    for n_threads in sorted({most, 1}):
        torch.set_num_threads(n_threads)
        took[n_threads] = _time(run, torch.device("cpu"))
    torch.set_num_threads(min(took, key=lambda n: took[n] * (1 if n == most else WORTHWHILE)))
    return took[torch.get_num_threads()]


def has_bf16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 itself, and not by way of float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    if device.type == "cpu":
        has_amx = torch.cpu._is_amx_tile_supported()
        return bool(has_amx or torch.cpu._is_avx512_bf16_supported())
    return False


def _seconds(network: nn.Module, images: Tensor, precision: Precision, training: bool) -> float:
    was_training = network.training
    network.eval()  # so that timing does not move any running statistics
    run = _train_once if training else _infer_once
    times: list[float] = []
    while len(times) <= N_TIMED and sum(times) < LONGEST_S:
        times.append(_time(lambda: run(network, images, precision), images.device))
    network.train(was_training)
    network.zero_grad(set_to_none=True)
    return min(times[1:] or times)


def _train_once(network: nn.Module, images: Tensor, precision: Precision) -> None:
    with torch.enable_grad(), autocast(images.device, precision):
        logits = network(channels_last(images))
    logits.float().mean().backward()


def _infer_once(network: nn.Module, images: Tensor, precision: Precision) -> None:
    with torch.inference_mode(), autocast(images.device, precision):
        network(channels_last(images))


def _time(run: Callable[[], object], device: torch.device) -> float:
    start = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start
