"""Cases in memory: their places and weights."""

import numpy as np
import pytest
import torch

from seglet.core.grid import Region
from seglet.core.image import IGNORE
from seglet.patches import sources
from seglet.patches.sources import InMemory, pixel_weights, places_of
from seglet.patches.targets import BorderWeightConfig, border_weights
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
    counted = pixel_weights(case, None) > 0
    found = InMemory(case, None, CPU).find_places(_rng())
    np.testing.assert_array_equal(found.anywhere, np.argwhere(counted))
    assert set(found.foreground) == {1, 2}
    for index, points in found.foreground.items():
        np.testing.assert_array_equal(points, np.argwhere(counted & (case.labels == index)))


def test_many_places_are_chosen_from_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_PLACES", 500)
    monkeypatch.setattr(sources, "CHUNK", 333)
    counted = np.ones((50, 60), bool)
    counted[:25] = False
    found = places_of(np.ones((50, 60), np.uint8), counted, _rng())
    assert len(found.anywhere) == len(np.unique(found.anywhere, axis=0)) == 500
    assert counted[tuple(found.anywhere.T)].all()
    assert found.anywhere.mean(axis=0) == pytest.approx([37, 29.5], abs=2)


def test_unseen_classes_are_left_out() -> None:
    labels = np.array([[1, 2], [0, 0]], np.uint8)
    found = places_of(labels, labels != 2, _rng())
    assert list(found.foreground) == [1]


def test_border_weights_add_to_the_weight_of_one() -> None:
    objects = np.zeros((4, 9, 11), np.int32)
    objects[1:3, 1:8, 1:5], objects[1:3, 1:8, 6:10] = 1, 2
    case = Prepared("a", np.zeros((1, 4, 9, 11), np.float32), (objects > 0).astype(np.uint8), objects)
    config = BorderWeightConfig(peak=5, sigma=2)
    np.testing.assert_allclose(pixel_weights(case, config), 1 + border_weights(objects, config))


def test_unlabelled_case_weighs_nothing() -> None:
    assert not pixel_weights(Prepared("a", np.zeros((1, 3, 4), np.float32)), None).any()
