"""Smooth noise and spots."""

import numpy as np

from seglet.data.synthetic_light import bump, clouds, distance


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
