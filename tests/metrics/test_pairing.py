"""Paired differences: intervals, tests and their edges."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from seglet.metrics.pairing import EXACT, compare_pairs, sign_flip_p
from seglet.metrics.statistics import bootstrap_mean

figures = st.floats(0, 1).map(lambda figure: round(figure, 3))
pairs = st.lists(st.tuples(figures, figures), min_size=1, max_size=12)


def drawn(n: int, shift: float = 0.02, seed: int = 0) -> tuple[list[float], list[float]]:
    rng = np.random.default_rng(seed)
    a = rng.beta(8, 2, n)
    return (a + rng.normal(shift, 0.03, n)).tolist(), a.tolist()


def test_difference_is_the_bootstrap_of_differences() -> None:
    a, b = drawn(20)
    assert compare_pairs(a, b).difference == bootstrap_mean(np.subtract(a, b))


@pytest.mark.parametrize("n", [2, 5, 9])
def test_exact_permutation_test_looks_at_every_arrangement(n: int) -> None:
    a, b = drawn(n)
    differences = np.subtract(a, b)
    sums = [abs(np.dot(signs, differences)) for signs in product((-1, 1), repeat=n)]
    expected = np.mean([total >= abs(differences.sum()) - 1e-12 for total in sums])
    assert compare_pairs(a, b).permutation_p == expected


def test_permutation_test_is_scipys() -> None:
    a, b = drawn(10, 0.01)
    oracle = stats.permutation_test(
        (np.array(a), np.array(b)),
        lambda x, y, axis: (x - y).mean(axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=np.inf,
    )
    assert compare_pairs(a, b).permutation_p == pytest.approx(oracle.pvalue)


def test_drawn_permutation_test_comes_close_to_the_exact_one() -> None:
    a, b = drawn(EXACT, 0.01)
    zeros = [0.5] * EXACT
    exact = compare_pairs(a, b)
    assert exact.is_exact
    spread = [*np.subtract(a, b), *(1e-6 * np.ones(8))]  # too small to matter, and enough to be drawn
    assert sign_flip_p(spread) == pytest.approx(exact.permutation_p, abs=0.02)
    assert sign_flip_p(spread, seed=1) != sign_flip_p(spread)
    both = compare_pairs([*a, *zeros], [*b, *zeros])
    assert (both.is_exact, both.permutation_p) == (True, exact.permutation_p)


def test_drawn_p_is_never_zero() -> None:
    a, b = drawn(60, 0.5)
    found = compare_pairs(a, b, n_draws=999)
    assert not found.is_exact
    assert found.permutation_p == 1 / 1000


@pytest.mark.parametrize("n", [6, 12, 30, 80])
def test_wilcoxon_is_scipys(n: int) -> None:
    a, b = drawn(n, 0.01, seed=n)
    oracle = stats.wilcoxon(a, b)
    assert compare_pairs(a, b).wilcoxon_p == pytest.approx(oracle.pvalue)


def test_wilcoxon_of_few_with_equal_ranks_is_exact() -> None:
    a, b = [0.9, 0.8, 0.7, 0.5, 0.5], [0.8, 0.7, 0.6, 0.4, 0.5]  # one pair equal; ranks 2.5, 2.5, 2.5, 2.5
    assert compare_pairs(a, b).wilcoxon_p == 2 / 2**4


def test_hand_counted_ranks() -> None:
    found = compare_pairs([0.5, 0.7, 0.9, 0.4], [0.4, 0.5, 0.6, 0.8])
    assert (found.larger, found.equal, found.smaller, found.n_images) == (3, 0, 1, 4)
    assert found.rank_biserial == pytest.approx((1 + 2 + 3 - 4) / 10)


def test_windows_of_one_image_change_sides_together() -> None:
    a, b = [0.9] * 10 + [0.8] * 10, [0.5] * 20
    found = compare_pairs(a, b, ["x"] * 10 + ["y"] * 10)
    assert (found.n_images, found.larger, found.difference.n) == (2, 2, 20)
    assert found.permutation_p == 2 / 2**2
    assert compare_pairs(a, b).permutation_p < 0.001


def test_pairs_without_a_figure_are_left_out_and_counted() -> None:
    found = compare_pairs([0.9, math.nan, 0.7], [0.5, 0.5, math.nan])
    assert (found.n_images, found.difference.n, found.difference.n_absent) == (1, 1, 2)
    assert compare_pairs([0.9, math.nan], [0.5, 0.5], ["a", "b"]).n_images == 1


def test_without_pairs_there_are_no_figures() -> None:
    for found in (compare_pairs([], []), compare_pairs([math.nan], [0.5])):
        assert found.n_images == 0
        for figure in (found.difference.mean, found.rank_biserial, found.permutation_p, found.wilcoxon_p):
            assert math.isnan(figure)
    assert math.isnan(sign_flip_p([]))


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="longer"):
        compare_pairs([0.5], [0.5, 0.6])


@given(pairs)
def test_a_method_is_equal_to_itself(drawn_pairs: list[tuple[float, float]]) -> None:
    a = [pair[0] for pair in drawn_pairs]
    found = compare_pairs(a, a, n_draws=50)
    assert (found.equal, found.larger, found.smaller) == (len(a), 0, 0)
    assert (found.difference.mean, found.rank_biserial) == (0, 0)
    assert (found.permutation_p, found.wilcoxon_p) == (1, 1)


@given(pairs)
def test_exchanging_both_turns_the_sign_alone(drawn_pairs: list[tuple[float, float]]) -> None:
    a, b = zip(*drawn_pairs, strict=True)
    one, other = compare_pairs(a, b, n_draws=50), compare_pairs(b, a, n_draws=50)
    assert one.difference.mean == pytest.approx(-other.difference.mean)
    assert one.rank_biserial == pytest.approx(-other.rank_biserial)
    assert (one.larger, one.equal, one.smaller) == (other.smaller, other.equal, other.larger)
    assert one.permutation_p == other.permutation_p
    assert one.wilcoxon_p == other.wilcoxon_p


@given(pairs, st.randoms(use_true_random=False))
def test_order_of_images_does_not_matter(drawn_pairs: list[tuple[float, float]], random: object) -> None:
    shuffled = list(drawn_pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one = compare_pairs(*zip(*drawn_pairs, strict=True), n_draws=50)
    other = compare_pairs(*zip(*shuffled, strict=True), n_draws=50)
    assert one.permutation_p == other.permutation_p
    assert one.wilcoxon_p == other.wilcoxon_p
    assert one.rank_biserial == pytest.approx(other.rank_biserial)


@given(pairs)
def test_ranges(drawn_pairs: list[tuple[float, float]]) -> None:
    found = compare_pairs(*zip(*drawn_pairs, strict=True), n_draws=50)
    assert found.larger + found.equal + found.smaller == found.n_images == len(drawn_pairs)
    assert -1 <= found.rank_biserial <= 1
    n_moved = found.larger + found.smaller
    for p in (found.permutation_p, found.wilcoxon_p):
        assert min(2 / 2**n_moved, 1) <= p <= 1


def test_false_alarms_are_as_rare_as_the_test_says() -> None:
    rng = np.random.default_rng(5)
    n_alarms = sum(sign_flip_p(rng.normal(0, 1, 10)) < 0.05 for _ in range(400))
    assert n_alarms < 36  # 20 expected; more than 35 in 1 of 1000 such tests
