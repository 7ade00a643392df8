"""Which way a volume lies in its file, and how it is turned upright and back."""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", int, float)

N_AXES = 3
DECIMALS = 4  # two files of one scan differ by rounding; a tie between two axes must not


@dataclass(frozen=True)
class Turn:
    """How the axes of a volume are exchanged and mirrored so that it stands upright.

    Attributes
    ----------
    permutation : tuple of int
        For each upright axis the axis of the file that becomes it.
    flips : tuple of bool
        For each upright axis whether it then runs backwards.
    """

    permutation: tuple[int, ...] = (0, 1, 2)
    flips: tuple[bool, ...] = (False, False, False)


UNTURNED = Turn()


def upright(direction: tuple[float, ...]) -> Turn:
    """Find the turn after which axis 0 leads to the head, axis 1 to the back and axis 2 to the left.

    Parameters
    ----------
    direction : tuple of float
        See `seglet.core.image.Image`. Oblique volumes are turned to the nearest upright position: the
        largest component decides first, each axis is taken once.

    Returns
    -------
    Turn
        `UNTURNED` where the direction is unknown or belongs to a flat image.
    """
    if len(direction) != N_AXES * N_AXES:
        return UNTURNED
    components = np.round(np.reshape(direction, (N_AXES, N_AXES)), DECIMALS)
    free = np.abs(components)
    permutation, flips = [0] * N_AXES, [False] * N_AXES
    for _ in range(N_AXES):
        world, axis = np.unravel_index(int(free.argmax()), free.shape)
        permutation[world], flips[world] = int(axis), bool(components[world, axis] < 0)
        free[world, :] = free[:, axis] = -1
    return Turn(tuple(permutation), tuple(flips))


def turn(pixels: NDArray[Any], how: Turn) -> NDArray[Any]:
    """Turn an array upright.

    Parameters
    ----------
    pixels : (..., z, y, x) array
        In the order of its file; only the last three axes are turned. Flat images go with `UNTURNED`.
    how : Turn
        From `upright`.

    Returns
    -------
    array
        A view on `pixels`; `pixels` itself where nothing is to be turned.
    """
    if how == UNTURNED:
        return pixels
    leading = pixels.ndim - N_AXES
    turned = pixels.transpose(*range(leading), *(leading + axis for axis in how.permutation))
    return np.flip(turned, _flipped(how))


def turn_back(pixels: NDArray[Any], how: Turn) -> NDArray[Any]:
    """Undo `turn`: from upright to the order of the file; a view on `pixels`."""
    if how == UNTURNED:
        return pixels
    leading = pixels.ndim - N_AXES
    axes = (leading + how.permutation.index(axis) for axis in range(N_AXES))
    return np.flip(pixels, _flipped(how)).transpose(*range(leading), *axes)


def turned_spacing(spacing: tuple[Number, ...], how: Turn) -> tuple[Number, ...]:
    """Spacing, or any other number per axis such as the extent, along the upright axes; () stays ()."""
    if how == UNTURNED or not spacing:
        return spacing
    return tuple(spacing[axis] for axis in how.permutation)


def _flipped(how: Turn) -> tuple[int, ...]:
    return tuple(axis - N_AXES for axis, is_flipped in enumerate(how.flips) if is_flipped)
