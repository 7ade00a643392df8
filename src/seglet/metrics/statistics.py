"""How far a figure of several images can be trusted."""

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
_MOST_DRAWS = 1_000  # likewise; what is weighted by a draw may be a long row


class Interval(Config):
    """A figure of several images, their mean or pooled, with its 95 % bootstrap interval.

    Attributes
    ----------
    mean, low, high : float
        The figure and the ends of its interval. All nan where no image has a value; `low` and `high` nan
        where only one has, as one image says nothing about the next, and neither do two windows of it.
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
    drawn = [sums[of].sum(axis=1) / counts[of].sum(axis=1) for of in draws(len(sums), seed, n_draws)]
    return drawn_interval(mean, drawn, len(present), n_absent)


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
    drawn = []
    for of in draws(len(above), seed):
        sums = below[of].sum(axis=1)
        drawn.append(above[of].sum(axis=1)[sums > 0] / sums[sums > 0])
    return drawn_interval(ratio, drawn, n, n_absent)


def draws(n: int, seed: int = 0, n_draws: int = 10_000) -> Iterator[NDArray[np.int64]]:
    """Draw n of n images with replacement, so many times: batches of (draws, n) indexes, always the same.

    Of fewer than two images there are no draws.
    """
    if n < 2:
        return
    rng = np.random.default_rng(seed)
    per_batch = max(1, min(_MOST_DRAWS, _BATCH // n))
    for done in range(0, n_draws, per_batch):
        yield rng.integers(n, size=(min(per_batch, n_draws - done), n))


def drawn_weights(n: int, seed: int = 0, n_draws: int = 10_000) -> Iterator[NDArray[np.float64]]:
    """How often each image is in each of `draws`: batches of (draws, n)."""
    for of in draws(n, seed, n_draws):
        places = of + n * np.arange(len(of))[:, None]
        yield np.bincount(places.ravel(), minlength=of.size).reshape(of.shape).astype(np.float64)


def drawn_interval(found: float, drawn: Sequence[NDArray[np.float64]], n: int, n_absent: int = 0) -> Interval:
    """A figure with the percentile interval at 95 % of the same figure of other draws.

    Parameters
    ----------
    found : float
        The figure of the images as they are; never outside of the interval.
    drawn : sequence of float arrays
        The figure of each draw, in batches; nan where it does not exist. Without any there is no interval.
    n, n_absent : int
        As in `Interval`.
    """
    known = np.concatenate(drawn) if drawn else np.empty(0)
    known = known[~np.isnan(known)]
    if math.isnan(found) or not len(known):
        return Interval(mean=found, low=math.nan, high=math.nan, n=n, n_absent=n_absent)
    low, high = np.percentile(known, (2.5, 97.5))
    return Interval(
        mean=found, low=min(float(low), found), high=max(float(high), found), n=n, n_absent=n_absent
    )


def _by_image(
    values: NDArray[np.float64], of_image: NDArray[np.intp] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and number of the values of each image; each value is an image's own where nothing is said."""
    if of_image is None:
        return values, np.ones(len(values))
    counts = np.bincount(of_image).astype(np.float64)
    return np.bincount(of_image, values).astype(np.float64), counts
