"""Resampling: exact against numpy where it moves whole pixels, mirrored beyond the border."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from seglet.core.grid import Region
from seglet.patches.warp import SpatialDraw, boxes_around, coordinates, mirrored_inside, places_in, warp

GRID = 4


def _draw(center: tuple[float, ...], matrix: list[list[float]], elastic: Tensor | None = None) -> SpatialDraw:
    d = len(center)
    bent = torch.zeros(1, d, *(GRID,) * d) if elastic is None else elastic
    return SpatialDraw(torch.tensor([center]), torch.tensor([matrix]).float(), bent)


def _index_image(*shape: int) -> Tensor:
    return torch.arange(math.prod(shape)).reshape(1, *shape).float()


def _warp(source: Tensor, draw: SpatialDraw, patch: tuple[int, ...], mode: str = "linear") -> np.ndarray:
    places = mirrored_inside(coordinates(draw, patch), [tuple(source.shape[1:])])
    return warp(source[None], places, mode)[0, 0].numpy()  # type: ignore[arg-type]


IDENTITY = [[1.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize("mode", ["linear", "nearest"])
@pytest.mark.parametrize("shape", [(9, 9), (8, 6), (1, 5), (1, 1), (4, 5, 6), (1, 3, 2)])
def test_identity_gives_the_image_back(shape: tuple[int, ...], mode: str) -> None:
    source = _index_image(*shape)
    center = tuple((n - 1) / 2 for n in shape)
    result = _warp(source, _draw(center, torch.eye(len(shape)).tolist()), shape, mode)
    np.testing.assert_allclose(result, source[0], atol=1e-4)


def test_center_says_where_the_patch_is_cut() -> None:
    source = _index_image(20, 30)
    result = _warp(source, _draw((6.0, 17.0), IDENTITY), (5, 3))
    np.testing.assert_allclose(result, source[0, 4:9, 16:19], atol=1e-3)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ([[-1.0, 0.0], [0.0, 1.0]], np.flipud),
        ([[1.0, 0.0], [0.0, -1.0]], np.fliplr),
        ([[0.0, -1.0], [1.0, 0.0]], lambda a: np.rot90(a, -1)),
        ([[0.0, 1.0], [-1.0, 0.0]], np.rot90),
        ([[-1.0, 0.0], [0.0, -1.0]], lambda a: np.rot90(a, 2)),
    ],
)
@pytest.mark.parametrize("mode", ["linear", "nearest"])
@pytest.mark.parametrize("side", [8, 9])
def test_flips_and_right_angles_equal_numpy(matrix, expected, mode: str, side: int) -> None:  # type: ignore[no-untyped-def]
    source = _index_image(side, side)
    middle = (side - 1) / 2
    result = _warp(source, _draw((middle, middle), matrix), (side, side), mode)
    np.testing.assert_allclose(result, expected(source[0].numpy()), atol=1e-3)


def test_place_beyond_the_border_is_mirrored() -> None:
    source = _index_image(6, 7)
    result = _warp(source, _draw((0.0, 0.0), IDENTITY), (9, 11))
    expected = np.pad(source[0].numpy(), ((4, 4), (5, 5)), mode="reflect")[:9, :11]
    np.testing.assert_allclose(result, expected, atol=1e-3)


def test_place_beyond_the_border_of_a_volume_is_mirrored() -> None:
    source = _index_image(3, 6, 7)
    result = _warp(source, _draw((0.0, 0.0, 0.0), torch.eye(3).tolist()), (7, 9, 11))
    expected = np.pad(source[0].numpy(), ((3, 3), (4, 4), (5, 5)), mode="reflect")[:7, :9, :11]
    np.testing.assert_allclose(result, expected, atol=1e-3)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.floats(-40, 40))
def test_mirroring_equals_numpy_at_any_distance(n: int, place: float) -> None:
    padded = np.pad(np.arange(n, dtype=float), 50, mode="reflect")
    expected = np.interp(place + 50, np.arange(n + 100), padded)
    inside = mirrored_inside(torch.tensor([[[place]]], dtype=torch.float64), [(n,)])
    assert inside.item() == pytest.approx(expected, abs=1e-9)


def test_box_holds_every_pixel_that_is_interpolated_from() -> None:
    places = torch.tensor([[[1.2, 2.0, 1.9], [4.0, 6.5, 5.0]], [[0.0, 0.0, 0.0], [3.0, 2.1, 3.9]]])
    boxes = boxes_around(places)
    assert boxes == [Region((1, 4), (3, 8)), Region((0, 2), (1, 5))]
    there = torch.tensor([[[0.2, 1.0, 0.9], [0.0, 2.5, 1.0]], [[0.0, 0.0, 0.0], [1.0, 0.1, 1.9]]])
    torch.testing.assert_close(places_in(boxes, places), there)


@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_cutting_the_box_first_changes_nothing(mode: str) -> None:
    source = torch.randn(2, 12, 20, 24, generator=torch.Generator().manual_seed(0))
    elastic = 2 * torch.randn(1, 3, GRID, GRID, GRID, generator=torch.Generator().manual_seed(1))
    matrix = [[1.0, 0.1, 0.0], [0.0, 0.8, -0.6], [0.0, 0.6, 0.8]]
    places = coordinates(_draw((3.0, 9.0, 20.0), matrix, elastic), (6, 8, 8))
    places = mirrored_inside(places, [(12, 20, 24)])
    (box,) = boxes_around(places)
    cut = warp(source[None][(..., *box.slices)], places_in([box], places), mode)  # type: ignore[arg-type]
    whole = warp(source[None], places, mode)  # type: ignore[arg-type]
    if mode == "linear":
        torch.testing.assert_close(cut, whole, atol=1e-4, rtol=0)
    else:  # where a place lies halfway between two pixels, rounding decides
        assert float((cut == whole).float().mean()) > 0.999


@pytest.mark.parametrize("axes", [(0, 1), (0, 2), (1, 2)])
def test_right_angles_of_volumes_equal_numpy(axes: tuple[int, int]) -> None:
    source = _index_image(7, 7, 7)
    matrix = np.eye(3)
    a, b = axes
    matrix[a, a] = matrix[b, b] = 0
    matrix[a, b], matrix[b, a] = 1, -1
    result = _warp(source, _draw((3.0, 3.0, 3.0), matrix.tolist()), (7, 7, 7))
    np.testing.assert_allclose(result, np.rot90(source[0].numpy(), axes=axes), atol=1e-3)


def test_half_pixel_shift_averages_neighbors() -> None:
    result = _warp(torch.tensor([[[0.0, 4.0, 8.0]]]), _draw((0.0, 0.5), IDENTITY), (1, 1))
    np.testing.assert_allclose(result, [[2.0]], atol=1e-5)


def test_matrix_of_one_half_makes_objects_twice_as_large() -> None:
    source = torch.zeros(1, 21, 21)
    source[0, 8:13, 8:13] = 1
    result = _warp(source, _draw((10.0, 10.0), [[0.5, 0.0], [0.0, 0.5]]), (21, 21), "nearest")
    assert abs(math.sqrt(result.sum()) - 10) <= 1


def test_constant_elastic_field_is_a_shift() -> None:
    elastic = torch.zeros(1, 2, GRID, GRID)
    elastic[:, 0], elastic[:, 1] = 2, -3
    source = _index_image(20, 20)
    result = _warp(source, _draw((10.0, 10.0), IDENTITY, elastic), (5, 5))
    np.testing.assert_allclose(result, source[0, 10:15, 5:10], atol=1e-3)


def test_elastic_field_goes_through_its_corner_points() -> None:
    elastic = torch.randn(1, 2, GRID, GRID, generator=torch.Generator().manual_seed(0))
    bent = coordinates(_draw((0.0, 0.0), IDENTITY, elastic), (16, 24))
    straight = coordinates(_draw((0.0, 0.0), IDENTITY), (16, 24))
    moved = (bent - straight)[0].movedim(0, -1)
    np.testing.assert_allclose(moved[0, 0], elastic[0, :, 0, 0], atol=1e-5)
    np.testing.assert_allclose(moved[-1, -1], elastic[0, :, -1, -1], atol=1e-5)
    np.testing.assert_allclose(moved[0, -1], elastic[0, :, 0, -1], atol=1e-5)


def test_elastic_field_of_volumes_bends_smoothly_through_its_corner_points() -> None:
    elastic = torch.randn(1, 3, GRID, GRID, GRID, generator=torch.Generator().manual_seed(0))
    straight, bent = (_draw((0, 0, 0), torch.eye(3).tolist(), field) for field in (None, elastic))
    moved = (coordinates(bent, (5, 6, 160)) - coordinates(straight, (5, 6, 160)))[0].movedim(0, -1)
    np.testing.assert_allclose(moved[0, 0, 0], elastic[0, :, 0, 0, 0], atol=1e-5)
    np.testing.assert_allclose(moved[-1, 0, -1], elastic[0, :, -1, 0, -1], atol=1e-5)
    assert float(moved.diff(dim=2).diff(dim=2).abs().max()) < 0.02  # no kinks between the coarse points


def test_labels_warp_as_their_image() -> None:
    """An image that shows its own labels still shows them afterwards."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 5, (1, 40, 40), generator=generator).float()
    elastic = 3 * torch.randn(1, 2, GRID, GRID, generator=generator)
    matrix = [[0.8, -0.6], [0.6, 0.8]]
    draw = _draw((20.3, 18.9), matrix, elastic)
    places = mirrored_inside(coordinates(draw, (32, 32)), [(40, 40)])
    (both,) = warp(torch.cat([_index_image(40, 40), labels])[None], places, "nearest")
    np.testing.assert_array_equal(labels[0].flatten()[both[0].long()], both[1])


def test_smooth_image_and_its_index_image_warp_alike() -> None:
    """Bilinear and nearest sampling look at the same place."""
    y, x = torch.meshgrid(torch.arange(40.0), torch.arange(40.0), indexing="ij")
    draw = _draw((20.0, 20.0), [[0.8, -0.6], [0.6, 0.8]])  # stays inside
    places = coordinates(draw, (16, 16))
    smooth = warp(torch.stack([y, x])[None], places, "linear")
    np.testing.assert_allclose(smooth, places, atol=1e-3)
    nearest = warp(torch.stack([y, x])[None], places, "nearest")
    assert float((nearest - smooth).abs().max()) <= 0.5 + 1e-3


def test_each_patch_of_a_batch_has_its_own_place() -> None:
    draw = SpatialDraw(
        torch.tensor([[1.0, 2.0], [5.0, 6.0]]),
        torch.eye(2).repeat(2, 1, 1),
        torch.zeros(2, 2, GRID, GRID),
    )
    places = coordinates(draw, (3, 3))
    assert places.shape == (2, 2, 3, 3)
    assert places[:, :, 1, 1].tolist() == [[1, 2], [5, 6]]


@pytest.mark.parametrize("flip", [1.0, -1.0])
@pytest.mark.parametrize("side", [7, 128])
def test_places_of_whole_pixels_are_exact_far_from_the_corner(flip: float, side: int) -> None:
    start = 20_003
    middle = start + (side - 1) / 2
    places = mirrored_inside(
        coordinates(_draw((middle, middle), [[flip, 0.0], [0.0, 1.0]]), (side, side)), [(30_000, 30_000)]
    )
    expected = torch.arange(start, start + side).float()
    assert torch.equal(places[0, 1], expected.expand(side, side))
    assert torch.equal(places[0, 0], (expected if flip > 0 else expected.flip(0))[:, None].expand(side, side))
