"""Border weights against a literal reading of the paper's formula."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.ndimage import distance_transform_edt

from seglet.patches.targets import BorderWeightConfig, border_weights


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


@pytest.mark.parametrize("setting", [{"sigma": 0}, {"peak": -1}])
def test_impossible_setting_is_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match=next(iter(setting))):
        BorderWeightConfig(**setting)
