"""Scores of objects, from how many pixels each object of the truth shares with each predicted one."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import ConfigError, GeometryError
from seglet.metrics.compiled import compiled

THRESHOLDS = tuple(k / 20 for k in range(10, 20))  # 0.50, 0.55 … 0.95: Data Science Bowl 2018
PRECISIONS = tuple(f"ap_{5 * k}" for k in range(10, 20))
"""Name of the average precision at each of `THRESHOLDS`: ``ap_50``, ``ap_55`` … ``ap_95``."""

Counts = NDArray[np.int64]

_AT_ONCE = 4_000_000  # pixels
_SPARSE = 4  # cells of a counting table per run of pixels, above which sorting is cheaper
_ALL = np.zeros(0, np.bool_)  # stands for a mask of pixels that all count


class Panoptic(NamedTuple):
    """Panoptic quality and its two factors: how well matched objects fit, and how many are matched."""

    pq: float
    sq: float
    rq: float


@dataclass(frozen=True, eq=False)
class Overlaps:
    """How the objects of two label maps lie over each other; objects count from 0 in order of their numbers.

    Attributes
    ----------
    truth_sizes : (n,) int64 array
        Pixels of each true object.
    predicted_sizes : (m,) int64 array
        Pixels of each predicted object.
    truth, predicted : (k,) int64 array
        The two objects of each pair that shares a pixel.
    shared : (k,) int64 array
        Pixels that the pair shares.
    """

    truth_sizes: Counts
    predicted_sizes: Counts
    truth: Counts
    predicted: Counts
    shared: Counts

    @property
    def n_truth(self) -> int:
        """Number of true objects."""
        return len(self.truth_sizes)

    @property
    def n_predicted(self) -> int:
        """Number of predicted objects."""
        return len(self.predicted_sizes)

    @property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each pair; of all other pairs it is 0."""
        union = self.truth_sizes[self.truth] + self.predicted_sizes[self.predicted] - self.shared
        return np.asarray(self.shared / union, np.float64)


def count_pairs(
    first: NDArray[np.integer], second: NDArray[np.integer], counted: NDArray[np.bool_] | None = None
) -> tuple[Counts, Counts, Counts]:
    """Count how often two label maps have which two numbers at the same pixel.

    Parameters
    ----------
    first, second : integer array
        Numbers from 0 on.
    counted : bool array, optional
        The only pixels that count.

    Returns
    -------
    (k,), (k,), (k,) int64 array
        Number in `first`, number in `second`, pixels; of pairs that occur, sorted by both numbers.

    Raises
    ------
    GeometryError
        If the shapes differ.
    """
    if first.shape != second.shape or (counted is not None and counted.shape != first.shape):
        raise GeometryError(
            "objects",
            found=f"label maps of {first.shape} and {second.shape}",
            expected="the same shape",
            remedy="Restore the prediction to the grid of the image.",
        )
    height, width = int(first.max(initial=0)) + 1, int(second.max(initial=0)) + 1
    flat, other, mask = first.ravel(), second.ravel(), _ALL if counted is None else counted.ravel()
    found = [(np.zeros(0, np.int64),) * 2]
    for start in range(0, first.size, _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        found.append(_counted(*_runs(flat[part], other[part], mask[part], width), height * width))
    codes, counts = (np.concatenate(column) for column in zip(*found, strict=True))
    every, total = (codes, counts) if len(found) <= 2 else _counted(codes, counts, height * width)
    return every // width, every % width, total


def overlaps(
    truth: NDArray[np.integer], predicted: NDArray[np.integer], counted: NDArray[np.bool_] | None = None
) -> Overlaps:
    """Find which objects overlap, and by how much.

    Parameters
    ----------
    truth, predicted : ([z,] y, x) integer array
        Object number per pixel, any numbers; 0 is the background.
    counted : ([z,] y, x) bool array, optional
        The only pixels that count; an object that has none of them does not exist.

    Raises
    ------
    GeometryError
        If the shapes differ.
    """
    numbers, others, shared = count_pairs(truth, predicted, counted)
    truth_sizes, truth_index = _sizes(numbers, shared)
    predicted_sizes, predicted_index = _sizes(others, shared)
    are_objects = (numbers > 0) & (others > 0)
    return Overlaps(
        truth_sizes,
        predicted_sizes,
        truth_index[are_objects],
        predicted_index[are_objects],
        shared[are_objects],
    )


def is_match(found: Overlaps, threshold: float = 0.5) -> NDArray[np.bool_]:
    """Say of each pair whether its IoU is larger than the threshold: then neither has another match.

    Raises
    ------
    ConfigError
        If the threshold is below 0.5, where an object could match several.
    """
    if threshold < 0.5:
        raise ConfigError(
            "threshold",
            found=f"{threshold:g}",
            expected="at least 0.5, where an object matches one other at most",
            remedy="Choose a larger one.",
        )
    return np.asarray(found.iou > threshold, np.bool_)


def average_precision(found: Overlaps, threshold: float = 0.5) -> float:
    """TP / (TP + FP + FN) of objects that match at IoU > `threshold`; 1 where there are none at all.

    References
    ----------
    .. [1] Caicedo et al., "Nucleus segmentation across imaging experiments: the 2018 Data Science Bowl",
       Nature Methods 16, 2019.
    """
    return _precision(found, int(np.count_nonzero(is_match(found, threshold))))


def n_matched_at(found: Overlaps) -> Counts:
    """Count the matches at each of `THRESHOLDS`, as a (10,) int64 array."""
    return np.asarray(np.count_nonzero(found.iou[:, None] > THRESHOLDS, axis=0), np.int64)


def precision_at(found: Overlaps) -> dict[str, float]:
    """`average_precision` at each of `THRESHOLDS`, by its name of `PRECISIONS`."""
    matched = n_matched_at(found).tolist()
    return {name: _precision(found, n) for name, n in zip(PRECISIONS, matched, strict=True)}


def object_f1(found: Overlaps, threshold: float = 0.5) -> float:
    """2 TP / (2 TP + FP + FN) of objects that match at IoU > `threshold`; 1 where there are none at all."""
    n_matched = int(np.count_nonzero(is_match(found, threshold)))
    n_both = found.n_truth + found.n_predicted
    return 2 * n_matched / n_both if n_both else 1.0


def panoptic_quality(found: Overlaps, threshold: float = 0.5) -> Panoptic:
    """Mean IoU of the matched objects (SQ) times their F1 (RQ): Σ IoU / (TP + FP / 2 + FN / 2).

    Objects match at IoU > `threshold`. From 0 to 1; all 0 where nothing matches, and all nan where neither
    truth nor prediction has an object: the paper leaves such a class out.

    References
    ----------
    .. [1] Kirillov et al., "Panoptic segmentation", CVPR 2019, equations (1) and (2).
    """
    matched = found.iou[is_match(found, threshold)]
    return panoptic_of(len(matched), float(matched.sum()), found.n_truth + found.n_predicted)


def panoptic_of(n_matched: int, iou_sum: float, n_both: int) -> Panoptic:
    """Panoptic quality from counts, of one image or of many.

    Parameters
    ----------
    n_matched : int
        Pairs that match.
    iou_sum : float
        Sum of their IoU.
    n_both : int
        True and predicted objects together.
    """
    if not n_both:
        return Panoptic(math.nan, math.nan, math.nan)
    sq, rq = iou_sum / n_matched if n_matched else 0.0, 2 * n_matched / n_both
    return Panoptic(sq * rq, sq, rq)


def dsb_score(found: Overlaps) -> float:
    """Mean of `average_precision` over IoU 0.50, 0.55 … 0.95: the score of the Data Science Bowl 2018.

    1 where neither truth nor prediction has an object, 0 where only one of them has.
    """
    return sum(precision_at(found).values()) / len(THRESHOLDS)


def seg_scores(found: Overlaps) -> NDArray[np.float64]:
    """Score each true object R by the one predicted object S with |R ∩ S| > |R| / 2.

    Returns
    -------
    (n,) float64 array
        Jaccard index of R and S; 0 where there is no such S. SEG is the mean over all objects of all images.

    References
    ----------
    .. [1] Maška et al., "A benchmark for comparison of cell tracking algorithms", Bioinformatics 30, 2014.
    """
    scores = np.zeros(found.n_truth, np.float64)
    covers = _covers_truth(found)
    scores[found.truth[covers]] = found.iou[covers]
    return scores


def n_missed(found: Overlaps) -> int:
    """Count true objects of whose pixels at most half are in any predicted object."""
    covered = np.bincount(found.truth, found.shared, found.n_truth)
    return int(np.count_nonzero(2 * covered <= found.truth_sizes))


def n_merges(found: Overlaps) -> int:
    """Count true objects that were merged into another one.

    A predicted object that holds more than half of each of k true objects merges k - 1 of them.
    """
    held = np.bincount(found.predicted[_covers_truth(found)], minlength=found.n_predicted)
    return int(np.maximum(held - 1, 0).sum())


def n_splits(found: Overlaps) -> int:
    """Count surplus pieces of true objects.

    A true object that holds more than half of each of k predicted objects is split k - 1 times.
    """
    is_held = 2 * found.shared > found.predicted_sizes[found.predicted]
    held = np.bincount(found.truth[is_held], minlength=found.n_truth)
    return int(np.maximum(held - 1, 0).sum())


def _covers_truth(found: Overlaps) -> NDArray[np.bool_]:
    return np.asarray(2 * found.shared > found.truth_sizes[found.truth], np.bool_)


def _precision(found: Overlaps, n_matched: int) -> float:
    n_either = found.n_truth + found.n_predicted - n_matched
    return n_matched / n_either if n_either else 1.0


@compiled
def _runs(
    first: NDArray[np.integer], second: NDArray[np.integer], counted: NDArray[np.bool_], width: int
) -> tuple[Counts, Counts]:
    """Code of each run of pixels that have the same two numbers, and its length; a gap does not end it."""
    codes, lengths = np.empty(first.size + 1, np.int64), np.empty(first.size + 1, np.int64)
    n, length, number, other = 0, 0, np.int64(0), np.int64(0)
    for k in range(first.size):
        if counted.size > 0 and not counted[k]:
            continue
        if length == 0 or first[k] != number or second[k] != other:
            codes[n], lengths[n] = number * width + other, length
            n += length > 0
            number, other, length = np.int64(first[k]), np.int64(second[k]), 0
        length += 1
    codes[n], lengths[n] = number * width + other, length
    n += length > 0
    return codes[:n], lengths[:n]


def _counted(codes: Counts, lengths: Counts, n_codes: int) -> tuple[Counts, Counts]:
    """Which codes occur, and their pixels; by a table where that is small, else by sorting."""
    if n_codes > _SPARSE * max(len(codes), 1000):
        values, place = np.unique(codes, return_inverse=True)
        return values, np.bincount(place, lengths, len(values)).astype(np.int64)
    table = np.bincount(codes, lengths, n_codes)
    present = np.flatnonzero(table)
    return present, table[present].astype(np.int64)


def _sizes(numbers: Counts, shared: Counts) -> tuple[Counts, Counts]:
    """Size of each object, the background left out; and of each pair, which object it is of."""
    present, place = np.unique(np.append(numbers, 0), return_inverse=True)  # the background is always first
    sizes = np.zeros(len(present), np.int64)
    np.add.at(sizes, place[:-1], shared)
    return sizes[1:], place[:-1] - 1
