"""Holes, small components, the largest one, the edge; by hand and against pixel-by-pixel versions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglet.postprocessing.rules import (
    apply_rules,
    are_kept,
    census_of,
    components_of,
    fill_holes,
    numbering,
)
from seglet.postprocessing.settings import DecodingConfig

RING = np.array(
    [
        [0, 0, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 1, 1, 0],
        [0, 1, 0, 0, 0, 1, 0],
        [0, 1, 0, 1, 0, 1, 0],
        [0, 1, 0, 0, 0, 1, 0],
        [0, 1, 1, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    bool,
)


def _flooded(mask: np.ndarray, *, diagonal: bool) -> list[set[tuple[int, ...]]]:
    """Connected pixels, visited one by one, in scan order of their first."""
    offsets = [
        step
        for step in np.ndindex(*(3,) * mask.ndim)
        if (diagonal and step != (1,) * mask.ndim) or sum(abs(s - 1) for s in step) == 1
    ]
    left = {tuple(place) for place in np.argwhere(mask).tolist()}
    found = []
    for first in sorted(left):
        if first not in left:
            continue
        left.discard(first)
        part, queue = {first}, [first]
        while queue:
            here = queue.pop()
            for step in offsets:
                there = tuple(a + s - 1 for a, s in zip(here, step, strict=True))
                if there in left:
                    left.discard(there)
                    part.add(there)
                    queue.append(there)
        found.append(part)
    return found


def _touches(part: set[tuple[int, ...]], shape: tuple[int, ...]) -> bool:
    return any(a in (0, n - 1) for place in part for a, n in zip(place, shape, strict=True))


def _mask(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(seed).random(shape) < 0.6


shapes = st.sampled_from([(9, 8), (1, 7), (4, 5, 4)])


@given(st.integers(0, 1000), shapes, st.booleans())
def test_components_are_what_flooding_finds(seed: int, shape: tuple[int, ...], diagonal: bool) -> None:
    mask = _mask(seed, shape)
    numbers, n = components_of(mask, diagonal=diagonal)
    parts = _flooded(mask, diagonal=diagonal)
    assert n == len(parts)
    assert {frozenset(p) for p in parts} == {
        frozenset(tuple(place) for place in np.argwhere(numbers == k).tolist()) for k in range(1, n + 1)
    }


@given(st.integers(0, 1000), shapes, st.integers(0, 6))
def test_holes_are_enclosed_and_small(seed: int, shape: tuple[int, ...], max_hole: int) -> None:
    mask = _mask(seed, shape)
    expected = mask.copy()
    for part in _flooded(~mask, diagonal=True):
        if len(part) <= max_hole and not _touches(part, shape):
            expected[tuple(np.array(sorted(part)).T)] = True
    assert np.array_equal(fill_holes(mask, max_hole), expected)


def test_hole_with_an_island_is_filled_around_it() -> None:
    assert np.array_equal(fill_holes(RING, 7), RING)
    assert fill_holes(RING, 8).sum() == 25


def test_hole_that_holds_what_is_taken_stays() -> None:
    ring = RING.copy()
    ring[3, 3] = False
    taken = np.zeros_like(ring)
    assert fill_holes(ring, 9, taken).sum() == 25
    taken[3, 3] = True
    assert np.array_equal(fill_holes(ring, 9, taken), ring)


def test_of_equally_large_components_the_first_is_kept() -> None:
    components = np.array([[3, 0, 1, 1, 0, 2, 2]])
    kept = are_kept(census_of(components, 3), DecodingConfig(keep="largest"))
    assert kept.tolist() == [False, True, False, False]


def test_numbers_follow_the_first_pixels() -> None:
    objects = np.array([[0, 5, 0, 2], [3, 5, 0, 2]])
    assert numbering(census_of(objects, 5), DecodingConfig()).tolist() == [0, 0, 2, 3, 0, 1]
    assert numbering(census_of(objects, 5), DecodingConfig(min_size=2)).tolist() == [0, 0, 2, 0, 0, 1]


def test_objects_at_the_edge_can_be_removed() -> None:
    objects = np.zeros((5, 5), int)
    objects[0, 2], objects[2, 2], objects[4, 4] = 1, 2, 3
    assert numbering(census_of(objects, 3), DecodingConfig(edge="remove")).tolist() == [0, 0, 1, 0]


def test_nothing_has_no_numbers() -> None:
    census = census_of(np.zeros((4, 4), int), 0)
    assert numbering(census, DecodingConfig(keep="largest", edge="remove")).tolist() == [0]
    assert are_kept(census, DecodingConfig(keep="largest")).tolist() == [False]


def test_each_class_keeps_its_own_largest_component() -> None:
    labels = np.array([[1, 1, 0, 2, 0, 1], [1, 0, 0, 0, 2, 2]], np.uint8)
    ruled = apply_rules(labels, DecodingConfig(keep="largest"))
    assert ruled.tolist() == [[1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 2, 2]]
    assert ruled.dtype == np.uint8


def test_hole_is_filled_by_the_class_that_encloses_it_but_not_over_another_class() -> None:
    labels = np.where(RING, 2, 0).astype(np.uint8)
    assert (apply_rules(labels, DecodingConfig(max_hole=20)) == 2).sum() == 25
    labels[3, 3] = 1
    assert np.array_equal(apply_rules(labels, DecodingConfig(max_hole=20)), labels)


def test_small_and_cut_components_of_any_class_become_background() -> None:
    labels = np.zeros((6, 6), np.uint8)
    labels[1:3, 1:3], labels[4, 4], labels[0, 5] = 1, 2, 3
    assert np.unique(apply_rules(labels, DecodingConfig(min_size=2))).tolist() == [0, 1]
    assert np.unique(apply_rules(labels, DecodingConfig(edge="remove"))).tolist() == [0, 1, 2]


@given(st.integers(0, 1000), st.integers(0, 4), st.integers(0, 4), st.sampled_from(["all", "largest"]))
def test_rules_applied_twice_change_nothing_more(seed: int, small: int, hole: int, keep: str) -> None:
    labels = np.random.default_rng(seed).choice(4, (8, 9), p=[0.4, 0.3, 0.2, 0.1]).astype(np.uint8)
    config = DecodingConfig(min_size=small, max_hole=hole, keep=keep)
    once = apply_rules(labels, config)
    assert ((once == labels) | (once == 0) | (labels == 0)).all()
    if hole == 0:  # what is removed may leave new holes
        assert np.array_equal(apply_rules(once, config), once)


@pytest.mark.parametrize("shape", [(5, 6), (3, 4, 5)])
def test_rules_that_ask_for_nothing_change_nothing(shape: tuple[int, ...]) -> None:
    labels = np.random.default_rng(0).integers(0, 3, shape).astype(np.uint8)
    assert np.array_equal(apply_rules(labels, DecodingConfig()), labels)
