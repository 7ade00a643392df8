"""Components found block by block are those of the whole image."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglet.core.errors import GeometryError
from seglet.core.grid import Region
from seglet.postprocessing.block_labels import MOST_NUMBERS, label_blocks, require_numbers
from seglet.postprocessing.rules import census_of, components_of

shapes = st.sampled_from([(13, 17), (1, 20), (7, 8, 9)])


@given(shapes, st.integers(0, 10_000), st.integers(2, 9), st.integers(2, 9), st.booleans())
def test_components_are_those_of_the_whole(
    shape: tuple[int, ...], seed: int, side: int, other: int, diagonal: bool
) -> None:
    mask = np.random.default_rng(seed).random(shape) < (0.4 if diagonal else 0.6)
    canvas = np.full(shape, -1, np.int32)
    block = (side, other, 4)[: len(shape)]
    roots, census = label_blocks(lambda region: mask[region.slices], canvas, block, diagonal=diagonal)
    expected, n = components_of(mask, diagonal=diagonal)
    whole = census_of(expected, n)
    order, expected_order = np.argsort(census.first[1:]) + 1, np.argsort(whole.first[1:]) + 1
    for name in ("sizes", "first", "at_edge", "start", "stop"):
        assert np.array_equal(getattr(census, name)[order], getattr(whole, name)[expected_order])
    found = roots[canvas]
    assert np.array_equal(found > 0, mask)
    rank = np.zeros(n + 1, int)
    rank[order] = expected_order
    assert np.array_equal(rank[found], expected)


def test_snake_through_all_blocks_is_one_component() -> None:
    mask = np.zeros((21, 21), bool)
    mask[::2] = True
    mask[1::4, -1] = mask[3::4, 0] = True
    canvas = np.zeros(mask.shape, np.int32)
    roots, census = label_blocks(lambda region: mask[region.slices], canvas, (4, 5))
    assert len(census.sizes) == 2
    assert census.sizes[1] == mask.sum()
    assert set(roots.tolist()) == {0, 1}


def test_corners_of_four_blocks_meet_only_diagonally() -> None:
    mask = np.array([[1, 0], [0, 1]], bool)
    for mirrored in (mask, mask[:, ::-1]):
        for diagonal in (False, True):
            canvas = np.zeros((2, 2), np.int32)
            _, census = label_blocks(
                lambda region, m=mirrored: m[region.slices], canvas, (1, 1), diagonal=diagonal
            )
            assert len(census.sizes) - 1 == (1 if diagonal else 2)


def test_what_stood_in_a_block_can_be_read_until_it_is_written() -> None:
    canvas = np.arange(1, 37, dtype=np.int32).reshape(6, 6)
    before = canvas.copy()

    def mask_of(region: Region) -> np.ndarray:
        assert np.array_equal(canvas[region.slices], before[region.slices])
        return canvas[region.slices] % 7 > 2

    roots, _ = label_blocks(mask_of, canvas, (2, 3))
    assert np.array_equal(roots[canvas] > 0, before % 7 > 2)


def test_more_numbers_than_the_canvas_holds_are_refused() -> None:
    require_numbers(MOST_NUMBERS)
    with pytest.raises(GeometryError, match="threshold"):
        require_numbers(MOST_NUMBERS + 1)
