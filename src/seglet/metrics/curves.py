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
    """Sort foreground and background apart, and count where each foreground score falls among the background.

    Parameters
    ----------
    truth : bool array
        Foreground.
    scores : float array of the same shape
        Higher means foreground; compared as float32; finite.
    """
    flat = np.asarray(scores, np.float32).ravel()
    is_positive = np.asarray(truth, bool).ravel()
    positive, negative = np.sort(flat[is_positive]), np.sort(flat[~is_positive])
    first = np.flatnonzero(np.concatenate([[True], positive[1:] != positive[:-1]])[: len(positive)])
    distinct = positive[first]
    first_tie, after_ties = (np.searchsorted(negative, distinct, side) for side in ("left", "right"))
    none = np.array([-np.inf], np.float32)
    lower_positive = np.concatenate([none, distinct])[:-1]
    lower_negative = np.concatenate([none, negative])[first_tie]
    return RankedPixels(
        scores=distinct[::-1],
        below=np.maximum(lower_positive, lower_negative)[::-1],
        tp=(len(positive) - first)[::-1],
        fp=(len(negative) - first_tie)[::-1],
        ties=(after_ties - first_tie)[::-1],
        n_positive=len(positive),
        n_negative=len(negative),
        lowest=float(flat.min(initial=np.inf)),
        highest=float(flat.max(initial=-np.inf)),
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
    if not (ranked.n_positive and ranked.n_negative):
        return _no_curve()
    new = np.diff(ranked.tp, prepend=0)
    beaten = ranked.n_negative - ranked.fp + ranked.ties / 2  # Mann-Whitney: a tie counts half
    area = float(np.sum(new * beaten)) / ranked.n_positive / ranked.n_negative
    # each score has two corners: before its pixels are added, and after
    fp = np.stack([ranked.fp - ranked.ties, ranked.fp], axis=1).ravel()
    tp = np.stack([ranked.tp - new, ranked.tp], axis=1).ravel()
    above = np.nextafter(ranked.scores, np.float32(np.inf))
    thresholds = np.stack([above, ranked.scores], axis=1).ravel().astype(float)
    x = np.concatenate([[0], fp, [ranked.n_negative]]) / ranked.n_negative
    y = np.concatenate([[0], tp, [ranked.n_positive]]) / ranked.n_positive
    return _drawn(x, y, np.concatenate([[_above(ranked.highest)], thresholds, [ranked.lowest]]), area)


def precision_recall_of(ranked: RankedPixels) -> Curve:
    """Trace precision over recall of pixels that are already ranked."""
    if not (ranked.n_positive and ranked.n_negative):
        return _no_curve()
    precision = ranked.tp / (ranked.tp + ranked.fp)
    recall = ranked.tp / ranked.n_positive
    area = float(np.sum(np.diff(recall, prepend=0) * precision))
    return _drawn(
        np.concatenate([[0], recall]),
        np.concatenate([[1], precision]),
        np.concatenate([[_above(ranked.highest)], ranked.scores]),
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


def _above(score: float) -> float:
    return float(np.nextafter(np.float32(score), np.float32(np.inf)))


def _no_curve() -> Curve:
    return Curve(x=(), y=(), thresholds=(), area=math.nan)


def _drawn(x: Floats, y: Floats, thresholds: Floats, area: float) -> Curve:
    """Keep points at even steps along the curve, always the first and the last."""
    along = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(y)))])
    if len(x) > MOST_POINTS:
        kept = np.unique(np.searchsorted(along, np.linspace(0, along[-1], MOST_POINTS - 1)))
        kept = np.union1d(kept, [len(x) - 1])
        x, y, thresholds = x[kept], y[kept], thresholds[kept]
    return Curve(x=tuple(x.tolist()), y=tuple(y.tolist()), thresholds=tuple(thresholds.tolist()), area=area)
