"""Splits and mergers: by hand, against a literal slow version, and against the challenge's worked cases."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from isbi2012_cases import each_case, read_case
from seglet.metrics.topology import MERGER, OTHER, SPLIT, splits_and_mergers

RADIUS = 20


def kinds_slowly(warped: np.ndarray, target: np.ndarray) -> np.ndarray:
    kinds = np.full(warped.shape, OTHER)
    parts = ndimage.label(warped)[0]
    radius = RADIUS if min(warped.shape) >= RADIUS else max(warped.shape)
    for y, x in np.argwhere(warped != target):
        values = around(parts, y, x)
        if not warped[y, x]:
            kinds[y, x] = MERGER if len(values) > 2 else OTHER
            continue
        without = warped.copy()
        without[y, x] = False
        top, left = max(y - radius, 0), max(x - radius, 0)
        window = ndimage.label(without[top : y + radius + 1, left : x + radius + 1])[0]
        is_cut = len(values) == 2 and len(around(window, y - top, x - left)) > 2
        kinds[y, x] = SPLIT if len(values) > 2 or is_cut else OTHER
    return kinds


def around(parts: np.ndarray, y: int, x: int) -> set[int]:
    """Numbers of the eight neighbors that are in the image."""
    frame = np.pad(parts, 1, constant_values=-1)[y : y + 3, x : x + 3].ravel()
    return set(np.delete(frame, 4).tolist()) - {-1}


def walls(*columns: int, shape: tuple[int, int] = (9, 9)) -> np.ndarray:
    cells = np.ones(shape, bool)
    cells[:, list(columns)] = False
    return cells


@each_case
@pytest.mark.data
def test_pixels_of_the_worked_cases_are_of_the_kind_they_should_be(folder: Path) -> None:
    case = read_case(folder)
    if case.is_degenerate:
        pytest.skip("the challenge's own code has no rule for it")
    for number, slice_of in enumerate(case.detail["warp_at_0.5"]):
        target = case.proposal[number].astype(float) > 0.5
        kinds = splits_and_mergers(case.warped[number], target)
        assert np.count_nonzero(case.warped[number] != target) == slice_of["n_mismatch"]
        for x, y, name in slice_of.get("mismatches_xy_class", ()):
            assert kinds[y, x] == {"merge": MERGER, "split": SPLIT}.get(name, OTHER), (y, x, name)


def test_a_gap_in_a_border_is_a_merger() -> None:
    target = walls(4)
    target[3, 4] = True
    found = splits_and_mergers(walls(4), target)
    assert np.argwhere(found).tolist() == [[3, 4]]
    assert found[3, 4] == MERGER


def test_a_border_across_a_cell_is_a_split() -> None:
    truth, target = walls(), walls(4)
    truth[:, 4] = [False] * 4 + [True] + [False] * 4  # as far as it can be warped
    found = splits_and_mergers(truth, target)
    assert np.argwhere(found).tolist() == [[4, 4]]
    assert found[4, 4] == SPLIT


def test_a_hole_and_a_missing_cell_are_neither() -> None:
    truth = np.zeros((7, 7), bool)
    truth[3, 3] = True
    assert not splits_and_mergers(truth, np.zeros((7, 7), bool)).any()
    solid = np.ones((7, 7), bool)
    pierced = solid.copy()
    pierced[3, 3] = False
    assert not splits_and_mergers(solid, pierced).any()


@pytest.mark.parametrize(("side", "kind"), [(16, OTHER), (60, SPLIT)])
def test_a_ring_is_cut_where_it_closes_beyond_the_window(side: int, kind: int) -> None:
    ring = np.zeros((side + 2, side + 2), bool)
    ring[1:-1, 1:-1] = True
    ring[2:-2, 2:-2] = False
    target = ring.copy()
    target[1, side // 2] = False
    assert splits_and_mergers(ring, target)[1, side // 2] == kind


@given(st.data(), array_shapes(min_dims=2, max_dims=2, max_side=9))
def test_it_is_the_rule_taken_literally(data: st.DataObject, shape: tuple[int, int]) -> None:
    warped, target = data.draw(arrays(np.bool_, shape)), data.draw(arrays(np.bool_, shape))
    np.testing.assert_array_equal(splits_and_mergers(warped, target), kinds_slowly(warped, target))


@pytest.mark.parametrize("density", [0.5, 0.65, 0.8])
def test_windows_within_a_larger_slice_are_taken_literally(density: float) -> None:
    rng = np.random.default_rng(5)
    warped = rng.random((48, 61)) < density
    target = warped ^ (rng.random(warped.shape) < 0.2)
    expected = kinds_slowly(warped, target)
    assert {MERGER, SPLIT} <= set(np.unique(expected).tolist())
    np.testing.assert_array_equal(splits_and_mergers(warped, target), expected)


@given(arrays(np.bool_, (6, 8)), arrays(np.bool_, (6, 8)))
def test_rows_and_columns_are_alike(warped: np.ndarray, target: np.ndarray) -> None:
    turned = splits_and_mergers(warped.T, target.T)
    np.testing.assert_array_equal(splits_and_mergers(warped, target), turned.T)


@given(arrays(np.bool_, (6, 8)))
def test_equal_masks_have_none(mask: np.ndarray) -> None:
    assert not splits_and_mergers(mask, mask).any()
