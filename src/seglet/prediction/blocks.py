"""Images larger than the memory: predicted block by block, from disk to disk."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import FormatError, GeometryError
from seglet.core.events import Event, Tell, quiet
from seglet.core.grid import Region, read_beyond
from seglet.core.image import Image, StoredImage
from seglet.core.orientation import upright
from seglet.core.overlap import ahead, behind
from seglet.core.profile import timed
from seglet.core.tiling import Stripe
from seglet.core.valid import ValidAxis
from seglet.model import Model, ModelCard
from seglet.postprocessing.labels import to_labels
from seglet.prediction.alignment import aligned
from seglet.prediction.engines.engine import Engine
from seglet.prediction.outputs import calibrated, class_probabilities
from seglet.prediction.scenes import Scene
from seglet.prediction.tiled import predict_prepared
from seglet.prediction.tiling import WINDOW, Tiling, tiling_of
from seglet.preprocessing.normalization import NormalizationRecord, normalization_of, normalize_part
from seglet.preprocessing.plan import Plan
from seglet.preprocessing.spacing import upright_spacing
from seglet.preprocessing.target import network_axes
from seglet.preprocessing.transform import grid_shape, preprocess_image, restore

SLICES_AT_ONCE = 16  # of a volume that is predicted slice by slice

WriteLabels = Callable[[Region, NDArray[np.uint8]], None]
WritePlanes = Callable[[Region, NDArray[np.float32] | None], None]


def predict_blocks(
    stored: StoredImage, model: Model, engine: Engine, write: WriteLabels, tell: Tell = quiet
) -> None:
    """Predict the class of every pixel of an image of any size; see `predict_planes`.

    Parameters
    ----------
    write : callable
        Takes each region of the image once, and its class indexes ([z,] y, x) uint8.
    """

    def decide(region: Region, planes: NDArray[np.float32] | None) -> None:
        if planes is None:
            write(region, np.zeros(region.shape, np.uint8))
            return
        with timed("decide"):
            labels = to_labels(class_probabilities(planes, model.card), model.card.threshold)
        write(region, labels)

    predict_planes(stored, model, engine, decide, tell)


def predict_planes(
    stored: StoredImage, model: Model, engine: Engine, write: WritePlanes, tell: Tell = quiet
) -> None:
    """Predict an image of any size in bounded memory.

    Each block is one window of the network: it is read with its margin, mirrored beyond the image's border,
    and only what lies inside the margin is written. Blocks lie apart by whole multiples of the network's
    strides, counted from where the upright image starts, so all of them see it in the same phase, as windows
    of one pass do. Where windows are a stride apart, a block holds all windows that show its pixels. Where
    nothing was ever written to the image there is background. The next block is read, and the last one
    written, while the network runs.

    Parameters
    ----------
    stored : StoredImage
        What is predicted.
    model : Model
        What was trained.
    engine : Engine
        What runs it.
    write : callable
        Takes each region of the image once, and what the network says of it, (planes, [z,] y, x) float32,
        calibrated; None where there is background. Called by a thread of its own, one region at a time.
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
    blocks = blocks_of(stored, model.card)

    def read() -> Iterator[_Block | None]:
        for block, _ in blocks:
            is_written = stored.is_written(block.within(stored.shape).slices)
            yield _read_block(stored, block, record, model.card) if is_written else None

    with behind() as later:
        for number, (block, (_, core)) in enumerate(zip(ahead(read()), blocks, strict=True), start=1):
            planes = None if block is None else _predict_core(block, core, model, engine)
            later(partial(write, core, planes))
            tell(Event("blocks", done=number, total=len(blocks)))


def predict_region(stored: StoredImage, region: Region, model: Model, engine: Engine) -> NDArray[np.float32]:
    """Predict a part of an image as within all of it: with a margin around.

    Parameters
    ----------
    stored : StoredImage
        The image.
    region : Region
        Inside of it; about as large as a window of the network.
    model : Model
        What was trained.
    engine : Engine
        What runs it.

    Returns
    -------
    (planes, [z,] y, x) float32 array
        Of the region, calibrated; see `seglet.prediction.outputs.raw_planes`.
    """
    record = normalization_of(stored, model.card.plan)
    around = block_around(stored, region, model.card)
    return _predict_core(_read_block(stored, around, record, model.card), region, model, engine)


def blocks_of(stored: StoredImage, card: ModelCard) -> list[tuple[Region, Region]]:
    """Each block of an image with its margin, and the part of it that it alone writes."""
    tiling = _tiling_on(stored, card.plan, tiling_of(card))
    pairs = _blocks(stored.shape, tiling)
    return [(_from_upright(block, stored), _from_upright(core, stored)) for block, core in pairs]


def block_around(stored: StoredImage, region: Region, card: ModelCard) -> Region:
    """What is read of an image to predict a region of it."""
    tiling = _tiling_on(stored, card.plan, tiling_of(card))
    return _from_upright(_around(_from_upright(region, stored), tiling), stored)


def _around(region: Region, tiling: Tiling) -> Region:
    if tiling.valid is not None:
        ends = zip(region.start, region.stop, tiling.valid, strict=True)
        return Region(*zip(*(_valid_side(first, stop, axis) for first, stop, axis in ends), strict=True))
    start = tuple(a - margin for a, margin in zip(region.start, tiling.margin, strict=True))
    around = zip(region.shape, tiling.margin, tiling.multiple, strict=True)
    sides = (-(-(side + 2 * margin) // multiple) * multiple for side, margin, multiple in around)
    return Region(start, tuple(a + side for a, side in zip(start, sides, strict=True)))


def _valid_side(first: int, stop: int, axis: ValidAxis) -> tuple[int, int]:
    """Where an input starts and stops whose output shows all from `first` to `stop`, in the image's phase."""
    start = first // axis.step * axis.step
    return start - axis.margin, start - axis.margin + axis.nearest(stop - start + axis.lost)


@dataclass(frozen=True, eq=False)
class _Block:
    """A part of an image: where it lies, what of it lies inside, its pixels, and these on the plan's grid."""

    region: Region
    inside: tuple[slice, ...]
    part: Image
    scene: Scene


def _read_block(stored: StoredImage, block: Region, record: NormalizationRecord, card: ModelCard) -> _Block:
    """Read and prepare a block, its margin too."""
    if card.predict.stride is not None:
        first = _from_first_window(_from_upright(block, stored), stored.shape, card)
        block = _from_upright(first, stored)
    with timed("read"):
        pixels = read_beyond(lambda inside: stored.read(inside.slices), block, stored.shape)
    if not np.isfinite(pixels).all():
        raise FormatError(
            "image",
            found="infinite or undefined values",
            expected="numbers",
            remedy="Export the image again, or replace these values.",
        )
    with timed("preprocess"):
        part = Image(normalize_part(pixels, record), stored.spacing, stored.unit, (), stored.direction)
        scene = Scene(preprocess_image(part, _without_normalization(card.plan)))
    return _Block(block, _of_block(block.within(stored.shape), block), part, scene)


def _predict_core(block: _Block, core: Region, model: Model, engine: Engine) -> NDArray[np.float32]:
    """Predict a block, and give the part of it that has all its surroundings."""
    card, shape = model.card, block.scene.shape
    predicted = predict_prepared(block.scene, card, engine, _within_block(card, shape))
    with timed("restore"):
        raw = restore(_with_surround(predicted, shape), block.part, card.plan)
        aligned(raw[(slice(None), *block.inside)], block.part, card)
        return calibrated(raw[(slice(None), *_of_block(core, block.region))], card)


def _of_block(region: Region, block: Region) -> tuple[slice, ...]:
    """A region inside of a block, counted from where that starts."""
    return region.shifted(tuple(-n for n in block.start)).slices


def _within_block(card: ModelCard, shape: tuple[int, ...]) -> Tiling:
    """How a block itself is cut: where possible it is one window, and its margin enough of one."""
    tiling = tiling_of(card)
    if card.predict.rotations > 1 or tiling.stride is not None:  # a turned block is larger than a window
        return tiling
    if tiling.valid is not None:
        return replace(tiling, window=shape[-len(tiling.window) :], is_surrounded=True)
    n_axes = len(tiling.multiple)
    return Tiling(shape[-n_axes:], (0,) * n_axes, tiling.multiple, batch=tiling.batch)


def _with_surround(predicted: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Repeat the outer pixels into the margin that was read and not predicted."""
    if predicted.shape[1:] == shape:
        return predicted
    around = ((n - inner) // 2 for n, inner in zip(shape, predicted.shape[1:], strict=True))
    return np.pad(predicted, [(0, 0), *((side, side) for side in around)], mode="edge")


def _without_normalization(plan: Plan) -> Plan:
    """The same plan for parts whose intensities are normalized already."""
    return plan.model_copy(update={"color": "as_is", "normalization": "divide", "intensity": None})


def _tiling_on(stored: StoredImage, plan: Plan, tiling: Tiling) -> Tiling:
    """The windows in pixels of the file, along the axes of the file."""
    axes, own = network_axes(plan.mode, plan.slice_axis), upright_spacing(stored, plan.unit)
    factors = [plan.spacing[n] / own[axis] if plan.spacing and own else 1.0 for n, axis in enumerate(axes)]
    sides = _of_strides(tiling) if tiling.stride is not None else tiling
    n_slices = max(1, int(SLICES_AT_ONCE / max(1, prod(factors))))  # fewer where the file is finer
    sizes = dict.fromkeys(range(len(stored.shape)), (n_slices, 0, 1))  # the axis of slices, if any
    windows = zip(axes, factors, sides.window, sides.margin, sides.multiple, strict=True)
    for axis, factor, side, around, step in windows:
        sizes[axis] = (ceil(side * factor), ceil(around * factor), step)
    uprights = upright(stored.direction).permutation[: len(stored.shape)]
    of_file = [uprights.index(axis) for axis in range(len(stored.shape))]
    window, margin, multiple = zip(*(sizes[axis] for axis in of_file), strict=True)
    found = Tiling(window, margin, multiple)
    if tiling.valid is None:
        return found
    if any(factor != 1 for factor in factors):  # pixels of the file have no phase in the network's grid
        return _for_resampling(found)
    legal = dict.fromkeys(range(len(stored.shape)), ValidAxis((), (1,))) | dict(
        zip(axes, tiling.valid, strict=True)
    )
    return replace(found, valid=tuple(legal[axis] for axis in of_file))


def _of_strides(tiling: Tiling) -> Tiling:
    """Blocks of windows a stride apart, each with all the windows that show its core."""
    assert tiling.stride is not None
    stride = tiling.stride
    margin = tuple(-(-side // stride) * stride for side in tiling.window)
    cores = (WINDOW if len(margin) == 2 else 2 * side for side in tiling.window)
    window = tuple(core + 2 * around for core, around in zip(cores, margin, strict=True))
    return Tiling(window, margin, (stride,) * len(margin))


def _for_resampling(tiling: Tiling) -> Tiling:
    """Two more pixels on all sides, that interpolation may take from."""
    wider = tuple(margin + 2 if margin else 0 for margin in tiling.margin)
    window = tuple(side + 2 * (b - a) for side, a, b in zip(tiling.window, tiling.margin, wider, strict=True))
    return Tiling(window, wider, tiling.multiple)


def _from_first_window(block: Region, shape: tuple[int, ...], card: ModelCard) -> Region:
    """Start a block where a window of the whole image starts; beyond the image there are none."""
    inside = block.within(shape)
    if card.plan.spacing is not None:
        return inside
    stride = card.predict.stride or 1
    return Region(tuple(a // stride * stride for a in inside.start), inside.stop)


def _from_upright(region: Region, stored: StoredImage) -> Region:
    """Count a region from the other end of the axes that run backwards once the image is upright, or back."""
    how = upright(stored.direction)
    backwards = {axis for axis, is_flipped in zip(how.permutation, how.flips, strict=True) if is_flipped}
    ends = zip(region.start, region.stop, stored.shape, strict=True)
    sides = [(n - b, n - a) if axis in backwards else (a, b) for axis, (a, b, n) in enumerate(ends)]
    return Region(*zip(*sides, strict=True))


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
