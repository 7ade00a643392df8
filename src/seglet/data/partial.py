"""Partly annotated images: markers say where objects are that nobody outlined."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seglet.core.image import IGNORE

RADIUS = 20.0  # px around a marker, where no outlined object says how large they are
MARGIN = 1.5  # radii of a typical object: markers sit near the middle, and not all objects are round


def ignore_unoutlined(
    indexes: NDArray[np.uint8],
    objects: NDArray[np.int32] | None,
    markers: NDArray[np.integer],
    spacing: tuple[float, ...] = (),
) -> NDArray[np.uint8]:
    """Leave the surroundings of objects that are marked but not outlined out of training and scores.

    The Cell Tracking Challenge outlines few cells of an image, and marks all of them. A marked cell without
    outline would be taught as background; as nobody knows where it ends, pixels up to one and a half times
    the radius of the outlined objects (the median; 20 pixels where there are none) are ignored.

    Parameters
    ----------
    indexes : ([z,] y, x) uint8 array
        Class index per pixel.
    objects : ([z,] y, x) int32 array or None
        Outlined objects, numbered from 1.
    markers : ([z,] y, x) integer array
        A value for each marked object, 0 elsewhere.
    spacing : tuple of float
        Of the pixels; empty where unknown.

    Returns
    -------
    ([z,] y, x) uint8 array
        `indexes`, with `IGNORE` for background near such markers.
    """
    outlined = (indexes != 0) & (indexes != IGNORE)
    found = np.unique(markers[outlined])
    lost = (markers != 0) & ~np.isin(markers, found)
    if not lost.any():
        return indexes
    steps = spacing or (1.0,) * indexes.ndim
    near = ndimage.distance_transform_edt(~lost, sampling=steps) <= _reach(objects, steps)
    ignored = indexes.copy()
    ignored[near & (indexes == 0)] = IGNORE
    return ignored


def _reach(objects: NDArray[np.int32] | None, steps: tuple[float, ...]) -> float:
    """How far from its marker an object may reach, in the unit of `steps`."""
    sizes = np.zeros(0) if objects is None else np.bincount(objects.ravel())[1:]
    if not sizes.any():
        return RADIUS * min(steps)
    size = float(np.median(sizes[sizes > 0])) * float(np.prod(steps))
    radius = (size / np.pi) ** (1 / 2) if len(steps) == 2 else (0.75 * size / np.pi) ** (1 / 3)
    return float(MARGIN * radius)
