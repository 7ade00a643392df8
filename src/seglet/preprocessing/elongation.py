"""Look: whether what is to be found is long and thin, as vessels, fibers and membranes are."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

MOST_PIXELS = 4_000_000  # looked at of a mask, around its middle
ROUND = math.pi  # a disc's area over the square of its radius
LONG = 20.0  # vessels and membranes fill 50 discs and more, nuclei, cells and organs less than 10


def elongation(mask: NDArray[np.bool_]) -> float:
    """How many discs as wide as itself a connected part of a mask would fill; mean over the mask's pixels.

    Parameters
    ----------
    mask : (y, x) bool array
        One class of an image.

    Returns
    -------
    float
        About 1 for discs, 3 for a rod three times as long as wide, hundreds for a tree of vessels; 0 for an
        empty mask.
    """
    side = math.isqrt(MOST_PIXELS)
    middle = tuple(slice(max(0, (n - side) // 2), max(0, (n - side) // 2) + side) for n in mask.shape)
    inside = np.pad(mask[middle], 1)
    parts, n_parts = ndimage.label(inside, np.ones((3, 3)))
    if n_parts == 0:
        return 0.0
    sizes = np.bincount(parts.ravel())[1:]
    radii = ndimage.maximum(ndimage.distance_transform_edt(inside), parts, np.arange(1, n_parts + 1))
    return float(np.average(sizes / (ROUND * np.square(radii)), weights=sizes))
