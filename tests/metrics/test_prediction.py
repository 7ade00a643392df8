"""Whether a prediction fits its truth; what does not is refused by name."""

from dataclasses import replace

import numpy as np
import pytest

from seglet.core.errors import DatasetError, FormatError, GeometryError
from seglet.core.image import Image, Sample
from seglet.metrics.prediction import Prediction, checked_truth

SHAPE = (20, 24)
TRUTH = np.zeros(SHAPE, np.uint8)
SAMPLE = Sample("eye7", Image(np.zeros((1, *SHAPE), np.uint8)), TRUTH)
FITTING = Prediction("eye7", TRUTH, np.full((1, *SHAPE), 0.5, np.float32), np.zeros(SHAPE, np.int32))


def test_what_fits_gives_the_labels() -> None:
    assert checked_truth(SAMPLE, FITTING, 2) is TRUTH
    assert checked_truth(SAMPLE, replace(FITTING, probabilities=None, objects=None), 3) is TRUTH


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (replace(FITTING, labels=TRUTH[:5]), r"eye7.*\(5, 24\).*\(20, 24\)"),
        (replace(FITTING, id="eye8"), "eye7.*eye8"),
        (replace(FITTING, probabilities=np.zeros((1, 5, 24), np.float32)), r"eye7.*\(1, 5, 24\)"),
        (replace(FITTING, probabilities=np.zeros((3, *SHAPE), np.float32)), r"eye7.*\(3, 20, 24\)"),
        (replace(FITTING, objects=np.zeros((5, 5), np.int32)), r"eye7.*objects of \(5, 5\)"),
    ],
)
def test_a_misfit_names_the_image(wrong: Prediction, text: str) -> None:
    with pytest.raises(GeometryError, match=text):
        checked_truth(SAMPLE, wrong, 2)


@pytest.mark.parametrize(
    ("value", "text"), [(np.nan, "eye7.*not a number"), (7.5, r"eye7.*to 7\.5"), (-3.0, "eye7.*from -3")]
)
def test_what_is_no_probability_names_the_image(value: float, text: str) -> None:
    planes = np.full((1, *SHAPE), 0.5, np.float32)
    planes[0, 3, 3] = value
    with pytest.raises(FormatError, match=text):
        checked_truth(SAMPLE, replace(FITTING, probabilities=planes), 2)


def test_a_little_above_one_is_rounding() -> None:
    planes = np.full((1, *SHAPE), 1 + 1e-6, np.float32)
    assert checked_truth(SAMPLE, replace(FITTING, probabilities=planes), 2) is TRUTH


def test_a_sample_without_labels_is_refused() -> None:
    with pytest.raises(DatasetError, match="eye7"):
        checked_truth(replace(SAMPLE, labels=None), FITTING, 2)
