"""Pixel scores from the counts of who said what."""

import math

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import ConfigError, GeometryError
from seglet.core.image import IGNORE

Floats = NDArray[np.float64]

PIXEL_METRICS = (
    "dice",
    "iou",
    "accuracy",
    "balanced_accuracy",
    "sensitivity",
    "specificity",
    "precision",
    "f1",
    "mcc",
)


def confusion_matrix(
    truth: NDArray[np.integer],
    predicted: NDArray[np.integer],
    n_classes: int,
    valid: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Count the pixels of each true class (row) by predicted class (column).

    Parameters
    ----------
    truth, predicted : integer array
        Class index per pixel; truth is `IGNORE` where nobody labelled, and such pixels never count.
    n_classes : int
        Number of classes, background included.
    valid : bool array, optional
        The only pixels that count.

    Raises
    ------
    GeometryError
        If the shapes differ.
    ConfigError
        If a counted pixel has a class index of `n_classes` or more.
    """
    require_same_shape(truth, predicted)
    counted = truth != IGNORE
    if valid is not None:
        require_same_shape(truth, valid)
        counted &= valid
    rows, columns = truth[counted].astype(np.int64), predicted[counted].astype(np.int64)
    highest = max(rows.max(initial=0), columns.max(initial=0))
    if highest >= n_classes:
        raise ConfigError(
            "class indexes",
            found=f"a pixel of class {highest}",
            expected=f"class indexes from 0 to {n_classes - 1}",
            remedy="Score with the class names that the prediction was made with.",
        )
    counts = np.bincount(rows * n_classes + columns, minlength=n_classes**2)
    return counts.reshape(n_classes, n_classes)


def class_scores(matrix: NDArray[np.int64], index: int) -> dict[str, float]:
    """Score one class against the rest.

    Parameters
    ----------
    matrix : (n, n) int array
        Counts of `confusion_matrix`.
    index : int
        The class.

    Returns
    -------
    dict
        Every one of `PIXEL_METRICS`, from 0 to 1 (MCC from -1). All nan where neither truth nor prediction
        has the class. Where only one of them has it, Dice, IoU, F1, precision, sensitivity and MCC are 0.
        Where neither has anything *but* the class, specificity, balanced accuracy and MCC are nan.
    """
    tp = int(matrix[index, index])
    fn, fp = int(matrix[index].sum()) - tp, int(matrix[:, index].sum()) - tp
    counts = (tp, fn, fp, int(matrix.sum()) - tp - fn - fp)
    scores = count_scores(*(np.array(count, np.float64) for count in counts))
    return {name: float(score) for name, score in scores.items()}


def count_scores(tp: Floats, fn: Floats, fp: Floats, tn: Floats) -> dict[str, Floats]:
    """Score one class against the rest, of many counts at once; `class_scores` says what, and when nan.

    Parameters
    ----------
    tp, fn, fp, tn : float arrays of the same shape
        Whole numbers, exact up to 2⁵³.
    """
    wrong = fn + fp
    has_class, has_rest = tp + wrong > 0, tn + wrong > 0
    sensitivity = _share(tp, tp + fn)
    specificity = np.where(has_rest, _share(tn, tn + fp), np.nan)
    overlap = _share(2 * tp, 2 * tp + wrong)
    # two roots: one of the product of all four would not be exact where nothing is wrong
    spread = np.sqrt((tp + fp) * (tp + fn)) * np.sqrt((tn + fp) * (tn + fn))
    correlation = np.clip(_share(tp * tn - fp * fn, spread), -1, 1)
    scores = {
        "dice": overlap,
        "iou": _share(tp, tp + wrong),
        "accuracy": _share(tp + tn, tp + tn + wrong),
        "balanced_accuracy": (sensitivity + specificity) / 2,
        "sensitivity": sensitivity,
        "specificity": specificity,
        "precision": _share(tp, tp + fp),
        "f1": overlap,  # of one class against the rest, F1 and Dice are the same number
        "mcc": np.where(has_rest, correlation, np.nan),
    }
    return {name: np.where(has_class, score, np.nan) for name, score in scores.items()}


def dice(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float:
    """Twice the overlap over both areas; nan where both are empty.

    Raises
    ------
    GeometryError
        If the shapes differ.
    """
    require_same_shape(truth, predicted)
    areas = int(np.count_nonzero(truth)) + int(np.count_nonzero(predicted))
    return 2 * int(np.count_nonzero(truth & predicted)) / areas if areas else math.nan


def iou(truth: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> float:
    """Overlap over union; nan where both are empty.

    Raises
    ------
    GeometryError
        If the shapes differ.
    """
    require_same_shape(truth, predicted)
    union = int(np.count_nonzero(truth | predicted))
    return int(np.count_nonzero(truth & predicted)) / union if union else math.nan


def require_same_shape(truth: NDArray[np.generic], other: NDArray[np.generic]) -> None:
    """Refuse arrays that do not lie on one grid.

    Raises
    ------
    GeometryError
        If the shapes differ.
    """
    if truth.shape != other.shape:
        raise GeometryError(
            "scores",
            found=f"a truth of {truth.shape} and a prediction or mask of {other.shape}",
            expected="the same shape",
            remedy="Restore the prediction to the grid of the image.",
        )


def _share(part: Floats, whole: Floats) -> Floats:
    """Part over whole; 0 where there is no whole."""
    return np.divide(part, whole, out=np.zeros(np.shape(whole)), where=whole > 0)
