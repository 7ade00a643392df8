"""What is known of numbered objects without looking at their pixels again."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import prod

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from seglet.core.grid import Region

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Census:
    """One row per number, from 0 on; that of 0, the background, and of numbers without pixels says nothing.

    Attributes
    ----------
    sizes : (n + 1,) int64 array
        Pixels; 0 for the background.
    first : (n + 1,) int64 array
        Place of the first pixel in scan order, as an index of the flattened image.
    at_edge : (n + 1,) bool array
        Whether the image's edge is touched.
    start, stop : (n + 1, axes) int64 array
        The box around all pixels, `stop` not included.
    """

    sizes: Counts
    first: Counts
    at_edge: NDArray[np.bool_]
    start: Counts
    stop: Counts

    def box(self, number: int) -> Region:
        """The box around an object."""
        return Region(tuple(self.start[number].tolist()), tuple(self.stop[number].tolist()))


def take_census(numbers: NDArray[np.integer], n: int, region: Region, shape: tuple[int, ...]) -> Census:
    """Count and place the objects of a part of an image.

    Parameters
    ----------
    numbers : ([z,] y, x) integer array
        Number per pixel, 0 to `n`.
    n : int
        The largest number that is asked for.
    region : Region
        Which part of the image that is.
    shape : tuple of int
        Extent of the image.
    """
    flat = numbers.ravel()
    sizes = np.bincount(flat, minlength=n + 1).astype(np.int64)
    sizes[0] = 0
    start, stop = _boxes(numbers, n, region, shape)
    return Census(
        sizes=sizes,
        first=_first_pixels(flat, n, region, shape),
        at_edge=(sizes > 0) & ((start == 0) | (stop == shape)).any(axis=1),
        start=start,
        stop=stop,
    )


def join(parts: Sequence[Census]) -> Census:
    """Number the objects of several parts one after the other; the background's row is that of the first."""
    if len(parts) == 1:
        return parts[0]
    tables = [
        np.concatenate(
            [getattr(part, field.name)[min(number, 1) :] for number, part in enumerate(parts)], axis=0
        )
        for field in fields(Census)
    ]
    return Census(*tables)


def unite(census: Census, roots: NDArray[np.integer], n: int) -> Census:
    """Take several numbers for one object.

    Parameters
    ----------
    census : Census
        Of the numbers.
    roots : (m + 1,) integer array
        Object of each number; 0 for the background alone.
    n : int
        Number of objects.
    """
    first = np.full(n + 1, np.iinfo(np.int64).max)
    start = np.full((n + 1, census.start.shape[1]), np.iinfo(np.int64).max)
    stop = np.zeros_like(start)
    sizes, at_edge = np.zeros(n + 1, np.int64), np.zeros(n + 1, bool)
    np.add.at(sizes, roots, census.sizes)
    np.minimum.at(first, roots, census.first)
    np.logical_or.at(at_edge, roots, census.at_edge)
    np.minimum.at(start, roots, census.start)
    np.maximum.at(stop, roots, census.stop)
    return Census(sizes, first, at_edge, start, stop)


def _boxes(
    numbers: NDArray[np.integer], n: int, region: Region, shape: tuple[int, ...]
) -> tuple[Counts, Counts]:
    """Where each number starts and stops; of missing ones what changes no smallest start nor largest stop."""
    start = np.tile(np.array(shape, np.int64), (n + 1, 1))
    stop = np.zeros_like(start)
    for number, box in enumerate(find_objects(numbers.astype(np.int32, copy=False), n), start=1):
        if box is not None:
            start[number] = [side.start for side in box]
            stop[number] = [side.stop for side in box]
    is_there = stop.any(axis=1, keepdims=True)
    offset = np.array(region.start, np.int64)
    return np.where(is_there, start + offset, start), np.where(is_there, stop + offset, stop)


def _first_pixels(flat: NDArray[np.integer], n: int, region: Region, shape: tuple[int, ...]) -> Counts:
    """Scan order within a part is that of the whole image, so the first of a part is the first of all."""
    first = np.full(n + 1, -1, np.int64)
    places = np.flatnonzero(flat)[::-1]
    first[flat[places]] = places  # the last one that is written stays: the first in scan order
    is_there = first >= 0
    inside = np.unravel_index(first[is_there], region.shape)
    whole = tuple(place + a for place, a in zip(inside, region.start, strict=True))
    first[~is_there] = prod(shape)
    first[is_there] = np.ravel_multi_index(whole, shape)
    return first
