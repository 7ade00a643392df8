"""A truth whose borders may move, but not split or merge objects: what then is left is the warping error."""

from heapq import heappop, heappush
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from seglet.metrics.compiled import compiled

_Scalar = TypeVar("_Scalar", bound=np.generic)


def warp(
    truth: NDArray[np.bool_], target: NDArray[np.bool_], confidence: NDArray[np.floating]
) -> NDArray[np.bool_]:
    """Move the borders of a truth toward a target without changing its topology.

    Pixels that differ are visited again and again by falling confidence, of equal ones column by column,
    and flipped where they are simple, objects being 4-connected and the rest 8-connected, until a whole
    round flips none. Around the slice all is background.

    Parameters
    ----------
    truth, target : (y, x) bool array
        Interior of the cells.
    confidence : (y, x) float array
        How sure each pixel of the target is.

    Returns
    -------
    (y, x) bool array
        The warped truth; the share of pixels where it is not the target is the warping error.

    References
    ----------
    .. [1] Jain et al., "Boundary learning by optimization with topological constraints", CVPR 2010.
    .. [2] Kong, Rosenfeld, "Digital topology: introduction and survey", CVGIP 48, 1989: simple points.
    """
    label = _by_columns(truth)
    places = np.flatnonzero(label != _by_columns(target))
    falling = np.argsort(-_by_columns(confidence).ravel()[places], kind="stable")
    _flip_simple(label.ravel(), places[falling], label.shape[1], SIMPLE)
    return np.ascontiguousarray(label[1:-1, 1:-1].T)


def _by_columns(plane: NDArray[_Scalar]) -> NDArray[_Scalar]:
    """Frame a slice by zeros, its columns one after the other in memory."""
    return np.pad(np.ascontiguousarray(plane.T), 1)


def _simple_patterns() -> NDArray[np.bool_]:
    """Whether a pixel is simple, by its eight neighbors that are white: bit 0 is above, then clockwise."""
    ring = np.arange(256)[:, np.newaxis] >> np.arange(8) & 1
    sides, corners = ring[:, ::2], ring[:, 1::2]
    # Yokoi, Toriwaki, Fukumura 1975: number of 4-connected pieces at the pixel's sides; 0 within an object
    n_pieces = np.sum(sides - sides * corners * np.roll(sides, -1, axis=1), axis=1)
    return np.asarray(n_pieces == 1, np.bool_)


SIMPLE = _simple_patterns()


@compiled
def _flip_simple(
    label: NDArray[np.bool_], order: NDArray[np.int64], row: int, simple: NDArray[np.bool_]
) -> None:
    """Flip in place; `label` is framed by background, `order` its differing pixels, first to visit first.

    A pixel that was not simple is visited again only after a neighbor was flipped: in the same round where
    its turn is yet to come, else in the next.
    """
    n = len(order)
    ring = (-row, -row + 1, 1, row + 1, row, row - 1, -1, -row - 1)
    rank = np.full(len(label), -1, np.int64)
    for place in range(n):
        rank[order[place]] = place
    is_due = np.ones(n, np.bool_)
    due = [n for _ in range(0)]  # round * n + place, from the second round on
    n_seen = 0
    while n_seen < n or due:
        if n_seen < n:
            this_round, place = 0, n_seen
            n_seen += 1
        else:
            this_round, place = divmod(heappop(due), n)
        here = order[place]
        is_due[place] = False
        pattern = 0
        for bit, step in enumerate(ring):
            pattern |= label[here + step] << bit
        if not simple[pattern]:
            continue
        label[here] = not label[here]
        rank[here] = -1
        for step in ring:
            other = rank[here + step]
            if other >= 0 and not is_due[other]:
                is_due[other] = True
                heappush(due, (this_round + (other < place)) * n + other)
