"""Local contrast of photographs with uneven light, as retina-unet brings it out before training."""

from functools import reduce
from itertools import product

import numpy as np
from numpy.typing import NDArray

from seglet.preprocessing.intensity import measure_range

N_TILES = 8  # along each axis; retina-unet: tileGridSize=(8, 8)
N_LEVELS = 256
CLIP = 2.0  # times the count of a level if all were equally frequent; retina-unet: clipLimit=2.0
GAMMA = 1.2


def equalize(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Stretch each channel, equalize its contrast tile by tile, and brighten what is dark.

    Contrast-limited adaptive histogram equalization [1]_ with the numbers of retina-unet [2]_: 256 levels
    between the darkest and the brightest pixel, clip limit 2, 8 tiles along each axis, then gamma 1.2 (its
    exponent is 1 / 1.2). Any linear change of the intensities before it changes nothing.

    Parameters
    ----------
    pixels : (c, [z,] y, x) float32 array
        Intensities of a whole image: a part of it has other tiles. Values that are no finite number count as
        the smallest.

    Returns
    -------
    (c, [z,] y, x) float32 array
        From 0 to 1; a constant channel becomes 0.

    References
    ----------
    .. [1] Zuiderveld, "Contrast limited adaptive histogram equalization", Graphics Gems IV, 1994.
    .. [2] github.com/orobix/retina-unet, ``lib/pre_processing.py``, 2016.
    """
    return np.stack([_equalize_channel(channel) for channel in pixels])


def _equalize_channel(channel: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = measure_range(channel)
    if low == high:
        return np.zeros_like(channel)
    filled = np.where(np.isfinite(channel), channel, np.float32(low))
    top = N_LEVELS - 1
    levels = ((filled - np.float32(low)) / np.float32(high - low) * top).astype(np.uint8)
    brightened: NDArray[np.float32] = _clahe(levels) ** np.float32(1 / GAMMA)
    return brightened


def _clahe(levels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Map each pixel by the tables of the tiles around it, interpolated between their centers; to 0..1."""
    extents = _tile(levels.shape)
    tables = _tables(levels, extents)
    mapped = np.zeros(levels.shape, np.float32)
    for ends in product((0, 1), repeat=levels.ndim):
        sides = zip(levels.shape, extents, ends, strict=True)
        tiles, shares = zip(*(_neighbors(*side) for side in sides), strict=True)
        mapped += tables[(*np.ix_(*tiles), levels)] * reduce(np.multiply.outer, shares)
    return mapped.clip(0, 1, out=mapped)


def _tile(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Extent of a tile; where any side cannot be divided evenly, OpenCV enlarges every one of them."""
    is_even = all(side % N_TILES == 0 for side in shape)
    return tuple(side // N_TILES + (not is_even) for side in shape)


def _tables(levels: NDArray[np.uint8], extents: tuple[int, ...]) -> NDArray[np.float32]:
    """What each level becomes in each tile, ([8,] 8, 8, 256); the image is mirrored to fill the last ones."""
    beyond = [(0, N_TILES * n - side) for n, side in zip(extents, levels.shape, strict=True)]
    whole = np.pad(levels, beyond, mode="reflect")
    by_tile = whole.reshape([n for extent in extents for n in (N_TILES, extent)])
    axes = (*range(0, 2 * levels.ndim, 2), *range(1, 2 * levels.ndim, 2))
    tiles = by_tile.transpose(axes).reshape(N_TILES**levels.ndim, -1)
    tables = np.stack([_table(tile) for tile in tiles])
    return tables.reshape((N_TILES,) * levels.ndim + (N_LEVELS,))


def _table(tile: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The cumulated histogram; what exceeds the limit is spread over all levels in OpenCV's way."""
    counts = np.bincount(tile, minlength=N_LEVELS)
    limit = max(int(CLIP * tile.size / N_LEVELS), 1)
    each, rest = divmod(int(np.maximum(counts - limit, 0).sum()), N_LEVELS)
    counts = np.minimum(counts, limit) + each
    if rest:
        counts[:: max(N_LEVELS // rest, 1)][:rest] += 1
    table: NDArray[np.float32] = (np.cumsum(counts) / tile.size).astype(np.float32)
    return table


def _neighbors(side: int, extent: int, end: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Along one axis the tile whose center comes before (0) or after (1) each pixel, and its share in it."""
    place = np.arange(side) / extent - 0.5
    before = np.floor(place)
    share = place - before if end else 1 - (place - before)
    return (before + end).clip(0, N_TILES - 1).astype(np.intp), share.astype(np.float32)
