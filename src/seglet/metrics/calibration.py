"""Whether a probability of 0.8 is right eight times in ten, from counts added image by image."""

import math

import numpy as np
from numpy.typing import NDArray

from seglet.core.config import Config
from seglet.core.errors import FormatError
from seglet.metrics.pixels import require_same_shape
from seglet.metrics.statistics import Number

N_BINS = 15  # Guo et al. 2017, table 1

_AT_ONCE = 4_000_000  # pixels


class ReliabilityBin(Config):
    """What is known of the pixels whose foreground probability lies in one interval.

    Attributes
    ----------
    probability, share : float
        Mean probability, and share of the pixels that are foreground; nan where there is no pixel.
    count : int
        Pixels.
    """

    probability: Number
    share: Number
    count: int


class Calibration(Config):
    """The reliability curve and its mean distance from the diagonal.

    Attributes
    ----------
    ece : float
        Expected calibration error, from 0 to 1: the mean over all pixels of how far, in the pixel's bin, the
        mean probability is from the share of foreground; nan where there is no pixel.
    bins : tuple of ReliabilityBin
        `N_BINS` intervals of equal width from 0 to 1, open below and closed above; the first holds 0 too.
    """

    ece: Number
    bins: tuple[ReliabilityBin, ...]


class CalibrationTally:
    """Counts of one class against the rest, `N_BINS` of them however many pixels are added.

    Binned is the probability of the foreground, not that of the class that won: the two curves differ.

    References
    ----------
    .. [1] Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017, equation (3).
    """

    def __init__(self) -> None:
        self._n = np.zeros(N_BINS, np.int64)
        self._n_foreground = np.zeros(N_BINS, np.int64)
        self._probability = np.zeros(N_BINS, np.float64)

    def add(self, truth: NDArray[np.bool_], probabilities: NDArray[np.floating]) -> None:
        """Add the pixels of one image.

        Parameters
        ----------
        truth : bool array
            Foreground.
        probabilities : float array of the same shape
            Of the foreground.

        Raises
        ------
        GeometryError
            If the shapes differ.
        FormatError
            If a probability is nan or not from 0 to 1; nothing is added then.
        """
        require_same_shape(truth, probabilities)
        _require_probabilities(probabilities)
        flat_truth, flat = truth.ravel(), probabilities.ravel()
        for start in range(0, flat.size, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            of_part = flat[part].astype(np.float64)
            bins = np.maximum(np.ceil(of_part * N_BINS).astype(np.int64) - 1, 0)
            self._n += np.bincount(bins, minlength=N_BINS)
            self._n_foreground += np.bincount(bins[flat_truth[part]], minlength=N_BINS)
            self._probability += np.bincount(bins, of_part, N_BINS)

    def summary(self) -> Calibration:
        """Summarize the pixels added so far."""
        n = int(self._n.sum())
        gaps = float(np.abs(self._probability - self._n_foreground).sum())
        bins = (
            ReliabilityBin(
                probability=float(probability) / int(count) if count else math.nan,
                share=int(n_foreground) / int(count) if count else math.nan,
                count=int(count),
            )
            for probability, n_foreground, count in zip(
                self._probability, self._n_foreground, self._n, strict=True
            )
        )
        return Calibration(ece=gaps / n if n else math.nan, bins=tuple(bins))


def _require_probabilities(probabilities: NDArray[np.floating]) -> None:
    if not probabilities.size:
        return
    lowest, highest = float(probabilities.min()), float(probabilities.max())
    if not (lowest >= 0 and highest <= 1):  # nan is neither
        raise FormatError(
            "probabilities",
            found=f"values from {lowest:g} to {highest:g}",
            expected="probabilities from 0 to 1",
            remedy="Score probabilities, not logits, and predict again where there is a nan.",
        )
