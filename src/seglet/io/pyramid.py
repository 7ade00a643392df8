"""The coarser levels of an image on disk, made from the finest one block by block."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seglet.io.axes import blocks

MAX_LEVELS = 8


def level_steps(
    shape: tuple[int, ...], chunks: tuple[int, ...], spacing: tuple[float, ...]
) -> list[tuple[int, ...]]:
    """Choose how many pixels of the finest level one pixel of each level covers, until one chunk holds all.

    A level halves the axes that are sampled finely; an axis whose pixels are already twice as far apart as
    the closest waits until the others have caught up.

    Parameters
    ----------
    shape, chunks : tuple of int
        Of the spatial axes.
    spacing : tuple of float
        Empty where unknown: the same along all axes.

    Returns
    -------
    list of tuple of int
        Powers of two per spatial axis; the first all 1.
    """
    steps = [(1,) * len(shape)]
    distances = np.asarray(spacing or (1.0,) * len(shape))
    while len(steps) < MAX_LEVELS:
        extent = [-(-length // step) for length, step in zip(shape, steps[-1], strict=True)]
        if all(length <= chunk for length, chunk in zip(extent, chunks, strict=True)):
            break
        apart = distances * steps[-1]
        closest = min(d for d, length in zip(apart, extent, strict=True) if length > 1)
        is_fine = [d < 2 * closest and length > 1 for d, length in zip(apart, extent, strict=True)]
        steps.append(tuple(s * (2 if fine else 1) for s, fine in zip(steps[-1], is_fine, strict=True)))
    return steps


def fill_nearest(source: Any, target: Any) -> None:
    """Fill a level of labels with the nearest pixels of a finer one.

    Parameters
    ----------
    source, target : arrays on disk
        Of equally many axes; any ratio of their lengths.
    """
    for box in blocks(target.shape, target.chunks):
        picks = [
            _nearest(part, fine, coarse)
            for part, fine, coarse in zip(box, source.shape, target.shape, strict=True)
        ]
        target[box] = _picked(source, [(pick,) for pick in picks])[0]


def fill_mean(source: Any, target: Any) -> None:
    """Fill a level of intensities with the means of the pixels of a finer one that each pixel covers.

    Parameters
    ----------
    source, target : arrays on disk
        Along each axis of equal length, or the target half as long (rounded up); at an odd end the last
        pixel counts twice.
    """
    for box in blocks(target.shape, target.chunks):
        picks = [
            _pairs(part, fine, coarse)
            for part, fine, coarse in zip(box, source.shape, target.shape, strict=True)
        ]
        mean = np.mean(np.stack(_picked(source, picks)).astype(np.float64), axis=0)
        is_whole = np.dtype(target.dtype).kind in "ui"
        target[box] = (np.rint(mean) if is_whole else mean).astype(target.dtype)


def _nearest(part: slice, fine: int, coarse: int) -> NDArray[np.intp]:
    """Index, in the finer axis, of the pixel at the center of each pixel of `part`."""
    return ((2 * np.arange(part.start, part.stop) + 1) * fine // (2 * coarse)).astype(np.intp)


def _pairs(part: slice, fine: int, coarse: int) -> Sequence[NDArray[np.intp]]:
    pixels = np.arange(part.start, part.stop)
    if fine == coarse:
        return (pixels,)
    return (2 * pixels, np.minimum(2 * pixels + 1, fine - 1))


def _picked(source: Any, picks: Sequence[Sequence[NDArray[np.intp]]]) -> list[NDArray[np.generic]]:
    """Read once the box that holds all picks; take every combination of them from it."""
    first = [int(pick[0][0]) for pick in picks]
    block = source[
        tuple(slice(start, int(pick[-1][-1]) + 1) for start, pick in zip(first, picks, strict=True))
    ]
    return [
        block[np.ix_(*(pick - start for pick, start in zip(chosen, first, strict=True)))]
        for chosen in product(*picks)
    ]
