"""The weight map of Ronneberger 2015, equation (2), against a literal slow version and worked values."""

from math import exp

import numpy as np
import pytest

from seglet.patches.sources import make_truth
from seglet.patches.targets import BorderWeightConfig, TargetConfig, border_weights
from seglet.preprocessing.transform import Prepared

W0, SIGMA = 10.0, 5.0  # Ronneberger 2015, section 3


def _literal(objects: np.ndarray, w0: float, sigma: float) -> np.ndarray:
    """The second term of equation (2): of each pixel, all distances to all pixels of all cells."""
    weights = np.zeros(objects.shape)
    cells = [np.argwhere(objects == number) for number in np.unique(objects) if number]
    if len(cells) < 2:
        return weights
    for place in np.argwhere(objects == 0):
        d1, d2 = sorted(np.sqrt(((cell - place) ** 2).sum(1)).min() for cell in cells)[:2]
        weights[tuple(place)] = w0 * exp(-((d1 + d2) ** 2) / (2 * sigma**2))
    return weights


def _cells(shape: tuple[int, ...], n: int, seed: int) -> np.ndarray:
    """Discs of several sizes, some of which touch or lie over others."""
    rng = np.random.default_rng(seed)
    places = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1)
    objects = np.zeros(shape, np.int32)
    for number in range(1, n + 1):
        center, radius = rng.integers(0, shape), rng.uniform(1, 6)
        objects[((places - center) ** 2).sum(-1) <= radius**2] = number
    return objects


def _map_of(row: list[int], **targets: int) -> np.ndarray:
    """All of the map of one row of numbered cells, where both classes weigh 1."""
    objects = np.array([row], np.int32)
    case = Prepared("a", np.zeros((1, *objects.shape), np.float32), (objects > 0).astype(np.uint8), objects)
    return make_truth(case, BorderWeightConfig(), TargetConfig(**targets))[1][0]


def test_the_published_height_and_width_are_the_default() -> None:
    config = BorderWeightConfig()
    assert (config.peak, config.sigma) == (W0, SIGMA)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("shape", "n"), [((48, 56), 12), ((14, 19), 2), ((10, 14, 16), 6)])
def test_map_equals_the_literal_formula(shape: tuple[int, ...], n: int, seed: int) -> None:
    objects = _cells(shape, n, seed)
    found = border_weights(objects, BorderWeightConfig())
    np.testing.assert_allclose(found, _literal(objects, W0, SIGMA), atol=1e-5)
    assert found.max() > 0.5, "cells are near to each other"


def test_pixel_between_two_cells_one_pixel_apart_weighs_ten_times_the_others() -> None:
    """d1 = d2 = 1: 1 + 10 exp(-4 / 50) = 10.2312."""
    np.testing.assert_allclose(_map_of([1, 0, 2]), [1, 10.2312, 1], atol=1e-4)


def test_map_falls_off_with_the_distance_of_the_cells() -> None:
    """Two pixels apart d1 + d2 = 3, three apart 4, ten apart 11, wherever in between."""
    for gap, expected in {2: 9.3527, 3: 8.2615, 10: 1.8892}.items():
        np.testing.assert_allclose(_map_of([1] + [0] * gap + [2])[1:-1], expected, atol=1e-4)


def test_cells_that_touch_are_parted_by_a_line_of_the_full_weight() -> None:
    """Separated by one pixel of the larger cell, d1 = d2 = 1 there; without, nothing tells them apart."""
    np.testing.assert_array_equal(_map_of([1, 1, 1, 2, 2]), 1)
    np.testing.assert_allclose(_map_of([1, 1, 1, 2, 2], separation=1), [1, 1, 10.2312, 1, 1], atol=1e-4)


def test_a_third_cell_farther_away_does_not_matter() -> None:
    two, three = _map_of([1, 0, 0, 2, 2, 2]), _map_of([1, 0, 0, 2, 2, 3])
    np.testing.assert_array_equal(two, three)


def test_of_masks_without_numbers_cells_are_the_connected_components() -> None:
    labels = np.array([[1, 1, 0, 1, 1, 0, 0, 1]], np.uint8)
    case = Prepared("a", np.zeros((1, 1, 8), np.float32), labels)
    found = make_truth(case, BorderWeightConfig())[1]
    np.testing.assert_allclose(found, [[1, 1, 10.2312, 1, 1, 9.3527, 9.3527, 1]], atol=1e-4)
