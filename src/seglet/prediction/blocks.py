"""Images larger than the memory: predicted block by block, from disk to disk."""

from collections.abc import Callable, Iterator
from itertools import product
from math import ceil

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import FormatError, GeometryError
from seglet.core.events import Event, Tell, quiet
from seglet.core.grid import Region, Stripe, read_beyond
from seglet.core.image import Image, StoredImage
from seglet.core.orientation import upright
from seglet.model import Model, ModelCard
from seglet.postprocessing.labels import to_labels
from seglet.prediction.engines import TorchEngine
from seglet.prediction.tiled import Tiling, predict_prepared, tiling_of
from seglet.preprocessing.normalization import NormalizationRecord, normalization_of, normalize_part
from seglet.preprocessing.plan import Plan
from seglet.preprocessing.spacing import upright_spacing
from seglet.preprocessing.target import network_axes
from seglet.preprocessing.transform import grid_shape, preprocess_image, restore

SLICES_AT_ONCE = 16  # of a volume that is predicted slice by slice

Write = Callable[[Region, NDArray[np.uint8]], None]


def predict_blocks(
    stored: StoredImage, model: Model, engine: TorchEngine, write: Write, tell: Tell = quiet
) -> None:
    """Predict an image of any size in bounded memory.

    Each block is one window of the network: it is read with its margin, mirrored beyond the image's border,
    and only what lies inside the margin is written. Blocks lie apart by whole multiples of the network's
    strides, so all of them see the image in the same phase, as windows of one pass do. Where nothing was
    ever written to the image there is background.

    Parameters
    ----------
    stored : StoredImage
        What is predicted.
    model : Model
        What was trained.
    engine : TorchEngine
        What runs it.
    write : callable
        Takes each region of the image once, and its class indexes ([z,] y, x) uint8.
    tell : callable
        Hears of each finished block.

    Raises
    ------
    GeometryError
        If the image's channels or axes do not fit the model, or the plan resizes images as a whole.
    FormatError
        If the image holds infinite or undefined values.
    """
    plan = model.card.plan
    if plan.resize is not None:
        raise GeometryError(
            "image",
            found=f"a model that resizes images to {plan.resize}",
            expected="one that sees them at a spacing of its own, to predict block by block",
            remedy="Train without plan.resize, or predict an image that fits the memory.",
        )
    grid_shape(stored, plan)  # refuses images of other axes, also where all of it is empty
    record = normalization_of(stored, plan)
    blocks = list(_blocks(stored.shape, _tiling_on(stored, plan, tiling_of(model.card))))
    for number, (block, core) in enumerate(blocks, start=1):
        if stored.is_written(block.within(stored.shape).slices):
            probabilities = _predict_core(stored, block, core, record, model, engine)
            write(core, to_labels(probabilities, model.card.threshold))
        else:
            write(core, np.zeros(core.shape, np.uint8))
        tell(Event("blocks", done=number, total=len(blocks)))


def predict_region(
    stored: StoredImage, region: Region, model: Model, engine: TorchEngine
) -> NDArray[np.float32]:
    """Predict a part of an image as it would be predicted within all of it: with a margin around.

    Parameters
    ----------
    stored : StoredImage
        The image.
    region : Region
        Inside of it; about as large as a window of the network.
    model : Model
        What was trained.
    engine : TorchEngine
        What runs it.

    Returns
    -------
    (k, [z,] y, x) float32 array
        Probabilities of the region.
    """
    record = normalization_of(stored, model.card.plan)
    return _predict_core(stored, block_around(stored, region, model.card), region, record, model, engine)


def block_around(stored: StoredImage, region: Region, card: ModelCard) -> Region:
    """What is read of an image to predict a region of it."""
    tiling = _tiling_on(stored, card.plan, tiling_of(card))
    start = tuple(a - margin for a, margin in zip(region.start, tiling.margin, strict=True))
    around = zip(region.shape, tiling.margin, tiling.multiple, strict=True)
    sides = (-(-(side + 2 * margin) // multiple) * multiple for side, margin, multiple in around)
    return Region(start, tuple(a + side for a, side in zip(start, sides, strict=True)))


def _predict_core(
    stored: StoredImage,
    block: Region,
    core: Region,
    record: NormalizationRecord,
    model: Model,
    engine: TorchEngine,
) -> NDArray[np.float32]:
    """Predict a block, and give the part of it that has all its surroundings."""
    probabilities = _predict_block(stored, block, record, model, engine)
    return probabilities[(slice(None), *core.shifted(tuple(-n for n in block.start)).slices)]


def _predict_block(
    stored: StoredImage, block: Region, record: NormalizationRecord, model: Model, engine: TorchEngine
) -> NDArray[np.float32]:
    """Probabilities of all of a block, its margin too, (k, [z,] y, x)."""
    pixels = read_beyond(lambda inside: stored.read(inside.slices), block, stored.shape)
    if not np.isfinite(pixels).all():
        raise FormatError(
            "image",
            found="infinite or undefined values",
            expected="numbers",
            remedy="Export the image again, or replace these values.",
        )
    part = Image(normalize_part(pixels, record), stored.spacing, stored.unit, (), stored.direction)
    prepared = preprocess_image(part, _without_normalization(model.card.plan))
    multiple = tiling_of(model.card).multiple
    whole = Tiling(prepared.shape[-len(multiple) :], (0,) * len(multiple), multiple)
    return restore(predict_prepared(prepared, model.card, engine, whole), part, model.card.plan)


def _without_normalization(plan: Plan) -> Plan:
    """The same plan for parts whose intensities are normalized already."""
    return plan.model_copy(update={"color": "as_is", "normalization": "divide", "intensity": None})


def _tiling_on(stored: StoredImage, plan: Plan, tiling: Tiling) -> Tiling:
    """The windows in pixels of the file, along the axes of the file."""
    axes, own = network_axes(plan.mode, plan.slice_axis), upright_spacing(stored, plan.unit)
    sizes = dict.fromkeys(range(len(stored.shape)), (SLICES_AT_ONCE, 0, 1))  # the axis of slices, if any
    windows = zip(axes, tiling.window, tiling.margin, tiling.multiple, strict=True)
    for place, (axis, window, margin, multiple) in enumerate(windows):
        factor = plan.spacing[place] / own[axis] if plan.spacing and own else 1.0
        sizes[axis] = (ceil(window * factor), ceil(margin * factor), multiple)
    uprights = upright(stored.direction).permutation[: len(stored.shape)]
    of_file = [sizes[uprights.index(axis)] for axis in range(len(stored.shape))]
    return Tiling(*zip(*of_file, strict=True))


def _blocks(shape: tuple[int, ...], tiling: Tiling) -> Iterator[tuple[Region, Region]]:
    """Each block with its margin, and the part of it that it alone writes; these partition the image."""
    along = [list(_sides(n, found)) for n, found in zip(shape, tiling.stripes(shape), strict=True)]
    for sides in product(*along):
        (start, first), (stop, last) = (zip(*ends, strict=True) for ends in zip(*sides, strict=True))
        yield Region(start, stop), Region(first, last)


def _sides(n: int, found: list[Stripe]) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Along one axis: where each block and its core start, and where they stop."""
    step = found[1].start - found[0].start if len(found) > 1 else n
    for number, stripe in enumerate(found):
        first = number * step
        yield (stripe.start, first), (stripe.start + stripe.extent, min(first + step, n))
