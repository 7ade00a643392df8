"""Connected components of images that fit no memory: labelled block by block, joined at the blocks' faces."""

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from seglet.core.errors import GeometryError
from seglet.core.grid import Cover, Region
from seglet.postprocessing.census import Census, join, take_census, unite
from seglet.postprocessing.rules import components_of

MOST_NUMBERS = np.iinfo(np.int32).max

Pairs = NDArray[np.integer]


class Canvas(Protocol):
    """Integers of an image that are read and written box by box, such as an array of NumPy or Zarr."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Extent of the image."""

    def __getitem__(self, box: Any, /) -> Any:
        """Read a box, a tuple of slices."""

    def __setitem__(self, box: Any, values: Any, /) -> None:
        """Write a box."""


def label_blocks(
    mask_of: Callable[[Region], NDArray[np.bool_]],
    canvas: Canvas,
    block: tuple[int, ...],
    *,
    diagonal: bool = False,
) -> tuple[NDArray[np.int32], Census]:
    """Number the connected components of a mask, a block at a time.

    Each block is labelled alone, with numbers that no other one has, into the canvas. Numbers that meet at
    a face of two blocks belong together; which do is known at the end, from all such pairs. Memory is that of
    a block, and a table with a row for each number.

    Parameters
    ----------
    mask_of : callable
        Gives the mask of a block; asked once for each, in row-major order.
    canvas : Canvas
        Takes the numbers, int32; what stood in it may be read by `mask_of` until the block is written.
    block : tuple of int
        Extent of the blocks.
    diagonal : bool
        Whether pixels that share a corner are connected, or only those that share a side.

    Returns
    -------
    roots : (m + 1,) int32 array
        The component of each number that is written, 1 to n; 0 of 0.
    census : Census
        Of the n components.

    Raises
    ------
    GeometryError
        If there are more pieces in blocks than 32 bits can number.
    """
    parts: list[Census] = []
    pairs: list[Pairs] = [np.zeros((0, 2), np.int32)]
    total = 0
    for tile in Cover(canvas.shape, block):
        region = tile.within(canvas.shape)
        numbers, n = components_of(mask_of(region), diagonal=diagonal)
        require_numbers(total + n)
        parts.append(take_census(numbers, n, region, canvas.shape))
        numbers[numbers > 0] += total
        total += n
        canvas[region.slices] = numbers
        pairs += _meetings(numbers, region, canvas, diagonal=diagonal)
    roots, n_components = _joined(np.concatenate(pairs), total)
    return roots, unite(join(parts), roots, n_components)


def require_numbers(n: int) -> None:
    """Refuse more numbers than the canvas can hold.

    Raises
    ------
    GeometryError
        If there are.
    """
    if n > MOST_NUMBERS:
        raise GeometryError(
            "objects",
            found=f"{n} pieces of foreground or background",
            expected=f"at most {MOST_NUMBERS}",
            remedy="Choose another threshold: at this one, noise is taken for objects.",
        )


def _meetings(
    numbers: NDArray[np.int32], region: Region, canvas: Canvas, *, diagonal: bool
) -> Iterator[Pairs]:
    """Pairs of numbers that meet between a block and those before it, each pair once for each face."""
    for axis in range(numbers.ndim):
        if region.start[axis] == 0:
            continue
        near = np.take(numbers, [0], axis=axis).squeeze(axis)
        far = _before(region, axis, canvas)
        for shift in product((0, 1, 2) if diagonal else (1,), repeat=near.ndim):
            other = far[tuple(slice(s, s + n) for s, n in zip(shift, near.shape, strict=True))]
            meet = (near > 0) & (other > 0)
            yield np.unique(np.stack([near[meet], other[meet]], axis=1), axis=0)


def _before(region: Region, axis: int, canvas: Canvas) -> NDArray[np.int32]:
    """The plane before a block along an axis, a pixel wider on all sides; 0 where nothing was labelled yet.

    Of blocks that lie to the side along earlier axes, those that come first were met along these axes.
    """
    first = [a - (n >= axis) for n, a in enumerate(region.start)]
    last = [region.start[axis] if n == axis else b + (n > axis) for n, b in enumerate(region.stop)]
    inside = Region(tuple(first), tuple(last)).within(canvas.shape)
    sides = zip(inside.start, region.start, inside.stop, region.stop, strict=True)
    missing = [(a - wide + 1, widest + 1 - b) for a, wide, b, widest in sides]
    del missing[axis]
    return np.pad(np.asarray(canvas[inside.slices]).take(0, axis=axis), missing)


def _joined(pairs: Pairs, total: int) -> tuple[NDArray[np.int32], int]:
    """The component of each number, 1 on, and how many there are; 0 stays alone."""
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (total + 1, total + 1))
    n_found, found = connected_components(graph, directed=False)
    roots = np.where(found < found[0], found + 1, found).astype(np.int32)
    roots[0] = 0
    return roots, int(n_found) - 1
