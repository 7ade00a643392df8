"""Overlap and blend: large images and volumes window by window, without a seam."""

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import chain, islice, product
from math import prod

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import FormatError
from seglet.core.events import Event, Tell, quiet
from seglet.core.grid import Region
from seglet.core.image import Image
from seglet.core.overlap import abreast, ahead
from seglet.core.profile import timed
from seglet.core.tiling import Stripe
from seglet.model import Model, ModelCard
from seglet.prediction.alignment import aligned
from seglet.prediction.engines.engine import Engine
from seglet.prediction.outputs import calibrated, class_probabilities
from seglet.prediction.rotations import turns
from seglet.prediction.scenes import Scene, scene_of
from seglet.prediction.tiling import Tiling, extent_of, tiling_of
from seglet.preprocessing.transform import restore

Place = tuple[Stripe, ...]
Batch = tuple[list[tuple[int, Place]], NDArray[np.float32]]


def predict_image(image: Image, model: Model, engine: Engine, tell: Tell = quiet) -> NDArray[np.float32]:
    """Predict an image or a volume of any size.

    Parameters
    ----------
    image : Image
        As read from its file.
    model : Model
        What was trained.
    engine : Engine
        What runs it.
    tell : callable
        Hears of each finished batch of windows.

    Returns
    -------
    (k, [z,] y, x) float32 array
        Probabilities on the image's own grid; k = 1: of the foreground, else one per class.

    Raises
    ------
    GeometryError
        If the image's channels or axes do not fit the model.
    FormatError
        If the image holds infinite or undefined values.
    """
    return class_probabilities(predict_raw(image, model, engine, tell), model.card)


def predict_raw(image: Image, model: Model, engine: Engine, tell: Tell = quiet) -> NDArray[np.float32]:
    """Predict all that the network says, borders and distances too, calibrated; see `predict_image`.

    Returns
    -------
    (planes, [z,] y, x) float32 array
        On the image's own grid; see `seglet.prediction.outputs.raw_planes`.
    """
    if image.pixels.dtype.kind == "f" and not np.isfinite(image.pixels).all():
        raise FormatError(
            "image",
            found="infinite or undefined values",
            expected="numbers",
            remedy="Export the image again, or replace these values.",
        )
    card = model.card
    with timed("preprocess"):
        scene = scene_of(image, card)
    raw = predict_prepared(scene, card, engine, tiling_of(card), tell)
    with timed("restore"):
        return calibrated(aligned(restore(raw, image, card.plan), image, card), card)


def predict_prepared(
    scene: Scene, card: ModelCard, engine: Engine, tiling: Tiling, tell: Tell = quiet
) -> NDArray[np.float32]:
    """Predict an image on the plan's grid: (c, [z,] y, x) to (planes, [z,] y, x).

    The mean over as many turned versions as the model's settings say; one after the other, so that they take
    no more memory than two.
    """
    with timed("blend"):
        total = _predict_upright(scene, card, engine, tiling, tell)
        for turn in turns(scene.shape, card):
            turned = Scene(turn.there(scene.pixels))
            total += turn.back(_predict_upright(turned, card, engine, tiling, tell))
        if card.predict.rotations > 1:
            total /= card.predict.rotations
        return total


def _predict_upright(
    scene: Scene, card: ModelCard, engine: Engine, tiling: Tiling, tell: Tell
) -> NDArray[np.float32]:
    """A network of slices sees one slice at a time; the first spatial axis then counts them."""
    if card.plan.mode == "slices":
        slices = [Scene(pixels) for pixels in scene.pixels.swapaxes(0, 1)]
        return predict_windows(slices, engine, tiling, tell).swapaxes(0, 1)
    return np.asarray(predict_windows([scene], engine, tiling, tell)[0], np.float32)


def predict_windows(
    images: Sequence[Scene], engine: Engine, tiling: Tiling, tell: Tell = quiet
) -> NDArray[np.float32]:
    """Run the engine over windows and put together what it says; see `seglet.core.tiling`.

    Parameters
    ----------
    images : sequence of Scene
        Images of one size.
    engine : Engine
        What runs the network; whatever it gives is blended, be it probabilities or logits.
    tiling : Tiling
        How they are cut.
    tell : callable
        Hears of each finished batch of windows.

    Returns
    -------
    (n, planes, [z,] y, x) float32 array
        Without the margin that `images` have where they are surrounded.
    """
    shape = tuple(n - 2 * side for n, side in zip(images[0].shape, tiling.surround, strict=True))
    along = tiling.stripes(shape)
    blended: NDArray[np.float32] | None = None
    done, total = 0, len(images) * prod(map(len, along))
    batches = _batches(images, along, tiling)
    runner, lanes = engine, tiling.lanes(total, extent_of(along))
    if lanes > 1:
        first = next(batches)
        runner, lanes = engine.abreast(first[1].shape, lanes)
        batches = chain([first], batches)
    if lanes == 1 and total > tiling.windows_at_once(extent_of(along)):
        batches = ahead(batches)

    for (chosen, _), planes in abreast(lambda batch: runner.run(batch[1]), batches, lanes, "network"):
        if blended is None:
            blended = np.zeros((len(images), planes.shape[1], *shape), np.float32)
        for (number, place), patch in zip(chosen, planes, strict=True):
            _blend(blended[number], patch, place)
        done += len(chosen)
        tell(Event("windows", done=done, total=total))
    assert blended is not None  # an image has at least one window
    return blended


def first_batch(shape: tuple[int, ...], card: ModelCard) -> tuple[tuple[int, ...], int]:
    """Shape of the first batch of an image's windows, (n, c, [z,] y, x), and how many run at the same time.

    Parameters
    ----------
    shape : ([z,] y, x)
        Extent of the image once it is prepared.
    card : ModelCard
        Of a network that sees the image as a whole, and not its slices.
    """
    tiling = tiling_of(card)
    along = tiling.stripes(shape)
    extent, total = extent_of(along), prod(map(len, along))
    n_windows = min(tiling.windows_at_once(extent), total)
    return (n_windows, card.plan.n_channels, *extent), tiling.lanes(total, extent)


def n_seen(shape: tuple[int, ...], card: ModelCard) -> int:
    """Pixels that the network sees of one image, in all of its windows and turned versions.

    Parameters
    ----------
    shape : ([z,] y, x)
        Extent of the image once it is prepared.
    card : ModelCard
        Whose windows and versions they are.
    """
    tiling, total = tiling_of(card), 0
    for extent in (shape, *(turn.turned_shape for turn in turns(shape, card))):
        n_axes = len(tiling.window)
        along = tiling.stripes(extent[-n_axes:])
        total += prod(extent[:-n_axes]) * prod(sum(stripe.extent for stripe in side) for side in along)
    return total


def region_of(place: Sequence[Stripe]) -> Region:
    """The box that one window reads, which may reach beyond the image."""
    start = tuple(stripe.start for stripe in place)
    return Region(start, tuple(stripe.start + stripe.extent for stripe in place))


def _batches(images: Sequence[Scene], along: Sequence[Sequence[Stripe]], tiling: Tiling) -> Iterator[Batch]:
    """Which windows are run at once: the image and the place of each, and (n, c, [z,] y, x) input."""
    windows, at_once = product(range(len(images)), product(*along)), tiling.windows_at_once(extent_of(along))
    while chosen := list(islice(windows, at_once)):
        with timed("preprocess"):
            cut = [images[i].window(region_of(place).shifted(tiling.surround)) for i, place in chosen]
            batch = np.stack(cut) if len(cut) > 1 else cut[0][None]
        yield chosen, batch


def _blend(blended: NDArray[np.float32], patch: NDArray[np.float32], place: Sequence[Stripe]) -> None:
    parts = [stripe.inside(n) for stripe, n in zip(place, blended.shape[1:], strict=True)]
    image, window = zip(*parts, strict=True)
    weight = reduce(np.multiply.outer, [s.weights[part] for s, part in zip(place, window, strict=True)])
    seen = patch[(slice(None), *window)]
    seen *= weight  # in place: no more memory is touched
    blended[(slice(None), *image)] += seen
