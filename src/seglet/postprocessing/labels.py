"""From probabilities to class indexes."""

import numpy as np
from numpy.typing import NDArray


def to_labels(probabilities: NDArray[np.floating], threshold: float = 0.5) -> NDArray[np.uint8]:
    """Decide a class for every pixel.

    Parameters
    ----------
    probabilities : (k, y, x) float array
        k = 1: probability of the foreground; else one per class.
    threshold : float
        For k = 1: a pixel is foreground where its probability is larger.

    Returns
    -------
    (y, x) uint8 array
        Class indexes.
    """
    decided = probabilities[0] > threshold if len(probabilities) == 1 else probabilities.argmax(axis=0)
    return np.asarray(decided, np.uint8)
