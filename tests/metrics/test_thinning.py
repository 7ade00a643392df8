from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from isbi2012_cases import each_case, read_case
from seglet.metrics.thinning import thin_borders


@each_case
@pytest.mark.data
def test_dams_of_the_worked_cases_are_met_pixel_by_pixel(folder: Path) -> None:
    case = read_case(folder)
    for values, expected in zip(case.proposal.astype(float), case.basins, strict=True):
        np.testing.assert_array_equal(thin_borders(values > 0.5) == 0, expected == 0)


def test_a_thick_border_becomes_a_line() -> None:
    white = np.ones((5, 9), bool)
    white[:, 3:6] = False
    thinned = thin_borders(white)
    np.testing.assert_array_equal(thinned == 0, np.arange(9) == np.full((5, 1), 4))
    assert len(np.unique(thinned)) == 3


def test_a_border_that_parts_nothing_is_flooded() -> None:
    white = np.ones((6, 6), bool)
    white[2:4, :4] = False
    np.testing.assert_array_equal(thin_borders(white), np.ones((6, 6)))


def test_where_nothing_is_white_all_is_one_basin() -> None:
    np.testing.assert_array_equal(thin_borders(np.zeros((3, 4), bool)), np.ones((3, 4)))


@given(arrays(np.bool_, (8, 9)))
def test_basins_are_the_components_grown(white: np.ndarray) -> None:
    thinned = thin_borders(white)
    cells, n = ndimage.label(white)
    if n:
        assert ((thinned > 0) | ~white).all()
        pairs = set(zip(cells[white].tolist(), thinned[white].tolist(), strict=True))
        assert len(pairs) == n == len({basin for _, basin in pairs}) == thinned.max()
        for basin in range(1, n + 1):
            assert ndimage.label(thinned == basin)[1] == 1
