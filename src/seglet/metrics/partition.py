"""How well an image is parted into cells: the scores of the ISBI 2012 challenge for EM membranes."""

import math
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seglet.core.errors import GeometryError
from seglet.metrics.agreement import shared_pixels
from seglet.metrics.statistics import Interval, drawn_interval, drawn_weights
from seglet.metrics.thinning import thin_borders
from seglet.metrics.topology import OTHER, splits_and_mergers
from seglet.metrics.warping import warp

Rows = NDArray[np.float64]

# 0.1 is added again and again, as the challenge does: the last threshold lies just below 1
THRESHOLDS = tuple(accumulate([0.0, *[0.1] * 10]))
N_WARPED = 10  # of these, warping errors are of 0 to 0.9
PARTITION_METRICS = ("pixel_error", "rand_error", "v_rand", "v_info", "warping_error", "splits_mergers")

_BEST_IS_LARGEST = ("v_rand", "v_info")
_INSIDE = ("interior", "inside", "cell", "cells")
_BETWEEN = ("membrane", "membranes", "border", "borders", "boundary", "boundaries")


class PartitionTally:
    """Counts of each slice seen so far at each of the 11 thresholds; no slice is kept.

    Each (y, x) slice is parted by itself, by 4-connected components of its interior.

    References
    ----------
    .. [1] Arganda-Carreras et al., "Crowdsourcing the creation of image segmentation algorithms for
       connectomics", Frontiers in Neuroanatomy 9, 2015.
    """

    def __init__(self) -> None:
        self.n_slices = 0
        self._images: list[int] = []  # of each slice
        self._n_images = 0
        self._parts: list[Rows] = []  # (threshold, 8) of each slice, as `_score_slice` gives them
        self._warped: list[Rows] = []  # (threshold, 2): share that differs, pixels of splits and mergers
        self._n_counted: list[int] = []

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
        planes = (interior.reshape(size), proposal.reshape(size), seen.reshape(size))
        for truth, values, valid in zip(*planes, strict=True):
            single = values.astype(np.float32).astype(np.float64)
            self.n_slices += 1
            self._images.append(self._n_images)
            self._n_counted.append(int(np.count_nonzero(valid)))
            self._parts.append(_score_thresholds(truth & valid, single, valid))
            self._warped.append(_warp_thresholds(truth & valid, single, valid))
        self._n_images += 1

    def at_thresholds(self) -> dict[str, list[float]]:
        """Each of `PARTITION_METRICS` at each of `THRESHOLDS`; empty before the first slice.

        - ``pixel_error``: 1 - F of interior pixels, pooled over slices.
        - ``rand_error``: 1 - F of `PairCounts`, pooled over slices.
        - ``v_rand``: mean over slices of the F of `PairCounts`, predicted borders thinned to lines.
        - ``v_info``: mean over slices of `SharedPixels.information`, thinned too.
        - ``warping_error``: mean over slices of the share of pixels that differ after `warp`; of the first
          `N_WARPED` thresholds.
        - ``splits_mergers``: share of the pixels of all slices that are still of a split or a merger; of the
          same thresholds. Missing cells do not count, so an all-black proposal is nearly without error.

        As in the challenge's own implementation, a slice without interior has scores of 0, and makes the
        pooled ``rand_error`` of all slices 1. Unlike it, a slice that is all interior is warped like others:
        there it calls every pixel left an added object.
        """
        if not self.n_slices:
            return {}
        found = self._weighted(np.ones((1, self.n_slices)))
        return {name: values[0].tolist() for name, values in found.items()}

    def figures(self) -> dict[str, float]:
        """Each of `PARTITION_METRICS` at its best threshold, the first of equal ones: ``…_threshold``.

        All nan before the first slice. `at_thresholds` says what each one is.
        """
        every = self.at_thresholds()
        figures: dict[str, float] = {}
        for name in PARTITION_METRICS:
            scores = every.get(name, [math.nan])
            best = scores.index((max if name in _BEST_IS_LARGEST else min)(scores))
            figures[name] = scores[best]
            figures[f"{name}_threshold"] = THRESHOLDS[best] if every else math.nan
        return figures

    def intervals(self) -> dict[str, Interval]:
        """Each of `PARTITION_METRICS` with its 95 % bootstrap interval over images.

        Every draw of images takes its own best threshold, as the challenge does.
        """
        best, n = self.figures(), self._n_images
        drawn: dict[str, list[Rows]] = {name: [] for name in PARTITION_METRICS}
        for weights in drawn_weights(n):
            for name, values in self._weighted(weights[:, self._images]).items():
                drawn[name].append(values.max(axis=1) if name in _BEST_IS_LARGEST else values.min(axis=1))
        return {name: drawn_interval(best[name], values, n) for name, values in drawn.items()}

    def _weighted(self, weights: Rows) -> dict[str, Rows]:
        """The metrics at each threshold, (draw, threshold), of slices that count so often, (draw, slice)."""
        parts = np.einsum("ds,stk->kdt", weights, np.stack(self._parts))
        warped = np.einsum("ds,stk->kdt", weights, np.stack(self._warped))
        n_slices, n_counted = weights.sum(axis=1)[:, None], (weights @ np.array(self._n_counted))[:, None]
        is_empty = np.array([not (rows[:, 0] + rows[:, 2]).any() for rows in self._parts])
        both, truth, predicted = parts[3:6]
        pairs = _f_scores(both, predicted - both, truth - both)
        pairs[(weights @ is_empty) > 0] = 0
        return {
            "pixel_error": 1 - _f_scores(*parts[:3]),
            "rand_error": 1 - pairs,
            "v_rand": parts[6] / n_slices,
            "v_info": parts[7] / n_slices,
            "warping_error": warped[0] / n_slices,
            "splits_mergers": warped[1] / np.maximum(n_counted, 1),
        }


def interior_class(class_names: tuple[str, ...]) -> int:
    """Which of two classes is the inside of cells, by their names; the foreground where they say nothing."""
    background, foreground = (name.lower() for name in class_names)
    return 0 if foreground in _BETWEEN or (background in _INSIDE and foreground not in _INSIDE) else 1


def _score_thresholds(truth: NDArray[np.bool_], proposal: Rows, valid: NDArray[np.bool_]) -> Rows:
    """What `_score_slice` says of a slice at each threshold."""
    cells = ndimage.label(truth)[0]
    rows = np.zeros((len(THRESHOLDS), 8))
    before: NDArray[np.bool_] | None = None
    for number, threshold in enumerate(THRESHOLDS):
        white = proposal > threshold
        is_same = before is not None and np.array_equal(white, before)
        rows[number] = rows[number - 1] if is_same else _score_slice(truth, cells, white, valid)
        before = white
    return rows


def _warp_thresholds(truth: NDArray[np.bool_], proposal: Rows, valid: NDArray[np.bool_]) -> Rows:
    """Share of a slice's pixels that differ after warping, and pixels of splits and mergers."""
    rows = np.zeros((N_WARPED, 2))
    for number, threshold in enumerate(THRESHOLDS[:N_WARPED]):
        target = (proposal > threshold) & valid
        warped = warp(truth, target, np.abs(proposal - threshold).astype(np.float32))
        share = np.count_nonzero(warped != target) / max(int(np.count_nonzero(valid)), 1)
        rows[number] = share, np.count_nonzero(splits_and_mergers(warped, target) != OTHER)
    return rows


def _f_scores(both: Rows, extra: Rows, missed: Rows) -> Rows:
    """As `seglet.metrics.agreement.f_score`, of many at once."""
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.where(extra != 0, both / (both + extra), 1.0)
        recall = np.where(missed != 0, both / (both + missed), 1.0)
        harmonic = 2 * precision * recall / (precision + recall)
    return np.where(precision + recall > 0, harmonic, 0.0)


def _score_slice(
    truth: NDArray[np.bool_], cells: NDArray[np.integer], white: NDArray[np.bool_], valid: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Pixels in both, in the prediction and in the truth alone; pairs; V_Rand; V_Info."""
    both = float(np.count_nonzero(truth & white))
    extra = float(np.count_nonzero(white & valid)) - both
    missed = float(np.count_nonzero(truth)) - both
    pairs = shared_pixels(cells, ndimage.label(white)[0]).pairs
    thinned = shared_pixels(cells, thin_borders(white))
    scores = thinned.pairs.f_score, thinned.information
    return np.array([both, extra, missed, pairs.both, pairs.truth, pairs.predicted, *scores])
