"""Warping: by hand, against a literal slow version, and against the worked cases of the challenge."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage

from isbi2012_cases import each_case, read_case
from seglet.metrics.warping import SIMPLE, warp

RING = ((0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0), (0, 0))
EIGHT = np.ones((3, 3), int)
SHAPE = (7, 8)
levels = arrays(np.float32, SHAPE, elements=st.floats(0, 1, width=16))


def is_simple(patch: np.ndarray) -> bool:
    """One 4-connected piece of objects at the sides of the center, one 8-connected piece of background."""
    objects, background = patch.copy(), ~patch
    objects[1, 1] = background[1, 1] = False
    pieces = ndimage.label(objects)[0]
    sides = {int(pieces[place]) for place in ((0, 1), (1, 0), (1, 2), (2, 1))} - {0}
    return len(sides) == 1 and ndimage.label(background, EIGHT)[1] == 1


def warped_slowly(truth: np.ndarray, target: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    label, goal = np.pad(truth, 1), np.pad(target, 1)
    before = -1
    while True:
        wrong = [(x, y) for y, x in zip(*np.nonzero(label != goal), strict=True)]
        if len(wrong) in (0, before):
            return label[1:-1, 1:-1]
        before = len(wrong)
        for x, y in sorted(wrong, key=lambda at: (-confidence[at[1] - 1, at[0] - 1], at)):
            if is_simple(label[y - 1 : y + 2, x - 1 : x + 2]):
                label[y, x] = not label[y, x]


def n_pieces(label: np.ndarray) -> tuple[int, int]:
    framed = np.pad(label, 1)
    return ndimage.label(framed)[1], ndimage.label(~framed, EIGHT)[1]


@each_case
@pytest.mark.data
def test_labels_of_the_worked_cases_are_warped_pixel_by_pixel(folder: Path) -> None:
    case = read_case(folder)
    proposal = case.proposal.astype(float)
    for truth, values, expected in zip(case.truth, proposal, case.warped, strict=True):
        found = warp(truth, values > 0.5, np.abs(values - 0.5).astype(np.float32))
        np.testing.assert_array_equal(found, expected)


def test_simple_pixels_are_those_of_the_definition() -> None:
    for pattern in range(256):
        for center in (False, True):
            patch = np.zeros((3, 3), bool)
            patch[1, 1] = center
            for bit, place in enumerate(RING):
                patch[place] = pattern >> bit & 1
            assert SIMPLE[pattern] == is_simple(patch), patch


def test_a_border_that_moved_is_no_error() -> None:
    truth = np.ones((5, 9), bool)
    truth[:, 3] = False
    target = np.ones((5, 9), bool)
    target[:, 4] = False
    assert n_pieces(truth) == n_pieces(target)
    wrong = warp(truth, target, np.ones((5, 9))) != target
    assert not wrong.any()


def test_a_gap_in_a_border_stays_an_error() -> None:
    truth = np.ones((5, 9), bool)
    truth[:, 4] = False
    target = truth.copy()
    target[2, 4] = True
    wrong = warp(truth, target, np.ones((5, 9))) != target
    assert np.argwhere(wrong).tolist() == [[2, 4]]


@given(arrays(np.bool_, SHAPE), levels)
def test_it_is_the_rule_taken_literally(truth: np.ndarray, values: np.ndarray) -> None:
    confidence = np.abs(values - np.float32(0.5))
    expected = warped_slowly(truth, values > 0.5, confidence)
    np.testing.assert_array_equal(warp(truth, values > 0.5, confidence), expected)


@given(arrays(np.bool_, SHAPE), arrays(np.bool_, SHAPE), levels)
def test_objects_and_holes_stay_as_many(
    truth: np.ndarray, target: np.ndarray, confidence: np.ndarray
) -> None:
    warped = warp(truth, target, confidence)
    assert n_pieces(warped) == n_pieces(truth)
    assert not ((warped != truth) & (truth == target)).any()


@given(arrays(np.bool_, SHAPE), levels)
def test_a_truth_that_is_the_target_stays_as_it_is(truth: np.ndarray, confidence: np.ndarray) -> None:
    np.testing.assert_array_equal(warp(truth, truth, confidence), truth)


def test_an_order_that_flips_one_pixel_a_round_takes_no_longer() -> None:
    n = 20_000
    truth = np.zeros((2, n), bool)
    truth[0, 0] = True
    target = np.zeros((2, n), bool)
    target[0] = True
    rising = np.tile(np.arange(n, dtype=float), (2, 1))  # the pixel that may flip is always the last
    np.testing.assert_array_equal(warp(truth, target, rising), target)
