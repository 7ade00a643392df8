"""Two methods on the same images: by how much they differ, and how often chance does as much."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from seglet.core.config import Config
from seglet.metrics.statistics import Interval, Number, bootstrap_mean

EXACT = 16  # images up to which every arrangement of signs is looked at: 65,536
DIGITS = 12  # differences that differ by less are equal: 0.9 - 0.8 is not quite 0.8 - 0.7
_BATCH = 4_000_000  # drawn signs in memory at once

Floats = NDArray[np.float64]


class Paired(Config):
    """What the differences between A and B say; positive where A's figure is larger.

    Attributes
    ----------
    difference : Interval
        Mean of A minus B over images (or windows of them), with its bootstrap interval; `n` and `n_absent`
        count images (or windows).
    n_images : int
        Images that have a difference; windows of one image are one image here and below.
    larger, equal, smaller : int
        Images on which A's figure is larger than B's, the same, smaller.
    rank_biserial : float
        Matched rank-biserial correlation: of the ranks of all differences that are not 0, the share on A's
        side minus the share on B's; -1 to 1, 0 where all are equal, nan without images.
    permutation_p : float
        How often the mean difference is at least as far from 0 where each image's difference has its sign
        by chance: exact up to `EXACT` images that differ, else of `n_draws` draws. 1 where all are equal, nan
        without images.
    wilcoxon_p : float
        The same of the sum of signed ranks (Wilcoxon's test, two-sided, equal pairs left out).
    is_exact : bool
        Whether `permutation_p` looked at every arrangement.

    References
    ----------
    .. [1] Wilcoxon, "Individual Comparisons by Ranking Methods", Biometrics Bulletin 1, 1945.
    .. [2] Good, "Permutation, Parametric and Bootstrap Tests of Hypotheses", 3rd ed., 2005, section 3.2.
    .. [3] Kerby, "The Simple Difference Formula", Comprehensive Psychology 3, 2014.
    """

    difference: Interval
    n_images: int
    larger: int
    equal: int
    smaller: int
    rank_biserial: Number
    permutation_p: Number
    wilcoxon_p: Number
    is_exact: bool


def compare_pairs(
    a: Sequence[float], b: Sequence[float], images: Sequence[str] = (), seed: int = 0, n_draws: int = 10_000
) -> Paired:
    """Compare the figures of two methods image by image.

    Parameters
    ----------
    a, b : sequence of float
        A figure for each image, in the same order; where either is nan, the pair is left out and counted.
    images : sequence of str
        Where figures are of windows, the image of each: an image's windows change sides together.
    seed : int
        Seed of all draws.
    n_draws : int
        How many, of the bootstrap and of signs.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    pairs = np.array(list(zip(a, b, strict=True)), dtype=float).reshape(-1, 2)
    differences = pairs[:, 0] - pairs[:, 1]
    totals, means = _by_image(differences, images)
    moved = means[means != 0]
    ranks = np.asarray(stats.rankdata(np.abs(moved)) * np.sign(moved), dtype=float)
    return Paired(
        difference=bootstrap_mean(differences, images, seed, n_draws),
        n_images=len(means),
        larger=int((means > 0).sum()),
        equal=int((means == 0).sum()),
        smaller=int((means < 0).sum()),
        rank_biserial=_rank_biserial(ranks) if len(means) else math.nan,
        permutation_p=sign_flip_p(totals, seed, n_draws),
        wilcoxon_p=_wilcoxon_p(ranks, moved) if len(means) else math.nan,
        is_exact=len(moved) <= EXACT,
    )


def sign_flip_p(values: Sequence[float] | Floats, seed: int = 0, n_draws: int = 10_000) -> float:
    """How often values whose signs are drawn by chance have a mean as far from 0 as theirs, or farther.

    Every arrangement of signs is looked at where at most `EXACT` values are not 0; else `n_draws` are drawn,
    and the one at hand counts as one of them, so that the share is never 0.

    Returns
    -------
    float
        1 where all values are 0; nan without values.

    References
    ----------
    .. [1] Phipson, Smyth, "Permutation P-values Should Never Be Zero", 2010 (arXiv:1603.05766).
    """
    everything = np.asarray(values, dtype=float)
    if not len(everything):
        return math.nan
    moved = everything[everything != 0]
    if not len(moved):
        return 1.0
    # sums of the same values in another order differ by rounding: they count as equal
    as_far = abs(moved.sum()) - 1e-12 * np.abs(moved).sum()
    if len(moved) <= EXACT:
        return float((np.abs(_all_signs(len(moved)) @ moved) >= as_far).mean())
    n_as_far = sum(
        int((np.abs(signs @ moved) >= as_far).sum()) for signs in _drawn_signs(len(moved), seed, n_draws)
    )
    return (n_as_far + 1) / (n_draws + 1)


def _by_image(differences: Floats, images: Sequence[str]) -> tuple[Floats, Floats]:
    """Sum and mean of the differences of each image; those that are nan are left out."""
    is_present = ~np.isnan(differences)
    present = differences[is_present]
    if not len(images):
        return present.round(DIGITS), present.round(DIGITS)
    of_image = np.unique(np.asarray(images)[is_present], return_inverse=True)[1]
    totals = np.bincount(of_image, present).astype(np.float64)
    return totals.round(DIGITS), (totals / np.bincount(of_image)).round(DIGITS)


def _rank_biserial(ranks: Floats) -> float:
    return float(ranks.sum() / np.abs(ranks).sum()) if len(ranks) else 0.0


def _wilcoxon_p(ranks: Floats, moved: Floats) -> float:
    """By all arrangements where that is cheap, which equal ranks do not disturb; else SciPy's."""
    if len(ranks) <= EXACT:
        return sign_flip_p(ranks) if len(ranks) else 1.0
    return float(stats.wilcoxon(moved).pvalue)


def _all_signs(n: int) -> Floats:
    """Every row of n signs: the bits of the numbers below 2**n."""
    bits = np.arange(2**n)[:, None] >> np.arange(n) & 1
    return np.asarray(1 - 2 * bits, np.float64)


def _drawn_signs(n: int, seed: int, n_draws: int) -> Iterator[Floats]:
    rng = np.random.default_rng(seed)
    per_batch = max(1, _BATCH // n)
    for done in range(0, n_draws, per_batch):
        yield rng.choice((-1.0, 1.0), size=(min(per_batch, n_draws - done), n))
