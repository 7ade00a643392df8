"""Quality without a truth: what a prediction says of itself, and how far that can be trusted."""

import math
from collections.abc import Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from seglet.core.config import Config
from seglet.core.errors import GeometryError
from seglet.metrics.statistics import Number

FEWEST = 3  # images; two always lie on a line
_BATCH = 2_000_000  # drawn values in memory at once


class RankCorrelation(Config):
    """Spearman's correlation with its 95 % bootstrap interval.

    Attributes
    ----------
    rho : float
        -1 to 1; nan of fewer than three images, or where either side is the same for all.
    low, high : float
        nan where `rho` is.
    n, n_absent : int
        Images that have both figures, and those left out because one is nan.
    """

    rho: Number
    low: Number
    high: Number
    n: int
    n_absent: int


def expected_dice(
    probabilities: NDArray[np.floating],
    mask: NDArray[np.bool_],
    counted: NDArray[np.bool_] | None = None,
    least: float = 0.0,
) -> float:
    """Dice that a mask may be expected to have, were its probabilities calibrated.

    With p the probability that a pixel is foreground, the mask holds sum(p over the mask) true pixels, and
    there are sum(p) in all: 2 sum(p over the mask) / (sum(p) + size of the mask). It is the ratio of expected
    counts, which large objects come close to; where probabilities are too sure of themselves, it is too high.
    Of a large background, probabilities that are a little too large add up to many pixels that nothing has
    missed: `least` leaves them out.

    Parameters
    ----------
    probabilities : ([z,] y, x) float array
        Of one class, 0 to 1.
    mask : ([z,] y, x) bool array
        Where that class was predicted.
    counted : ([z,] y, x) bool array, optional
        The only pixels that count.
    least : float
        Smaller probabilities are taken for 0.

    Returns
    -------
    float
        0 to 1; 0 of an empty mask beside any probability, nan where mask and probabilities are empty.

    Raises
    ------
    GeometryError
        If the shapes differ.

    References
    ----------
    .. [1] Li et al., "Estimating Model Performance under Domain Shifts with Class-Specific Confidence
       Scores", MICCAI 2022 (arXiv:2207.09957).
    """
    _require_same_shape([probabilities, mask] if counted is None else [probabilities, mask, counted])
    if counted is not None:
        probabilities, mask = probabilities[counted], mask[counted]
    present = probabilities >= least
    true = float(probabilities[present].sum(dtype=np.float64))
    n_found = int(np.count_nonzero(mask))
    true_found = float(probabilities[mask & present].sum(dtype=np.float64))
    return 2 * true_found / (true + n_found) if true + n_found else math.nan


def agreement(masks: Sequence[NDArray[np.bool_]]) -> float:
    """Mean Dice between all pairs of several predictions of one image, as by folds or by flips of the image.

    Parameters
    ----------
    masks : sequence of ([z,] y, x) bool array
        Where each says that one class is.

    Returns
    -------
    float
        0 to 1; pairs of two empty masks are left out, nan where no pair is left or there is but one mask.

    Raises
    ------
    GeometryError
        If the shapes differ.

    References
    ----------
    .. [1] Roy et al., "Bayesian QuickNAT", NeuroImage 195, 2019 (doi:10.1016/j.neuroimage.2019.03.042).
    """
    _require_same_shape(masks)
    sizes = [int(np.count_nonzero(mask)) for mask in masks]
    found = [
        2 * int(np.count_nonzero(masks[i] & masks[j])) / (sizes[i] + sizes[j])
        for i, j in combinations(range(len(masks)), 2)
        if sizes[i] + sizes[j]
    ]
    return sum(found) / len(found) if found else math.nan


def entropy(planes: NDArray[np.floating]) -> NDArray[np.float32]:
    """How undecided each pixel is: 0 where one class is certain, 1 where all are as probable.

    Parameters
    ----------
    planes : (k, [z,] y, x) float array
        Probabilities, 0 to 1. k = 1: of the foreground, of two classes; else one plane per class, which add
        up to 1.

    Returns
    -------
    ([z,] y, x) float32 array
        Shannon's entropy over the logarithm of the number of classes.
    """
    both = np.concatenate((planes, 1 - planes)) if len(planes) == 1 else planes
    # no probability contributes more than rounding where it is 0, whose logarithm is none
    surprise = np.zeros(both.shape[1:], np.float64)
    for plane in both:
        surprise -= plane * np.log(np.where(plane > 0, plane, 1), dtype=np.float64)
    return np.clip(surprise / math.log(len(both)), 0, 1).astype(np.float32)


def rank_correlation(
    predicted: Sequence[float], real: Sequence[float], seed: int = 0, n_draws: int = 2000
) -> RankCorrelation:
    """Say how well predicted quality puts images in the order of their real quality.

    Parameters
    ----------
    predicted, real : sequence of float
        One figure for each image; where either is nan, the image is left out and counted.
    seed : int
        Seed of the draws.
    n_draws : int
        How often the images are drawn anew, with replacement; draws in which a side is the same for all say
        nothing and are left out.

    Raises
    ------
    ValueError
        If the lengths differ.

    References
    ----------
    .. [1] Spearman, "The Proof and Measurement of Association between Two Things", 1904.
    .. [2] Efron, Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    pairs = np.array(list(zip(predicted, real, strict=True)), dtype=float).reshape(-1, 2)
    present = pairs[~np.isnan(pairs).any(axis=1)]
    n, n_absent = len(present), len(pairs) - len(present)
    rho = float(_spearman(present[None])[0]) if n >= FEWEST else math.nan
    if math.isnan(rho):
        return RankCorrelation(rho=math.nan, low=math.nan, high=math.nan, n=n, n_absent=n_absent)
    rng = np.random.default_rng(seed)
    per_batch = max(1, _BATCH // (2 * n))
    drawn = [
        _spearman(present[rng.integers(n, size=(min(per_batch, n_draws - done), n))])
        for done in range(0, n_draws, per_batch)
    ]
    low, high = np.nanpercentile(np.concatenate(drawn), (2.5, 97.5))
    return RankCorrelation(rho=rho, low=float(low), high=float(high), n=n, n_absent=n_absent)


def _spearman(pairs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation of the ranks of each row of pairs, (row, n, 2); nan where a side is constant."""
    ranks = stats.rankdata(pairs, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    shared, spread = ranks.prod(axis=2).sum(axis=1), np.sqrt((ranks**2).sum(axis=1).prod(axis=1))
    rho: NDArray[np.float64] = np.divide(shared, spread, out=np.full(len(pairs), math.nan), where=spread > 0)
    return np.clip(rho, -1, 1)


def _require_same_shape(planes: Sequence[NDArray[np.generic]]) -> None:
    if len(shapes := dict.fromkeys(plane.shape for plane in planes)) > 1:
        raise GeometryError(
            "confidence",
            found=f"arrays of {' and '.join(map(str, shapes))}",
            expected="arrays of one shape",
            remedy="Give arrays of the same image, on the same grid.",
        )
