"""Sizes, places and edges of objects, against counting pixel by pixel."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from seglet.core.grid import Region
from seglet.postprocessing.census import Census, join, take_census, unite

SHAPE = (9, 11)


def _numbers(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 6, SHAPE) * (rng.random(SHAPE) < 0.5)


def _whole(numbers: np.ndarray, n: int = 5) -> Census:
    return take_census(numbers, n, Region((0, 0), SHAPE), SHAPE)


def _same(one: Census, other: Census) -> bool:
    there = one.sizes > 0
    return np.array_equal(one.sizes, other.sizes) and all(
        np.array_equal(getattr(one, name)[there], getattr(other, name)[there])
        for name in ("first", "at_edge", "start", "stop")
    )


@given(st.integers(0, 1000))
def test_rows_say_what_pixels_say(seed: int) -> None:
    numbers = _numbers(seed)
    census = _whole(numbers)
    for number in range(1, 6):
        places = np.argwhere(numbers == number)
        assert census.sizes[number] == len(places)
        if len(places):
            assert census.first[number] == places[0] @ (SHAPE[1], 1)
            assert census.box(number) == Region(tuple(places.min(0)), tuple(places.max(0) + 1))
            at_edge = (places == 0).any() or (places == np.array(SHAPE) - 1).any()
            assert census.at_edge[number] == at_edge


@given(st.integers(0, 1000), st.integers(1, 8))
def test_parts_united_are_the_whole(seed: int, cut: int) -> None:
    numbers = _numbers(seed)
    top = take_census(numbers[:cut], 5, Region((0, 0), (cut, 11)), SHAPE)
    bottom = take_census(numbers[cut:], 5, Region((cut, 0), SHAPE), SHAPE)
    roots = np.array([0, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5])
    assert _same(_whole(numbers), unite(join([top, bottom]), roots, 5))


def test_background_and_missing_numbers_have_no_pixels() -> None:
    census = _whole(np.zeros(SHAPE, int), n=2)
    assert census.sizes.tolist() == [0, 0, 0]
    assert not census.at_edge.any()


def test_nothing_at_all_has_the_background_alone() -> None:
    assert _whole(np.zeros(SHAPE, int), n=0).sizes.tolist() == [0]
