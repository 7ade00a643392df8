"""Scores of objects against literal, slow versions of their definitions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seglet.core.errors import ConfigError, GeometryError
from seglet.metrics import instances
from seglet.metrics.instances import (
    PRECISIONS,
    THRESHOLDS,
    average_precision,
    count_pairs,
    dsb_score,
    is_match,
    n_matched_at,
    n_merges,
    n_missed,
    n_splits,
    object_f1,
    overlaps,
    panoptic_of,
    panoptic_quality,
    precision_at,
    seg_scores,
)

MAPS = arrays(np.int32, (6, 7), elements=st.integers(0, 4))
MASKS = arrays(np.bool_, (6, 7))


def masks_of(labels: np.ndarray, counted: np.ndarray) -> list[np.ndarray]:
    """One mask per object that has a counted pixel."""
    found = [(labels == number) & counted for number in np.unique(labels[labels > 0])]
    return [mask for mask in found if mask.any()]


def slow_precision(truth: list[np.ndarray], predicted: list[np.ndarray], twentieths: int) -> Fraction:
    """TP / (TP + FP + FN) at IoU > twentieths / 20, by two loops over masks and exact fractions."""
    tp = 0
    for one in truth:
        for other in predicted:
            if Fraction(int((one & other).sum()), int((one | other).sum())) > Fraction(twentieths, 20):
                tp += 1
    either = tp + (len(truth) - tp) + (len(predicted) - tp)
    return Fraction(tp, either) if either else Fraction(1)


def slow_dsb(truth: np.ndarray, predicted: np.ndarray, counted: np.ndarray) -> float:
    both = masks_of(truth, counted), masks_of(predicted, counted)
    return float(sum(slow_precision(*both, k) for k in range(10, 20)) / 10)


def slow_panoptic(truth: np.ndarray, predicted: np.ndarray, counted: np.ndarray) -> float:
    """Equation (1) of the paper, pair by pair; nan where nothing is there to match."""
    both = masks_of(truth, counted), masks_of(predicted, counted)
    ious = [(one & other).sum() / (one | other).sum() for one in both[0] for other in both[1]]
    matched = [iou for iou in ious if iou > 0.5]
    n_extra, n_left = len(both[1]) - len(matched), len(both[0]) - len(matched)
    weight = len(matched) + n_extra / 2 + n_left / 2
    return sum(matched) / weight if weight else math.nan


def slow_seg(truth: np.ndarray, predicted: np.ndarray, counted: np.ndarray) -> list[float]:
    scores = []
    for one in masks_of(truth, counted):
        best = 0.0
        for other in masks_of(predicted, counted):
            if (one & other).sum() > 0.5 * one.sum():
                best = (one & other).sum() / (one | other).sum()
        scores.append(best)
    return scores


def slow_held(holders: np.ndarray, held: np.ndarray, counted: np.ndarray) -> int:
    """Of each holder: how many objects it holds more than half of, less one."""
    surplus = 0
    for holder in masks_of(holders, counted):
        n = sum((holder & one).sum() > one.sum() / 2 for one in masks_of(held, counted))
        surplus += max(n - 1, 0)
    return surplus


@given(MAPS, MAPS, MASKS)
def test_every_score_is_what_its_definition_says(
    truth: np.ndarray, predicted: np.ndarray, counted: np.ndarray
) -> None:
    found = overlaps(truth, predicted, counted)
    assert dsb_score(found) == pytest.approx(slow_dsb(truth, predicted, counted), abs=1e-12)
    assert seg_scores(found).tolist() == pytest.approx(slow_seg(truth, predicted, counted))
    assert n_merges(found) == slow_held(predicted, truth, counted)
    assert n_splits(found) == slow_held(truth, predicted, counted)
    any_predicted = (predicted > 0) & counted
    covered = [(one & any_predicted).sum() <= one.sum() / 2 for one in masks_of(truth, counted)]
    assert n_missed(found) == sum(covered)
    expected = slow_panoptic(truth, predicted, counted)
    assert panoptic_quality(found).pq == pytest.approx(expected, nan_ok=True)


@given(MAPS, MAPS)
def test_precisions_are_those_of_each_threshold(truth: np.ndarray, predicted: np.ndarray) -> None:
    found = overlaps(truth, predicted)
    assert PRECISIONS[:2] == ("ap_50", "ap_55") and PRECISIONS[-1] == "ap_95"
    assert precision_at(found) == {
        name: average_precision(found, threshold)
        for name, threshold in zip(PRECISIONS, THRESHOLDS, strict=True)
    }
    assert n_matched_at(found).tolist() == [is_match(found, threshold).sum() for threshold in THRESHOLDS]


@given(MAPS, MAPS)
def test_panoptic_quality_is_the_product_of_its_factors(truth: np.ndarray, predicted: np.ndarray) -> None:
    found = overlaps(truth, predicted)
    pq, sq, rq = panoptic_quality(found)
    assert panoptic_quality(overlaps(predicted, truth)) == pytest.approx((pq, sq, rq), nan_ok=True)
    if found.n_truth + found.n_predicted:
        assert 0 <= pq <= sq <= 1 and pq == sq * rq
        assert rq == object_f1(found)
        assert sq == 0 or sq > 0.5


def test_panoptic_quality_by_hand() -> None:
    truth = np.array([[1, 1, 1, 1, 0, 2, 2, 3, 3]])
    predicted = np.array([[5, 5, 5, 0, 0, 6, 6, 0, 0]])
    assert panoptic_quality(overlaps(truth, predicted)) == pytest.approx((1.75 / 2.5, 1.75 / 2, 2 / 2.5))
    assert panoptic_quality(overlaps(truth, predicted), 0.75) == pytest.approx((0.4, 1, 0.4))
    assert panoptic_of(2, 1.75, 5) == panoptic_quality(overlaps(truth, predicted))
    with pytest.raises(ConfigError):
        panoptic_quality(overlaps(truth, predicted), 0.3)


@given(MAPS, MAPS, st.permutations(range(1, 5)))
def test_scores_do_not_depend_on_the_numbers_of_objects(
    truth: np.ndarray, predicted: np.ndarray, numbers: list[int]
) -> None:
    table = np.array([0, *(1000 * n for n in numbers)], np.int32)
    first, second = overlaps(truth, predicted), overlaps(table[truth], predicted)
    assert dsb_score(first) == dsb_score(second)
    assert sorted(seg_scores(first)) == sorted(seg_scores(second))
    assert (n_merges(first), n_splits(first)) == (n_merges(second), n_splits(second))
    assert n_missed(first) == n_missed(second)
    assert precision_at(first) == precision_at(second)
    assert object_f1(first) == object_f1(second)
    assert panoptic_quality(first) == pytest.approx(panoptic_quality(second), nan_ok=True)


@given(MAPS, MAPS)
def test_scores_are_shares_and_matches_are_one_to_one(truth: np.ndarray, predicted: np.ndarray) -> None:
    found, turned = overlaps(truth, predicted), overlaps(predicted, truth)
    for score in (dsb_score, average_precision, object_f1):
        assert 0 <= score(found) <= 1
        assert score(found) == score(turned)
    matched = is_match(found)
    assert len(set(found.truth[matched])) == len(set(found.predicted[matched])) == matched.sum()
    assert n_merges(found) == n_splits(turned)
    assert ((seg_scores(found) >= 0) & (seg_scores(found) <= 1)).all()
    assert all(0 <= count <= found.n_truth for count in (n_missed(found), n_merges(found)))
    assert 0 <= n_splits(found) <= found.n_predicted


@given(MAPS)
def test_a_perfect_prediction_scores_one(truth: np.ndarray) -> None:
    found = overlaps(truth, truth)
    assert dsb_score(found) == average_precision(found) == object_f1(found) == 1
    assert (seg_scores(found) == 1).all()
    assert n_missed(found) == n_merges(found) == n_splits(found) == 0
    assert found.n_truth == 0 or panoptic_quality(found) == (1, 1, 1)


def test_empty_images() -> None:
    nothing, one = np.zeros((3, 4), int), np.eye(3, 4, dtype=int)
    neither, extra, missing = overlaps(nothing, nothing), overlaps(nothing, one), overlaps(one, nothing)
    assert dsb_score(neither) == average_precision(neither) == object_f1(neither) == 1
    for found in (extra, missing):
        assert dsb_score(found) == average_precision(found) == object_f1(found) == 0
    assert all(math.isnan(value) for value in panoptic_quality(neither))
    assert panoptic_quality(extra) == panoptic_quality(missing) == (0, 0, 0)
    assert seg_scores(neither).size == seg_scores(extra).size == 0
    assert seg_scores(missing).tolist() == [0]
    assert (n_missed(neither), n_missed(extra), n_missed(missing)) == (0, 0, 1)
    assert overlaps(np.zeros((0, 4), int), np.zeros((0, 4), int)).n_truth == 0


def test_hand_counted_merge_split_and_miss() -> None:
    truth = np.array([[1, 1, 2, 2, 0, 3, 3, 3, 3, 0, 4]])
    predicted = np.array([[7, 7, 7, 7, 0, 8, 8, 9, 9, 0, 0]])
    found = overlaps(truth, predicted)
    assert (found.n_truth, found.n_predicted) == (4, 3)
    assert (n_merges(found), n_splits(found), n_missed(found)) == (1, 1, 1)
    assert found.iou.tolist() == [0.5, 0.5, 0.5, 0.5]
    assert not is_match(found).any()  # 0.5 is not more than 0.5
    assert dsb_score(found) == 0
    assert seg_scores(found).tolist() == [0.5, 0.5, 0, 0]  # a half of object 3 is not more than a half


def test_a_prediction_that_reaches_a_threshold_exactly_does_not_pass_it() -> None:
    for k, threshold in zip(range(10, 20), THRESHOLDS, strict=True):
        truth, predicted = np.ones((1, 20), int), np.zeros((1, 20), int)
        predicted[0, :k] = 1
        assert average_precision(overlaps(truth, predicted), threshold) == 0
        predicted[0, k] = 1
        assert average_precision(overlaps(truth, predicted), threshold) == 1
    assert THRESHOLDS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def test_low_thresholds_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"0\.4"):
        average_precision(overlaps(np.eye(3, dtype=int), np.eye(3, dtype=int)), 0.4)


def test_shapes_must_be_the_same() -> None:
    with pytest.raises(GeometryError, match=r"\(2, 3\).*\(3, 2\)"):
        overlaps(np.zeros((2, 3), int), np.zeros((3, 2), int))


@pytest.mark.parametrize("at_once", [1, 7, 1000])
@pytest.mark.parametrize("largest", [3, 2_000_000_000])
def test_pairs_are_counted_part_by_part(at_once: int, largest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    first, second = rng.integers(0, 4, (2, 5, 6)) * (largest // 3)
    pairs = list(zip(first.ravel().tolist(), second.ravel().tolist(), strict=True))
    monkeypatch.setattr(instances, "_AT_ONCE", at_once)
    numbers, others, counts = count_pairs(first, second)
    assert list(zip(numbers.tolist(), others.tolist(), strict=True)) == sorted(set(pairs))
    assert counts.tolist() == [pairs.count(pair) for pair in sorted(set(pairs))]


@given(MAPS, MAPS, MASKS)
def test_only_counted_pixels_make_pairs(first: np.ndarray, second: np.ndarray, counted: np.ndarray) -> None:
    numbers, others, counts = count_pairs(first, second, counted)
    pairs = list(zip(first[counted].tolist(), second[counted].tolist(), strict=True))
    assert list(zip(numbers.tolist(), others.tolist(), strict=True)) == sorted(set(pairs))
    assert counts.tolist() == [pairs.count(pair) for pair in sorted(set(pairs))]


@pytest.mark.parametrize("kinds", [(np.uint8, np.int64), (np.uint16, np.uint64), (np.int32, np.uint32)])
def test_any_kind_of_whole_number_may_name_an_object(kinds: tuple[type, type]) -> None:
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 9, (2, 12, 13))
    found = overlaps(truth.astype(kinds[0]), np.asfortranarray(predicted.astype(kinds[1])))
    assert found.shared.tolist() == overlaps(truth, predicted).shared.tolist()


def test_volumes_are_scored_like_images() -> None:
    rng = np.random.default_rng(0)
    truth, predicted = rng.integers(0, 3, (2, 4, 5, 6))
    whole, flat = overlaps(truth, predicted), overlaps(truth.reshape(20, 6), predicted.reshape(20, 6))
    assert math.isclose(dsb_score(whole), dsb_score(flat))
    assert whole.shared.tolist() == flat.shared.tolist()
