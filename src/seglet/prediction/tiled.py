"""Overlap and blend: large images and volumes window by window, without a seam."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import FormatError
from seglet.core.events import Event, Tell, quiet
from seglet.core.grid import Region, Stripe, read_mirrored, stripes
from seglet.core.image import Image
from seglet.model import Model, ModelCard
from seglet.prediction.engines import TorchEngine
from seglet.preprocessing.transform import preprocess_image, restore

MULTIPLE = 32  # px; windows of such sides can be halved by any 2D network here
WINDOW, MARGIN = 512, 32  # px; of images
MOST_VOXELS = 2**21  # of a window of a volume: a standard network then takes about a gigabyte
PIXELS_AT_ONCE = 512 * 512  # windows are batched up to this many pixels: fuller batches gain nothing on a CPU


@dataclass(frozen=True)
class Tiling:
    """How images are cut into windows, for each axis that the network sees.

    Attributes
    ----------
    window, margin : tuple of int
        Wished extent of a window, and half of what neighbors share, in pixels of the plan's grid.
    multiple : tuple of int
        See `seglet.core.grid.stripes`.
    """

    window: tuple[int, ...]
    margin: tuple[int, ...]
    multiple: tuple[int, ...]

    def stripes(self, shape: Sequence[int]) -> list[list[Stripe]]:
        """The windows' places along each axis of an image."""
        sizes = zip(shape, self.window, self.margin, self.multiple, strict=True)
        return [stripes(*along) for along in sizes]


def tiling_of(card: ModelCard) -> Tiling:
    """The windows that suit a model; what its settings leave open follows from its plan."""
    plan, said = card.plan, card.predict
    if plan.mode == "3d":
        patch, multiple = plan.patch_size, tuple(prod(along) for along in zip(*plan.strides, strict=True))
        doubled = tuple(2 * n for n in patch)
        window = doubled if prod(doubled) <= MOST_VOXELS else patch
        margin = tuple(n // 4 for n in patch)
    else:
        window, margin, multiple = (WINDOW,) * 2, (MARGIN,) * 2, (MULTIPLE,) * 2
    if said.window is not None:
        window = (said.window,) * len(window)
    if said.margin is not None:
        margin = (said.margin,) * len(window)
    else:
        margin = tuple(min(m, w // 4) for m, w in zip(margin, window, strict=True))
    return Tiling(window, margin, multiple or (1,) * len(window))


def predict_image(
    image: Image,
    model: Model,
    engine: TorchEngine,
    tell: Tell = quiet,
) -> NDArray[np.float32]:
    """Predict an image or a volume of any size.

    Parameters
    ----------
    image : Image
        As read from its file.
    model : Model
        What was trained.
    engine : TorchEngine
        What runs it.
    tell : callable
        Hears of each finished window.

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
    if not np.isfinite(image.pixels).all():
        raise FormatError(
            "image",
            found="infinite or undefined values",
            expected="numbers",
            remedy="Export the image again, or replace these values.",
        )
    card = model.card
    pixels = preprocess_image(image, card.plan)
    return restore(predict_prepared(pixels, card, engine, tiling_of(card), tell), image, card.plan)


def predict_prepared(
    pixels: NDArray[np.float32], card: ModelCard, engine: TorchEngine, tiling: Tiling, tell: Tell = quiet
) -> NDArray[np.float32]:
    """Predict what `preprocess_image` gave, on the same grid: (c, [z,] y, x) to (k, [z,] y, x).

    A network of slices sees one slice at a time; the first spatial axis then counts them.
    """
    if card.plan.mode == "slices":
        return predict_windows(pixels.swapaxes(0, 1), engine, tiling, tell).swapaxes(0, 1)
    return np.asarray(predict_windows(pixels[None], engine, tiling, tell)[0], np.float32)


def predict_windows(
    images: NDArray[np.float32], engine: TorchEngine, tiling: Tiling, tell: Tell = quiet
) -> NDArray[np.float32]:
    """Run the engine over overlapping windows and blend them; see `seglet.core.grid.stripes`.

    Parameters
    ----------
    images : (n, c, [z,] y, x) float32 array
        Preprocessed images of one size.
    engine : TorchEngine
        What runs the network.
    tiling : Tiling
        How they are cut.
    tell : callable
        Hears of each finished batch of windows.

    Returns
    -------
    (n, k, [z,] y, x) float32 array
        Probabilities.
    """
    shape = images.shape[2:]
    places = list(product(*tiling.stripes(shape)))
    windows = list(product(range(len(images)), places))
    at_once = max(1, PIXELS_AT_ONCE // prod(stripe.extent for stripe in places[0]))
    blended: NDArray[np.float32] | None = None
    for start in range(0, len(windows), at_once):
        chosen = windows[start : start + at_once]
        cut = np.stack([read_mirrored(images[number], region_of(place)) for number, place in chosen])
        probabilities = engine.run(cut)
        if blended is None:
            blended = np.zeros((len(images), probabilities.shape[1], *shape), np.float32)
        for (number, place), patch in zip(chosen, probabilities, strict=True):
            _blend(blended[number], patch, place)
        tell(Event("windows", done=start + len(chosen), total=len(windows)))
    assert blended is not None  # an image has at least one window
    return blended


def region_of(place: Sequence[Stripe]) -> Region:
    """The box of one window, which may reach beyond the image."""
    start = tuple(stripe.start for stripe in place)
    return Region(start, tuple(stripe.start + stripe.extent for stripe in place))


def _blend(blended: NDArray[np.float32], patch: NDArray[np.float32], place: Sequence[Stripe]) -> None:
    window = region_of(place)
    inside = window.within(blended.shape[1:])
    seen = inside.shifted(tuple(-n for n in window.start)).slices
    along = [stripe.weights[part] for stripe, part in zip(place, seen, strict=True)]
    weight = reduce(np.multiply.outer, along)
    blended[(slice(None), *inside.slices)] += patch[(slice(None), *seen)] * weight
