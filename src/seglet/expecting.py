"""What a plan will cost, said before it is done: the memory and the time of training and of prediction."""

import time
from math import prod

import numpy as np

from seglet.core.image import StoredImage
from seglet.core.sizes import gibibytes
from seglet.io.pixels import in_memory
from seglet.model import Model, untrained
from seglet.peaks import highest
from seglet.planning import Planned
from seglet.prediction.engines.engine import flips_of
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.memory import PROCESS, image_memory, network_memory
from seglet.prediction.tiled import n_seen
from seglet.preprocessing.target import network_axes
from seglet.preprocessing.transform import grid_shape

# A step's time in those of a prediction: forward, backward for input and for weights; checkpointing adds one.
PASSES = 3


def expectations(planned: Planned) -> tuple[tuple[str, str], ...]:
    """Memory and time of training, and of predicting the largest labelled image, in words.

    The network is run on one batch of zeros to know its speed here, in PyTorch.
    """
    model = untrained(planned.card())
    image = max((sample.image for sample in planned.samples.values()), key=lambda one: prod(one.shape))
    stored = image if isinstance(image, StoredImage) else in_memory(image)
    rate = seconds_per_pixel(model)
    size = "x".join(map(str, reversed(stored.shape)))
    versions = len(flips_of(2 + len(model.card.plan.patch_size))) if model.card.predict.flips else 1
    taken_s = versions * rate * n_seen(seen_shape(stored, model), model.card)
    trained, predicted = gibibytes(training_memory(planned)), gibibytes(prediction_memory(stored, model))
    return (
        ("training takes", f"about {trained} of memory and {_training_time(planned, rate)}"),
        ("predicting takes", f"about {predicted} of memory and {_duration(taken_s)} for an image of {size}"),
    )


def prediction_memory(image: StoredImage, model: Model) -> int:
    """Bytes that a process takes at most to predict one image in memory."""
    return PROCESS + network_memory(model, image) + image_memory(image, model.card)


def training_memory(planned: Planned) -> int:
    """Bytes that a process takes at most to train and to do all that follows."""
    return PROCESS + highest(planned).n_bytes


def seconds_per_pixel(model: Model) -> float:
    """Time a network on a batch as it is trained on; of a second run: the first chooses the arithmetic."""
    plan, engine = model.card.plan, TorchEngine(model)
    batch = np.zeros((plan.batch_size, plan.n_channels, *plan.patch_size), np.float32)
    engine.logits(batch)
    start = time.perf_counter()
    engine.logits(batch)
    return (time.perf_counter() - start) / batch[:, 0].size


def step_seconds(planned: Planned, rate: float) -> float:
    """A training step, where prediction takes so many seconds for a pixel; see `seconds_per_pixel`."""
    plan, fit = planned.plan, planned.recipe.fit
    return (PASSES + fit.checkpointing) * rate * plan.batch_size * prod(plan.patch_size) * fit.accumulate


def seen_shape(image: StoredImage, model: Model) -> tuple[int, ...]:
    """Extent of an image on the plan's grid, the axis of slices first."""
    plan = model.card.plan
    shape, axes = grid_shape(image, plan), network_axes(plan.mode, plan.slice_axis)
    slices = tuple(n for axis, n in enumerate(shape) if axis not in axes)
    return slices + tuple(shape[axis] for axis in axes)


def _training_time(planned: Planned, rate: float) -> str:
    fit = planned.recipe.fit
    if fit.steps is None:
        return f"{_duration(fit.budget_s)} with scoring"
    return f"{_duration(fit.steps * step_seconds(planned, rate))} for {fit.steps} steps"


def _duration(seconds: float) -> str:
    """Write a time for a person."""
    if seconds < 90:
        return f"{seconds:.2g} s"
    minutes = seconds / 60
    return f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"
