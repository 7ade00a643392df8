"""What is counted in masks."""

import numpy as np
import pytest

from seglet.data.survey import common_kind, looks_interpolated, survey_mask, tally


def test_values_pieces_and_touching_are_counted() -> None:
    mask = np.array([[1, 2, 0, 1], [1, 2, 0, 0], [0, 0, 0, 2]], np.uint8)
    one = survey_mask(mask)
    assert one.values.tolist() == [0, 1, 2]
    assert one.counts.tolist() == [6, 3, 3]
    assert one.n_pieces.tolist() == [0, 2, 2]
    assert one.n_touching.tolist() == [0, 0, 1]


@pytest.mark.parametrize("mask", [np.zeros((2, 3), np.uint8), np.full((2, 3), 7, np.uint16)])
def test_a_mask_of_one_value(mask: np.ndarray) -> None:
    one = survey_mask(mask)
    assert one.values.tolist() == [mask[0, 0]]
    assert one.counts.tolist() == [6]


def test_kinds_of_color_are_told_apart_and_joined() -> None:
    gray = survey_mask(np.full((2, 2, 3), 9, np.uint8))
    black = survey_mask(np.zeros((2, 2, 3), np.uint8))
    red = survey_mask(np.full((2, 2, 3), 9, np.uint8) * np.array([1, 0, 0], np.uint8))
    blue = survey_mask(np.full((2, 2, 3), 9, np.uint8) * np.array([0, 0, 1], np.uint8))
    assert [one.kind for one in (gray, red, blue)] == ["gray", "red", "color"]
    assert common_kind([red, black]) == "red"
    assert common_kind([red, gray]) == "color"
    assert tally([red, black], "red").values.tolist() == [0, 9]
    assert tally([gray, blue], "color").values.tolist() == [0x000009, 0x090909]


def test_three_spread_classes_are_not_soft_edges() -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[5:35, 5:35] = 128
    mask[15:25, 15:25] = 255
    one = survey_mask(mask)
    assert not looks_interpolated([one], tally([one], "gray"))
