"""Borders thinned to lines before partitions are compared, as the ISBI 2012 challenge does."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seglet.metrics.compiled import compiled

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
    basins, _ = ndimage.label(white.T)
    state = np.pad(np.asarray(basins, np.int32), 1, constant_values=_OUTSIDE)
    _flood(state.ravel(), state.shape[1])
    return np.ascontiguousarray(state[1:-1, 1:-1].T.clip(min=0))


@compiled
def _flood(state: NDArray[np.int32], row: int) -> None:
    """Flood in place; `state` is the number of a basin or one of the marks above, `row` its row length."""
    queue = np.empty(len(state), np.int64)  # no pixel enters twice
    n_queued = 0
    for here in range(len(state)):
        if state[here] == _BLACK and (
            max(state[here - row], state[here - 1], state[here + row], state[here + 1]) > 0
        ):
            queue[n_queued] = here
            n_queued += 1
    for number in range(n_queued):
        state[queue[number]] = _QUEUED
    was_prolonged = False  # whether the dam that was built last only prolongs another
    n_done = 0
    while n_done < n_queued:
        here = queue[n_done]
        n_done += 1
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
                queue[n_queued] = there
                n_queued += 1
