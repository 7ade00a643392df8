"""The bootstrap interval of figures of several images."""

import math
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import bootstrap

from seglet.metrics.statistics import (
    Interval,
    bootstrap_mean,
    bootstrap_ratio,
    drawn_interval,
    drawn_weights,
    draws,
)


def test_interval_is_scipys_percentile_bootstrap() -> None:
    values = np.random.default_rng(0).beta(8, 2, 40)
    found = bootstrap_mean(values)
    oracle = bootstrap((values,), np.mean, method="percentile", rng=np.random.default_rng(1))
    assert found.mean == pytest.approx(values.mean())
    assert found.low == pytest.approx(oracle.confidence_interval.low, abs=2e-3)
    assert found.high == pytest.approx(oracle.confidence_interval.high, abs=2e-3)


def test_interval_covers_the_true_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    n_covered = 0
    for _ in range(100):
        found = bootstrap_mean(rng.normal(0.8, 0.1, 30), n_draws=500)
        n_covered += found.low <= 0.8 <= found.high
    assert 86 <= n_covered <= 100


def test_same_seed_same_interval() -> None:
    values = [0.1, 0.5, 0.9]
    assert bootstrap_mean(values) == bootstrap_mean(values)
    assert bootstrap_mean(np.arange(30.0), seed=1) != bootstrap_mean(np.arange(30.0), seed=2)


def test_nan_is_left_out_and_counted() -> None:
    found = bootstrap_mean([0.2, math.nan, 0.4, math.nan])
    assert (found.mean, found.n, found.n_absent) == (pytest.approx(0.3), 2, 2)
    assert bootstrap_mean([0.2, 0.4]).low == found.low


def test_no_value_is_nan_and_one_value_has_no_interval() -> None:
    nothing = bootstrap_mean([math.nan])
    assert math.isnan(nothing.mean)
    assert (nothing.n, nothing.n_absent) == (0, 1)
    assert math.isnan(bootstrap_mean([]).mean)
    one = bootstrap_mean([0.7])
    assert one.mean == 0.7
    assert math.isnan(one.low)
    assert math.isnan(one.high)


def test_more_values_than_fit_in_one_batch() -> None:
    found = bootstrap_mean(np.tile([0.0, 1.0], 50_000), n_draws=60)
    assert 0.49 < found.low < found.mean < found.high < 0.51


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_mean_lies_in_its_interval(values: list[float]) -> None:
    found = bootstrap_mean(values, n_draws=100)
    assert found.low <= found.mean <= found.high


def test_interval_survives_json_with_its_nan() -> None:
    written = bootstrap_mean([0.7]).model_dump_json()
    assert '"low":null' in written
    again = Interval.model_validate_json(written)
    assert math.isnan(again.low)
    assert again.mean == 0.7


def test_windows_of_one_image_are_drawn_together() -> None:
    """Two images that differ, of many windows that agree: as wide as the interval of two values."""
    values, images = [0.2] * 50 + [0.8] * 50, ["a"] * 50 + ["b"] * 50
    found = bootstrap_mean(values, images)
    assert (found.mean, found.n) == (pytest.approx(0.5), 100)
    assert (found.low, found.high) == (pytest.approx(0.2), pytest.approx(0.8))
    apart = bootstrap_mean(values)
    assert apart.high - apart.low < 0.15


def test_each_window_counts_the_same_however_many_an_image_has() -> None:
    found = bootstrap_mean([1.0, 0.0, 0.0, math.nan], ["a", "b", "b", "b"])
    assert (found.mean, found.n, found.n_absent) == (pytest.approx(1 / 3), 3, 1)
    assert (found.low, found.high) == (0, 1)


def test_windows_of_a_single_image_have_no_interval() -> None:
    found = bootstrap_mean([0.5, 0.7, 0.9], ["a"] * 3)
    assert found.mean == pytest.approx(0.7)
    assert math.isnan(found.low)
    assert math.isnan(bootstrap_mean([0.5, math.nan], ["a", "b"]).low)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_images_of_one_window_each_are_images(values: list[float]) -> None:
    names = [str(number) for number in range(100, 100 + len(values))]
    assert bootstrap_mean(values, names, n_draws=50) == bootstrap_mean(values, n_draws=50)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=20), st.randoms())
def test_the_order_of_images_changes_no_mean(values: list[float], random: Random) -> None:
    shuffled = random.sample(values, len(values))
    one, other = bootstrap_mean(values, n_draws=20), bootstrap_mean(shuffled, n_draws=20)
    assert other.mean == pytest.approx(one.mean)
    assert min(values) - 1e-12 <= one.low and one.high <= max(values) + 1e-12


@given(st.floats(0, 1), st.integers(2, 20))
def test_images_that_agree_leave_no_doubt(value: float, n: int) -> None:
    found = bootstrap_mean([value] * n, n_draws=20)
    assert (found.mean, found.low, found.high) == pytest.approx((value, value, value))


def test_a_pooled_ratio_and_its_interval_agree_with_scipy() -> None:
    rng = np.random.default_rng(3)
    wholes = rng.integers(5, 50, 30).astype(float)
    parts = wholes * rng.uniform(0.5, 1, 30)
    found = bootstrap_ratio(parts, wholes)

    def pooled(part: np.ndarray, whole: np.ndarray, axis: int) -> np.ndarray:
        return part.sum(axis=axis) / whole.sum(axis=axis)

    both = (parts, wholes)
    expected = bootstrap(both, pooled, paired=True, method="percentile", rng=0).confidence_interval
    assert found.mean == pytest.approx(parts.sum() / wholes.sum())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.01)


def test_windows_of_one_image_are_drawn_together_in_a_ratio() -> None:
    found = bootstrap_ratio([1, 1, 0, 0], [1, 1, 1, 1], ["a", "a", "b", "b"])
    assert (found.mean, found.low, found.high, found.n) == (0.5, 0, 1, 4)
    assert math.isnan(bootstrap_ratio([1, 2], [2, 2], ["a", "a"]).low)


def test_a_ratio_of_nothing_is_nan() -> None:
    found = bootstrap_ratio([0, 0], [0, 0])
    assert math.isnan(found.mean) and math.isnan(found.low)
    assert (found.n, found.n_absent) == (0, 2)
    assert bootstrap_ratio([0, 3], [0, 4]).mean == 0.75


def test_batches_change_no_draw() -> None:
    drawn = np.concatenate(list(draws(7, seed=3, n_draws=2_500)))
    assert np.array_equal(drawn, np.random.default_rng(3).integers(7, size=(2_500, 7)))
    assert list(draws(1)) == list(drawn_weights(1)) == []


@given(st.integers(2, 9))
def test_weights_are_how_often_each_image_is_drawn(n: int) -> None:
    drawn, weights = (np.concatenate(list(of(n, n_draws=30))) for of in (draws, drawn_weights))
    expected = [[list(row).count(k) for k in range(n)] for row in drawn.tolist()]
    np.testing.assert_array_equal(weights, expected)


def test_an_interval_leaves_out_draws_without_the_figure_and_holds_what_was_found() -> None:
    halves = [np.linspace(0, 0.5, 51), np.array([math.nan, *np.linspace(0.5, 1, 51)[1:]])]
    found = drawn_interval(0.5, halves, 4, 1)
    assert (found.mean, found.low, found.high) == pytest.approx((0.5, 0.025, 0.975))
    assert (found.n, found.n_absent) == (4, 1)
    assert drawn_interval(0.999, halves, 4).high == 0.999
    for nothing in (drawn_interval(0.5, [], 1), drawn_interval(0.5, [np.full(3, math.nan)], 3)):
        assert nothing.mean == 0.5 and math.isnan(nothing.low) and math.isnan(nothing.high)
    assert math.isnan(drawn_interval(math.nan, halves, 4).low)
