"""The elastic deformation of Ronneberger 2015, section 3.1: its field's statistics, and what it moves.

"We generate smooth deformations using random displacement vectors on a coarse 3 by 3 grid. The displacements
are sampled from a Gaussian distribution with 10 pixels standard deviation. Per-pixel displacements are then
computed using bicubic interpolation."
"""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Generator, Tensor

from seglet.patches.augment import AugmentConfig, draw_spatial
from seglet.patches.sampler import PatchConfig, PatchSampler
from seglet.patches.sources import make_truth
from seglet.patches.targets import BorderWeightConfig
from seglet.patches.warp import coordinates
from seglet.preprocessing.transform import Prepared

SIGMA, GRID, SIDE, N = 10.0, 3, 33, 3000  # of 33 pixels the grid's points are pixels 0, 16 and 32
ORIGINAL: dict[str, Any] = {
    "elastic": SIGMA,
    "elastic_grid": GRID,
    "probability": 1,
    "rotation": 0,
    "tilt": 0,
    "flip": 0,
    "scale": (1, 1),
    "brightness": 0,
    "contrast": (1, 1),
    "gamma": (1, 1),
    "noise": 0,
    "blur": 0,
}


def _keys(t: float) -> float:
    """The cubic convolution kernel of Keys 1981, equation (4), with a = -3/4."""
    a, t = -0.75, abs(t)
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0.0


def _bicubic_weights() -> np.ndarray:
    """(pixel, grid point): the share of each point; beyond the grid its last point goes on."""
    weights = np.zeros((SIDE, GRID))
    for pixel in range(SIDE):
        place = pixel * (GRID - 1) / (SIDE - 1)
        for point in range(int(place) - 1, int(place) + 3):
            weights[pixel, min(max(point, 0), GRID - 1)] += _keys(place - point)
    return weights


def _draw(n: int) -> tuple[Tensor, Tensor]:
    """(n, 2, 3, 3) displacements on the grid, and the (n, y, x, 2) displacement of every pixel."""
    center = torch.full((n, 2), (SIDE - 1) / 2)
    drawn = draw_spatial(center, AugmentConfig(**ORIGINAL), Generator().manual_seed(0))
    straight = torch.stack(torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij"), -1)
    return drawn.elastic, coordinates(drawn, (SIDE, SIDE)).movedim(1, -1) - straight


def test_displacements_on_the_grid_are_gaussian_with_ten_pixels() -> None:
    """Of 54,000 numbers, the mean and the deviation within four of their own standard errors."""
    elastic, _ = _draw(N)
    assert elastic.shape == (N, 2, 3, 3)
    assert float(elastic.mean()) == pytest.approx(0, abs=0.17)
    assert float(elastic.std()) == pytest.approx(10, abs=0.12)
    inside_one, inside_two = ((elastic.abs() < n * SIGMA).float().mean() for n in (1, 2))
    assert float(inside_one) == pytest.approx(0.6827, abs=0.01)
    assert float(inside_two) == pytest.approx(0.9545, abs=0.01)


def test_grid_points_patches_and_axes_are_independent() -> None:
    elastic, _ = _draw(N)
    correlated = np.corrcoef(elastic.flatten(1).numpy().T) - np.eye(18)
    assert np.abs(correlated).max() < 5 / N**0.5
    between = (elastic[1:] * elastic[:-1]).mean() / SIGMA**2
    assert float(between) == pytest.approx(0, abs=0.02)


def test_pixels_on_the_grid_are_moved_as_drawn() -> None:
    elastic, moved = _draw(20)
    on_grid = moved[:, :: SIDE // 2, :: SIDE // 2].movedim(-1, 1)
    np.testing.assert_allclose(on_grid, elastic, atol=1e-4)


def test_pixels_between_are_interpolated_bicubically() -> None:
    elastic, moved = _draw(20)
    weights = _bicubic_weights()
    np.testing.assert_allclose(weights.sum(1), 1)
    expected = np.einsum("y i, x j, n a i j -> n y x a", weights, weights, elastic.numpy())
    np.testing.assert_allclose(moved, expected, atol=1e-4)


def test_variance_between_the_points_is_that_of_the_bicubic_weights() -> None:
    """Independent points: the variance of a pixel is 100 times the sum of its squared weights."""
    _, moved = _draw(N)
    squared = (_bicubic_weights() ** 2).sum(1)
    expected = SIGMA**2 * np.outer(squared, squared)
    assert expected[0, 0] == expected[16, 32] == pytest.approx(100)
    between = 0.5**2 + 0.59375**2 + 0.09375**2  # midway: a point and its repetition, the next, the last
    assert expected[8, 8] == pytest.approx(100 * between**2)
    np.testing.assert_allclose(moved.mean(0), 0, atol=5 * SIGMA / N**0.5)
    for axis in range(2):
        np.testing.assert_allclose(moved[..., axis].var(0), expected, rtol=5 * (2 / N) ** 0.5)


def test_image_labels_and_weights_are_moved_by_one_field() -> None:
    """An image of its own coordinates says where each pixel came from; truth and weights came from there."""
    side = 96
    objects = np.zeros((side, side), np.int32)
    for number, (y, x) in enumerate(np.ndindex(6, 6), start=1):
        objects[16 * y : 16 * y + 13, 16 * x : 16 * x + 14] = number
    labels = (objects > 0).astype(np.uint8)
    case = Prepared("a", np.stack(np.mgrid[:side, :side]).astype(np.float32), labels, objects)
    config = PatchConfig(augment=AugmentConfig(**ORIGINAL), border_weight=BorderWeightConfig())
    sampler = PatchSampler([case], (64, 64), 4, config, seed=0, device=torch.device("cpu"))
    batch = sampler.batch(0)
    sure = ((batch.images % 1 - 0.5).abs() > 1e-3).all(1)  # else either of two pixels is the nearest
    y, x = torch.round(batch.images).long().unbind(1)
    assert float(sure.float().mean()) > 0.98
    bent = (batch.images.diff(dim=-1)[:, 1] - 1).abs()
    assert float(bent.mean()) > 0.1
    expected = make_truth(case, BorderWeightConfig())
    np.testing.assert_array_equal(batch.labels[sure], expected[0][y[sure], x[sure]])
    np.testing.assert_array_equal(batch.weights[sure], expected[1][y[sure], x[sure]])
    assert float(batch.weights.max()) > 8
