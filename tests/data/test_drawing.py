"""Draws keep groups whole and give every part every class."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seglet.core.image import IGNORE, Image, Sample
from seglet.data.cases import Case
from seglet.data.drawing import classes_in, draw_units, fewest_lacking, group_units
from seglet.io.sources import File


def make_cases(groups: list[str | None]) -> list[Case]:
    file = File(Path("data"), "x.png")
    return [Case(f"c{k:02}", (file,), (file,), group=group) for k, group in enumerate(groups)]


def test_cases_of_a_group_are_one_unit_and_others_stand_alone() -> None:
    units = group_units(make_cases(["a", None, "a", "b", None]))
    assert [[case.id for case in unit] for unit in units] == [["c00", "c02"], ["c01"], ["c03"], ["c04"]]


def test_a_case_named_like_a_group_does_not_join_it() -> None:
    file = File(Path("data"), "x.png")
    cases = [Case("a", (file,), (file,)), Case("b", (file,), (file,), group="a")]
    assert len(group_units(cases)) == 2


@given(st.integers(2, 12), st.integers(1, 5), st.integers(0, 100))
def test_a_draw_never_tears_a_group_and_never_takes_all(n: int, n_wanted: int, seed: int) -> None:
    cases = make_cases([f"g{k % 4}" if k % 3 else None for k in range(n)])
    units = group_units(cases)
    if len(units) < 2:
        return
    drawn = draw_units(units, n_wanted, np.random.default_rng(seed))
    assert 0 < len(drawn) < n
    for unit in units:
        assert len({case.id for case in unit} & drawn) in (0, len(unit))


def test_a_draw_leaves_no_side_without_a_class_that_two_cases_show() -> None:
    cases = make_cases([None] * 12)
    rare = {"c03", "c09"}
    classes = {case.id: frozenset({1, 2} if case.id in rare else {1}) for case in cases}
    for seed in range(20):
        drawn = draw_units(group_units(cases), 3, np.random.default_rng(seed), classes)
        assert len(drawn & rare) == 1


def test_the_best_draw_is_kept_where_none_is_good() -> None:
    classes = {"a": frozenset({1, 2}), "b": frozenset[int](), "c": frozenset({1})}
    draws = [{"b"}, {"c"}]
    best = fewest_lacking(draws, lambda drawn: (drawn, set(classes) - drawn), classes)
    assert best == {"c"}


def test_classes_are_those_that_are_seen() -> None:
    labels = np.array([[0, 2], [IGNORE, 2]], np.uint8)
    assert classes_in(Sample("a", Image(np.zeros((1, 2, 2))), labels)) == {2}
    assert classes_in(Sample("a", Image(np.zeros((1, 2, 2))), np.zeros((2, 2), np.uint8))) == frozenset()
