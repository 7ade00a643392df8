"""How well an image is parted into cells: the scores of the ISBI 2012 challenge for EM membranes."""

import math
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seglet.core.errors import GeometryError
from seglet.metrics.instances import count_pairs
from seglet.metrics.thinning import thin_borders

Floats = NDArray[np.float64]

# 0.1 is added again and again, as the challenge does: the last threshold lies just below 1
THRESHOLDS = tuple(accumulate([0.0, *[0.1] * 10]))
PARTITION_METRICS = ("pixel_error", "rand_error", "v_rand", "v_info")

_INSIDE = ("interior", "inside", "cell", "cells")
_BETWEEN = ("membrane", "membranes", "border", "borders", "boundary", "boundaries")


@dataclass(frozen=True)
class PairCounts:
    """Pairs of interior pixels (each with itself too) that are in one cell.

    Attributes
    ----------
    both, truth, predicted : float
        In one cell of both, of the truth, of the prediction. A predicted border pixel is a cell by itself.
    """

    both: float
    truth: float
    predicted: float

    @property
    def f_score(self) -> float:
        """Harmonic mean of precision and recall; 0 where there is no interior pixel."""
        return _f_score(self.both, self.predicted - self.both, self.truth - self.both) if self.truth else 0.0


class PartitionTally:
    """Counts of all slices seen so far at each of the 11 thresholds; no slice is kept.

    Each (y, x) slice is parted by itself, by 4-connected components of its interior.

    References
    ----------
    .. [1] Arganda-Carreras et al., "Crowdsourcing the creation of image segmentation algorithms for
       connectomics", Frontiers in Neuroanatomy 9, 2015.
    """

    def __init__(self) -> None:
        n = len(THRESHOLDS)
        self.n_slices = 0
        self._has_empty = False
        self._pixels = np.zeros((n, 3))
        self._pairs = np.zeros((n, 3))
        self._v_rand, self._v_info = np.zeros(n), np.zeros(n)

    def add(
        self,
        interior: NDArray[np.bool_],
        proposal: NDArray[np.floating],
        counted: NDArray[np.bool_] | None = None,
    ) -> None:
        """Count one slice, or all slices of a volume.

        Parameters
        ----------
        interior : ([z,] y, x) bool array
            Truth: the inside of cells; the rest is membrane.
        proposal : ([z,] y, x) float array
            Probability of the inside, 0 to 1; compared as float32.
        counted : ([z,] y, x) bool array, optional
            The only pixels that count; the challenge itself counts all.

        Raises
        ------
        GeometryError
            If the shapes differ.
        """
        seen = np.ones(interior.shape, bool) if counted is None else counted
        if not interior.shape == proposal.shape == seen.shape:
            raise GeometryError(
                "partition",
                found=f"a truth of {interior.shape} and a proposal of {proposal.shape}",
                expected="the same shape",
                remedy="Restore the prediction to the grid of the image.",
            )
        size = (-1, *interior.shape[-2:])
        planes = (interior.reshape(size), proposal.astype(np.float32).reshape(size), seen.reshape(size))
        for truth, values, valid in zip(*planes, strict=True):
            self._add_slice(truth & valid, values.astype(np.float64), valid)

    def figures(self) -> dict[str, float]:
        """Each of `PARTITION_METRICS` at its best threshold, and that one as ``…_threshold``.

        - ``pixel_error``: 1 - F of interior pixels, pooled over slices.
        - ``rand_error``: 1 - F of `PairCounts`, pooled over slices.
        - ``v_rand``: mean over slices of the F of `PairCounts`, predicted borders thinned to lines.
        - ``v_info``: mean over slices of `information_score`, thinned too.

        As in the challenge's own implementation, a slice without interior has scores of 0, and makes the
        pooled ``rand_error`` of all slices 1. All nan before the first slice.
        """
        if not self.n_slices:
            return dict.fromkeys((*PARTITION_METRICS, *map(_threshold_of, PARTITION_METRICS)), math.nan)
        pixel = [_f_score(*counts) for counts in self._pixels.tolist()]
        pairs = [0.0 if self._has_empty else PairCounts(*counts).f_score for counts in self._pairs.tolist()]
        found = (
            pixel,
            pairs,
            (self._v_rand / self.n_slices).tolist(),
            (self._v_info / self.n_slices).tolist(),
        )
        figures: dict[str, float] = {}
        for name, scores in zip(PARTITION_METRICS, found, strict=True):
            best = int(np.argmax(scores))
            figures[name] = 1 - scores[best] if name.endswith("_error") else scores[best]
            figures[_threshold_of(name)] = THRESHOLDS[best]
        return figures

    def _add_slice(self, truth: NDArray[np.bool_], proposal: Floats, valid: NDArray[np.bool_]) -> None:
        cells = ndimage.label(truth)[0]
        self.n_slices += 1
        self._has_empty |= not truth.any()
        row = np.zeros(8)
        before: NDArray[np.bool_] | None = None
        for number, threshold in enumerate(THRESHOLDS):
            white = proposal > threshold
            if before is None or not np.array_equal(white, before):
                row = _score_slice(truth, cells, white, valid)
            before = white
            self._pixels[number] += row[:3]
            self._pairs[number] += row[3:6]
            self._v_rand[number] += row[6]
            self._v_info[number] += row[7]


def interior_class(class_names: tuple[str, ...]) -> int:
    """Which of two classes is the inside of cells, by their names; the foreground where they say nothing."""
    background, foreground = (name.lower() for name in class_names)
    return 0 if foreground in _BETWEEN or (background in _INSIDE and foreground not in _INSIDE) else 1


def pair_counts(cells: NDArray[np.integer], predicted: NDArray[np.integer]) -> PairCounts:
    """Count pairs of pixels in one cell, of the pixels that are in a cell of the truth.

    Parameters
    ----------
    cells, predicted : (y, x) integer array
        Number of the cell, 0 on borders.
    """
    shared, in_cell, in_predicted, n_border = _contingency(cells, predicted)
    return PairCounts(
        float(np.sum(shared**2)) + n_border,
        float(np.sum(in_cell**2)),
        float(np.sum(in_predicted**2)) + n_border,
    )


def information_score(cells: NDArray[np.integer], predicted: NDArray[np.integer]) -> float:
    """Harmonic mean of the shares of either partition's entropy that the other explains.

    Of the pixels that are in a cell of the truth; a predicted border pixel is a cell by itself.

    Parameters
    ----------
    cells, predicted : (y, x) integer array
        Number of the cell, 0 on borders.

    Returns
    -------
    float
        0 to 1; 0 where the truth, or the prediction, is a single cell: it has no entropy to explain.
    """
    shared, in_cell, in_predicted, n_border = _contingency(cells, predicted)
    n = float(in_cell.sum())
    if not n:
        return 0.0
    alone = n_border / n * math.log(n)
    truth = _entropy(in_cell / n)
    guess, joint = _entropy(in_predicted / n) + alone, _entropy(shared / n) + alone
    # H(A|B) = H(A, B) - H(B): what is left of the truth's entropy once the prediction is known
    precision = (truth - (joint - guess)) / truth if truth else 0.0
    recall = (guess - (joint - truth)) / guess if guess else 0.0
    return _harmonic(precision, recall) if truth and guess else 0.0


def _score_slice(
    truth: NDArray[np.bool_], cells: NDArray[np.integer], white: NDArray[np.bool_], valid: NDArray[np.bool_]
) -> Floats:
    """Pixels in both, in the prediction and in the truth alone; pairs; V_Rand; V_Info."""
    both = float(np.count_nonzero(truth & white))
    extra = float(np.count_nonzero(white & valid)) - both
    missed = float(np.count_nonzero(truth)) - both
    pairs = pair_counts(cells, ndimage.label(white)[0])
    thinned = thin_borders(white)
    scores = pair_counts(cells, thinned).f_score, information_score(cells, thinned)
    return np.array([both, extra, missed, pairs.both, pairs.truth, pairs.predicted, *scores])


def _contingency(
    cells: NDArray[np.integer], predicted: NDArray[np.integer]
) -> tuple[Floats, Floats, Floats, float]:
    """Pixels of pairs of cells, of true cells, of predicted cells in these; and on predicted borders."""
    numbers, others, counts = count_pairs(cells, predicted, cells > 0)
    in_cell = np.bincount(numbers, counts).astype(float)
    in_predicted = np.bincount(others, counts).astype(float)
    n_border = float(in_predicted[0]) if len(in_predicted) else 0.0
    return counts[others > 0].astype(float), in_cell[1:], in_predicted[1:], n_border


def _entropy(shares: Floats) -> float:
    present = shares[shares > 0]
    return float(-np.sum(present * np.log(present)))


def _f_score(both: float, extra: float, missed: float) -> float:
    precision = both / (both + extra) if extra else 1.0
    recall = both / (both + missed) if missed else 1.0
    return _harmonic(precision, recall)


def _harmonic(first: float, second: float) -> float:
    return 2 * first * second / (first + second) if first + second else 0.0


def _threshold_of(metric: str) -> str:
    return f"{metric}_threshold"
