"""How far annotations stand beside what they annotate, and predictions moved to where they stand.

Annotators trace beside the line, and tools disagree by half a pixel on where a pixel is. A network that is
trained on mirrored patches cannot learn it: there the masks stand above the image as often as below.
"""

from collections.abc import Callable, Sequence
from math import floor

import numpy as np
from numpy.typing import NDArray

from seglet.core.image import Image, StoredImage
from seglet.model import ModelCard
from seglet.preprocessing.plan import Plan
from seglet.preprocessing.spacing import turn_of
from seglet.preprocessing.target import network_axes
from seglet.preprocessing.transform import grid_shape

FARTHEST = 3  # pixels of the file that predictions are moved, all axes' neighbors included
MOST_PIXELS = 2_000_000  # compared
AT_ONCE = 1 << 18  # values that are moved together: they stay in the cache, and copies take no memory
LEAST = 0.1  # px of the plan's grid; less is not worth a word
SURE = 2  # standard errors that an offset must be away from none

Offset = tuple[float, ...]


def measured_offset(
    truth: NDArray[np.uint8],
    probabilities: NDArray[np.float32],
    counted: NDArray[np.bool_],
    image: Image | StoredImage,
    plan: Plan,
) -> Offset | None:
    """Find where the masks of an image stand, seen from what a network found.

    The covariance of truth and prediction is a paraboloid around its highest point.

    Parameters
    ----------
    truth : ([z,] y, x) uint8 array
        Class indexes, on the image's own grid.
    probabilities : (k, [z,] y, x) float32 array
        k = 1: of the foreground of two classes; else one per class, the background first.
    counted : ([z,] y, x) bool array
        Pixels whose truth is known.
    image : Image or StoredImage
        What they are of; only its grid is asked.
    plan : Plan
        By which it was predicted.

    Returns
    -------
    tuple of float or None
        In pixels of the plan's grid along the axes of the network; negative towards the first pixel. None
        where it cannot be told: nothing or everything is marked, or it is farther than two pixels.
    """
    axes = _axes(image, plan)
    along = [axis for axis, _, _ in axes]
    by = _highest(_Covariance(truth, probabilities, counted, along), along)
    if by is None:
        return None
    return tuple(float(sign * by[axis] / size) for axis, sign, size in axes)


def common_offset(offsets: Sequence[Offset]) -> Offset | None:
    """What the offsets of several images have in common.

    Parameters
    ----------
    offsets : sequence of tuple
        One per image, each with as many axes.

    Returns
    -------
    tuple of float or None
        The mean, 0 along axes where it is small or may be chance; None where that leaves nothing, and of
        fewer than two images.
    """
    if len(offsets) < 2:
        return None
    mean = np.mean(offsets, axis=0)
    error = np.std(offsets, axis=0, ddof=1) / len(offsets) ** 0.5
    kept = np.where((np.abs(mean) >= LEAST) & (np.abs(mean) >= SURE * error), mean, 0.0)
    return tuple(round(float(n), 2) for n in kept) if kept.any() else None


def offset_in_words(offset: Offset, plan: Plan) -> str:
    """Say where annotations stand; they are the subject of the sentence."""
    if plan.mode == "2d":
        sides = zip(offset, (("above", "below"), ("left of", "right of")), strict=True)
        where = " and ".join(f"{abs(by):.2f} px {side[by > 0]}" for by, side in sides if by)
    else:
        axes = zip(network_axes(plan.mode, plan.slice_axis), offset, strict=True)
        where = ", ".join(f"{by:+.2f} voxels along {'zyx'[axis]}" for axis, by in axes if by) + " from"
    return f"stand {where} what is seen; so do predictions"


def aligned(raw: NDArray[np.float32], image: Image | StoredImage, card: ModelCard) -> NDArray[np.float32]:
    """Move a prediction to where annotations stand, in place.

    Parameters
    ----------
    raw : (planes, [z,] y, x) float32 array
        On the image's own grid. Beyond its border there is what is nearest.
    image : Image or StoredImage
        The image, or the part of it, that was predicted; only its grid is asked.
    card : ModelCard
        Whose `offset` it is.

    Returns
    -------
    (planes, [z,] y, x) float32 array
        `raw` itself; every bit as it was where the model knows of no offset.
    """
    if card.offset is None:
        return raw
    for plane in raw:
        for by, (axis, sign, size) in zip(card.offset, _axes(image, card.plan), strict=True):
            if by:
                _move(plane, axis, sign * by * size)
    return raw


def _axes(image: Image | StoredImage, plan: Plan) -> list[tuple[int, int, float]]:
    """For each axis of the network: that of the file, its direction, and how many of its pixels make one."""
    how, inside = turn_of(image), grid_shape(image, plan)
    axes = network_axes(plan.mode, plan.slice_axis)
    files = [how.permutation[axis] for axis in axes]
    signs = [-1 if how.flips[axis] else 1 for axis in axes]
    sizes = [image.shape[file] / inside[axis] for file, axis in zip(files, axes, strict=True)]
    return list(zip(files, signs, sizes, strict=True))


class _Covariance:
    """Of the truth with what was found, once this is moved by whole pixels, `FARTHEST` at most."""

    def __init__(
        self,
        truth: NDArray[np.uint8],
        probabilities: NDArray[np.float32],
        counted: NDArray[np.bool_],
        axes: Sequence[int],
    ) -> None:
        self.n_axes, self._step = truth.ndim, -(-truth.size // MOST_PIXELS)
        self._rim = [FARTHEST if axis in axes else 0 for axis in range(truth.ndim)]
        self._found = dict[tuple[int, ...], float]()
        inner = self._inner((0,) * truth.ndim, truth.shape)
        seen, part, first = counted[inner], truth[inner], min(1, len(probabilities) - 1)
        self._planes = probabilities[first:]
        marked = [(part == number) & seen for number in range(1, 1 + len(self._planes))]
        shares = [np.float32(one.sum() / max(seen.sum(), 1)) for one in marked]
        above = zip(marked, shares, strict=True)
        self._above = [np.where(seen, one - share, np.float32(0)) for one, share in above]

    def __call__(self, by: tuple[int, ...]) -> float:
        if by not in self._found:
            box = self._inner(by, self._planes.shape[1:])
            both = zip(self._above, self._planes, strict=True)
            self._found[by] = sum(float(np.vdot(above, plane[box])) for above, plane in both)
        return self._found[by]

    def _inner(self, by: tuple[int, ...], shape: tuple[int, ...]) -> tuple[slice, ...]:
        """What lands on the image without its rim; of large ones every few lines."""
        starts = [rim - n for rim, n in zip(self._rim, by, strict=True)]
        stops = [max(a, n - 2 * rim + a) for a, n, rim in zip(starts, shape, self._rim, strict=True)]
        steps = (self._step, *(1 for _ in shape[1:]))
        return tuple(slice(*ends) for ends in zip(starts, stops, steps, strict=True))


def _highest(covariance: _Covariance, axes: Sequence[int]) -> NDArray[np.float64] | None:
    """Where the paraboloid through the highest value and its neighbors is highest, along these axes."""
    units = np.eye(covariance.n_axes, dtype=int)[list(axes)]
    at = np.zeros(covariance.n_axes, int)

    def near(*steps: NDArray[np.int_]) -> float:
        return covariance(tuple(int(n) for n in at + np.sum(steps, axis=0)))

    ways = [*units, *-units]
    while near(best := max(ways, key=near)) > near(0 * best):
        at += best
        if np.abs(at).max() >= FARTHEST - 1:
            return None
    slope = np.array([near(one) - near(-one) for one in units]) / 2
    bend = np.array([[_bend(near, one, other) for other in units] for one in units])
    if np.linalg.eigvalsh(bend).max() >= 0:
        return None
    return np.asarray(at - units.T @ np.linalg.solve(bend, slope), np.float64)


def _bend(near: Callable[..., float], one: NDArray[np.int_], other: NDArray[np.int_]) -> float:
    """Second difference along two axes, or along one."""
    if (one == other).all():
        return near(one) - 2 * near(0 * one) + near(-one)
    return (near(one, other) - near(one, -other) - near(-one, other) + near(-one, -other)) / 4


def _move(plane: NDArray[np.float32], axis: int, by: float) -> None:
    whole = floor(by)
    share = np.float32(by - whole)
    lines = np.arange(plane.shape[axis]) - whole
    near, far = (np.clip(at, 0, len(lines) - 1) for at in (lines, lines - 1))
    across = 1 if axis == 0 else 0
    for part in np.array_split(plane, -(-plane.size // AT_ONCE), across):
        moved = part.take(near, axis)
        moved *= 1 - share
        beyond = part.take(far, axis)
        beyond *= share
        np.add(moved, beyond, out=part)
