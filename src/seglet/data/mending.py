"""Masks and images as they were meant: transposed back, turned, rewritten in plain values."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from seglet.core.image import Image, Labels, StoredImage
from seglet.core.orientation import turn, turn_back, upright
from seglet.data.encodings import packed
from seglet.data.fitting import in_order_of
from seglet.data.looks import Place
from seglet.io.pixels import in_memory

WHITE = 255


def mend_mask(
    values: NDArray[np.integer], codes: Collection[str], labels: Labels | None, own: Place, image: Place
) -> NDArray[np.integer]:
    """Undo what findings say of one mask.

    Parameters
    ----------
    values : ([z,] y, x) or (y, x, 3) integer array
        Raw values.
    codes : collection of str
        Codes of the findings about it; those that say nothing of the pixels are passed over.
    labels : Labels or None
        How the dataset's masks were understood.
    own, image : Place
        The grid of the mask, and that of its image.

    Returns
    -------
    integer array
        Classes 0 and 255 where the masks wrote one class in several ways, else the dataset's own values.
    """
    if "transposed" in codes:
        values = values.swapaxes(0, 1) if values.ndim > len(own.shape) else values.T
    if "orientation" in codes:
        values = turn_back(turn(values, upright(own.direction)), upright(image.direction))
    if "off-by-one" in codes:
        values = values - values.dtype.type(1)
    is_mixed = "mixed-encodings" in codes
    if is_mixed and "soft-mask" not in codes:
        filled = values.any(axis=-1) if values.ndim > len(own.shape) else values != 0
        values = np.where(filled, np.uint8(WHITE), np.uint8(0))
    if labels is not None and {"soft-mask", "inverted"} & set(codes) and values.ndim == len(own.shape):
        above, ends = _in_two(values, labels)
        low, high = (0, WHITE) if is_mixed else ends
        above = above != ("inverted" in codes)
        values = np.where(above, high, low).astype(np.uint8 if is_mixed else values.dtype)
    return values


def _in_two(values: NDArray[np.integer], labels: Labels) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    """Say what is above the middle of a mask's range, and give the two values that it is written with."""
    low, high = int(values.min()), int(values.max())
    if labels.threshold is None:
        return values > (low + high) / 2, (low, high)
    low, high = (packed(one.value) for one in labels.classes[:2])
    return values > labels.threshold, (low, high)


def onto(channel: Image, first: StoredImage) -> Image:
    """Put a channel on the grid of the first one, turned or its axes exchanged as its extent needs it."""
    pixels = in_order_of(in_memory(channel), first).load().pixels
    if pixels.shape[1:] != first.shape:
        pixels = pixels.transpose(0, *range(pixels.ndim - 1, 0, -1))
    return Image(pixels, first.spacing, first.unit, first.origin, first.direction)


def fill_undefined(image: Image) -> Image:
    """Put the median of its channel in the place of infinite and undefined values; 0 if there is no other."""
    pixels = np.array(image.pixels)
    for channel in pixels:
        undefined = ~np.isfinite(channel)
        defined = channel[~undefined]
        channel[undefined] = np.median(defined) if defined.size else 0
    return Image(pixels, image.spacing, image.unit, image.origin, image.direction)


def with_channels(image: Image) -> Image | None:
    """Exchange gray and color: gray becomes three equal channels, three equal ones become gray.

    None where the colors tell different things, or the image is neither.
    """
    pixels = image.pixels
    if len(pixels) == 1:
        changed = np.repeat(pixels, 3, axis=0)
    elif len(pixels) == 3 and bool((pixels[1:] == pixels[:1]).all()):
        changed = pixels[:1]
    else:
        return None
    return Image(changed, image.spacing, image.unit, image.origin, image.direction)
