"""Surface distances: by hand, against all pairs of voxels, and against MONAI on real volumes."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from monai.metrics import (
    compute_average_surface_distance,
    compute_hausdorff_distance,
    compute_surface_dice,
)
from scipy import ndimage
from scipy.spatial.distance import cdist

from seglet.core.errors import ConfigError, GeometryError
from seglet.io.files import read_image, read_mask
from seglet.io.sources import File
from seglet.metrics.surface import SURFACE_METRICS, VOLUME_METRICS, surface_figures, volume_figures

DISTANCES = ("assd", "rmsd", "max_distance", "hd95")

shapes = hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=6)
masks = shapes.flatmap(lambda shape: st.tuples(*[hnp.arrays(np.bool_, shape)] * 2))
sizes = st.tuples(*[st.sampled_from((0.3, 0.7, 1.0, 2.5))] * 3)
Masks = tuple[np.ndarray, np.ndarray]


def literally(mask: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Positions of the object's voxels that have a face to the background, one by one."""
    framed, found = np.pad(mask, 1), []
    for place in np.argwhere(framed):
        beside = [place + step * side for step in np.eye(mask.ndim, dtype=int) for side in (-1, 1)]
        if not all(framed[tuple(one)] for one in beside):
            found.append(place * np.asarray(spacing))
    return np.array(found)


@given(masks, sizes, st.sampled_from((0.0, 0.7, 1.0, 2.0)))
def test_every_figure_is_that_of_all_pairs_of_voxels(both: Masks, sizes: tuple, tolerance: float) -> None:
    truth, predicted = both
    assume(truth.any() and predicted.any())
    spacing = sizes[: truth.ndim]
    pairs = cdist(literally(truth, spacing), literally(predicted, spacing))
    there, back = pairs.min(axis=0), pairs.min(axis=1)
    every = np.concatenate([there, back])
    assert surface_figures(truth, predicted, spacing, tolerance) == pytest.approx(
        {
            "assd": every.mean(),
            "rmsd": np.sqrt((every**2).mean()),
            "max_distance": every.max(),
            "hd95": max(np.percentile(there, 95), np.percentile(back, 95)),
            "surface_dice": (every <= tolerance + 1e-6).mean(),
        }
    )


@given(masks, sizes)
def test_figures_are_symmetric_ordered_and_in_range(both: Masks, sizes: tuple) -> None:
    truth, predicted = both
    spacing = sizes[: truth.ndim]
    found = surface_figures(truth, predicted, spacing, 1.0)
    assert tuple(found) == SURFACE_METRICS
    assert surface_figures(predicted, truth, spacing, 1.0) == pytest.approx(found, nan_ok=True)
    if truth.any() and predicted.any():
        assert 0 <= found["assd"] <= found["rmsd"] * (1 + 1e-9) <= found["max_distance"] * (1 + 2e-9)
        assert 0 <= found["hd95"] <= found["max_distance"]
        assert found["max_distance"] <= np.linalg.norm(np.multiply(truth.shape, spacing))
        assert 0 <= found["surface_dice"] <= 1


@given(masks, sizes)
def test_place_and_order_of_axes_do_not_matter_and_the_unit_scales(both: Masks, sizes: tuple) -> None:
    truth, predicted = both
    spacing = sizes[: truth.ndim]
    found = surface_figures(truth, predicted, spacing, 1.0)
    moved = (np.pad(mask, [(3, 1)] + [(0, 4)] * (mask.ndim - 1)) for mask in both)
    assert surface_figures(*moved, spacing, 1.0) == pytest.approx(found, nan_ok=True)
    turned = surface_figures(truth.T, predicted.T, spacing[::-1], 1.0)
    assert turned == pytest.approx(found, nan_ok=True)
    tenfold = surface_figures(truth, predicted, [10 * size for size in spacing], 10.0)
    expected = {name: value * (10 if name in DISTANCES else 1) for name, value in found.items()}
    assert tenfold == pytest.approx(expected, nan_ok=True)


@given(masks, sizes)
def test_the_same_object_is_at_no_distance(both: Masks, sizes: tuple) -> None:
    mask = both[0]
    assume(mask.any())
    found = surface_figures(mask, mask, sizes[: mask.ndim], 0.0)
    assert found == {**dict.fromkeys(DISTANCES, 0.0), "surface_dice": 1.0}


def test_distances_by_hand() -> None:
    truth, predicted = np.zeros((2, 3, 9, 9), bool)
    truth[1, 4, 2] = predicted[1, 4, 5] = predicted[2, 4, 2] = True
    found = surface_figures(truth, predicted, (2.5, 1.0, 0.5), 2.0)
    # the prediction's voxels are 1.5 and 2.5 away from the one of the truth, which is 1.5 away from them
    assert found["assd"] == pytest.approx(5.5 / 3)
    assert found["rmsd"] == pytest.approx(math.sqrt((1.5**2 + 2.5**2 + 1.5**2) / 3))
    assert found["max_distance"] == 2.5
    assert found["hd95"] == pytest.approx(1.5 + 0.95)
    assert found["surface_dice"] == pytest.approx(2 / 3)


def test_a_hole_has_a_surface_and_the_inside_has_none() -> None:
    whole, holed = np.ones((2, 7, 7), bool)
    holed[3, 3] = False
    found = surface_figures(whole, holed, (1.0, 1.0), 0.0)
    # 24 pixels of the border are shared; the 4 around the hole are 2 away from it
    assert found["assd"] == pytest.approx(8 / 52)
    assert found["surface_dice"] == pytest.approx(48 / 52)


def test_a_distance_of_the_tolerance_is_within_it_in_spite_of_rounding() -> None:
    truth, predicted = np.zeros((2, 1, 8), bool)
    truth[0, 1] = predicted[0, 4] = True
    assert 3 * 0.1 > 0.3
    assert surface_figures(truth, predicted, (1.0, 0.1), 0.3)["surface_dice"] == 1
    assert surface_figures(truth, predicted, (1.0, 0.1), 0.299)["surface_dice"] == 0


def test_an_empty_object_has_no_distance() -> None:
    empty, full = np.zeros((4, 4), bool), np.ones((4, 4), bool)
    both = surface_figures(empty, empty, (1, 1), 1.0)
    assert tuple(both) == SURFACE_METRICS
    assert all(math.isnan(value) for value in both.values())
    for pair in ((empty, full), (full, empty)):
        found = surface_figures(*pair, (1, 1), 1.0)
        assert found["surface_dice"] == 0
        assert all(math.isnan(found[name]) for name in DISTANCES)


def test_volumes_by_hand() -> None:
    truth, predicted = np.zeros((2, 4, 4, 4), bool)
    truth[:2], predicted[1:2] = True, True
    found = volume_figures(truth, predicted, (2.0, 0.5, 0.5))
    assert found == {"voe": 0.5, "rvd": -0.5, "truth_volume": 16.0, "predicted_volume": 8.0}


@given(masks, sizes)
def test_volumes_are_in_range_and_equal_for_the_same_object(both: Masks, sizes: tuple) -> None:
    truth, predicted = both
    spacing = sizes[: truth.ndim]
    found, swapped = volume_figures(truth, predicted, spacing), volume_figures(predicted, truth, spacing)
    assert tuple(found) == VOLUME_METRICS
    assert found["voe"] == pytest.approx(swapped["voe"], nan_ok=True)
    assert found["truth_volume"] == swapped["predicted_volume"] >= 0
    assert math.isnan(found["rvd"]) if not truth.any() else found["rvd"] >= -1
    assert 0 <= found["voe"] <= 1 or not (truth.any() or predicted.any())
    same = volume_figures(truth, truth, spacing)
    assert (same["voe"], same["rvd"]) == (
        (0, 0) if truth.any() else pytest.approx((math.nan,) * 2, nan_ok=True)
    )


def test_volumes_of_empty_objects() -> None:
    empty, full = np.zeros((2, 2), bool), np.ones((2, 2), bool)
    both = volume_figures(empty, empty, (1.0, 1.0))
    assert math.isnan(both["voe"]) and math.isnan(both["rvd"])
    assert (both["truth_volume"], both["predicted_volume"]) == (0, 0)
    missed, invented = volume_figures(full, empty, (1.0, 1.0)), volume_figures(empty, full, (1.0, 1.0))
    assert (missed["voe"], missed["rvd"], invented["voe"]) == (1, -1, 1)
    assert math.isnan(invented["rvd"])


@pytest.mark.parametrize("spacing", [(1.0,), (1.0, 0.0), (1.0, -2.0), (1.0, math.nan), (1.0, 1.0, 1.0)])
def test_an_impossible_spacing_is_refused(spacing: tuple[float, ...]) -> None:
    mask = np.ones((3, 3), bool)
    with pytest.raises(GeometryError, match="one positive number per axis"):
        surface_figures(mask, mask, spacing, 1.0)
    with pytest.raises(GeometryError, match="one positive number per axis"):
        volume_figures(mask, mask, spacing)


def test_different_shapes_and_a_negative_tolerance_are_refused() -> None:
    mask = np.ones((3, 3), bool)
    with pytest.raises(GeometryError, match="same shape"):
        surface_figures(mask, np.ones((3, 4), bool), (1.0, 1.0), 1.0)
    for tolerance in (-1.0, math.nan):
        with pytest.raises(ConfigError, match="0 or more"):
            surface_figures(mask, mask, (1.0, 1.0), tolerance)


def perturbed(mask: np.ndarray, seed: int) -> np.ndarray:
    """The object as a mediocre model would draw it: its surface moved by a smooth field, and some specks."""
    rng = np.random.default_rng(seed)
    depth = ndimage.distance_transform_edt(mask) - ndimage.distance_transform_edt(~mask)
    field = ndimage.gaussian_filter(rng.normal(size=mask.shape), 2)
    return (depth + 2 * field / field.std() > 0) | (rng.random(mask.shape) > 0.9995)


def one_hot(mask: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack([~mask, mask]))[None]


@pytest.mark.data
@pytest.mark.filterwarnings("ignore:monai.metrics.utils get_mask_edges:FutureWarning")  # MONAI's own call
@pytest.mark.parametrize("thickness", [1.0, 3.2])
def test_figures_of_ten_hippocampi_are_those_of_monai(data_folder: Path, thickness: float) -> None:
    files = sorted((data_folder / "hippocampus" / "labelsTr").glob("*.nii.gz"))[::9]
    assert len(files) == 10
    for seed, file in enumerate(files):
        truth = read_mask(File(file.parent, file.name)) > 0
        predicted = perturbed(truth, seed)
        sizes = read_image(File(file.parent, file.name)).spacing
        assert len(sizes) == 3
        spacing = (thickness * sizes[0], sizes[1], 0.7 * sizes[2])
        found = surface_figures(truth, predicted, spacing, 1.0)
        theirs = one_hot(predicted), one_hot(truth)
        expected = {
            "assd": compute_average_surface_distance(*theirs, symmetric=True, spacing=spacing),
            "max_distance": compute_hausdorff_distance(*theirs, spacing=spacing),
            "hd95": compute_hausdorff_distance(*theirs, percentile=95, spacing=spacing),
            "surface_dice": compute_surface_dice(*theirs, class_thresholds=[1.0], spacing=spacing),
        }
        assert 0.1 < found["assd"] < 5
        assert 0.1 < found["surface_dice"] < 0.98
        for name, value in expected.items():  # theirs are float32, the place of the percentile too
            assert found[name] == pytest.approx(value.item(), rel=1e-5), (file.name, name)
