"""How far a mean over images can be trusted."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BeforeValidator

from seglet.core.config import Config


def _from_json(number: object) -> object:
    return math.nan if number is None else number


Number = Annotated[float, BeforeValidator(_from_json)]  # JSON has no nan: written and read as null

_BATCH = 4_000_000  # drawn values in memory at once


class Interval(Config):
    """A mean over images with its 95 % bootstrap interval.

    Attributes
    ----------
    mean, low, high : float
        All nan where no image has a value; `low` and `high` nan where only one has, as one image says
        nothing about the next, and neither do two windows of it.
    n, n_absent : int
        Images (or windows of images) that have a value, and those left out because they have none.
    """

    mean: Number
    low: Number
    high: Number
    n: int
    n_absent: int


def bootstrap_mean(
    values: Iterable[float], images: Sequence[str] = (), seed: int = 0, n_draws: int = 10_000
) -> Interval:
    """Average over images, with the percentile bootstrap interval at 95 %.

    Parameters
    ----------
    values : iterable of float
        One value per image; nan is left out and counted.
    images : sequence of str
        Where values are of windows, the image of each: windows of one image are drawn together.
    seed : int
        Seed of the draws.
    n_draws : int
        How often the images are drawn anew, with replacement.

    References
    ----------
    .. [1] Efron, Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    everything = np.array(list(values), dtype=float)
    is_present = ~np.isnan(everything)
    present, n_absent = everything[is_present], int((~is_present).sum())
    of_image = np.unique(np.asarray(images)[is_present], return_inverse=True)[1] if len(images) else None
    sums, counts = _by_image(present, of_image)
    mean = float(present.mean()) if len(present) else math.nan
    if len(sums) < 2:
        return Interval(mean=mean, low=math.nan, high=math.nan, n=len(present), n_absent=n_absent)
    drawn = [sums[of].sum(axis=1) / counts[of].sum(axis=1) for of in draws(len(sums), seed, n_draws)]
    low, high = _ends(np.concatenate(drawn), mean)
    return Interval(mean=mean, low=low, high=high, n=len(present), n_absent=n_absent)


def bootstrap_ratio(
    parts: ArrayLike, wholes: ArrayLike, images: Sequence[str] = (), seed: int = 0
) -> Interval:
    """Pool a ratio over images, sum of parts over sum of wholes, with the percentile interval at 95 %.

    Parameters
    ----------
    parts, wholes : (n,) array of numbers
        One of each per image; where the whole is 0, the image says nothing and is counted as absent.
    images : sequence of str
        As in `bootstrap_mean`.
    seed : int
        Seed of the draws.
    """
    part, whole = np.asarray(parts, float), np.asarray(wholes, float)
    of_image = np.unique(np.asarray(images), return_inverse=True)[1] if len(images) else np.arange(len(part))
    above, below = np.bincount(of_image, part), np.bincount(of_image, whole)
    n = int(np.count_nonzero(whole))
    n_absent = len(whole) - n
    ratio = float(part.sum() / whole.sum()) if n else math.nan
    if not n or len(above) < 2:
        return Interval(mean=ratio, low=math.nan, high=math.nan, n=n, n_absent=n_absent)
    drawn = []
    for of in draws(len(above), seed):
        sums = below[of].sum(axis=1)
        drawn.append(above[of].sum(axis=1)[sums > 0] / sums[sums > 0])
    low, high = _ends(np.concatenate(drawn), ratio)
    return Interval(mean=ratio, low=low, high=high, n=n, n_absent=n_absent)


def draws(n: int, seed: int = 0, n_draws: int = 10_000) -> Iterator[NDArray[np.int64]]:
    """Draw n of n images with replacement, so many times: batches of (draws, n) indexes, always the same."""
    rng = np.random.default_rng(seed)
    per_batch = max(1, _BATCH // n)
    for done in range(0, n_draws, per_batch):
        yield rng.integers(n, size=(min(per_batch, n_draws - done), n))


def _ends(drawn: NDArray[np.float64], found: float) -> tuple[float, float]:
    """The interval; rounding must not put the figure of equal values outside of it."""
    low, high = np.percentile(drawn, (2.5, 97.5))
    return min(float(low), found), max(float(high), found)


def _by_image(
    values: NDArray[np.float64], of_image: NDArray[np.intp] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and number of the values of each image; each value is an image's own where nothing is said."""
    if of_image is None:
        return values, np.ones(len(values))
    counts = np.bincount(of_image).astype(np.float64)
    return np.bincount(of_image, values).astype(np.float64), counts
