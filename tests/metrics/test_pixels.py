"""Pixel scores: countable by hand, equal to scikit-learn's, and stated for absent classes."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sklearn import metrics as sk

from seglet.core.errors import ConfigError, GeometryError
from seglet.core.image import IGNORE
from seglet.metrics.pixels import PIXEL_METRICS, class_scores, confusion_matrix, count_scores, dice, iou

TRUTH = np.array([[0, 0, 1, 1], [0, 2, 2, 1], [0, 0, 2, IGNORE]], np.uint8)
PREDICTED = np.array([[0, 1, 1, 1], [0, 2, 0, 2], [0, 0, 2, 1]], np.uint8)
labels = arrays.arrays(np.uint8, st.tuples(st.integers(2, 9), st.integers(2, 9)), elements=st.integers(0, 2))


def binary_matrix(tp: int, fp: int, fn: int, tn: int) -> np.ndarray:
    return np.array([[tn, fp], [fn, tp]], np.int64)


def test_confusion_matrix_by_hand_leaves_out_unlabelled_pixels() -> None:
    np.testing.assert_array_equal(confusion_matrix(TRUTH, PREDICTED, 3), [[4, 1, 0], [0, 2, 1], [1, 0, 2]])


def test_confusion_matrix_counts_valid_pixels_only() -> None:
    valid = np.zeros(TRUTH.shape, bool)
    valid[0] = True
    np.testing.assert_array_equal(
        confusion_matrix(TRUTH, PREDICTED, 3, valid), [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    )
    assert confusion_matrix(TRUTH, PREDICTED, 3, np.zeros(TRUTH.shape, bool)).sum() == 0


def test_confusion_matrix_leaves_its_arguments_alone() -> None:
    valid = np.ones(TRUTH.shape, bool)
    confusion_matrix(TRUTH, PREDICTED, 3, valid)
    assert valid.all()


@given(labels, st.integers(0, 2**32 - 1))
def test_confusion_matrix_is_scikit_learns(truth: np.ndarray, seed: int) -> None:
    predicted = np.random.default_rng(seed).integers(0, 3, truth.shape).astype(np.uint8)
    expected = sk.confusion_matrix(truth.ravel(), predicted.ravel(), labels=[0, 1, 2])
    np.testing.assert_array_equal(confusion_matrix(truth, predicted, 3), expected)


def test_two_hundred_classes_do_not_overflow() -> None:
    truth = np.arange(200, dtype=np.uint8)
    np.testing.assert_array_equal(confusion_matrix(truth, truth, 200), np.eye(200))


def test_unknown_class_is_refused() -> None:
    with pytest.raises(ConfigError, match="class 2"):
        confusion_matrix(TRUTH, PREDICTED, 2)
    with pytest.raises(ConfigError, match="class 255"):
        confusion_matrix(TRUTH[:1], np.full((1, 4), 255, np.uint8), 3)


def test_different_shapes_are_refused() -> None:
    with pytest.raises(GeometryError, match=r"\(3, 4\).*\(4, 3\)"):
        confusion_matrix(TRUTH, PREDICTED.T, 3)
    with pytest.raises(GeometryError):
        confusion_matrix(TRUTH, PREDICTED, 3, np.ones((2, 2), bool))
    with pytest.raises(GeometryError):
        dice(TRUTH > 0, PREDICTED.T > 0)
    with pytest.raises(GeometryError):
        iou(TRUTH > 0, PREDICTED.T > 0)


def test_class_scores_by_hand() -> None:
    scores = class_scores(binary_matrix(tp=6, fp=2, fn=4, tn=8), 1)
    assert tuple(scores) == PIXEL_METRICS
    assert scores["dice"] == scores["f1"] == 12 / 18
    assert scores["iou"] == 6 / 12
    assert scores["accuracy"] == 14 / 20
    assert scores["sensitivity"] == 6 / 10
    assert scores["specificity"] == 8 / 10
    assert scores["balanced_accuracy"] == pytest.approx(0.7)
    assert scores["precision"] == 6 / 8
    assert scores["mcc"] == pytest.approx((6 * 8 - 2 * 4) / math.sqrt(8 * 10 * 10 * 12))


@given(labels, st.integers(0, 2**32 - 1), st.integers(0, 2))
def test_class_scores_are_scikit_learns(truth: np.ndarray, seed: int, index: int) -> None:
    predicted = np.random.default_rng(seed).integers(0, 3, truth.shape).astype(np.uint8)
    t, p = (truth == index).ravel(), (predicted == index).ravel()
    scores = class_scores(confusion_matrix(truth, predicted, 3), index)
    if not t.any() or t.all():
        return
    expected = {
        "dice": sk.f1_score(t, p, zero_division=0),
        "iou": sk.jaccard_score(t, p, zero_division=0),
        "accuracy": sk.accuracy_score(t, p),
        "balanced_accuracy": sk.balanced_accuracy_score(t, p),
        "sensitivity": sk.recall_score(t, p),
        "specificity": sk.recall_score(~t, ~p),
        "precision": sk.precision_score(t, p, zero_division=0),
        "f1": sk.f1_score(t, p, zero_division=0),
        "mcc": sk.matthews_corrcoef(t, p),
    }
    assert scores == pytest.approx(expected)


def test_class_absent_from_both_scores_nan() -> None:
    assert all(math.isnan(value) for value in class_scores(binary_matrix(0, 0, 0, 9), 1).values())


@pytest.mark.parametrize("matrix", [binary_matrix(0, 3, 0, 6), binary_matrix(0, 0, 3, 6)])
def test_class_absent_from_one_scores_zero(matrix: np.ndarray) -> None:
    scores = class_scores(matrix, 1)
    for metric in ("dice", "iou", "f1", "precision", "sensitivity", "mcc"):
        assert scores[metric] == 0
    assert scores["accuracy"] == 6 / 9


def test_class_that_is_everything_has_no_specificity() -> None:
    scores = class_scores(binary_matrix(9, 0, 0, 0), 1)
    assert scores["dice"] == scores["sensitivity"] == scores["accuracy"] == 1
    assert math.isnan(scores["specificity"])
    assert math.isnan(scores["mcc"])


def test_counts_of_many_large_images_do_not_overflow() -> None:
    big = 10**9
    assert class_scores(binary_matrix(big, big, big, 7 * big), 1)["mcc"] == pytest.approx(0.375)


@given(labels, st.integers(0, 2**32 - 1))
def test_dice_and_iou_agree_with_the_counts_and_each_other(truth: np.ndarray, seed: int) -> None:
    predicted = np.random.default_rng(seed).integers(0, 3, truth.shape).astype(np.uint8)
    scores = class_scores(confusion_matrix(truth, predicted, 3), 1)
    d, j = dice(truth == 1, predicted == 1), iou(truth == 1, predicted == 1)
    np.testing.assert_allclose([d, j, d / (2 - d)], [scores["dice"], scores["iou"], j])


def test_dice_of_nothing_is_nan() -> None:
    nothing = np.zeros((2, 2), bool)
    assert math.isnan(dice(nothing, nothing))
    assert math.isnan(iou(nothing, nothing))
    assert dice(nothing, ~nothing) == iou(nothing, ~nothing) == 0


@given(labels, st.integers(0, 2**32 - 1), st.permutations(range(3)))
def test_scores_keep_their_range_and_do_not_depend_on_the_order_of_classes(
    truth: np.ndarray, seed: int, order: list[int]
) -> None:
    predicted = np.random.default_rng(seed).integers(0, 3, truth.shape).astype(np.uint8)
    numbers = np.array(order, np.uint8)
    matrix = confusion_matrix(truth, predicted, 3)
    renamed = confusion_matrix(numbers[truth], numbers[predicted], 3)
    for index in range(3):
        scores = class_scores(matrix, index)
        assert class_scores(renamed, order[index]) == pytest.approx(scores, nan_ok=True)
        for metric, value in scores.items():
            assert math.isnan(value) or (-1 if metric == "mcc" else 0) <= value <= 1


@given(labels, st.integers(0, 2**32 - 1))
def test_truth_and_prediction_change_places(truth: np.ndarray, seed: int) -> None:
    predicted = np.random.default_rng(seed).integers(0, 3, truth.shape).astype(np.uint8)
    there = class_scores(confusion_matrix(truth, predicted, 3), 1)
    back = class_scores(confusion_matrix(predicted, truth, 3), 1)
    for metric in ("dice", "iou", "f1", "accuracy", "mcc"):
        assert back[metric] == pytest.approx(there[metric], nan_ok=True)
    assert back["sensitivity"] == pytest.approx(there["precision"], nan_ok=True)
    for score in (dice, iou):
        there_back = score(truth == 1, predicted == 1), score(predicted == 1, truth == 1)
        assert there_back[0] == pytest.approx(there_back[1], nan_ok=True)


@given(labels)
def test_a_perfect_prediction_scores_one(truth: np.ndarray) -> None:
    for index in np.unique(truth).tolist():
        scores = class_scores(confusion_matrix(truth, truth, 3), index)
        assert all(value == 1 or (math.isnan(value) and (truth == index).all()) for value in scores.values())
        assert dice(truth == index, truth == index) == iou(truth == index, truth == index) == 1


counts = st.integers(0, 10**12)


@given(counts, counts, counts, counts)
def test_counts_of_any_size_are_scored_as_in_exact_fractions(tp: int, fp: int, fn: int, tn: int) -> None:
    scores = class_scores(binary_matrix(tp, fp, fn, tn), 1)
    if tp + fp + fn == 0:
        assert all(math.isnan(value) for value in scores.values())
        return
    assert scores["dice"] == float(Fraction(2 * tp, 2 * tp + fp + fn))
    assert scores["accuracy"] == float(Fraction(tp + tn, tp + tn + fp + fn))
    spread = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    if spread:
        expected = (tp * tn - fp * fn) / math.sqrt(spread)
        assert scores["mcc"] == pytest.approx(expected, abs=1e-12)
    if fp + fn == 0 and tn:
        assert scores["mcc"] == 1


@given(st.lists(st.tuples(*[st.integers(0, 5)] * 4), min_size=1, max_size=9))
def test_many_counts_are_scored_as_each_by_itself(rows: list[tuple[int, int, int, int]]) -> None:
    tp, fn, fp, tn = np.array(rows, float).T
    found = count_scores(tp, fn, fp, tn)
    for place, (own_tp, own_fn, own_fp, own_tn) in enumerate(rows):
        expected = class_scores(binary_matrix(own_tp, own_fp, own_fn, own_tn), 1)
        assert {name: values[place] for name, values in found.items()} == pytest.approx(expected, nan_ok=True)
