"""How far a mean over images can be trusted."""

import math
from collections.abc import Iterable, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
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
    rng = np.random.default_rng(seed)
    per_batch = max(1, _BATCH // len(sums))
    means = []
    for done in range(0, n_draws, per_batch):
        drawn = rng.integers(len(sums), size=(min(per_batch, n_draws - done), len(sums)))
        means.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5))
    # rounding must not put the mean of equal values outside its own interval
    return Interval(
        mean=mean, low=min(float(low), mean), high=max(float(high), mean), n=len(present), n_absent=n_absent
    )


def _by_image(
    values: NDArray[np.float64], of_image: NDArray[np.intp] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum and number of the values of each image; each value is an image's own where nothing is said."""
    if of_image is None:
        return values, np.ones(len(values))
    counts = np.bincount(of_image).astype(np.float64)
    return np.bincount(of_image, values).astype(np.float64), counts
