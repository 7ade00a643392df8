"""A rule becomes weights of classes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglet.losses.balance import balanced, enet, inverse_frequency
from seglet.losses.combined import LossConfig


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=6).filter(any))
def test_inverse_frequency_weighs_classes_alike_and_pixels_one_on_average(counts: list[int]) -> None:
    fractions = [count / sum(counts) for count in counts]
    shares = [p * w for p, w in zip(fractions, inverse_frequency(fractions), strict=True)]
    assert sum(shares) == pytest.approx(1)
    assert [s for s in shares if s] == pytest.approx([1 / sum(map(bool, counts))] * sum(map(bool, counts)))


def test_absent_class_has_no_inverse_frequency() -> None:
    assert inverse_frequency([0.75, 0.25, 0]) == pytest.approx((2 / 3, 2, 0))


def test_nothing_counted_weighs_nothing() -> None:
    assert inverse_frequency([0, 0]) == (0, 0)


@given(st.floats(0, 1), st.floats(0, 1))
def test_enet_prefers_the_rarer_class(p: float, q: float) -> None:
    first, second = enet([p, q])
    assert (first >= second) == (p <= q) or first == second


@pytest.mark.parametrize(("rule", "weights"), [("inverse_frequency", inverse_frequency), ("enet", enet)])
def test_balanced_puts_weights_for_the_rule_and_leaves_the_rest(rule: str, weights: object) -> None:
    config = LossConfig(class_balance=rule, focal=3)  # type: ignore[arg-type]
    found = balanced(config, (0.8, 0.2))
    assert found == LossConfig(class_weights=weights((0.8, 0.2)), focal=3)  # type: ignore[operator]


def test_without_a_rule_nothing_changes() -> None:
    config = LossConfig(class_weights=(1, 7))
    assert balanced(config, (0.8, 0.2)) is config
