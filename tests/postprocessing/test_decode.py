"""From probabilities to objects: what always holds, what is exact, and how real objects come through."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import label

from noise_planes import cell_planes, noise_planes
from seglet.core.errors import ConfigError, GeometryError
from seglet.data.datasets import labels_of, open_dataset
from seglet.data.masks import MaskConfig
from seglet.data.samples import read_sample
from seglet.metrics.instances import dsb_score, overlaps
from seglet.patches.targets import border_classes, border_distances, separate
from seglet.postprocessing.decode import decode
from seglet.postprocessing.rules import fill_holes
from seglet.postprocessing.settings import DecodingConfig
from seglet.postprocessing.splitting import foreground_of

PLANES = {"components": 1, "probability": 1, "depth": 1, "waist": 1, "distance": 2, "interior": 3}
LOW_SEEDS = {
    "components": None,
    "probability": 0.7,
    "depth": 1.5,
    "waist": 0.9,
    "distance": 0.6,
    "interior": 0.4,
}

methods = st.sampled_from(sorted(PLANES))
shapes = st.sampled_from([(31, 40), (1, 25), (9, 11, 12)])
seeds = st.integers(0, 10_000)


def _config(method: str, **rules: object) -> DecodingConfig:
    return DecodingConfig(method=method, seed_threshold=LOW_SEEDS[method], smoothing=0.5, **rules)


def _in_scan_order(objects: np.ndarray) -> bool:
    numbers, first = np.unique(objects[objects > 0], return_index=True)
    return numbers.tolist() == list(range(1, len(numbers) + 1)) and bool((np.diff(first) > 0).all())


def _same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    pairs = np.unique(np.stack([one.ravel(), other.ravel()]), axis=1)
    return all(len(np.unique(side)) == pairs.shape[1] for side in pairs)


@given(methods, shapes, seeds)
def test_objects_partition_the_foreground(method: str, shape: tuple[int, ...], seed: int) -> None:
    planes = noise_planes(shape, PLANES[method], seed)
    objects = decode(planes, _config(method))
    assert objects.dtype == np.int32
    assert np.array_equal(objects > 0, foreground_of(planes) > 0.5)
    assert _in_scan_order(objects)
    assert all(label(objects == number)[1] == 1 for number in range(1, objects.max() + 1))


@given(methods, shapes, seeds, st.integers(0, 30), st.integers(0, 30))
def test_rules_take_out_whole_objects_and_fill_whole_holes(
    method: str, shape: tuple[int, ...], seed: int, small: int, hole: int
) -> None:
    planes = noise_planes(shape, PLANES[method], seed)
    filled = fill_holes(foreground_of(planes) > 0.5, hole)
    everything = decode(planes, _config(method, max_hole=hole))
    large = decode(planes, _config(method, max_hole=hole, min_size=small))
    assert np.array_equal(everything > 0, filled)
    sizes = np.bincount(everything.ravel())
    assert np.array_equal(large > 0, (everything > 0) & (sizes >= small)[everything])
    assert _same_partition(large, np.where(large > 0, everything, 0))
    assert _in_scan_order(large)


@given(methods, shapes, seeds)
def test_objects_at_the_edge_are_removed_and_no_other(method: str, shape: tuple[int, ...], seed: int) -> None:
    planes = noise_planes(shape, PLANES[method], seed)
    everything = decode(planes, _config(method))
    inner = np.zeros(shape, bool)
    inner[(slice(1, -1),) * len(shape)] = True
    is_cut = np.isin(everything, everything[~inner])
    kept = decode(planes, _config(method, edge="remove"))
    assert np.array_equal(kept > 0, (everything > 0) & ~is_cut)
    assert _in_scan_order(kept)


@given(methods, shapes, seeds)
def test_largest_component_is_kept_and_split(method: str, shape: tuple[int, ...], seed: int) -> None:
    planes = noise_planes(shape, PLANES[method], seed)
    components = decode(planes, _config("components"))
    sizes = np.bincount(components.ravel())
    largest = components == sizes[1:].argmax() + 1
    kept = decode(planes, _config(method, keep="largest"))
    assert np.array_equal(kept > 0, largest)
    everything = decode(planes, _config(method))
    assert _same_partition(kept, np.where(largest, everything, 0))


@given(shapes, seeds, st.integers(0, 2), st.integers(0, 9), st.integers(0, 9))
def test_components_are_the_same_in_the_mirror(
    shape: tuple[int, ...], seed: int, axis: int, small: int, hole: int
) -> None:
    planes = noise_planes(shape, 1, seed)
    config = _config("components", min_size=small, max_hole=hole)
    axis = min(axis, len(shape) - 1)
    mirrored = np.flip(decode(np.flip(planes, axis + 1), config), axis)
    assert _same_partition(decode(planes, config), mirrored)


@given(methods, seeds)
def test_separate_objects_come_back_as_they_are(method: str, seed: int) -> None:
    _, touching = cell_planes((64, 80), 1, seed)
    apart = separate(touching, (touching > 0).astype(np.uint8), 2)
    truth = decode((apart > 0).astype(np.float32)[None], DecodingConfig())
    is_object = truth > 0
    planes = {
        1: [is_object],
        2: [is_object, border_distances(truth)],
        3: [~is_object, is_object, np.zeros_like(is_object)],
    }[PLANES[method]]
    config = DecodingConfig(method=method, smoothing=0, seed_threshold=0)
    assert np.array_equal(decode(np.stack(planes).astype(np.float32), config), truth)


@pytest.mark.parametrize("method", ["distance", "interior"])
def test_touching_cells_come_apart(method: str) -> None:
    scores = {}
    for way in ("components", method):
        for seed in range(3):
            planes, truth = cell_planes((256, 256), PLANES[method], seed)
            found = decode(planes, DecodingConfig(method=way, min_size=10))
            scores[way] = scores.get(way, 0) + dsb_score(overlaps(truth, found)) / 3
    assert scores[method] > 0.8 > 0.5 > scores["components"]


def test_undecided_method_finds_components() -> None:
    planes = noise_planes((30, 30), 1, 0)
    assert np.array_equal(decode(planes, DecodingConfig()), decode(planes, _config("components")))


@pytest.mark.parametrize("method", sorted(PLANES))
@pytest.mark.parametrize("keep", ["all", "largest"])
def test_nothing_is_no_object_and_everything_is_one(method: str, keep: str) -> None:
    config = DecodingConfig(method=method, keep=keep, max_hole=5)
    planes = np.zeros((PLANES[method], 12, 9), np.float32)
    assert not decode(planes, config).any()
    planes[:2] = 1
    assert (decode(planes, config) == 1).all()


def test_method_without_its_plane_is_refused() -> None:
    with pytest.raises(ConfigError, match="interior"):
        decode(np.zeros((1, 4, 4)), DecodingConfig(method="interior"))


def test_several_classes_are_refused() -> None:
    with pytest.raises(GeometryError, match="5 planes"):
        decode(np.zeros((5, 4, 4)), DecodingConfig())


@pytest.mark.data
def test_true_borders_of_real_nuclei_give_the_nuclei_back(data_folder: Path) -> None:
    dataset = open_dataset(data_folder / "bbbc039")
    cases = [case for case in dataset.cases if case.labels][:3]
    labels = labels_of(dataset, cases, MaskConfig())
    for case in cases:
        truth = read_sample(case, labels).objects
        assert truth is not None
        classes = border_classes(truth, 1)
        planes = np.stack([classes == number for number in range(3)]).astype(np.float32)
        found = decode(planes, DecodingConfig(method="interior", smoothing=0))
        assert dsb_score(overlaps(truth, found)) > 0.9
