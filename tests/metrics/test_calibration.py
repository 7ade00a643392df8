"""Calibration: by hand, against torchmetrics and scikit-learn, and image by image as all at once."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.calibration import calibration_curve
from torchmetrics.functional.classification import binary_calibration_error

from seglet.core.errors import FormatError, GeometryError
from seglet.metrics import calibration
from seglet.metrics.calibration import N_BINS, Calibration, CalibrationTally

truths = hnp.arrays(np.bool_, st.integers(0, 40))
chances = hnp.arrays(np.float32, st.integers(0, 40), elements=st.floats(0, 1, width=32))


def tallied(truth: np.ndarray, probabilities: np.ndarray) -> Calibration:
    tally = CalibrationTally()
    tally.add(truth, probabilities)
    return tally.summary()


def overconfident(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, n)
    truth = rng.random(n) < 1 / (1 + np.exp(-logits))
    return truth, (1 / (1 + np.exp(-2.5 * logits))).astype(np.float32)


def test_error_and_curve_by_hand() -> None:
    found = tallied(np.array([True, False, True, True]), np.array([0.02, 0.04, 0.75, 0.97]))
    assert found.ece == pytest.approx((2 * abs(0.03 - 0.5) + 0.25 + 0.03) / 4)
    assert [one.count for one in found.bins] == [2] + [0] * 10 + [1, 0, 0, 1]
    assert (found.bins[0].probability, found.bins[0].share) == (pytest.approx(0.03), 0.5)
    assert math.isnan(found.bins[1].probability) and math.isnan(found.bins[1].share)


def test_bins_are_closed_above_and_the_first_holds_zero() -> None:
    ends = np.array([0, 1 / 15, 0.2, 0.6, 1.0])
    counts = [one.count for one in tallied(np.zeros(5, bool), ends).bins]
    assert [index for index, count in enumerate(counts) for _ in range(count)] == [0, 0, 2, 8, 14]


def test_error_is_that_of_torchmetrics_and_curve_that_of_scikit_learn() -> None:
    truth, probabilities = overconfident(50_000)
    found = tallied(truth, probabilities)
    theirs = binary_calibration_error(
        torch.from_numpy(probabilities).double(), torch.from_numpy(truth).long(), n_bins=N_BINS
    )
    assert found.ece == pytest.approx(theirs.item(), abs=1e-7)
    assert found.ece > 0.05
    shares, means = calibration_curve(truth, probabilities, n_bins=N_BINS)
    assert [one.share for one in found.bins] == pytest.approx(shares)
    assert [one.probability for one in found.bins] == pytest.approx(means)


def test_images_one_by_one_are_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, probabilities = overconfident(6000)
    whole = tallied(truth, probabilities)
    monkeypatch.setattr(calibration, "_AT_ONCE", 700)
    tally = CalibrationTally()
    for part in np.split(np.arange(6000).reshape(60, 100), 3):
        tally.add(truth[part], probabilities[part])
    assert tally.summary().ece == pytest.approx(whole.ece, abs=1e-12)
    assert [one.count for one in tally.summary().bins] == [one.count for one in whole.bins]


@given(truths, chances)
def test_error_is_in_range_the_same_for_any_order_and_mirrored(
    truth: np.ndarray, probabilities: np.ndarray
) -> None:
    n = min(len(truth), len(probabilities))
    truth, probabilities = truth[:n], probabilities[:n]
    found = tallied(truth, probabilities)
    assert len(found.bins) == N_BINS and sum(one.count for one in found.bins) == n
    assert 0 <= found.ece <= 1 if n else math.isnan(found.ece)
    assert tallied(truth[::-1], probabilities[::-1]).ece == pytest.approx(found.ece, nan_ok=True, abs=1e-12)
    for number, one in enumerate(found.bins):
        if one.count:
            assert number / N_BINS - 1e-9 <= one.probability <= (number + 1) / N_BINS + 1e-9
            assert 0 <= one.share <= 1


@given(truths)
def test_certainty_that_is_right_has_no_error_and_wrong_has_the_largest(truth: np.ndarray) -> None:
    right, wrong = tallied(truth, truth.astype(float)), tallied(truth, 1 - truth.astype(float))
    assert (right.ece, wrong.ece) == ((0, 1) if len(truth) else pytest.approx((math.nan,) * 2, nan_ok=True))


def test_nothing_added_has_no_error_and_is_read_back() -> None:
    found = CalibrationTally().summary()
    assert math.isnan(found.ece) and [one.count for one in found.bins] == [0] * N_BINS
    again = Calibration.model_validate_json(found.model_dump_json())
    assert math.isnan(again.ece) and math.isnan(again.bins[0].share)


@pytest.mark.parametrize("value", [math.nan, -0.1, 1.1])
def test_what_is_no_probability_is_refused_and_nothing_added(value: float) -> None:
    tally = CalibrationTally()
    with pytest.raises(FormatError, match="from 0 to 1"):
        tally.add(np.array([True, False]), np.array([0.5, value]))
    assert math.isnan(tally.summary().ece)


def test_different_shapes_are_refused() -> None:
    with pytest.raises(GeometryError, match="same shape"):
        CalibrationTally().add(np.zeros(3, bool), np.zeros(4))
