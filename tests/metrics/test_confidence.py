"""What predictions say of themselves, on arrays that can be counted by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from scipy import stats

from seglet.core.errors import GeometryError
from seglet.metrics.confidence import agreement, entropy, expected_dice, rank_correlation
from seglet.metrics.pixels import class_scores, confusion_matrix

Mask = NDArray[np.bool_]

planes = hnp.arrays(np.float32, (6, 7), elements=st.floats(0, 1, width=32))
masks = hnp.arrays(np.bool_, (6, 7))
several = st.lists(masks, min_size=2, max_size=4)
figures = st.floats(0, 1).map(lambda figure: round(figure, 2))
rated = st.lists(st.tuples(figures, figures), min_size=3, max_size=12)


def dice(a: Mask, b: Mask) -> float:
    return class_scores(confusion_matrix(a.astype(np.uint8), b.astype(np.uint8), 2), 1)["dice"]


def test_expected_dice_by_hand() -> None:
    probabilities = np.array([[0.9, 0.6, 0.2, 0.0]], np.float32)
    assert expected_dice(probabilities, probabilities > 0.5) == pytest.approx(2 * 1.5 / (1.7 + 2))


def test_expected_dice_of_calibrated_probabilities_is_the_dice_on_average() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.beta(0.5, 1, (64, 64))
    mask = probabilities > 0.5
    real = [dice(rng.random(mask.shape) < probabilities, mask) for _ in range(50)]
    assert expected_dice(probabilities, mask) == pytest.approx(np.mean(real), abs=0.005)


def test_expected_dice_of_nothing() -> None:
    nothing, zeros = np.zeros((3, 4), bool), np.zeros((3, 4), np.float32)
    assert math.isnan(expected_dice(zeros, nothing))
    assert expected_dice(zeros + 0.01, nothing) == 0
    assert expected_dice(zeros, ~nothing) == 0


def test_small_probabilities_of_a_large_background_can_be_left_out() -> None:
    probabilities = np.full((10, 100), 0.02)
    probabilities[0, :10] = 0.9
    mask = probabilities > 0.5
    assert expected_dice(probabilities, mask) == pytest.approx(18 / (9 + 0.02 * 990 + 10))
    assert expected_dice(probabilities, mask, least=0.1) == pytest.approx(18 / 19)
    assert math.isnan(expected_dice(probabilities, np.zeros_like(mask), mask, least=0.95))


def test_pixels_that_do_not_count_do_not_count() -> None:
    rng = np.random.default_rng(1)
    probabilities, counted = rng.random((9, 9)), rng.random((9, 9)) > 0.4
    mask = probabilities > 0.5
    changed = np.where(counted, probabilities, 1 - probabilities)
    assert expected_dice(changed, mask, counted) == expected_dice(probabilities, mask, counted)
    assert math.isnan(expected_dice(probabilities, mask, np.zeros_like(mask)))


@given(masks)
def test_a_certain_prediction_expects_the_dice_with_itself(mask: Mask) -> None:
    found = expected_dice(mask.astype(np.float32), mask)
    assert found == 1 if mask.any() else math.isnan(found)


@given(planes, masks)
def test_expected_dice_is_a_share(probabilities: NDArray[np.float32], mask: Mask) -> None:
    found = expected_dice(probabilities, mask)
    assert math.isnan(found) or 0 <= found <= 1
    assert expected_dice(probabilities[::-1], mask[::-1]) == pytest.approx(found, nan_ok=True)


@given(masks, masks)
def test_expected_dice_of_certainties_is_the_dice(truth: Mask, mask: Mask) -> None:
    assert expected_dice(truth.astype(np.float64), mask) == pytest.approx(dice(truth, mask), nan_ok=True)


def test_agreement_by_hand() -> None:
    a = np.array([True, True, False, False])
    b = np.array([True, False, False, False])
    c = np.array([False, False, False, True])
    assert agreement([a, b, c]) == pytest.approx((2 / 3 + 0 + 0) / 3)


def test_agreement_of_nothing() -> None:
    empty, full = np.zeros((2, 3), bool), np.ones((2, 3), bool)
    assert math.isnan(agreement([]))
    assert math.isnan(agreement([full]))
    assert math.isnan(agreement([empty, empty]))
    assert agreement([empty, empty, full]) == 0


@given(several)
def test_agreement_is_the_mean_dice_of_pairs_in_any_order(drawn: list[Mask]) -> None:
    found = agreement(drawn)
    pairs = [dice(a, b) for i, a in enumerate(drawn) for b in drawn[i + 1 :]]
    present = [pair for pair in pairs if not math.isnan(pair)]
    assert found == pytest.approx(np.mean(present) if present else math.nan, nan_ok=True)
    assert agreement(drawn[::-1]) == pytest.approx(found, nan_ok=True)


@given(masks)
def test_equal_masks_agree(mask: Mask) -> None:
    found = agreement([mask, mask.copy(), mask])
    assert found == 1 if mask.any() else math.isnan(found)


def test_arrays_of_two_shapes_are_refused() -> None:
    a, b = np.zeros((2, 3), bool), np.zeros((3, 2), bool)
    with pytest.raises(GeometryError, match=r"\(2, 3\) and \(3, 2\)"):
        agreement([a, b])
    with pytest.raises(GeometryError):
        expected_dice(a.astype(np.float32), b)
    with pytest.raises(GeometryError):
        expected_dice(a.astype(np.float32), a, b)


def test_entropy_by_hand() -> None:
    foreground = np.array([[[0.0, 0.5, 1.0, 0.25]]], np.float32)
    found = entropy(foreground)
    assert found.dtype == np.float32
    assert found.shape == (1, 4)
    assert found[0].tolist() == pytest.approx([0, 1, 0, stats.entropy([0.25, 0.75], base=2)])


@given(hnp.arrays(np.float32, (3, 4, 5), elements=st.floats(0.015625, 1, width=32)))
def test_entropy_is_scipys_and_knows_no_order_of_classes(raw: NDArray[np.float32]) -> None:
    probabilities = raw / raw.sum(axis=0)
    found = entropy(probabilities)
    np.testing.assert_allclose(found, stats.entropy(probabilities, base=3), atol=1e-5)
    np.testing.assert_allclose(entropy(probabilities[::-1]), found, atol=1e-6)
    assert found.min() >= 0
    assert found.max() <= 1


@given(planes)
def test_entropy_of_a_foreground_is_that_of_both_classes(foreground: NDArray[np.float32]) -> None:
    both = np.stack((1 - foreground, foreground))
    np.testing.assert_allclose(entropy(foreground[None]), entropy(both), atol=1e-6)


def test_rank_correlation_is_scipys() -> None:
    rng = np.random.default_rng(0)
    real = rng.beta(8, 2, 60).round(2)  # with equal ranks
    predicted = real + rng.normal(0, 0.08, 60)
    found = rank_correlation(predicted, real)
    assert found.rho == pytest.approx(stats.spearmanr(predicted, real).statistic)
    oracle = stats.bootstrap(
        (predicted, real),
        lambda a, b: stats.spearmanr(a, b).statistic,
        paired=True,
        vectorized=False,
        n_resamples=600,
        method="percentile",
        rng=np.random.default_rng(1),
    )
    assert found.low == pytest.approx(oracle.confidence_interval.low, abs=0.05)
    assert found.high == pytest.approx(oracle.confidence_interval.high, abs=0.05)


def test_images_without_a_figure_are_left_out_and_counted() -> None:
    found = rank_correlation([0.1, math.nan, 0.3, 0.4, 0.5], [0.1, 0.2, 0.3, 0.4, math.nan])
    assert (found.rho, found.n, found.n_absent) == (pytest.approx(1), 3, 2)


@pytest.mark.parametrize(
    ("predicted", "real"), [([], []), ([0.1, 0.2], [0.3, 0.4]), ([0.5] * 5, [0.1, 0.2, 0.3, 0.4, 0.5])]
)
def test_too_few_or_constant_figures_have_no_correlation(predicted: list[float], real: list[float]) -> None:
    found = rank_correlation(predicted, real)
    assert math.isnan(found.rho) and math.isnan(found.low) and math.isnan(found.high)
    assert found.n == len(predicted)


@given(rated)
def test_rank_correlation_is_symmetric_and_turns_with_its_sign(drawn: list[tuple[float, float]]) -> None:
    a, b = zip(*drawn, strict=True)
    found, other = rank_correlation(a, b, n_draws=50), rank_correlation(b, a, n_draws=50)
    assert (found.rho, found.low, found.high) == pytest.approx(
        (other.rho, other.low, other.high), nan_ok=True
    )
    opposite = rank_correlation([-figure for figure in a], b, n_draws=50).rho
    assert opposite == pytest.approx(-found.rho, nan_ok=True)
    assert math.isnan(found.rho) or -1 <= found.low <= found.high <= 1


@given(rated)
def test_only_the_order_counts(drawn: list[tuple[float, float]]) -> None:
    a, b = zip(*drawn, strict=True)
    found = rank_correlation(a, b, n_draws=50)
    stretched = rank_correlation([math.exp(3 * figure) for figure in a], b, n_draws=50)
    assert (found.rho, found.low, found.high) == pytest.approx(
        (stretched.rho, stretched.low, stretched.high), nan_ok=True
    )


@given(st.lists(figures, min_size=3, max_size=10, unique=True))
def test_quality_that_is_known_has_a_correlation_of_one(real: list[float]) -> None:
    found = rank_correlation(real, real, n_draws=50)
    assert found.rho == pytest.approx(1)
    assert found.low == pytest.approx(1)
