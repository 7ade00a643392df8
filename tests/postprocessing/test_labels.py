"""From probabilities to class indexes."""

import numpy as np
import pytest

from seglet.postprocessing.labels import to_labels


def test_foreground_is_above_the_threshold_not_at_it() -> None:
    labels = to_labels(np.array([[[0.2, 0.3, 0.30001, 0.9]]]), threshold=0.3)
    assert labels.dtype == np.uint8
    assert labels.tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize(("threshold", "expected"), [(0.0, 1), (1.0, 0)])
def test_extreme_thresholds(threshold: float, expected: int) -> None:
    assert (to_labels(np.full((1, 2, 3), 0.5), threshold) == expected).all()


def test_most_probable_class_wins() -> None:
    probabilities = np.array([[[0.2, 0.5]], [[0.7, 0.1]], [[0.1, 0.4]]], np.float32)
    labels = to_labels(probabilities, threshold=0.9)  # which is for two classes alone
    assert labels.dtype == np.uint8
    assert labels.tolist() == [[1, 0]]


def test_first_class_wins_a_tie() -> None:
    assert to_labels(np.full((3, 1, 1), 1 / 3)).tolist() == [[0]]


def test_highest_class_index_fits() -> None:
    probabilities = np.zeros((255, 1, 1))
    probabilities[254] = 1
    assert to_labels(probabilities).tolist() == [[254]]
