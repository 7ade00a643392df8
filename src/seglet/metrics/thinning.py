"""Borders thinned to lines before partitions are compared, as the ISBI 2012 challenge does."""

from collections import deque

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_BLACK, _QUEUED, _DAM, _OUTSIDE = 0, -1, -2, -3


def thin_borders(white: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Grow the 4-connected components of a mask into the rest, until only lines between them are left.

    A watershed by flooding of an image of two levels: black pixels join the basin that reaches them first,
    from one queue that is filled column by column, and become a dam where two basins meet. A pixel of a
    dam may still be claimed while the last dam was only prolonged.

    Parameters
    ----------
    white : (y, x) bool array
        Interior of the cells.

    Returns
    -------
    (y, x) int32 array
        Number of the basin, from 1 on; 0 on dams. All 1 where nothing is white.

    References
    ----------
    .. [1] Vincent, Soille, "Watersheds in digital spaces", IEEE PAMI 13, 1991.
    .. [2] Arganda-Carreras et al., "Crowdsourcing the creation of image segmentation algorithms for
       connectomics", Frontiers in Neuroanatomy 9, 2015.
    """
    if not white.any():
        return np.ones(white.shape, np.int32)
    # columns are visited one after the other: transposed, that is the order of memory
    framed = np.pad(white.T, 1)
    basins, _ = ndimage.label(framed)
    touching = ndimage.binary_dilation(framed) & ~framed
    is_outside = np.pad(np.zeros(white.T.shape, bool), 1, constant_values=True)
    state = np.where(touching, _QUEUED, basins)
    state[is_outside] = _OUTSIDE
    seeds = np.flatnonzero(touching & ~is_outside)
    flooded = np.array(_flood(state.ravel().tolist(), seeds.tolist(), framed.shape[1]), np.int32)
    return np.asarray(flooded.reshape(framed.shape)[1:-1, 1:-1].T.clip(min=0), np.int32)


def _flood(state: list[int], seeds: list[int], row: int) -> list[int]:
    """Flood from the queue; `state` is a basin's number or one of the marks above, `row` its row length."""
    queue = deque(seeds)
    was_prolonged = False  # whether the dam that was built last only prolongs another
    while queue:
        here = queue.popleft()
        for there in (here - row, here - 1, here + row, here + 1):
            own, other = state[here], state[there]
            if other > 0:
                if own == _QUEUED or (own == _DAM and was_prolonged):
                    state[here] = other
                elif own > 0 and own != other:
                    state[here] = _DAM
                    was_prolonged = False
            elif other == _DAM:
                if own == _QUEUED:
                    state[here] = _DAM
                    was_prolonged = True
            elif other == _BLACK:
                state[there] = _QUEUED
                queue.append(there)
    return state
