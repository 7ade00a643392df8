"""Shapes whose elongation is known, and the real images that the limit is for."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from seglet.core.events import quiet
from seglet.planning import make_planned
from seglet.preprocessing.elongation import LONG, MOST_PIXELS, elongation
from seglet.recipe import read_recipe


def disc(radius: int) -> NDArray[np.bool_]:
    y, x = np.ogrid[-40:41, -40:41]
    return np.asarray(y**2 + x**2 <= radius**2)


@pytest.mark.parametrize("radius", [5, 12, 30])
def test_a_disc_fills_itself(radius: int) -> None:
    assert elongation(disc(radius)) == pytest.approx(1, abs=0.2)


def test_a_line_is_as_long_as_it_is_wide_times_that() -> None:
    line = np.zeros((60, 900), bool)
    line[20:29, 40:840] = True
    assert elongation(line) == pytest.approx(9 * 800 / (np.pi * 5**2), rel=1e-6)


def test_parts_count_by_their_pixels() -> None:
    both = np.zeros((200, 900), bool)
    both[20:29, 40:840] = True
    alone = elongation(both)
    both[100:181, 100:181] |= disc(30)
    sizes = 9 * 800, disc(30).sum()
    assert elongation(both) == pytest.approx(np.average([alone, elongation(disc(30))], weights=sizes))


def test_nothing_is_not_long_and_all_is_round() -> None:
    assert elongation(np.zeros((9, 9), bool)) == 0
    assert elongation(np.ones((64, 64), bool)) < 2


def test_of_large_masks_the_middle_is_looked_at() -> None:
    side = int(MOST_PIXELS**0.5)
    mask = np.zeros((side + 400, 50), bool)
    mask[:150] = True
    assert elongation(mask) == 0


@pytest.mark.data
@pytest.mark.parametrize(
    ("data", "settings", "is_long"),
    [
        ("chasedb1", (), True),
        ("isbi2012", ("masks.classes={interior: 255, membrane: 0}",), True),
        ("isbi2012", ("masks.classes={membrane: 0, interior: 255}",), False),
        ("bbbc039", (), False),
        ("lgg_mr", (), False),
    ],
)
def test_vessels_and_membranes_are_long_and_cells_and_organs_are_not(
    data_folder: Path, data: str, settings: tuple[str, ...], is_long: bool
) -> None:
    planned = make_planned(data_folder / data, read_recipe("auto", settings), quiet)
    assert (min(planned.fingerprint.elongations[1:]) > LONG) == is_long
    assert (planned.recipe.loss.cl_dice or 0) == (0.5 if is_long else 0)
