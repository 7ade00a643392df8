"""Objects drawn apart, their borders, distances and weights; against literal slow versions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.ndimage import distance_transform_edt, label

from seglet.core.image import IGNORE
from seglet.patches.targets import (
    BORDER,
    INTERIOR,
    BorderWeightConfig,
    TargetConfig,
    border_classes,
    border_distances,
    border_weights,
    objects_of,
    separate,
)

SHAPES = [(24, 31), (7, 11, 13)]


def _mosaic(shape: tuple[int, ...], seed: int, n_most: int = 9) -> np.ndarray:
    """Boxes laid over each other: many touch, some have holes or several pieces."""
    rng = np.random.default_rng(seed)
    objects = np.zeros(shape, np.int32)
    for number in rng.permutation(np.arange(1, n_most)):
        corner, sides = rng.integers(0, shape), rng.integers(1, 12, len(shape))
        objects[tuple(slice(a, a + n) for a, n in zip(corner, sides, strict=True))] = number
    return objects


def _depth(objects: np.ndarray) -> np.ndarray:
    """Distance of each object's pixel to the nearest pixel that is not the object's, all pairs looked at."""
    places = np.argwhere(np.ones(objects.shape, bool))
    numbers = objects[tuple(places.T)]
    away = np.sqrt(((places[:, None] - places) ** 2).sum(-1))
    away[numbers[:, None] == numbers] = np.inf
    return np.where(objects > 0, away.min(1).reshape(objects.shape), 0)


def _literal(objects: np.ndarray, peak: float, sigma: float) -> np.ndarray:
    """Equation (2) of Ronneberger 2015 pixel by pixel: all distances, sorted, the first two."""
    numbers = [n for n in np.unique(objects) if n]
    weights = np.zeros(objects.shape)
    if len(numbers) < 2:
        return weights
    distances = np.stack([distance_transform_edt(objects != n) for n in numbers])
    for place in zip(*np.nonzero(objects == 0), strict=True):
        nearest, second = sorted(distances[(slice(None), *place)])[:2]
        weights[place] = peak * np.exp(-((nearest + second) ** 2) / (2 * sigma**2))
    return weights


def test_gap_of_one_pixel_by_hand() -> None:
    weights = border_weights(np.array([[1, 0, 2]]), BorderWeightConfig(peak=10, sigma=5))
    assert weights.dtype == np.float32
    np.testing.assert_allclose(weights, [[0, 10 * np.exp(-4 / 50), 0]], rtol=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.3, 4.0), st.sampled_from([0.0, 1.0, 10.0]))
@pytest.mark.parametrize("shape", [(24, 31), (7, 11, 13)])
def test_weights_equal_the_literal_formula(
    shape: tuple[int, ...], seed: int, sigma: float, peak: float
) -> None:
    rng = np.random.default_rng(seed)
    objects = np.zeros(shape, np.int32)
    for number in rng.choice(np.arange(1, 9), rng.integers(0, 6), replace=False):
        corner, sides = rng.integers(0, shape), rng.integers(1, 7, len(shape))
        objects[tuple(slice(a, a + n) for a, n in zip(corner, sides, strict=True))] = number
    found = border_weights(objects, BorderWeightConfig(peak=peak, sigma=sigma))
    np.testing.assert_allclose(found, _literal(objects, peak, sigma), atol=1e-6 * max(1.0, peak))


@pytest.mark.parametrize("objects", [np.zeros((5, 5), int), np.eye(5, dtype=int)])
def test_fewer_than_two_objects_weigh_nothing(objects: np.ndarray) -> None:
    assert (border_weights(objects, BorderWeightConfig()) == 0).all()


def test_numbers_of_objects_do_not_matter() -> None:
    objects = np.array([[1, 0, 0, 2], [1, 0, 0, 2]])
    renamed = np.where(objects == 1, 40, np.where(objects == 2, 7, 0))
    config = BorderWeightConfig()
    np.testing.assert_array_equal(border_weights(objects, config), border_weights(renamed, config))


def test_pixels_far_from_both_objects_weigh_nothing() -> None:
    objects = np.zeros((1, 400), int)
    objects[0, 0], objects[0, 399] = 1, 2
    assert border_weights(objects, BorderWeightConfig(peak=10, sigma=5)).max() < 1e-6


def test_objects_are_those_of_the_mask_else_components_that_share_sides() -> None:
    labels = np.array([[1, 0, 2, 2], [0, 1, 1, 0], [IGNORE, 0, 1, 1]], np.uint8)
    numbered = np.array([[1, 0, 2, 2], [0, 1, 1, 0], [0, 0, 3, 3]], np.int32)
    assert objects_of(labels, numbered) is numbered
    found = objects_of(labels, None)
    np.testing.assert_array_equal(found > 0, (labels > 0) & (labels != IGNORE))
    assert found[0, 0] != found[1, 1], "pixels that share a corner are not connected"
    assert found[1, 2] == found[2, 3]
    assert sorted(np.unique(found)) == [0, 1, 2, 3]
    assert found.dtype == np.int32


def _row(text: str) -> np.ndarray:
    return np.array([[int(c) for c in text]], np.int32)


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (0, "1111222222033"),
        (1, "1111022222033"),  # off the larger one
        (2, "1110022222033"),  # one off each
        (3, "1110002222033"),
        (4, "1100002222033"),
    ],
)
def test_background_between_touching_objects_is_as_wide_as_said(width: int, expected: str) -> None:
    objects = _row("1111222222033")
    found = separate(objects, np.minimum(objects, 1).astype(np.uint8), width)
    np.testing.assert_array_equal(found, _row(expected))
    assert found.dtype == np.int32


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("seed", range(8))
def test_separated_objects_share_no_side_and_none_is_lost(
    shape: tuple[int, ...], width: int, seed: int
) -> None:
    objects = _mosaic(shape, seed)
    found = separate(objects, (objects > 0).astype(np.uint8), width)
    assert set(np.unique(found)) == set(np.unique(objects))
    np.testing.assert_array_equal(found[found > 0], objects[found > 0])
    erased = {n for n in np.unique(found) if n and (found == n).sum() == 1}
    components, n_components = label(found > 0)
    for component in range(1, n_components + 1):
        together = set(np.unique(found[components == component]).tolist())
        assert len(together - erased) <= 1, "only the last pixel of an object may touch another"


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([1, 2, 3]))
def test_numbers_and_sides_do_not_matter_to_what_is_drawn_apart(seed: int, width: int) -> None:
    objects = _mosaic((20, 20), seed)
    sizes = np.bincount(objects.ravel())[1:]
    labels = (objects > 0).astype(np.uint8)
    gap = separate(objects, labels, width) == 0
    mirrored = separate(objects[::-1, ::-1].T.copy(), labels[::-1, ::-1].T.copy(), width) == 0
    if len(set(sizes[sizes > 0])) == (sizes > 0).sum():  # of two of one size the later loses the odd pixel
        renamed = np.where(objects > 0, 20 - objects, 0).astype(np.int32)
        np.testing.assert_array_equal(separate(renamed, labels, width) == 0, gap)
    grown = (gap != mirrored.T[::-1, ::-1]).sum()
    assert grown <= 2 * (sizes > 0).sum(), "beside the pixel that is left of an object nothing differs"


def test_objects_far_from_each_other_and_of_other_classes_stay() -> None:
    objects = _row("1110222033")
    labels = np.minimum(objects, 1).astype(np.uint8)
    np.testing.assert_array_equal(separate(objects, labels, 3), objects)
    organs = _row("1112220")
    np.testing.assert_array_equal(separate(organs, organs.astype(np.uint8), 2), organs)
    assert not separate(np.zeros((4, 5), np.int32), np.zeros((4, 5), np.uint8), 2).any()


def test_of_an_object_that_would_vanish_its_farthest_pixel_is_left() -> None:
    objects = np.ones((9, 9), np.int32)
    objects[3:6, 3:6] = 2
    found = separate(objects, np.ones((9, 9), np.uint8), 6)
    np.testing.assert_array_equal(np.argwhere(found == 2), [[4, 4]])
    assert (found == 1).any()


@pytest.mark.parametrize("shape", [(12, 17), (5, 6, 7)])
@pytest.mark.parametrize("seed", range(6))
def test_borders_and_distances_equal_the_literal_ones(shape: tuple[int, ...], seed: int) -> None:
    objects = _mosaic(shape, seed)
    depth = _depth(objects)
    for width in (1, 1.5, 2):
        expected = np.where(objects > 0, np.where(depth <= width, BORDER, INTERIOR), 0)
        np.testing.assert_array_equal(border_classes(objects, width), expected)
    found = border_distances(objects)
    assert found.dtype == np.float32
    for number in set(np.unique(objects)) - {0}:
        inside = objects == number
        np.testing.assert_allclose(found[inside], depth[inside] / depth[inside].max(), rtol=1e-6)
    assert not found[objects == 0].any()


def test_the_edge_of_the_image_is_no_border() -> None:
    objects = _row("11112222")
    np.testing.assert_array_equal(border_classes(objects, 2), _row("11222211"))
    np.testing.assert_allclose(border_distances(objects), [[1, 0.75, 0.5, 0.25, 0.25, 0.5, 0.75, 1]])


def test_an_object_that_fills_the_image_has_no_border() -> None:
    full = np.ones((4, 5), np.int32)
    assert (border_classes(full, 2) == INTERIOR).all()
    assert (border_distances(full) == 1).all()


def test_no_object_has_neither_border_nor_distance() -> None:
    empty = np.zeros((4, 5), np.int32)
    assert not border_classes(empty, 2).any()
    assert not border_distances(empty).any()


@pytest.mark.parametrize("setting", [{"border_width": 0}, {"separation": -1}, {"kind": "edges"}])
def test_impossible_target_is_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(setting))):
        TargetConfig(**setting)


@pytest.mark.parametrize("setting", [{"sigma": 0}, {"peak": -1}])
def test_impossible_setting_is_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(setting))):
        BorderWeightConfig(**setting)
