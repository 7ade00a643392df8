"""How two partitions of an image into cells agree: pairs of pixels, and information."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seglet.metrics.instances import count_pairs

Floats = NDArray[np.float64]


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
        return f_score(self.both, self.predicted - self.both, self.truth - self.both) if self.truth else 0.0


@dataclass(frozen=True, eq=False)
class SharedPixels:
    """Pixels inside true cells, by the cells they are in.

    Attributes
    ----------
    shared : (k,) float64 array
        Of each pair of a true and a predicted cell that share any.
    truth : (n,) float64 array
        Of each true cell.
    predicted : (m,) float64 array
        Of each predicted cell.
    n_border : float
        On predicted borders.
    """

    shared: Floats
    truth: Floats
    predicted: Floats
    n_border: float

    @property
    def pairs(self) -> PairCounts:
        """Count pairs of pixels."""
        return PairCounts(
            float(np.sum(self.shared**2)) + self.n_border,
            float(np.sum(self.truth**2)),
            float(np.sum(self.predicted**2)) + self.n_border,
        )

    @property
    def information(self) -> float:
        """Harmonic mean of the shares of either partition's entropy that the other explains.

        0 to 1; 0 where the truth, or the prediction, is a single cell: it has no entropy to explain. A
        predicted border pixel is a cell by itself.
        """
        n = float(self.truth.sum())
        if not n:
            return 0.0
        alone = self.n_border / n * math.log(n)
        truth = _entropy(self.truth / n)
        guess, joint = _entropy(self.predicted / n) + alone, _entropy(self.shared / n) + alone
        # H(A|B) = H(A, B) - H(B): what is left of the truth's entropy once the prediction is known
        precision = (truth - (joint - guess)) / truth if truth else 0.0
        recall = (guess - (joint - truth)) / guess if guess else 0.0
        return _harmonic(precision, recall) if truth and guess else 0.0


def shared_pixels(cells: NDArray[np.integer], predicted: NDArray[np.integer]) -> SharedPixels:
    """Count the pixels inside true cells by the cells of both partitions; all others are left out.

    Parameters
    ----------
    cells, predicted : (y, x) integer array
        Number of the cell, from 1 on; 0 on borders.

    References
    ----------
    .. [1] Arganda-Carreras et al., "Crowdsourcing the creation of image segmentation algorithms for
       connectomics", Frontiers in Neuroanatomy 9, 2015.
    """
    numbers, others, counts = count_pairs(cells, predicted, cells > 0)
    in_cell = np.bincount(numbers, counts).astype(float)
    in_predicted = np.bincount(others, counts).astype(float)
    n_border = float(in_predicted[0]) if len(in_predicted) else 0.0
    return SharedPixels(counts[others > 0].astype(float), in_cell[1:], in_predicted[1:], n_border)


def f_score(both: float, extra: float, missed: float) -> float:
    """Harmonic mean of precision and recall; either is 1 where nothing is extra, or missed."""
    precision = both / (both + extra) if extra else 1.0
    recall = both / (both + missed) if missed else 1.0
    return _harmonic(precision, recall)


def _entropy(shares: Floats) -> float:
    present = shares[shares > 0]
    return float(-np.sum(present * np.log(present)))


def _harmonic(first: float, second: float) -> float:
    return 2 * first * second / (first + second) if first + second else 0.0
