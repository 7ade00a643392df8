"""Center lines: by hand, and the rules for masks with nothing in them."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.morphology import skeletonize

from seglet.core.errors import GeometryError
from seglet.io.files import read_mask
from seglet.io.sources import File
from seglet.metrics.centerline import CENTERLINE_METRICS, centerline_figures
from seglet.metrics.pixels import dice

shapes = hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=8)
masks = shapes.flatmap(lambda shape: st.tuples(*[hnp.arrays(np.bool_, shape)] * 3))
Masks = tuple[np.ndarray, np.ndarray, np.ndarray]


def test_a_vessel_that_ends_too_early_by_hand() -> None:
    truth, predicted = np.zeros((2, 9, 24), bool)
    truth[4, 2:22], predicted[4, 2:12] = True, True
    found = centerline_figures(truth, predicted)
    assert found == pytest.approx({"cldice": 2 / 3, "centerline_precision": 1, "centerline_sensitivity": 0.5})


def test_thickness_hardly_matters_but_a_gap_does() -> None:
    thin = np.zeros((40, 120), bool)
    thin[20, 10:110] = True
    thick = ndimage.binary_dilation(thin, iterations=4)
    assert centerline_figures(thin, thick)["cldice"] > 0.95 > dice(thin, thick)
    broken = thick.copy()
    broken[:, 55:65] = False
    assert centerline_figures(thick, broken)["centerline_sensitivity"] == pytest.approx(0.9, abs=0.03)


@given(masks)
def test_figures_are_in_range_and_the_halves_swap(both: Masks) -> None:
    truth, predicted, _ = both
    found, swapped = centerline_figures(truth, predicted), centerline_figures(predicted, truth)
    assert tuple(found) == CENTERLINE_METRICS
    names = ("cldice", "centerline_sensitivity", "centerline_precision")
    assert [swapped[name] for name in names] == pytest.approx(list(found.values()), nan_ok=True)
    assert all(0 <= value <= 1 for value in found.values()) or not (truth.any() or predicted.any())


@given(masks)
def test_the_same_mask_is_perfect(both: Masks) -> None:
    assume(both[0].any())
    assert set(centerline_figures(both[0], both[0]).values()) == {1.0}


@given(masks)
def test_pixels_that_do_not_count_change_nothing(both: Masks) -> None:
    truth, predicted, counted = both
    found = centerline_figures(truth, predicted, counted)
    other = centerline_figures(truth | ~counted, predicted ^ ~counted, counted)
    assert other == pytest.approx(found, nan_ok=True)


@given(masks)
def test_a_frame_changes_nothing(both: Masks) -> None:
    framed = centerline_figures(np.pad(both[0], 3), np.pad(both[1], 3))
    assert framed == pytest.approx(centerline_figures(both[0], both[1]), nan_ok=True)


def test_a_part_that_thinning_removes_still_counts() -> None:
    cube = np.zeros((6, 6, 6), bool)
    cube[2:4, 2:4, 2:4] = True
    assert not skeletonize(cube).any()
    assert set(centerline_figures(cube, cube).values()) == {1.0}
    assert centerline_figures(cube, np.roll(cube, 1, axis=0))["centerline_precision"] == 0.5


def test_empty_masks() -> None:
    empty, line = np.zeros((5, 5), bool), np.eye(5, dtype=bool)
    assert all(math.isnan(value) for value in centerline_figures(empty, empty).values())
    assert all(math.isnan(value) for value in centerline_figures(line, line, empty).values())
    assert set(centerline_figures(line, empty).values()) == {0.0}
    assert set(centerline_figures(empty, line).values()) == {0.0}


def test_different_shapes_are_refused() -> None:
    mask = np.ones((4, 4), bool)
    with pytest.raises(GeometryError, match="same shape"):
        centerline_figures(mask, mask[:3])
    with pytest.raises(GeometryError, match="same shape"):
        centerline_figures(mask, mask, mask[:3])


@pytest.mark.data
def test_two_observers_of_a_retina_agree_on_lines_as_the_papers_formula_says(data_folder: Path) -> None:
    folder = data_folder / "chasedb1"
    first, second = (
        read_mask(File(folder / labels, f"Image_01L_{name}.png")) > 0
        for labels, name in (("labels1", "1stHO"), ("labels2", "2ndHO"))
    )
    precision, sensitivity = first[skeletonize(second)].mean(), second[skeletonize(first)].mean()
    found = centerline_figures(first, second)
    assert found == pytest.approx(
        {
            "cldice": 2 / (1 / precision + 1 / sensitivity),
            "centerline_precision": precision,
            "centerline_sensitivity": sensitivity,
        }
    )
    assert 0.7 < found["cldice"] < 0.95
