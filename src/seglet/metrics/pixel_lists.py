"""The pixels that curves are drawn from: all of them, or a random part where they are too many."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seglet.metrics.curves import Curve, precision_recall_of, rank_pixels, roc_of

MOST_PIXELS = 20_000_000  # kept per class; ranking them takes about two gigabytes


@dataclass
class PixelList:
    """Truth and foreground probability of one class, image after image."""

    truth: list[NDArray[np.bool_]] = field(default_factory=list)
    scores: list[NDArray[np.float32]] = field(default_factory=list)

    def add(self, truth: NDArray[np.bool_], scores: NDArray[np.float32]) -> None:
        """Add the pixels of one image."""
        self.truth.append(truth)
        self.scores.append(np.asarray(scores, np.float32))

    def halve(self, rng: np.random.Generator) -> None:
        """Keep a random half of the pixels of every image."""
        for number, (truth, scores) in enumerate(zip(self.truth, self.scores, strict=True)):
            kept = rng.integers(0, 2, len(truth), np.uint8) == 0
            self.truth[number], self.scores[number] = truth[kept], scores[kept]

    def last(self) -> "PixelList":
        """The pixels of the last image alone."""
        return PixelList(self.truth[-1:], self.scores[-1:])

    def joined(self, other: "PixelList") -> "PixelList":
        """The pixels of both lists."""
        return PixelList(self.truth + other.truth, self.scores + other.scores)

    def curves(self) -> tuple[Curve, Curve]:
        """ROC and precision-recall from one ranking."""
        ranked = rank_pixels(np.concatenate(self.truth), np.concatenate(self.scores))
        return roc_of(ranked), precision_recall_of(ranked)

    def histograms(self, curves: Iterable[Curve]) -> NDArray[np.int64]:
        """Count each image's pixels between the thresholds of curves.

        Curves of all images have a few hundred, at even steps of their length, so that hardly any area is
        lost between two of them, whatever the scores are like.

        Returns
        -------
        (image, step, 2) int64 array
            Background and foreground pixels, the lowest scores first.
        """
        edges = np.unique(np.array([t for curve in curves for t in curve.thresholds], np.float32))
        n_steps = len(edges) + 1
        found = np.zeros((len(self.truth), 2 * n_steps), np.int64)
        for of_image, truth, scores in zip(found, self.truth, self.scores, strict=True):
            steps = 2 * np.searchsorted(edges, scores, side="right") + truth
            of_image[:] = np.bincount(steps, minlength=2 * n_steps)
        return found.reshape(-1, n_steps, 2)


class PixelLists:
    """Of each foreground class the pixels that count, and those left out by the field of view.

    Parameters
    ----------
    n_classes : int
        With the background.
    most : int
        Pixels that count which are kept of each class.

    Attributes
    ----------
    counted, left_out : list of PixelList
        One per foreground class.
    """

    def __init__(self, n_classes: int, most: int = MOST_PIXELS) -> None:
        self._most = most
        self.counted = [PixelList() for _ in range(1, n_classes)]
        self.left_out = [PixelList() for _ in range(1, n_classes)]
        self._n_kept = 0
        self._n_halvings = 0
        self._rng = np.random.default_rng(0)

    def thinned(self, pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Choose which of these pixels are kept: all, as long as those of all images are few.

        Each time they become too many, a random half of every image's pixels is dropped, so that all images
        go on weighing as they should.
        """
        n = int(np.count_nonzero(pixels))
        while self._n_kept + (n >> self._n_halvings) > self._most:
            for kept in (*self.counted, *self.left_out):
                kept.halve(self._rng)
            self._n_kept //= 2
            self._n_halvings += 1
        self._n_kept += n >> self._n_halvings
        if self._n_halvings == 0:
            return pixels
        drawn = self._rng.integers(0, 1 << self._n_halvings, pixels.shape, np.uint16)
        return np.asarray(pixels & (drawn == 0), np.bool_)

    def everywhere(self) -> list[PixelList]:
        """Of each class, the pixels inside and outside of the field of view."""
        return [inside.joined(outside) for inside, outside in zip(self.counted, self.left_out, strict=True)]
