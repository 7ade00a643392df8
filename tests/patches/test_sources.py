"""Cases in memory: their places and weights."""

import numpy as np
import pytest
import torch

from seglet.core.grid import Region
from seglet.core.image import IGNORE
from seglet.patches import sources
from seglet.patches.sources import InMemory, Places, counted, kept_inside, make_truth, places_of
from seglet.patches.targets import (
    BorderWeightConfig,
    TargetConfig,
    border_classes,
    border_distances,
    border_weights,
)
from seglet.preprocessing.transform import Prepared

CPU = torch.device("cpu")


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _case(*shape: int) -> Prepared:
    labels = _rng().integers(0, 3, shape).astype(np.uint8)
    labels[-1] = IGNORE
    fov = np.ones(shape, bool)
    fov[0] = False
    return Prepared("a", _rng().random((2, *shape), np.float32), labels, fov=fov)


@pytest.mark.parametrize("shape", [(12, 15), (5, 12, 15)])
def test_regions_are_read_as_they_are(shape: tuple[int, ...]) -> None:
    case = _case(*shape)
    assert case.labels is not None
    source = InMemory(case, None, CPU)
    region = Region((1,) * len(shape), (4,) * len(shape))
    assert (source.shape, source.n_channels, source.is_on_disk) == (shape, 2, False)
    np.testing.assert_array_equal(source.read_image(region), case.image[(slice(None), *region.slices)])
    labels, weights = source.read_truth(region).numpy()
    counted = case.labels[region.slices] != IGNORE
    np.testing.assert_array_equal(weights, counted)
    np.testing.assert_array_equal(labels, case.labels[region.slices] * counted)


@pytest.mark.parametrize("chunk", [7, 2**22])
@pytest.mark.parametrize("shape", [(12, 15), (5, 12, 15)])
def test_places_are_all_pixels_of_their_kind(
    shape: tuple[int, ...], chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "CHUNK", chunk)
    case = _case(*shape)
    assert case.labels is not None
    inside = counted(case)
    found = InMemory(case, None, CPU).find_places(_rng())
    np.testing.assert_array_equal(found.anywhere, np.argwhere(inside))
    assert set(found.foreground) == {1, 2}
    for index, points in found.foreground.items():
        np.testing.assert_array_equal(points, np.argwhere(inside & (case.labels == index)))


def test_many_places_are_chosen_from_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_PLACES", 500)
    monkeypatch.setattr(sources, "CHUNK", 333)
    lower = np.ones((50, 60), bool)
    lower[:25] = False
    found = places_of(np.ones((50, 60), np.uint8), lower, _rng())
    assert len(found.anywhere) == len(np.unique(found.anywhere, axis=0)) == 500
    assert lower[tuple(found.anywhere.T)].all()
    assert found.anywhere.mean(axis=0) == pytest.approx([37, 29.5], abs=2)


def test_unseen_classes_are_left_out() -> None:
    labels = np.array([[1, 2], [0, 0]], np.uint8)
    found = places_of(labels, labels != 2, _rng())
    assert list(found.foreground) == [1]


TOUCHING = np.zeros((9, 12), np.int32)
TOUCHING[1:8, 1:6], TOUCHING[2:8, 6:11] = 1, 2
APART = np.where(np.arange(12) == 5, 0, TOUCHING) | np.where(np.arange(9)[:, None] == 1, TOUCHING, 0)


def _touching(**truth: np.ndarray) -> Prepared:
    labels = (TOUCHING > 0).astype(np.uint8)
    return Prepared(
        "a", np.zeros((1, 9, 12), np.float32), **({"labels": labels, "objects": TOUCHING} | truth)
    )


def test_border_weights_add_to_the_weight_of_one() -> None:
    objects = np.zeros((4, 9, 11), np.int32)
    objects[1:3, 1:8, 1:5], objects[1:3, 1:8, 6:10] = 1, 2
    labels = (objects > 0).astype(np.uint8)
    config = BorderWeightConfig(peak=5, sigma=2)
    for known in (objects, None):  # components where they are not numbered
        case = Prepared("a", np.zeros((1, 4, 9, 11), np.float32), labels, known)
        np.testing.assert_allclose(make_truth(case, config)[1], 1 + border_weights(objects, config))


def test_objects_drawn_apart_are_background_between_of_the_border_s_weight() -> None:
    labels, weights = make_truth(_touching(), BorderWeightConfig(), TargetConfig(separation=1))
    np.testing.assert_array_equal(labels, APART > 0)
    assert weights[4, 5] == pytest.approx(1 + 10 * np.exp(-(2**2) / 50))
    assert (weights[APART > 0] == 1).all()


def test_borders_and_distances_are_those_of_the_objects_drawn_apart() -> None:
    borders = make_truth(_touching(), None, TargetConfig(kind="borders", border_width=1, separation=1))
    assert borders.shape == (2, 9, 12)
    np.testing.assert_array_equal(borders[0], border_classes(APART, 1))
    truth = make_truth(_touching(), None, TargetConfig(kind="distance", separation=1))
    assert truth.shape == (3, 9, 12)
    np.testing.assert_array_equal(truth[0], APART > 0)
    np.testing.assert_array_equal(truth[2], border_distances(APART))


@pytest.mark.parametrize("kind", ["classes", "borders", "distance"])
def test_what_does_not_count_is_background_of_no_weight(kind: str) -> None:
    labels = (TOUCHING > 0).astype(np.uint8)
    labels[6:] = IGNORE
    fov = np.ones((9, 12), bool)
    fov[:, :3] = False
    truth = make_truth(_touching(labels=labels, fov=fov), BorderWeightConfig(), TargetConfig(kind=kind))
    counts = fov & (labels != IGNORE)
    np.testing.assert_array_equal(truth[1] > 0, counts)
    assert not truth[0][~counts].any()
    assert truth[0][counts].any()


def test_truth_is_made_once_and_read_in_parts() -> None:
    targets = TargetConfig(kind="distance")
    source = InMemory(_touching(), None, CPU, targets)
    expected = make_truth(_touching(), None, targets)
    np.testing.assert_array_equal(source.read_truth(Region((2, 3), (6, 9))), expected[:, 2:6, 3:9])
    assert source.find_places(_rng()).foreground[1].shape == ((TOUCHING > 0).sum(), 2)


def test_unlabelled_case_weighs_nothing() -> None:
    case = Prepared("a", np.zeros((1, 3, 4), np.float32))
    assert not make_truth(case, BorderWeightConfig(), TargetConfig(separation=1)).any()
    assert not counted(case).any()


@pytest.mark.parametrize(
    ("shape", "patch", "first", "last"),
    [
        ((10, 11), (4, 5), (2, 2), (8, 8)),  # patches at rows 0..3 to 6..9, at columns 0..4 to 6..10
        ((4, 5), (4, 5), (2, 2), (2, 2)),  # the image itself
        ((3, 9), (8, 9), (1, 4), (1, 4)),  # rows -3..4: two below, and three above, of an image of three
    ],
)
def test_places_are_kept_whose_patch_lies_inside(
    shape: tuple[int, int], patch: tuple[int, int], first: tuple[int, int], last: tuple[int, int]
) -> None:
    everywhere = np.argwhere(np.ones(shape, bool)).astype(np.int32)
    corner = np.zeros((1, 2), np.int32)
    found = kept_inside(Places(everywhere, {1: corner, 3: everywhere}), shape, patch)
    allowed = np.argwhere(np.ones(np.subtract(last, first) + 1, bool)) + first
    np.testing.assert_array_equal(found.anywhere, allowed)
    np.testing.assert_array_equal(found.foreground[3], allowed)
    np.testing.assert_array_equal(found.foreground[1], [first])  # none was inside: moved as little as needed
