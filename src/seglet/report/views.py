"""Volumes as flat pictures: the slices worth seeing, upright, side by side."""

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seglet.core.image import Image
from seglet.core.orientation import Turn, turn, turned_spacing, upright

N_SLICES = 6
COLUMNS = 3
LEAST_SIDE = 200  # px; smaller slices are enlarged by a whole number, so that single voxels can be seen
GAP = 2  # px between slices
ANISOTROPIC = 1.5  # a coarser axis than that, compared with the finest, is the one that was sliced


@dataclass(frozen=True)
class View:
    """Which slices of a volume are shown, and how.

    Attributes
    ----------
    how : Turn
        Turns the volume upright.
    axis : int
        Upright axis that the slices are cut across.
    places : tuple of int
        Slice numbers along it, in the upright volume.
    zoom : (int, int)
        Enlargement of the slices' rows and columns; unequal where voxels are not square.
    """

    how: Turn
    axis: int
    places: tuple[int, ...]
    zoom: tuple[int, int]


def choose_view(image: Image, foreground: NDArray[np.bool_]) -> View:
    """Choose slices that show the foreground, evenly from its first to its last.

    Parameters
    ----------
    image : Image
        A volume.
    foreground : (z, y, x) bool array
        What is to be seen; all slices are worth seeing where it is empty.
    """
    how = upright(image.direction)
    spacing = turned_spacing(image.spacing, how) or (1.0, 1.0, 1.0)
    axis = int(np.argmax(spacing)) if max(spacing) > ANISOTROPIC * min(spacing) else 0
    inside = turn(foreground, how)
    shown = np.flatnonzero(inside.any(axis=tuple(k for k in range(3) if k != axis)))
    among = shown if len(shown) else np.arange(inside.shape[axis])
    places = np.unique(among[np.linspace(0, len(among) - 1, N_SLICES + 2)[1:-1].round().astype(int)])
    sides = [inside.shape[k] for k in range(3) if k != axis]
    steps = [spacing[k] for k in range(3) if k != axis]
    base = max(1, ceil(LEAST_SIDE / max(n * s / min(steps) for n, s in zip(sides, steps, strict=True))))
    row, column = (max(1, round(base * step / min(steps))) for step in steps)
    return View(how, axis, tuple(int(k) for k in places), (row, column))


def lay_out(volume: NDArray[Any], view: View, *, gap: Any = 0) -> NDArray[Any]:
    """Lay the slices of a view side by side.

    Parameters
    ----------
    volume : (..., z, y, x) array
        In the order of its file.
    view : View
        From `choose_view`.
    gap : number
        Value between the slices.

    Returns
    -------
    (..., y, x) array
        The head is up wherever it is in the picture.
    """
    slices = np.moveaxis(turn(volume, view.how), view.axis - 3, 0)[list(view.places)]
    if view.axis != 0:
        slices = np.flip(slices, -2)
    slices = slices.repeat(view.zoom[0], -2).repeat(view.zoom[1], -1)
    columns = min(COLUMNS, len(slices))
    missing = -len(slices) % columns
    framed = np.pad(
        slices, [(0, missing), *[(0, 0)] * (slices.ndim - 3), (0, GAP), (0, GAP)], constant_values=gap
    )
    rows = [np.concatenate(list(framed[k : k + columns]), axis=-1) for k in range(0, len(framed), columns)]
    return np.concatenate(rows, axis=-2)[..., :-GAP, :-GAP]
