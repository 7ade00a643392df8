"""What is counted in masks."""

import tracemalloc

import numpy as np
import pytest
from scipy import ndimage

from seglet.data.survey import (
    as_volume,
    common_kind,
    count_values,
    is_color,
    looks_interpolated,
    looks_like_instances,
    survey_mask,
    tally,
)


def test_values_pieces_and_touching_are_counted() -> None:
    mask = np.array([[1, 2, 0, 1], [1, 2, 0, 0], [0, 0, 0, 2]], np.uint8)
    one = survey_mask(mask)
    assert one.values.tolist() == [0, 1, 2]
    assert one.counts.tolist() == [6, 3, 3]
    assert one.n_pieces.tolist() == [0, 2, 2]
    assert one.n_touching.tolist() == [0, 0, 1]


@pytest.mark.parametrize("mask", [np.zeros((2, 3), np.uint8), np.full((2, 3), 7, np.uint16)])
def test_a_mask_of_one_value(mask: np.ndarray) -> None:
    one = survey_mask(mask)
    assert one.values.tolist() == [mask[0, 0]]
    assert one.counts.tolist() == [6]


def test_kinds_of_color_are_told_apart_and_joined() -> None:
    gray = survey_mask(np.full((2, 2, 3), 9, np.uint8))
    black = survey_mask(np.zeros((2, 2, 3), np.uint8))
    red = survey_mask(np.full((2, 2, 3), 9, np.uint8) * np.array([1, 0, 0], np.uint8))
    blue = survey_mask(np.full((2, 2, 3), 9, np.uint8) * np.array([0, 0, 1], np.uint8))
    assert [one.kind for one in (gray, red, blue)] == ["gray", "red", "color"]
    assert common_kind([red, black]) == "red"
    assert common_kind([red, gray]) == "color"
    assert tally([red, black], "red").values.tolist() == [0, 9]
    assert tally([gray, blue], "color").values.tolist() == [0x000009, 0x090909]


def test_three_spread_classes_are_not_soft_edges() -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[5:35, 5:35] = 128
    mask[15:25, 15:25] = 255
    one = survey_mask(mask)
    assert not looks_interpolated([one], tally([one], "gray"))


def balls(n: int, shape: tuple[int, int, int] = (24, 40, 40), radius: float = 3) -> np.ndarray:
    """Number equal balls from 1 on, on a raster where none touch."""
    step = int(2 * radius + 2)
    centers = [np.arange(step // 2, side - step // 2 + 1, step) for side in shape]
    places = np.stack(np.meshgrid(*centers, indexing="ij"), axis=-1).reshape(-1, 3)[:n]
    mask = np.zeros(shape, np.uint16)
    for k, (z, y, x) in enumerate(places, start=1):
        zs, ys, xs = np.ogrid[: shape[0], : shape[1], : shape[2]]
        mask[(zs - z) ** 2 + (ys - y) ** 2 + (xs - x) ** 2 <= radius**2] = k
    assert len(places) == n
    return mask


def organs(n: int) -> np.ndarray:
    """Write organs of very unlike sizes, each in one piece."""
    mask = np.zeros((20, 60, 4 * n), np.int16)
    for k in range(n):
        mask[2:18, 2 : 6 + 2 * k if k % 2 else 3, 4 * k : 4 * k + 3] = k + 1
    return mask


def test_a_volume_is_counted_like_a_flat_mask() -> None:
    one = survey_mask(balls(30).astype(np.int16) - 5)
    values, counts = np.unique(balls(30).astype(np.int16) - 5, return_counts=True)
    assert one.is_volume
    np.testing.assert_array_equal(one.values, values)
    np.testing.assert_array_equal(one.counts, counts)


def test_diagonal_neighbors_in_a_volume_are_one_piece() -> None:
    mask = np.zeros((3, 4, 5), np.uint8)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[2, 3, 4] = 2
    mask[2, 0, 0] = 1
    assert survey_mask(mask).n_pieces.tolist() == [0, 1, 2]


@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64])
def test_far_apart_values_are_counted(dtype: type) -> None:
    mask = np.zeros((3, 4, 5), dtype)
    mask[0, 0, :2], mask[2, 3, 4] = 5_000_000, 7
    one = survey_mask(mask)
    assert one.values.tolist() == [0, 7, 5_000_000]
    assert one.counts.tolist() == [57, 1, 2]


def test_a_large_volume_takes_little_more_memory_than_itself() -> None:
    mask = np.zeros((64, 512, 512), np.int16)
    for k in range(1, 15):
        mask[4 * k : 4 * k + 3, 30 * k : 30 * k + 20, 100:300] = k
    tracemalloc.start()
    one = survey_mask(mask)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert one.values.tolist() == list(range(15))
    assert one.counts[1:].tolist() == [3 * 20 * 200] * 14
    assert (one.n_pieces[1:] == 1).all()
    assert peak < 150e6


def test_colors_and_large_flat_masks_take_little_memory() -> None:
    colors = np.zeros((1500, 1500, 3), np.uint8)
    colors[100:700, 100:700] = (255, 0, 7)
    colors[900:1200, 100:700] = (0, 9, 0)
    tracemalloc.start()
    one = survey_mask(colors)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert one.values.tolist() == [0, 0x000900, 0xFF0007]
    assert one.counts.tolist()[1:] == [300 * 600, 600 * 600]
    assert peak < 25 * 1500 * 1500


def test_a_large_flat_mask_is_counted_in_full_and_taken_apart_thinned() -> None:
    mask = np.zeros((4200, 4200), np.uint8)
    mask[10:2000, 10:2000], mask[2100:4000, 2100:4000] = 1, 2
    one = survey_mask(mask)
    assert one.counts.tolist()[1:] == [1990**2, 1900**2]
    assert one.n_pieces.tolist() == [0, 1, 1]


def test_sixteen_bit_colors_are_numbers_of_their_own() -> None:
    colors = np.zeros((4, 5, 3), np.uint16)
    colors[1:3] = (40000, 7, 300)
    assert survey_mask(colors).values.tolist() == [0, (40000 << 16) + (7 << 8 | 300)]


def test_numbered_cells_in_volumes_are_objects_and_organs_are_not() -> None:
    for cells in ([balls(30)], [balls(12), balls(7), balls(9)]):
        surveys = [survey_mask(mask) for mask in cells]
        assert looks_like_instances(surveys, tally(surveys, "gray"))
    for anatomy in ([organs(40)], [organs(13), organs(12)], [organs(3), organs(2)]):
        surveys = [survey_mask(mask) for mask in anatomy]
        assert not looks_like_instances(surveys, tally(surveys, "gray"))


def test_interpolated_volumes_are_told_from_many_organs() -> None:
    soft = (ndimage.gaussian_filter((balls(1, (40, 40, 40), 12) > 0) * 1.0, 1.0) * 255).astype(np.uint8)
    blurred = survey_mask(soft)
    assert looks_interpolated([blurred], tally([blurred], "gray"))
    many = survey_mask(organs(40))
    assert not looks_interpolated([many], tally([many], "gray"))


def test_a_volume_three_voxels_wide_is_no_color() -> None:
    volume = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    assert is_color(volume)
    assert not is_color(as_volume(volume))
    assert survey_mask(as_volume(volume)).is_volume


@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5)])
def test_two_values_are_counted_as_any_others(shape: tuple[int, ...]) -> None:
    mask = np.zeros(shape, np.uint8)
    mask.flat[:7] = 255
    for values, expected in ((mask, [0, 255]), (mask.astype(np.int32) * 10**6, [0, 255 * 10**6])):
        found, counts = count_values(values)
        assert found.tolist() == expected
        assert counts.tolist() == [mask.size - 7, 7]
