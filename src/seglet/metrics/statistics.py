"""How far a mean over images can be trusted."""

import math
from collections.abc import Iterable
from typing import Annotated

import numpy as np
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
        nothing about the next.
    n, n_absent : int
        Images that have a value, and images left out because they have none.
    """

    mean: Number
    low: Number
    high: Number
    n: int
    n_absent: int


def bootstrap_mean(values: Iterable[float], seed: int = 0, n_draws: int = 10_000) -> Interval:
    """Average over images, with the percentile bootstrap interval at 95 %.

    Parameters
    ----------
    values : iterable of float
        One value per image; nan is left out and counted.
    seed : int
        Seed of the draws.
    n_draws : int
        How often the images are drawn anew, with replacement.

    References
    ----------
    .. [1] Efron, Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    everything = np.array(list(values), dtype=float)
    present = everything[~np.isnan(everything)]
    n_absent = len(everything) - len(present)
    if len(present) < 2:
        mean = float(present[0]) if len(present) else math.nan
        return Interval(mean=mean, low=math.nan, high=math.nan, n=len(present), n_absent=n_absent)
    rng = np.random.default_rng(seed)
    per_batch = max(1, _BATCH // len(present))
    means = [
        present[rng.integers(len(present), size=(min(per_batch, n_draws - done), len(present)))].mean(axis=1)
        for done in range(0, n_draws, per_batch)
    ]
    low, high = np.percentile(np.concatenate(means), (2.5, 97.5))
    mean = float(present.mean())
    # rounding must not put the mean of equal values outside its own interval
    return Interval(
        mean=mean, low=min(float(low), mean), high=max(float(high), mean), n=len(present), n_absent=n_absent
    )
