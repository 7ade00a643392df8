"""Patches, strides and kernels, worked out by hand."""

from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglet.preprocessing.levels import (
    PATCH_VOXELS,
    choose_levels,
    fit_sides,
    patch_memory,
    total_stride,
    wished_sides,
)
from seglet.preprocessing.target import Target


def _target(extent: tuple[int, ...], steps: tuple[float, ...]) -> Target:
    return Target("2d" if len(extent) == 2 else "3d", 0, None, steps, extent, 1)


def test_flat_patches_are_squares_unless_the_image_is_smaller() -> None:
    assert wished_sides(_target((500, 90), (1, 3))) == (128, 90)


def test_patch_of_a_large_volume_is_a_cube_in_millimeters() -> None:
    assert wished_sides(_target((500, 500, 500), (1, 1, 1))) == pytest.approx((48, 48, 48))
    z, y, x = wished_sides(_target((500, 500, 500), (2, 1, 1)))
    assert (z * 2, y) == pytest.approx((y, x))
    assert z * y * x == pytest.approx(PATCH_VOXELS)


def test_what_a_thin_axis_leaves_goes_to_the_others() -> None:
    assert wished_sides(_target((12, 500, 500), (1, 1, 1))) == pytest.approx((12, 96, 96))


def test_small_volume_is_taken_whole() -> None:
    assert wished_sides(_target((37, 50, 36), (1, 1, 1))) == (37, 50, 36)


@given(st.tuples(*[st.integers(1, 900)] * 3), st.tuples(*[st.floats(0.1, 9)] * 3))
def test_patch_fits_the_volume_and_the_budget(extent: tuple[int, ...], steps: tuple[float, ...]) -> None:
    sides = wished_sides(_target(extent, steps))
    assert all(0 < side <= n for side, n in zip(sides, extent, strict=True))
    assert prod(sides) == pytest.approx(min(PATCH_VOXELS, prod(extent)))


def test_flat_images_are_halved_along_both_axes_at_every_level() -> None:
    assert choose_levels((9, 9), (1, 5), 4) == (((2, 2),) * 3, ((3, 3),) * 4)


def test_isotropic_volume_is_halved_down_to_four_voxels() -> None:
    strides, kernels = choose_levels((37, 50, 17), (1, 1, 1), 5)
    assert strides == ((2, 2, 2), (2, 2, 2), (2, 2, 1), (1, 1, 1))
    assert kernels == ((3, 3, 3),) * 5


def test_fine_axes_are_halved_first() -> None:
    strides, kernels = choose_levels((32, 128, 128), (3, 1, 1), 4)
    assert strides == ((1, 2, 2), (2, 2, 2), (2, 2, 2))
    assert kernels == ((1, 3, 3), (3, 3, 3), (3, 3, 3), (3, 3, 3))


def test_axis_that_was_looked_along_once_stays_so() -> None:
    """The last axis is too short to be halved and stays the finest by far; the others go on."""
    strides, kernels = choose_levels((64, 64, 6), (1, 1, 1), 5)
    assert strides == ((2, 2, 1),) * 4
    assert kernels == ((3, 3, 3),) * 5


def test_side_is_rounded_to_what_can_be_halved() -> None:
    strides = ((1, 2, 2), (2, 2, 2))
    assert total_stride(strides, 3) == (2, 4, 4)
    assert fit_sides((9.4, 49.0, 50.1), (60, 49, 60), strides) == (10, 52, 52)  # 49: the volume's own, up
    assert fit_sides((24.0, 41.0), (24, 41), ((2, 2),)) == (24, 40)
    assert fit_sides((1.0, 1.0), (1, 1), ((2, 2),) * 3) == (8, 8)
    assert fit_sides((5.0, 6.0, 7.0), (5, 6, 7), ()) == (5, 6, 7)


def test_memory_of_a_flat_patch_by_hand() -> None:
    per_pixel = 4 * 4 + 4 * 8 / 4  # channels of the four convolutions of each level
    assert patch_memory((10, 10), (4, 8), ((2, 2),)) == 100 * per_pixel * 3 * 4


def test_memory_of_a_volume_patch_by_hand() -> None:
    per_voxel = 4 * 4 + 4 * 8 / 4 + 4 * 16 / 32
    assert patch_memory((8, 10, 10), (4, 8, 16), ((1, 2, 2), (2, 2, 2))) == 800 * per_voxel * 3 * 4
