"""Window arithmetic: partitions, mirroring, blending; properties over many shapes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seglet.core.grid import (
    Cover,
    Region,
    cube,
    mirrored,
    read_beyond,
    read_mirrored,
    spread_boxes,
    spread_windows,
)

QUICK = settings(max_examples=60, deadline=None)
Axis = tuple[int, int, int]  # extent, window, margin


@st.composite
def axes(draw: st.DrawFn) -> Axis:
    """An axis, a window and a margin that fits it."""
    margin = draw(st.integers(0, 6))
    return draw(st.integers(1, 40)), draw(st.integers(2 * margin + 1, 2 * margin + 15)), margin


def test_region_knows_its_shape_and_slices() -> None:
    region = Region((1, -2), (4, 3))
    assert region.shape == (3, 5)
    assert region.slices == (slice(1, 4), slice(-2, 3))


def test_region_is_cut_to_a_shape() -> None:
    assert Region((-3, 2), (2, 20)).within((10, 10)) == Region((0, 2), (2, 10))


def test_region_beyond_a_shape_becomes_empty() -> None:
    assert Region((12, -9), (15, -4)).within((10, 10)).shape == (0, 0)


def test_region_moves() -> None:
    assert Region((0, 5), (2, 7)).shifted((3, -1)) == Region((3, 4), (5, 6))


def test_regions_by_hand() -> None:
    assert list(Cover((5,), (2,))) == [Region((0,), (2,)), Region((2,), (4,)), Region((4,), (6,))]


def test_regions_come_row_by_row() -> None:
    corners = [region.start for region in Cover((4, 6), (2, 3))]
    assert corners == [(0, 0), (0, 3), (2, 0), (2, 3)]


@QUICK
@given(axes(), axes())
def test_regions_partition_the_shape(y: Axis, x: Axis) -> None:
    shape, window, _ = zip(y, x, strict=True)
    covered = np.zeros(shape, int)
    for region in Cover(shape, window):
        assert region.shape == window
        covered[region.within(shape).slices] += 1
    assert (covered == 1).all()


@QUICK
@given(st.tuples(axes(), axes(), axes()))
def test_regions_of_volumes_partition_the_shape(sides: tuple[Axis, Axis, Axis]) -> None:
    shape, window, _ = zip(*sides, strict=True)
    covered = np.zeros(shape, np.uint8)
    for region in Cover(shape, window):
        covered[region.within(shape).slices] += 1
    assert (covered == 1).all()


def test_regions_of_any_shape_are_found_by_their_number() -> None:
    grid = Cover((10**6, 10**6, 10**6), (100, 100, 100))
    assert len(grid) == 10**12
    assert grid[10**4 + 2] == Region((0, 100, 200), (100, 200, 300))
    assert grid[-1].stop == grid.shape
    assert grid[1:3] == [grid[1], grid[2]]
    with pytest.raises(IndexError):
        grid[10**12]


def test_volumes_are_covered_too() -> None:
    covered = np.zeros((3, 5, 4), int)
    for region in Cover(covered.shape, (2, 4, 4)):
        covered[region.within(covered.shape).slices] += 1
    assert (covered == 1).all()


def test_border_pixel_is_not_repeated() -> None:
    assert mirrored(-2, 5, 3).tolist() == [2, 1, 0, 1, 2, 1, 0]


@QUICK
@given(st.integers(1, 9), st.integers(0, 30), st.integers(0, 30))
def test_mirrored_reading_equals_numpy_reflection(extent: int, before: int, after: int) -> None:
    row = np.arange(extent)
    expected = np.pad(row, (before, after), mode="reflect")
    assert row[mirrored(-before, extent + after, extent)].tolist() == expected.tolist()


@QUICK
@given(
    st.tuples(st.integers(1, 6), st.integers(1, 6)),
    st.tuples(st.integers(-15, 15), st.integers(-15, 15)),
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
)
def test_any_region_reads_as_from_a_padded_image(
    shape: tuple[int, int], start: tuple[int, int], extent: tuple[int, int]
) -> None:
    pixels = np.arange(2 * shape[0] * shape[1]).reshape(2, *shape)
    region = Region(start, (start[0] + extent[0], start[1] + extent[1]))
    padded = np.pad(pixels, ((0, 0), (30, 30), (30, 30)), mode="reflect")
    expected = padded[(slice(None), *region.shifted((30, 30)).slices)]
    np.testing.assert_array_equal(read_mirrored(pixels, region), expected)


@QUICK
@given(
    st.lists(st.integers(1, 6), min_size=2, max_size=3).flatmap(
        lambda shape: st.tuples(
            st.just(tuple(shape)),
            st.tuples(*(st.integers(-9, 9) for _ in shape)),
            st.tuples(*(st.integers(1, 8) for _ in shape)),
        )
    )
)
def test_nothing_is_read_beyond_the_border(
    case: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]],
) -> None:
    shape, start, extent = case
    pixels = np.arange(np.prod(shape)).reshape(shape)
    region = Region(start, tuple(a + n for a, n in zip(start, extent, strict=True)))

    def read(inside: Region) -> np.ndarray:
        assert inside.within(shape) == inside
        assert all(n > 0 for n in inside.shape)
        return pixels[inside.slices]

    np.testing.assert_array_equal(read_beyond(read, region, shape), read_mirrored(pixels, region))


@QUICK
@given(
    st.integers(2, 3).flatmap(
        lambda n: st.tuples(
            st.tuples(*[st.integers(1, 10**6)] * n),
            st.tuples(*[st.integers(1, 300)] * n),
            st.integers(1, 100),
        )
    )
)
def test_spread_boxes_are_equal_apart_and_inside(
    sizes: tuple[tuple[int, ...], tuple[int, ...], int],
) -> None:
    shape, box, most = sizes
    found = spread_boxes(shape, box, most)
    assert 1 <= len(found) == len(set(found)) <= most
    assert {region.shape for region in found} == {tuple(min(a, b) for a, b in zip(shape, box, strict=True))}
    assert all(region == region.within(shape) for region in found)
    for axis in range(len(shape)):
        stretches = sorted({(region.start[axis], region.stop[axis]) for region in found})
        assert all(a[1] <= b[0] for a, b in pairwise(stretches))


@pytest.mark.parametrize("shape", [(2000, 2000), (300, 400, 500)])
def test_many_boxes_reach_both_ends_of_every_axis(shape: tuple[int, ...]) -> None:
    found = spread_boxes(shape, cube(len(shape), 32**3), 64)
    assert len(found) == 64
    assert all(min(region.start[axis] for region in found) == 0 for axis in range(len(shape)))
    assert all(max(region.stop[axis] for region in found) == n for axis, n in enumerate(shape))


@pytest.mark.parametrize("n", [8, 64, 512])
def test_boxes_are_spread_evenly(n: int) -> None:
    """Every eighth of a cube has its share of the first boxes, however many they are."""
    middles = np.array([region.start for region in spread_boxes((6400,) * 3, (64,) * 3, n)]) + 32
    eighths = (middles > 3200) @ (1, 2, 4)
    assert np.bincount(eighths, minlength=8).min() >= n // 8 - max(1, n // 32)


def test_only_wanted_boxes_are_chosen_unless_there_are_none() -> None:
    def is_low(region: Region) -> bool:
        return region.start[0] < 100

    found = spread_boxes((10_000, 10_000), (50, 50), 30, is_low)
    assert len(found) == 30
    assert all(map(is_low, found))
    assert spread_boxes((500, 500), (50, 50), 7, lambda region: False) == spread_boxes(
        (500, 500), (50, 50), 7
    )


def test_windows_of_a_small_image_are_all_there_are() -> None:
    found = spread_windows((10, 7), (4, 7), 3)
    assert found == [Region((0, 0), (4, 7)), Region((4, 0), (8, 7)), Region((8, 0), (10, 7))]
    assert spread_windows((10, 7), (4, 7), 3, lambda region: region.start[0] > 0) == found[1:]
    assert len(spread_windows((10, 7), (4, 7), 2)) == 2


def test_a_cube_holds_at_most_so_many_pixels() -> None:
    assert (cube(2, 100), cube(3, 1000), cube(3, 999)) == ((10, 10), (10, 10, 10), (9, 9, 9))
