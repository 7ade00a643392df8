"""How well an image is parted into cells: the scores of the ISBI 2012 challenge for EM membranes."""

import math
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seglet.core.errors import GeometryError
from seglet.metrics.agreement import PairCounts, f_score, shared_pixels
from seglet.metrics.thinning import thin_borders
from seglet.metrics.topology import OTHER, splits_and_mergers
from seglet.metrics.warping import warp

# 0.1 is added again and again, as the challenge does: the last threshold lies just below 1
THRESHOLDS = tuple(accumulate([0.0, *[0.1] * 10]))
N_WARPED = 10  # of these, warping errors are of 0 to 0.9
PARTITION_METRICS = ("pixel_error", "rand_error", "v_rand", "v_info", "warping_error", "splits_mergers")

_BEST_IS_LARGEST = ("v_rand", "v_info")
_INSIDE = ("interior", "inside", "cell", "cells")
_BETWEEN = ("membrane", "membranes", "border", "borders", "boundary", "boundaries")


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
        self._pixels, self._pairs = np.zeros((n, 3)), np.zeros((n, 3))
        self._v_rand, self._v_info = np.zeros(n), np.zeros(n)
        self._n_counted = 0
        self._warping, self._n_topological = np.zeros(N_WARPED), np.zeros(N_WARPED)

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
            self._add_parts(truth & valid, single, valid)
            self._add_warped(truth & valid, single, valid)

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
        pairs = [0.0 if self._has_empty else PairCounts(*counts).f_score for counts in self._pairs.tolist()]
        return {
            "pixel_error": [1 - f_score(*counts) for counts in self._pixels.tolist()],
            "rand_error": [1 - score for score in pairs],
            "v_rand": (self._v_rand / self.n_slices).tolist(),
            "v_info": (self._v_info / self.n_slices).tolist(),
            "warping_error": (self._warping / self.n_slices).tolist(),
            "splits_mergers": (self._n_topological / max(self._n_counted, 1)).tolist(),
        }

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

    def _add_parts(
        self, truth: NDArray[np.bool_], proposal: NDArray[np.float64], valid: NDArray[np.bool_]
    ) -> None:
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

    def _add_warped(
        self, truth: NDArray[np.bool_], proposal: NDArray[np.float64], valid: NDArray[np.bool_]
    ) -> None:
        n_counted = int(np.count_nonzero(valid))
        self._n_counted += n_counted
        for number, threshold in enumerate(THRESHOLDS[:N_WARPED]):
            target = (proposal > threshold) & valid
            warped = warp(truth, target, np.abs(proposal - threshold).astype(np.float32))
            self._warping[number] += np.count_nonzero(warped != target) / max(n_counted, 1)
            self._n_topological[number] += np.count_nonzero(splits_and_mergers(warped, target) != OTHER)


def interior_class(class_names: tuple[str, ...]) -> int:
    """Which of two classes is the inside of cells, by their names; the foreground where they say nothing."""
    background, foreground = (name.lower() for name in class_names)
    return 0 if foreground in _BETWEEN or (background in _INSIDE and foreground not in _INSIDE) else 1


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
