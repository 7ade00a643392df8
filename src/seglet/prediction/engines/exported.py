"""A network as a graph of operations, which other libraries than PyTorch can run."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from seglet.model import Model
from seglet.networks.hardware import on_device

LARGEST = 2**16  # steps along an axis of a window; a bound that the exporter asks for


def exported(network: nn.Module, images: Tensor) -> ExportedProgram:
    """Trace a network's operations.

    Networks that take any multiple of a step (their attribute `step`) are traced for all of them; others,
    those of unpadded convolutions and ensembles of such, for the size of `images` alone. The number of images
    is free.

    Parameters
    ----------
    network : Module
        In evaluation mode, on the CPU, in float32.
    images : (n, c, [z,] y, x) float tensor
        An example of its input.

    Returns
    -------
    ExportedProgram
        With one input and one output.
    """
    step = step_of(network)
    shape = images.shape[2:]
    free: dict[int, object] = {0: Dim("n")}
    if step is not None:
        shape = torch.Size(-(-max(n, 2 * s + 1) // s) * s for n, s in zip(shape, step, strict=True))
        free |= {
            axis: s * Dim(f"d{axis}", max=LARGEST) if s > 1 else Dim(f"d{axis}")
            for axis, s in enumerate(step, start=2)
        }
    example = torch.zeros(2, images.shape[1], *shape)  # one image alone, or one step, would be fixed
    with silent("torch"), torch.no_grad():
        return torch.export.export(network, (example,), dynamic_shapes=(free,), strict=False)


def exported_model(model: Model, shape: tuple[int, ...]) -> ExportedProgram:
    """Trace a model's network, which is moved to the CPU; `shape`, (n, c, [z,] y, x), as of `exported`."""
    network = on_device(model.network, torch.device("cpu")).eval()
    return exported(network, torch.zeros(shape))


def step_of(network: nn.Module) -> tuple[int, ...] | None:
    """What all sides of a network's images are multiples of; None where they cannot be chosen freely."""
    members = getattr(network, "members", None)
    step = getattr(network if members is None else members[0], "step", None)
    return None if step is None else tuple(step)


@contextmanager
def silent(log: str) -> Iterator[None]:
    """Keep to itself what a library tells its developers while it converts a network."""
    logger = logging.getLogger(log)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
