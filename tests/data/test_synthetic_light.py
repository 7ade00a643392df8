"""Smooth noise and spots."""

import numpy as np
import pytest

from seglet.data.synthetic_light import add_bump, bump, clouds, distance


def test_clouds_are_centered_and_smooth_at_their_scale() -> None:
    noise = clouds((300, 300), (6, 6), np.random.default_rng(0))
    assert noise.shape == (300, 300)
    assert abs(noise.mean()) < 0.1
    assert 0.5 < noise.std() < 1.2
    assert np.abs(np.diff(noise, axis=0)).mean() < 0.3


def test_clouds_take_any_number_of_axes() -> None:
    assert clouds((3, 20, 10), (1, 5, 5), np.random.default_rng(0)).shape == (3, 20, 10)


def test_distance_and_bump_by_hand() -> None:
    away = distance((5, 6), (1, 2))
    assert away[1, 2] == 0
    assert away[4, 6 - 1] == np.hypot(3, 3)
    spot = bump((5, 6), (1, 2), 2.0)
    assert spot[1, 2] == 1
    np.testing.assert_allclose(spot[1, 4], np.exp(-0.5))


@pytest.mark.parametrize("place", [(50.3, 90.8), (0.0, 119.5), (99.9, 0.2)])
@pytest.mark.parametrize("spread", [0.8, 5.0, 40.0])
def test_added_bump_is_the_whole_bump_to_the_last_bit(place: tuple[float, float], spread: float) -> None:
    picture = 0.01 + np.random.default_rng(0).random((100, 120))
    expected = picture + 0.3 * bump((100, 120), place, spread)
    add_bump(picture, place, spread, 0.3)
    np.testing.assert_array_equal(picture, expected)
