"""All window arithmetic: which regions cover a shape, and how they are read."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

PRIMES = (2, 3, 5)  # bases of the sequence that spreads boxes, by axes
MOST_TRIED = 1 << 15  # places where a box may lie; of an image with more boxes these are a fine sieve


@dataclass(frozen=True)
class Region:
    """A box of pixels, `start` included, `stop` not; may reach beyond the shape it is about.

    Attributes
    ----------
    start, stop : tuple of int
        One entry per spatial axis.
    """

    start: tuple[int, ...]
    stop: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Extent along each axis."""
        return tuple(b - a for a, b in zip(self.start, self.stop, strict=True))

    @property
    def slices(self) -> tuple[slice, ...]:
        """The box as an index."""
        return tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))

    def within(self, shape: tuple[int, ...]) -> "Region":
        """Cut off what lies outside `shape`."""
        start = tuple(min(max(a, 0), n) for a, n in zip(self.start, shape, strict=True))
        stop = tuple(min(max(b, 0), n) for b, n in zip(self.stop, shape, strict=True))
        return Region(start, stop)

    def shifted(self, offset: tuple[int, ...]) -> "Region":
        """Move by `offset` pixels."""
        start = tuple(a + o for a, o in zip(self.start, offset, strict=True))
        return Region(start, tuple(b + o for b, o in zip(self.stop, offset, strict=True)))


@dataclass(frozen=True)
class Cover(Sequence[Region]):
    """Equal windows side by side over a shape, in row-major order; the last may reach beyond it.

    Attributes
    ----------
    shape : tuple of int
        Extent of the image; however large, no window is made before it is asked for.
    window : tuple of int
        Extent of every region.
    """

    shape: tuple[int, ...]
    window: tuple[int, ...]

    @property
    def counts(self) -> tuple[int, ...]:
        """Windows along each axis."""
        return tuple(-(-n // w) for n, w in zip(self.shape, self.window, strict=True))

    def __len__(self) -> int:
        return prod(self.counts)

    @overload
    def __getitem__(self, number: int) -> Region: ...

    @overload
    def __getitem__(self, number: slice) -> list[Region]: ...

    def __getitem__(self, number: int | slice) -> Region | list[Region]:
        if isinstance(number, slice):
            return [self[n] for n in range(len(self))[number]]
        place = np.unravel_index(range(len(self))[number], self.counts)
        start = tuple(int(n) * w for n, w in zip(place, self.window, strict=True))
        return Region(start, tuple(a + w for a, w in zip(start, self.window, strict=True)))


def anywhere(region: Region) -> bool:
    """Want every region."""
    return True


def spread_boxes(
    shape: tuple[int, ...],
    box: tuple[int, ...],
    most: int,
    is_wanted: Callable[[Region], bool] = anywhere,
) -> list[Region]:
    """Choose equal boxes that stand for a large image: spread evenly, not overlapping, always the same ones.

    They are taken from a grid of boxes from border to border, in the order of Halton's sequence [1]_: its
    first points are spread as evenly as all of them.

    Parameters
    ----------
    shape : tuple of int
        Extent of the image.
    box : tuple of int
        Extent of every box; cut to that of the image.
    most : int
        How many are chosen at most.
    is_wanted : callable
        Which may be chosen; where none is found, all of them may.

    Returns
    -------
    list of Region
        At least one.

    References
    ----------
    .. [1] Halton, "On the efficiency of certain quasi-random sequences of points in evaluating
       multi-dimensional integrals", Numerische Mathematik 2, 1960, doi:10.1007/BF01386213.
    """
    sides = [min(n, side) for n, side in zip(shape, box, strict=True)]
    counts = [n // side for n, side in zip(shape, sides, strict=True)]
    gaps = [(n - side) / max(k - 1, 1) for n, side, k in zip(shape, sides, counts, strict=True)]
    chosen: list[Region] = []
    for place in _even_places(counts):
        start = tuple(int(gap * number) for gap, number in zip(gaps, place, strict=True))
        region = Region(start, tuple(a + side for a, side in zip(start, sides, strict=True)))
        if is_wanted(region):
            chosen.append(region)
        if len(chosen) == most:
            break
    return chosen or spread_boxes(shape, box, most)


def spread_windows(
    shape: tuple[int, ...],
    window: tuple[int, ...],
    most: int,
    is_wanted: Callable[[Region], bool] = anywhere,
) -> list[Region]:
    """Choose windows as `spread_boxes` does, but all of an image that has no more; its last are smaller."""
    cover = Cover(shape, window)
    if len(cover) > most:
        return spread_boxes(shape, window, most, is_wanted)
    every = [region.within(shape) for region in cover]
    return [region for region in every if is_wanted(region)] or every


def cube(n_axes: int, n_pixels: int) -> tuple[int, ...]:
    """Sides of the largest square or cube of at most so many pixels."""
    return (int(n_pixels ** (1 / n_axes) + 1e-9),) * n_axes


def _even_places(counts: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Places on a grid, each once, any first part of them spread evenly; all of a small grid."""
    total = prod(counts)
    seen: set[tuple[int, ...]] = set()
    for number in range(1, MOST_TRIED + 1):
        place = tuple(
            int(_mirrored_digits(number, base) * n) for base, n in zip(PRIMES, counts, strict=False)
        )
        if place not in seen:
            seen.add(place)
            yield place
        if len(seen) == total:
            return


def _mirrored_digits(number: int, base: int) -> float:
    """The digits of a number in a base, mirrored at the point: 0 to 1, evenly for any count of numbers."""
    found, digit = 0.0, 1.0
    while number:
        digit /= base
        found += digit * (number % base)
        number //= base
    return found


def mirrored(start: int, stop: int, extent: int) -> NDArray[np.intp]:
    """Indexes of `start..stop` along an axis of `extent` pixels, mirrored at both borders.

    The border pixel itself is not repeated (2 1 | 0 1 2 | 1 0), and the mirror image goes on as often as
    needed, so any window of any size can be read.
    """
    if extent == 1:
        return np.zeros(stop - start, dtype=np.intp)
    period = 2 * (extent - 1)
    place = np.mod(np.arange(start, stop), period)
    return np.asarray(np.minimum(place, period - place), np.intp)


def read_mirrored(pixels: NDArray[Any], region: Region) -> NDArray[Any]:
    """Cut `region` from the last axes of `pixels`, mirrored where it reaches beyond the border.

    Parameters
    ----------
    pixels : (..., y, x) or (..., z, y, x) array
        As many trailing axes as `region` has are cut.
    region : Region
        What to read.
    """
    shape = pixels.shape[-len(region.start) :]
    return read_beyond(lambda inside: pixels[(..., *inside.slices)], region, shape)  # type: ignore[arg-type]


def read_beyond(
    read: Callable[[Region], NDArray[Any]], region: Region, shape: tuple[int, ...]
) -> NDArray[Any]:
    """Read `region` from something that can be read inside `shape` alone, mirrored beyond it.

    Parameters
    ----------
    read : callable
        Gives the pixels of a region inside `shape`, as the last axes of an array.
    region : Region
        What to read; may lie anywhere.
    shape : tuple of int
        Extent of what is read.
    """
    if region.within(shape) == region:
        return read(region)
    places = [mirrored(a, b, n) for a, b, n in zip(region.start, region.stop, shape, strict=True)]
    start = tuple(int(place.min()) for place in places)
    pixels = read(Region(start, tuple(int(place.max()) + 1 for place in places)))
    for axis, (place, first) in enumerate(zip(places, start, strict=True)):
        pixels = np.take(pixels, place - first, axis=axis - len(shape))
    return pixels
