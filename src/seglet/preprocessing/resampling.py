"""Arrays brought to another number of points along their axes; the outer edges stay where they are."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

MAX_AT_ONCE = 2**24  # values multiplied at once, so that transposed copies stay small


def resample(values: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Interpolate linearly between points, averaging over what is skipped where there are fewer of them.

    Parameters
    ----------
    values : ([z,] y, x) float32 array
        One channel.
    shape : tuple of int
        Wished number of points along each axis.

    Returns
    -------
    ([z,] y, x) float32 array
        Never beyond the range of `values`; `values` itself where it has that shape.
    """
    axes = sorted(range(values.ndim), key=lambda axis: shape[axis] / values.shape[axis])
    for axis in axes:  # those that shrink first
        if shape[axis] != values.shape[axis]:
            values = _along(values, axis, interpolation(values.shape[axis], shape[axis]))
    return values


def resample_classes(classes: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Let the interpolated classes vote at each new point: the largest share wins, the smaller index a tie.

    Parameters
    ----------
    classes : ([z,] y, x) integer or bool array
        Few different values, each with a meaning of its own.
    shape : tuple of int
        As in `resample`.
    """
    if shape == classes.shape:
        return classes
    present = np.unique(classes)
    winner = np.full(shape, present[0], classes.dtype)
    if len(present) == 1:
        return winner
    most = resample((classes == present[0]).astype(np.float32), shape)
    for index in present[1:]:
        share = resample((classes == index).astype(np.float32), shape)
        is_more = share > most
        winner[is_more] = index
        np.maximum(most, share, out=most)
    return winner


def pick_nearest(objects: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """The nearest old point for each new one; for values too many to vote, such as object numbers."""
    for axis, (n_old, n_new) in enumerate(zip(objects.shape, shape, strict=True)):
        if n_old != n_new:
            nearest = np.floor((np.arange(n_new) + 0.5) * n_old / n_new).astype(np.intp)
            objects = np.take(objects, nearest, axis=axis)
    return objects


def interpolation(n_old: int, n_new: int) -> csr_array[np.float32]:
    """Weights of `n_old` points in each of `n_new` ones that share their outer edges.

    Returns
    -------
    (n_new, n_old) sparse float32 array
        Triangles around the new points, as wide as the larger of the old and the new step to each side; each
        row adds up to 1.
    """
    step = n_old / n_new
    reach = max(1.0, step)
    centers = (np.arange(n_new) + 0.5) * step - 0.5
    first = np.ceil(centers - reach).astype(np.intp)
    places = first[:, None] + np.arange(int(2 * reach) + 1)
    weights = np.clip(1 - np.abs(places - centers[:, None]) / reach, 0, None)
    weights[(places < 0) | (places >= n_old)] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    rows = np.repeat(np.arange(n_new), places.shape[1])
    columns = np.clip(places, 0, n_old - 1).ravel()
    return csr_array((weights.ravel().astype(np.float32), (rows, columns)), shape=(n_new, n_old))


def _along(values: NDArray[np.float32], axis: int, weights: csr_array[np.float32]) -> NDArray[np.float32]:
    """Multiply the weights with every line along an axis."""
    n_new, n_old = weights.shape
    before, after = values.shape[:axis], values.shape[axis + 1 :]
    if not before:
        return np.asarray(weights @ values.reshape(n_old, -1), np.float32).reshape(n_new, *after)
    lines = values.reshape(int(np.prod(before)), n_old, int(np.prod(after)))
    result = np.empty((len(lines), n_new, lines.shape[2]), np.float32)
    if lines.shape[2] == 1:  # the last axis: lines become columns, many at once
        at_once = max(1, MAX_AT_ONCE // max(n_old, n_new))
        for start in range(0, len(lines), at_once):
            some = slice(start, start + at_once)
            result[some, :, 0] = (weights @ np.ascontiguousarray(lines[some, :, 0].T)).T
    else:
        for line, resampled in zip(lines, result, strict=True):
            resampled[:] = weights @ line
    return result.reshape(*before, n_new, *after)
