"""Scores of objects, from image to image: what is kept of each, and what all images say together."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from seglet.metrics.instances import (
    PRECISIONS,
    Counts,
    Overlaps,
    average_precision,
    dsb_score,
    is_match,
    n_matched_at,
    n_merges,
    n_missed,
    n_splits,
    object_f1,
    overlaps,
    panoptic_quality,
    seg_scores,
)
from seglet.metrics.statistics import Interval, Number, bootstrap_mean, bootstrap_ratio

ObjectFigures = dict[str, Interval | Number]
"""Name to a mean over images (``dsb``, ``f1_50``) or objects (``seg``), a pooled figure, or a count."""

IMAGE_METRICS = ("dsb", "f1_50", "ap_50", "seg", "pq", "sq")
COUNTS = ("n_truth", "n_predicted", "n_matched", "missed", "merges", "splits")


class ObjectTally:
    """Figures of the images seen so far; of their objects only one number each is kept."""

    def __init__(self) -> None:
        self._images: list[str] = []
        self._figures: list[dict[str, float]] = []
        self._seg: list[NDArray[np.float64]] = []
        self._matched: list[Counts] = []
        self._iou: list[float] = []

    def add(
        self,
        image: str,
        truth: NDArray[np.integer],
        predicted: NDArray[np.integer],
        counted: NDArray[np.bool_] | None = None,
    ) -> dict[str, float]:
        """Score one image.

        Parameters
        ----------
        image : str
            Its name.
        truth, predicted : ([z,] y, x) integer array
            Object number per pixel; 0 is the background.
        counted : ([z,] y, x) bool array, optional
            The only pixels that count.

        Returns
        -------
        dict
            See `image_figures`.

        Raises
        ------
        GeometryError
            If the shapes differ.
        """
        found = overlaps(truth, predicted, counted)
        figures = image_figures(found)
        self._images.append(image)
        self._figures.append(figures)
        self._seg.append(seg_scores(found))
        self._matched.append(n_matched_at(found))
        self._iou.append(float(found.iou[is_match(found)].sum()))
        return figures

    def summary(self, windows_of: Mapping[str, str] | None = None) -> ObjectFigures | None:
        """All images together.

        Parameters
        ----------
        windows_of : mapping, optional
            Where images are windows of large ones: the image of each.

        Returns
        -------
        dict or None
            ``dsb``, ``f1_50``: mean over images. ``seg``: mean over all true objects, its interval redraws
            images with all of their objects. Of the objects of all images pooled, nan where there are none:
            ``ap_50``, ``ap_55`` … ``ap_95``, TP / (TP + FP + FN) at IoU > 0.50, 0.55 … 0.95; ``pq``, ``sq``,
            ``rq``, see `seglet.metrics.instances.panoptic_quality`. Each of `COUNTS`, and
            ``merges_per_object``: merges over true objects, pooled too. None before the first image.

        Notes
        -----
        StarDist pools in the same way, but matches at IoU ≥ t; they differ only where an IoU is exactly t.
        """
        if not self._figures:
            return None
        total = {name: sum(figures[name] for figures in self._figures) for name in COUNTS}
        images = [windows_of[image] for image in self._images] if windows_of else self._images
        of_object = np.repeat(np.asarray(images), [len(scores) for scores in self._seg])
        n_truth, n_predicted, merges = (
            np.array([figures[name] for figures in self._figures])
            for name in ("n_truth", "n_predicted", "merges")
        )
        n_both, matched = n_truth + n_predicted, np.stack(self._matched, axis=1)
        return {
            "dsb": bootstrap_mean((figures["dsb"] for figures in self._figures), images),
            "f1_50": bootstrap_mean((figures["f1_50"] for figures in self._figures), images),
            "seg": bootstrap_mean(np.concatenate(self._seg), of_object.tolist()),
            **{
                name: bootstrap_ratio(n, n_both - n, images)
                for name, n in zip(PRECISIONS, matched, strict=True)
            },
            "pq": bootstrap_ratio(self._iou, n_both / 2, images),
            "sq": bootstrap_ratio(self._iou, matched[0] if matched[0].any() else n_both, images),
            "rq": bootstrap_ratio(matched[0], n_both / 2, images),
            **total,
            "merges_per_object": bootstrap_ratio(merges, n_truth, images),
        }


def image_figures(found: Overlaps) -> dict[str, float]:
    """Each of `IMAGE_METRICS` and `COUNTS` of one image.

    ``seg`` is nan where the truth has no object, ``pq`` and ``sq`` where neither of the two has one; the
    others are 1 there. RQ of one image is its ``f1_50``.
    """
    seg, panoptic = seg_scores(found), panoptic_quality(found)
    return {
        "dsb": dsb_score(found),
        "f1_50": object_f1(found),
        "ap_50": average_precision(found),
        "seg": float(seg.mean()) if len(seg) else math.nan,
        "pq": panoptic.pq,
        "sq": panoptic.sq,
        "n_truth": float(found.n_truth),
        "n_predicted": float(found.n_predicted),
        "n_matched": float(np.count_nonzero(is_match(found))),
        "missed": float(n_missed(found)),
        "merges": float(n_merges(found)),
        "splits": float(n_splits(found)),
    }
