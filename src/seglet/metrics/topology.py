"""Splits and mergers: where the objects of a warped truth differ from a target, not only their borders."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seglet.metrics.compiled import compiled

OTHER, MERGER, SPLIT = 0, 1, 2
_RADIUS = 20  # px; of the window in which the challenge looks whether an object falls apart
_OUTSIDE = -1


def splits_and_mergers(warped: NDArray[np.bool_], target: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Tell which pixels differ from the target because objects are split or merged there.

    A background pixel is of a merger where it has two objects or more among its eight neighbors. An object
    pixel is of a split where its neighbors have two objects and background among them, or would have,
    within 20 pixels around, without it. An object that is missing altogether is neither.

    Parameters
    ----------
    warped, target : (y, x) bool array
        Truth after `seglet.metrics.warping.warp`, and what it was warped to; objects are 4-connected.

    Returns
    -------
    (y, x) uint8 array
        `MERGER`, `SPLIT`, or `OTHER` where there is none.

    References
    ----------
    .. [1] Arganda-Carreras et al., "Crowdsourcing the creation of image segmentation algorithms for
       connectomics", Frontiers in Neuroanatomy 9, 2015.
    """
    # the challenge's rule: where the slice is smaller than the radius, all of it is looked at
    radius = _RADIUS if min(warped.shape) >= _RADIUS else max(warped.shape)
    parts = np.pad(np.asarray(ndimage.label(warped)[0], np.int32), 1, constant_values=_OUTSIDE)
    places = np.flatnonzero(np.pad(warped != target, 1))
    kinds = np.zeros(parts.shape, np.uint8)
    kinds.ravel()[places] = _kinds(parts, places, radius)
    return kinds[1:-1, 1:-1]


@compiled
def _kinds(parts: NDArray[np.int32], places: NDArray[np.int64], radius: int) -> NDArray[np.uint8]:
    """Kind of each place; `parts` are the numbers of objects, framed by `_OUTSIDE`."""
    row = parts.shape[1]
    flat = parts.ravel()
    ring = (-row, -row + 1, 1, row + 1, row, row - 1, -1, -row - 1)
    kinds = np.zeros(len(places), np.uint8)
    reached = np.full(len(flat), -1, np.int64)
    floods = np.empty((8, 2 + min((2 * radius + 1) ** 2, len(flat))), np.int64)
    for number, here in enumerate(places):
        n_values = 0
        for bit in range(8):
            value = flat[here + ring[bit]]
            is_new = value != _OUTSIDE
            for before in range(bit):
                is_new &= flat[here + ring[before]] != value
            n_values += is_new
        if flat[here] == 0:
            kinds[number] = MERGER if n_values > 2 else OTHER
        elif n_values > 2 or (n_values == 2 and _is_cut(parts, here, radius, 16 * number, reached, floods)):
            kinds[number] = SPLIT
    return kinds


@compiled
def _is_cut(
    parts: NDArray[np.int32],
    here: int,
    radius: int,
    first: int,
    reached: NDArray[np.int64],
    floods: NDArray[np.int64],
) -> bool:
    """Whether the neighbors of an object's pixel are in several pieces without it, in the window around it.

    All of them are flooded from by turns, until all met or one piece is full. `floods` has of each flood the
    number of its piece, how many pixels it has, and these; `reached` has `first` plus the flood's number.
    """
    row, flat = parts.shape[1], parts.ravel()
    piece, ends, queues = floods[:, 0], floods[:, 1], floods[:, 2:]
    n_floods, turn = _start_floods(flat, here, row, first, reached, floods), 0
    while True:
        pieces, growing = 0, 0
        for flood in range(n_floods):
            pieces |= 1 << piece[flood]
            growing |= (turn < ends[flood]) << piece[flood]
        if pieces & (pieces - 1) == 0 or growing != pieces:
            return pieces & (pieces - 1) != 0
        for flood in range(n_floods):
            if turn >= ends[flood]:
                continue
            place = queues[flood, turn]
            y, x = place // row - here // row, place % row - here % row
            for step, is_near in ((-row, y > -radius), (-1, x > -radius), (row, y < radius), (1, x < radius)):
                if not is_near or flat[place + step] <= 0:
                    continue
                other = reached[place + step] - first
                if other < 0:
                    reached[place + step] = first + flood
                    queues[flood, ends[flood]] = place + step
                    ends[flood] += 1
                elif other < n_floods and piece[other] != piece[flood]:
                    _join(piece[:n_floods], piece[other], piece[flood])
        turn += 1


@compiled
def _start_floods(
    flat: NDArray[np.int32],
    here: int,
    row: int,
    first: int,
    reached: NDArray[np.int64],
    floods: NDArray[np.int64],
) -> int:
    """Start one at each neighbor that is of an object; return how many these are."""
    n_floods = 0
    for step in (-row, -row + 1, 1, row + 1, row, row - 1, -1, -row - 1):
        if flat[here + step] > 0:
            floods[n_floods, 0], floods[n_floods, 1], floods[n_floods, 2] = n_floods, 1, here + step
            reached[here + step] = first + n_floods
            n_floods += 1
    reached[here] = first + n_floods  # of none
    return n_floods


@compiled
def _join(piece: NDArray[np.int64], old: int, new: int) -> None:
    for flood in range(len(piece)):
        if piece[flood] == old:
            piece[flood] = new
