"""Volumes turned upright and back, in all 48 positions that a file can have them in."""

from itertools import permutations, product

import numpy as np
import pytest

from seglet.core.orientation import UNTURNED, Turn, turn, turn_back, turned_spacing, upright

POSITIONS = [
    (order, signs) for order in permutations(range(3)) for signs in product((1.0, -1.0), repeat=3)
]  # order: the world axis along which each axis of the file runs


def _direction(order: tuple[int, ...], signs: tuple[float, ...]) -> np.ndarray:
    direction = np.zeros((3, 3))
    direction[list(order), [0, 1, 2]] = signs
    return direction


def _flat(direction: np.ndarray) -> tuple[float, ...]:
    return tuple(float(v) for v in direction.ravel())


def _world(order: tuple[int, ...], signs: tuple[float, ...], extent: tuple[int, ...]) -> np.ndarray:
    """Each voxel's (z, y, x) place in the world, for a file of `extent`, as (3, z, y, x) channels."""
    return np.einsum("wa,azyx->wzyx", _direction(order, signs), np.indices(extent).astype(float))


def test_there_are_48_positions() -> None:
    assert len({_flat(_direction(*position)) for position in POSITIONS}) == 48


@pytest.mark.parametrize(("order", "signs"), POSITIONS)
def test_upright_axes_run_along_the_world(order: tuple[int, ...], signs: tuple[float, ...]) -> None:
    places = turn(_world(order, signs, (2, 3, 4)), upright(_flat(_direction(order, signs))))
    for axis in range(3):
        steps = np.diff(places, axis=1 + axis)
        assert (steps[axis] == 1).all()
        assert (np.delete(steps, axis, axis=0) == 0).all()


@pytest.mark.parametrize(("order", "signs"), POSITIONS)
def test_turning_back_is_exact(order: tuple[int, ...], signs: tuple[float, ...]) -> None:
    how = upright(_flat(_direction(order, signs)))
    for shape in ((2, 3, 4), (5, 2, 3, 4)):  # with and without channels
        pixels = np.arange(np.prod(shape)).reshape(shape)
        np.testing.assert_array_equal(turn_back(turn(pixels, how), how), pixels)


@pytest.mark.parametrize(("order", "signs"), POSITIONS)
def test_spacing_follows_its_axis(order: tuple[int, ...], signs: tuple[float, ...]) -> None:
    how = upright(_flat(_direction(order, signs)))
    extent = (2, 3, 4)
    assert turned_spacing(tuple(map(float, extent)), how) == turn(np.zeros(extent), how).shape


def test_tilted_volume_is_turned_to_the_nearest_position() -> None:
    tilt = np.deg2rad(30)
    turned = np.array([[np.cos(tilt), -np.sin(tilt), 0], [np.sin(tilt), np.cos(tilt), 0], [0, 0, 1]])
    for order, signs in POSITIONS:
        straight = _direction(order, signs)
        assert upright(_flat(turned @ straight)) == upright(_flat(straight))


def test_every_axis_is_taken_once_at_a_tie() -> None:
    """All components equally large, up to rounding: the first axes stand, whatever the last digits."""
    component = 1 / np.sqrt(3)
    for noise in (0.0, 1e-7, -1e-7):
        direction = np.full((3, 3), component)
        direction[1, 2] += noise
        assert upright(_flat(direction)) == UNTURNED


@pytest.mark.parametrize("direction", [(), (0.0, 1.0, 1.0, 0.0)])
def test_unknown_and_flat_directions_are_left(direction: tuple[float, ...]) -> None:
    how = upright(direction)
    pixels = np.arange(6).reshape(2, 3)
    assert how == UNTURNED
    assert turn(pixels, how) is pixels
    assert turn_back(pixels, how) is pixels
    assert turned_spacing((0.5, 0.25), how) == (0.5, 0.25)


def test_unknown_spacing_stays_unknown() -> None:
    assert turned_spacing((), Turn((2, 0, 1), (True, False, False))) == ()
