"""Curves and thresholds: exact, with ties, against scikit-learn and against trying every threshold."""

import math
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from seglet.core.errors import ConfigError
from seglet.metrics.curves import (
    MOST_POINTS,
    Curve,
    best_threshold,
    precision_recall_curve,
    rank_pixels,
    roc_curve,
)
from seglet.metrics.pixels import class_scores, confusion_matrix, dice

# few distinct values, so that ties are common
pixels = st.lists(st.tuples(st.booleans(), st.integers(0, 12)), min_size=1, max_size=60)


def both_classes(pairs: list[tuple[bool, int]]) -> tuple[np.ndarray, np.ndarray]:
    truth = np.array([t for t, _ in pairs] + [True, False])
    return truth, np.array([s / 12 for _, s in pairs] + [0.5, 0.25], np.float32)


def noisy(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.random(n) < 0.12
    return truth, (1 / (1 + np.exp(-rng.normal(2.0 * truth - 1, 1)))).astype(np.float32)


def test_areas_by_hand() -> None:
    truth, scores = np.array([True, False, True, False]), np.array([0.9, 0.8, 0.7, 0.1])
    assert roc_curve(truth, scores).area == 0.75
    assert precision_recall_curve(truth, scores).area == pytest.approx((1 + 2 / 3) / 2)


def test_a_tie_counts_half() -> None:
    truth, scores = np.array([True, False]), np.array([0.5, 0.5])
    assert roc_curve(truth, scores).area == 0.5
    assert precision_recall_curve(truth, scores).area == 0.5


@given(pixels)
def test_areas_are_scikit_learns_with_ties(pairs: list[tuple[bool, int]]) -> None:
    truth, scores = both_classes(pairs)
    assert roc_curve(truth, scores).area == pytest.approx(sk.roc_auc_score(truth, scores))
    expected = sk.average_precision_score(truth, scores)
    assert precision_recall_curve(truth, scores).area == pytest.approx(expected)


@given(pixels)
def test_every_kept_point_is_what_its_threshold_gives(pairs: list[tuple[bool, int]]) -> None:
    truth, scores = both_classes(pairs)
    roc, pr = roc_curve(truth, scores), precision_recall_curve(truth, scores)
    for x, y, threshold in zip(roc.x, roc.y, roc.thresholds, strict=True):
        marked = scores >= np.float32(threshold)
        assert (x, y) == pytest.approx((marked[~truth].mean(), marked[truth].mean()))
    for x, y, threshold in zip(pr.x, pr.y, pr.thresholds, strict=True):
        marked = scores >= np.float32(threshold)
        assert x == pytest.approx(marked[truth].mean())
        assert y == pytest.approx(truth[marked].mean() if marked.any() else 1)


def test_curves_are_thinned_but_the_areas_are_exact() -> None:
    truth, scores = noisy(200_000)
    roc, pr = roc_curve(truth, scores), precision_recall_curve(truth, scores)
    assert roc.area == pytest.approx(sk.roc_auc_score(truth, scores), abs=1e-12)
    assert pr.area == pytest.approx(sk.average_precision_score(truth, scores), abs=1e-12)
    for curve in (roc, pr):
        assert 200 < len(curve.x) <= MOST_POINTS
        assert len(curve.x) == len(curve.y) == len(curve.thresholds)
        assert np.all(np.diff(curve.thresholds) <= 0)
    assert (roc.x[0], roc.y[0], roc.x[-1], roc.y[-1]) == (0, 0, 1, 1)
    assert (pr.x[0], pr.x[-1]) == (0, 1)
    assert np.trapezoid(roc.y, roc.x) == pytest.approx(roc.area, abs=1e-3)


def cpu_seconds(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def test_millions_of_pixels_take_little_longer_than_sorting_them() -> None:
    truth, scores = noisy(2_000_000)
    both = [
        (cpu_seconds(lambda: np.sort(scores)), cpu_seconds(lambda: roc_curve(truth, scores)))
        for _ in range(3)
    ]
    assert min(ours for _, ours in both) < 3 * min(sort for sort, _ in both)  # about 1.25 on a quiet machine


@pytest.mark.parametrize("n_levels", [None, 255])
def test_areas_of_a_million_pixels_are_scikit_learns(n_levels: int | None) -> None:
    truth, scores = noisy(1_000_000, seed=1)
    if n_levels:
        scores = np.round(scores * n_levels) / np.float32(n_levels)
    assert roc_curve(truth, scores).area == pytest.approx(sk.roc_auc_score(truth, scores), abs=1e-12)
    expected = sk.average_precision_score(truth, scores)
    assert precision_recall_curve(truth, scores).area == pytest.approx(expected, abs=1e-12)


def test_memory_is_a_few_bytes_per_pixel() -> None:
    truth, scores = noisy(1_000_000)
    tracemalloc.start()
    roc_curve(truth, scores)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * len(scores)


@given(pixels, st.integers(-12, 0))
def test_scores_may_be_negative(pairs: list[tuple[bool, int]], lowest: int) -> None:
    truth, scores = both_classes(pairs)
    moved = scores * 12 + lowest
    assert roc_curve(truth, moved).area == roc_curve(truth, scores).area
    assert precision_recall_curve(truth, moved).area == precision_recall_curve(truth, scores).area
    ranked = rank_pixels(truth, moved)
    assert ranked.scores.tolist() == sorted(set(moved[truth].tolist()), reverse=True)
    np.testing.assert_array_equal(ranked.tp, [(moved[truth] >= one).sum() for one in ranked.scores])
    np.testing.assert_array_equal(ranked.fp, [(moved[~truth] >= one).sum() for one in ranked.scores])
    np.testing.assert_array_equal(ranked.ties, [(moved[~truth] == one).sum() for one in ranked.scores])
    lower = [moved[moved < one].max(initial=-np.inf) for one in ranked.scores]
    np.testing.assert_array_equal(ranked.below, lower)


def test_zero_is_zero_whatever_its_sign() -> None:
    assert roc_curve(np.array([True, False]), np.array([-0.0, 0.0])).area == 0.5
    assert roc_curve(np.array([True, False]), np.array([0.0, -0.0])).area == 0.5


def test_scores_are_left_as_they_are() -> None:
    truth, scores = noisy(1000)
    before = scores.copy()
    roc_curve(truth, scores)
    np.testing.assert_array_equal(scores, before)


@given(pixels)
def test_areas_keep_their_range_and_ask_for_the_order_alone(pairs: list[tuple[bool, int]]) -> None:
    truth, scores = both_classes(pairs)
    roc, pr = roc_curve(truth, scores).area, precision_recall_curve(truth, scores).area
    assert 0 <= roc <= 1 and 0 < pr <= 1 + 1e-12
    assert roc_curve(truth, scores**3).area == roc
    assert roc_curve(~truth, scores).area == pytest.approx(1 - roc)
    assert roc_curve(truth, truth.astype(float)).area == 1
    assert precision_recall_curve(truth, truth.astype(float)).area == 1


@pytest.mark.parametrize("truth", [np.ones(4, bool), np.zeros(4, bool), np.zeros(0, bool)])
def test_one_class_alone_has_no_curve(truth: np.ndarray) -> None:
    for curve in (roc_curve, precision_recall_curve):
        found = curve(truth, np.linspace(0, 1, len(truth)))
        assert math.isnan(found.area)
        assert found.x == found.y == found.thresholds == ()


def test_perfect_and_reversed_scores() -> None:
    truth = np.array([False, False, True, True])
    assert roc_curve(truth, np.arange(4.0)).area == 1
    assert precision_recall_curve(truth, np.arange(4.0)).area == 1
    assert roc_curve(truth, -np.arange(4.0)).area == 0


def test_images_are_taken_as_they_are() -> None:
    truth, scores = noisy(3000)
    flat, shaped = (roc_curve(truth.reshape(s), scores.reshape(s)) for s in ((3000,), (50, 60)))
    assert flat == shaped


def test_curve_survives_json_with_its_nan() -> None:
    empty = roc_curve(np.ones(3, bool), np.ones(3))
    again = Curve.model_validate_json(empty.model_dump_json())
    assert math.isnan(again.area)
    full = roc_curve(*noisy(500))
    assert Curve.model_validate_json(full.model_dump_json()) == full


def test_rank_counts_by_hand() -> None:
    truth = np.array([True, True, True, False, False, False, False])
    ranked = rank_pixels(truth, np.array([3, 3, 1, 4, 3, 2, 0], np.float32))
    np.testing.assert_array_equal(ranked.scores, [3, 1])
    np.testing.assert_array_equal(ranked.tp, [2, 3])
    np.testing.assert_array_equal(ranked.fp, [2, 3])
    np.testing.assert_array_equal(ranked.ties, [1, 0])
    np.testing.assert_array_equal(ranked.below, [2, 0])
    assert (ranked.n_positive, ranked.n_negative) == (3, 4)
    assert (ranked.lowest, ranked.highest) == (0, 4)


@given(pixels, st.sampled_from(["dice", "balanced_accuracy", "mcc"]))
def test_best_threshold_beats_every_other(pairs: list[tuple[bool, int]], metric: str) -> None:
    truth, scores = both_classes(pairs)

    def score(threshold: float) -> float:
        marked = scores > np.float32(threshold)
        return class_scores(confusion_matrix(truth.astype(np.uint8), marked.astype(np.uint8), 2), 1)[metric]

    best = score(best_threshold(truth, scores, metric))
    assert best >= max(score(threshold) for threshold in [-1, *np.unique(scores)]) - 1e-9


def test_best_threshold_is_half_way_down_to_the_next_score() -> None:
    truth = np.array([True, True, False, False])
    assert best_threshold(truth, np.array([0.75, 0.5, 0.25, 0.0])) == 0.375


def test_best_threshold_of_neighboring_floats_still_separates() -> None:
    low = np.float32(0.5)
    for _ in range(20):
        high = np.nextafter(low, np.float32(1))
        scores = np.array([high, low], np.float32)
        threshold = best_threshold(np.array([True, False]), scores)
        assert dice(np.array([True, False]), scores > threshold) == 1
        low = high


def test_best_threshold_without_foreground_is_one_half_and_without_background_takes_all() -> None:
    scores = np.array([0.2, 0.7], np.float32)
    assert best_threshold(np.zeros(2, bool), scores) == 0.5
    assert (scores > best_threshold(np.ones(2, bool), scores)).all()


def test_best_threshold_by_an_unknown_metric_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"beauty.*dice"):
        best_threshold(*noisy(10), metric="beauty")
