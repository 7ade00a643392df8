"""Turned and turned back: places, extents, true shapes."""

from collections.abc import Callable
from math import pi

import numpy as np
import pytest

from seglet.model import Model, PredictConfig
from seglet.prediction.rotations import Turn, turns

MakeModel = Callable[..., Model]


def blob(shape: tuple[int, int], center: tuple[float, float], width: tuple[float, float]) -> np.ndarray:
    y, x = np.ogrid[: shape[0], : shape[1]]
    lengths = ((y - center[0]) / width[0]) ** 2 + ((x - center[1]) / width[1]) ** 2
    return np.exp(-lengths / 2).astype(np.float32)[None]


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("shape", [(20, 20), (20, 33)])
def test_quarter_turns_are_those_of_numpy(shape: tuple[int, int], number: int) -> None:
    image = np.random.default_rng(0).random((2, *shape), np.float32)
    turn = Turn(number * pi / 2, shape, (0, 1))
    expected = np.rot90(image, number, (1, 2))
    assert turn.turned_shape == expected.shape[1:]
    np.testing.assert_allclose(turn.there(image), expected, atol=1e-6)
    np.testing.assert_allclose(turn.back(np.ascontiguousarray(expected)), image, atol=1e-6)


@pytest.mark.parametrize("angle", np.arange(1, 7) * 2 * pi / 7)
def test_every_pixel_lies_on_the_turned_image(angle: float) -> None:
    """Where the corners go, by the rotation itself: from the center, out to half the sides."""
    shape = (37, 90)
    turn = Turn(angle, shape, (0, 1))
    corners = np.array([[y, x] for y in (-18, 18) for x in (-44.5, 44.5)])
    there = corners @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    half = (np.array(turn.canvas) - 1) / 2
    assert (np.abs(there) <= half + 1e-3).all()
    assert (half - np.abs(there).max(axis=0) < 1.5).all(), "and it is no larger than it must be"


def test_a_point_goes_where_the_angle_says() -> None:
    """An eighth turn takes what lies 10 px right of the center 7.07 px up and right."""
    turn = Turn(pi / 4, (61, 61), (0, 1))
    found = turn.there(blob((61, 61), (30, 40), (2, 2)))[0]
    middle = (np.array(turn.canvas) - 1) / 2
    assert np.unravel_index(found.argmax(), found.shape) == pytest.approx(
        middle + np.array([-7.07, 7.07]), abs=1
    )


def test_uneven_spacing_keeps_true_shapes() -> None:
    """Round in millimeters, of pixels twice as wide as high: round it stays."""
    turn = Turn(pi / 3, (80, 40), (0, 1), aspect=2.0)
    image = blob((80, 40), (39.5, 19.5), (8, 4))
    found = turn.there(image)[0]
    y, x = ((n - 1) / 2 for n in turn.canvas)
    inside = (slice(round(y) - 20, round(y) + 20), slice(round(x) - 10, round(x) + 10))
    np.testing.assert_allclose(found[inside], blob(turn.canvas, (y, x), (8, 4))[0][inside], atol=5e-3)


def test_there_and_back_is_the_image_again() -> None:
    image = blob((50, 70), (20, 50), (6, 9))
    for number in range(1, 7):
        turn = Turn(2 * pi * number / 7, (50, 70), (0, 1))
        np.testing.assert_allclose(turn.back(turn.there(image)), image, atol=0.01)


@pytest.mark.parametrize(
    ("steps", "plane", "aspect"),
    [
        ((3.0, 1.0, 1.0), (1, 2), 1),
        ((1.0, 4.0, 0.5), (0, 2), 0.5),
        (None, (1, 2), 1),
        ((1.0,) * 3, (1, 2), 1),
    ],
)
def test_volumes_turn_in_the_plane_of_their_finer_axes(
    make_volume_model: MakeModel, steps: tuple[float, ...] | None, plane: tuple[int, int], aspect: float
) -> None:
    card = make_volume_model(steps=steps).card.model_copy(update={"predict": PredictConfig(rotations=3)})
    found = list(turns((10, 20, 30), card))
    assert [turn.angle for turn in found] == pytest.approx([2 * pi / 3, 4 * pi / 3])
    assert {(turn.plane, turn.aspect) for turn in found} == {(plane, aspect)}
    volume = np.random.default_rng(0).random((2, 10, 20, 30), np.float32)
    turned = found[0].there(volume)
    assert turned.shape == (2, *found[0].turned_shape)
    assert turned.shape[1 + ({0, 1, 2} - set(plane)).pop()] == (10, 20, 30)[({0, 1, 2} - set(plane)).pop()]
    assert found[0].back(turned).shape == volume.shape


def test_slices_turn_each_by_itself(make_model: MakeModel) -> None:
    card = make_model(mode="slices").card.model_copy(update={"predict": PredictConfig(rotations=2)})
    (turn,) = turns((3, 20, 30), card)
    volume = np.random.default_rng(0).random((1, 3, 20, 30), np.float32)
    np.testing.assert_allclose(turn.there(volume), volume[:, :, ::-1, ::-1], atol=1e-6)


def test_the_image_alone_has_no_turned_versions(make_model: MakeModel) -> None:
    assert list(turns((20, 30), make_model().card)) == []
