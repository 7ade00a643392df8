"""Local contrast: of any image, however small, flat or holed."""

import numpy as np
import pytest

from seglet.preprocessing.contrast import equalize

SHAPES = [(1, 1), (1, 9), (3, 3), (7, 7), (8, 8), (9, 200), (64, 3), (101, 67), (5, 20, 30), (16, 24, 3)]


def noise(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(1000, 50, (1, *shape)).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
def test_result_lies_between_zero_and_one_whatever_the_extent(shape: tuple[int, ...]) -> None:
    result = equalize(noise(shape))
    assert result.shape == (1, *shape)
    assert result.dtype == np.float32
    assert 0 <= result.min() <= result.max() <= 1
    assert np.array_equal(result, equalize(noise(shape)))


@pytest.mark.parametrize("value", [0, 7, -1000, np.nan, np.inf])
def test_constant_channel_becomes_zero_and_the_others_do_not(value: float) -> None:
    pixels = np.concatenate([np.full((1, 20, 20), value, np.float32), noise((20, 20))])
    result = equalize(pixels)
    assert (result[0] == 0).all()
    assert result[1].max() > 0.9


def test_each_channel_is_equalized_by_itself() -> None:
    pixels = np.concatenate([noise((40, 40)), 1000 * noise((40, 40), seed=1)])
    np.testing.assert_array_equal(equalize(pixels)[1:], equalize(pixels[1:]))


@pytest.mark.parametrize("gap", [np.nan, np.inf, -np.inf])
def test_gap_counts_as_the_smallest_value(gap: float) -> None:
    holed, filled = noise((30, 30)), noise((30, 30))
    holed[0, 3, 4], filled[0, 3, 4] = gap, filled.min()
    np.testing.assert_array_equal(equalize(holed), equalize(filled))


def test_image_is_not_changed() -> None:
    pixels = noise((30, 30))
    equalize(pixels)
    np.testing.assert_array_equal(pixels, noise((30, 30)))


def test_dark_and_light_corner_come_to_the_same_contrast() -> None:
    """The same texture, faint in the dark: its standard deviations differ four times before, little after."""
    texture = np.random.default_rng(0).random((128, 128)).astype(np.float32)
    light = np.linspace(1, 4, 128, dtype=np.float32)
    pixels = (texture * light)[None]

    def ratio(image: np.ndarray) -> float:
        return float(image[0, :, -32:].std() / image[0, :, :32].std())

    assert ratio(pixels) > 2.4
    assert ratio(equalize(pixels)) < 1.4


def test_black_frame_is_even_and_dark() -> None:
    pixels = np.zeros((1, 160, 160), np.float32)
    pixels[0, 60:100, 60:100] = noise((40, 40))[0]
    frame = equalize(pixels)[0, :40]
    assert np.ptp(frame) < 1e-6
    assert frame.max() < 0.05


def test_flat_volume_is_equalized_as_the_image_it_is() -> None:
    flat = noise((1, 40, 50))
    np.testing.assert_allclose(equalize(flat)[:, 0], equalize(flat[:, 0]), atol=1e-6)
