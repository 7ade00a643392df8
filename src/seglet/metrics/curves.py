"""Receiver operating characteristic and precision-recall curves, exact on millions of pixels."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seglet.core.config import Config
from seglet.core.errors import ConfigError
from seglet.metrics.statistics import Number

MOST_POINTS = 400  # a drawn curve shows no more
Floats = NDArray[np.float64]
Keys = NDArray[np.uint32] | NDArray[np.int64]

_INFINITY = np.float32(np.inf)


class Curve(Config):
    """A curve for drawing, with the exact area under it.

    Attributes
    ----------
    x, y : tuple of float
        ROC: one minus specificity, sensitivity. Precision-recall: recall, precision. Empty where only one
        class is present.
    thresholds : tuple of float
        Scores at or above it count as foreground at that point.
    area : float
        Of all pixels, not of the points kept; nan where only one class is present.
    """

    x: tuple[Number, ...]
    y: tuple[Number, ...]
    thresholds: tuple[Number, ...]
    area: Number


@dataclass(frozen=True, eq=False)
class RankedPixels:
    """Counts at every distinct score that a foreground pixel has, from the highest score down.

    Between two such scores only background is added, so these rows decide all areas and best thresholds.

    Attributes
    ----------
    scores : (n,) float32 array
        Distinct scores of foreground pixels.
    below : (n,) float32 array
        The next lower score of any pixel; -inf where there is none.
    tp, fp : (n,) int64 array
        Foreground and background pixels at or above the score.
    ties : (n,) int64 array
        Background pixels of exactly this score.
    n_positive, n_negative : int
        Foreground and background pixels in all.
    lowest, highest : float
        Of the scores of all pixels.
    """

    scores: NDArray[np.float32]
    below: NDArray[np.float32]
    tp: NDArray[np.int64]
    fp: NDArray[np.int64]
    ties: NDArray[np.int64]
    n_positive: int
    n_negative: int
    lowest: float
    highest: float


def rank_pixels(truth: NDArray[np.bool_], scores: NDArray[np.floating]) -> RankedPixels:
    """Sort all pixels by score once, foreground after background of the same score.

    Parameters
    ----------
    truth : bool array
        Foreground.
    scores : float array of the same shape
        Higher means foreground; compared as float32; finite.
    """
    flat = np.asarray(scores, np.float32).ravel() + np.float32(0)  # a copy, in which -0 is 0
    lowest, highest = float(flat.min(initial=np.inf)), float(flat.max(initial=-np.inf))
    keys = _sorted_keys(flat, np.asarray(truth, bool).ravel(), lowest)
    places = np.flatnonzero(keys & keys.dtype.type(1))
    n_positive, n_negative = len(places), len(keys) - len(places)
    of_positive = keys[places]
    first = np.flatnonzero(np.concatenate([[True], of_positive[1:] != of_positive[:-1]])[:n_positive])
    distinct, place = of_positive[first], places[first]
    ties = _ties(keys, distinct, place)
    lower = place - ties - 1  # the last pixel of a lower score, if there is one
    below = np.where(lower < 0, -_INFINITY, _scores_of(keys[np.maximum(lower, 0)]))
    return RankedPixels(
        scores=_scores_of(distinct)[::-1],
        below=below[::-1],
        tp=(n_positive - first)[::-1],
        fp=(n_negative - (place - first - ties))[::-1],
        ties=ties[::-1],
        n_positive=n_positive,
        n_negative=n_negative,
        lowest=lowest,
        highest=highest,
    )


def roc_curve(truth: NDArray[np.bool_], scores: NDArray[np.floating]) -> Curve:
    """Trace the receiver operating characteristic; equal scores are joined by a straight line.

    Parameters
    ----------
    truth : bool array
        Foreground.
    scores : float array of the same shape
        Higher means foreground.
    """
    return roc_of(rank_pixels(truth, scores))


def precision_recall_curve(truth: NDArray[np.bool_], scores: NDArray[np.floating]) -> Curve:
    """Trace precision over recall; its area is the average precision, Σ (Rₖ - Rₖ₋₁) Pₖ, not interpolated.

    Parameters
    ----------
    truth : bool array
        Foreground.
    scores : float array of the same shape
        Higher means foreground.
    """
    return precision_recall_of(rank_pixels(truth, scores))


def roc_of(ranked: RankedPixels) -> Curve:
    """Trace the receiver operating characteristic of pixels that are already ranked."""
    n_positive, n_negative = ranked.n_positive, ranked.n_negative
    if not (n_positive and n_negative):
        return _no_curve()
    new = np.diff(ranked.tp, prepend=0)
    beaten = n_negative - ranked.fp + ranked.ties / 2  # Mann-Whitney: a tie counts half
    area = float(np.sum(new * beaten)) / n_positive / n_negative
    kept = _at_even_steps(ranked.fp / n_negative + ranked.tp / n_positive, (MOST_POINTS - 2) // 2)
    scores, tp, fp = ranked.scores[kept], ranked.tp[kept], ranked.fp[kept]
    # each score has two corners: before its pixels are added, and after
    corners = (fp - ranked.ties[kept], fp), (tp - new[kept], tp), (np.nextafter(scores, _INFINITY), scores)
    x, y, thresholds = (np.stack(pair, axis=1).ravel().astype(float) for pair in corners)
    return _drawn(
        np.concatenate([[0], x, [n_negative]]) / n_negative,
        np.concatenate([[0], y, [n_positive]]) / n_positive,
        np.concatenate([[_above(ranked.highest)], thresholds, [ranked.lowest]]),
        area,
    )


def precision_recall_of(ranked: RankedPixels) -> Curve:
    """Trace precision over recall of pixels that are already ranked."""
    if not (ranked.n_positive and ranked.n_negative):
        return _no_curve()
    precision = ranked.tp / (ranked.tp + ranked.fp)
    recall = ranked.tp / ranked.n_positive
    area = float(np.sum(np.diff(recall, prepend=0) * precision))
    along = recall + np.cumsum(np.abs(np.diff(precision, prepend=1)))
    kept = _at_even_steps(along, MOST_POINTS - 1)
    return _drawn(
        np.concatenate([[0], recall[kept]]),
        np.concatenate([[1], precision[kept]]),
        np.concatenate([[_above(ranked.highest)], ranked.scores[kept]]),
        area,
    )


def best_threshold(truth: NDArray[np.bool_], scores: NDArray[np.floating], metric: str = "dice") -> float:
    """Find the threshold with the largest score over all thresholds there are.

    Parameters
    ----------
    truth : bool array
        Foreground.
    scores : float array of the same shape
        Higher means foreground; above the threshold is foreground.
    metric : str
        ``dice`` (IoU and F1 have the same best threshold), ``balanced_accuracy`` or ``mcc``.

    Returns
    -------
    float
        Half way to the next lower score of any pixel; the highest threshold among equally good ones.
        0.5 where there is no foreground, as nothing speaks for another one.

    Raises
    ------
    ConfigError
        If the metric is unknown.
    """
    if metric not in _BEST_BY:
        known = ", ".join(_BEST_BY)
        raise ConfigError(
            "metric", found=repr(metric), expected=f"one of {known}", remedy="Choose one of these."
        )
    ranked = rank_pixels(truth, scores)
    if not ranked.n_positive:
        return 0.5
    best = int(np.argmax(_BEST_BY[metric](ranked)))
    score, below = ranked.scores[best], ranked.below[best]
    if below == -np.inf:  # no pixel is lower: all are foreground
        return float(np.nextafter(score, below))
    half_way = np.float32((float(score) + float(below)) / 2)
    return float(half_way if half_way < score else below)  # neighboring floats have nothing between them


def _dice(ranked: RankedPixels) -> Floats:
    return np.asarray(2 * ranked.tp / (ranked.tp + ranked.fp + ranked.n_positive), float)


def _balanced_accuracy(ranked: RankedPixels) -> Floats:
    specificity = 1 - ranked.fp / max(ranked.n_negative, 1)
    return np.asarray((ranked.tp / ranked.n_positive + specificity) / 2, float)


def _mcc(ranked: RankedPixels) -> Floats:
    positive, negative = float(ranked.n_positive), float(ranked.n_negative)
    marked = (ranked.tp + ranked.fp).astype(float)
    spread = np.sqrt(marked * (positive + negative - marked)) * math.sqrt(positive * negative)
    above_chance = ranked.tp * negative - ranked.fp * positive
    return np.divide(above_chance, spread, out=np.zeros(len(marked)), where=spread > 0)


_BEST_BY: dict[str, Callable[[RankedPixels], Floats]] = {
    "dice": _dice,
    "balanced_accuracy": _balanced_accuracy,
    "mcc": _mcc,
}


def _sorted_keys(scores: NDArray[np.float32], truth: NDArray[np.bool_], lowest: float) -> Keys:
    """Sort whole numbers in the order of the scores, whose last bit is the truth; `scores` is overwritten.

    The bits of a float that is not negative, read as a whole number, have its order; of a negative one all
    but the sign must be turned. Without a sign, 31 bits and the truth fit in 32, which sort twice as fast.
    """
    bits = scores.view(np.int32)
    keys: Keys = bits.view(np.uint32)
    if lowest < 0:
        keys = _turned(bits).astype(np.int64)
    keys <<= keys.dtype.type(1)
    keys |= truth
    keys.sort()
    return keys


def _scores_of(keys: Keys) -> NDArray[np.float32]:
    return _turned((keys >> keys.dtype.type(1)).astype(np.int32)).view(np.float32)


def _turned(bits: NDArray[np.int32]) -> NDArray[np.int32]:
    """Turn all bits but the sign of negative floats, there and back."""
    return bits ^ ((bits >> 31) & np.int32(2**31 - 1))


def _ties(keys: Keys, distinct: Keys, place: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count background pixels of the same score: they stand just before the foreground pixel at `place`."""
    ties = np.zeros(len(place), np.int64)
    of_background = distinct - distinct.dtype.type(1)
    has_ties = np.flatnonzero((keys[np.maximum(place - 1, 0)] == of_background) & (place > 0))
    ties[has_ties] = place[has_ties] - np.searchsorted(keys, of_background[has_ties])
    return ties


def _above(score: float) -> float:
    return float(np.nextafter(np.float32(score), _INFINITY))


def _no_curve() -> Curve:
    return Curve(x=(), y=(), thresholds=(), area=math.nan)


def _at_even_steps(along: Floats, most: int) -> NDArray[np.int64]:
    """Choose rows at even steps of the curve's length, always the first and the last; all if they are few."""
    if len(along) <= most:
        return np.arange(len(along))
    return np.unique(np.searchsorted(along, np.linspace(along[0], along[-1], most)))


def _drawn(x: Floats, y: Floats, thresholds: Floats, area: float) -> Curve:
    return Curve(x=tuple(x.tolist()), y=tuple(y.tolist()), thresholds=tuple(thresholds.tolist()), area=area)
