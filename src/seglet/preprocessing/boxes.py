"""Where to look in images that are too large to look at all of them."""

from itertools import product
from math import prod

import numpy as np

N_BOXES = 64  # evenly spread, they meet every region of an image
BOX_PIXELS = 32**3  # 2 million in all: more than a percentile needs, and read in seconds


def spread_boxes(shape: tuple[int, ...]) -> list[tuple[slice, ...]]:
    """Boxes that stand for an image: all of a small one, else at most `N_BOXES`, spread evenly.

    Parameters
    ----------
    shape : tuple of int
        Spatial, 2 or 3 axes.

    Returns
    -------
    list of tuple of slice
        Equal boxes of at most `BOX_PIXELS` that do not overlap, from the first corner to the last.
    """
    if prod(shape) <= N_BOXES * BOX_PIXELS:
        return [tuple(slice(0, n) for n in shape)]
    per_axis = int(N_BOXES ** (1 / len(shape)) + 1e-9)
    side = int(BOX_PIXELS ** (1 / len(shape)) + 1e-9)
    return list(product(*(_stretches(n, min(n, side), per_axis) for n in shape)))


def _stretches(n: int, side: int, count: int) -> list[slice]:
    starts = np.linspace(0, n - side, max(1, min(count, n // side))).astype(int)
    return [slice(int(start), int(start) + side) for start in starts]
