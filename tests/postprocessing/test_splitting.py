"""How one component becomes objects."""

import numpy as np
import pytest
from scipy.ndimage import label

from seglet.core.errors import ConfigError, GeometryError
from seglet.core.grid import Region
from seglet.postprocessing.settings import DecodingConfig
from seglet.postprocessing.splitting import (
    foreground_of,
    methods_for,
    require_method,
    split,
    surroundings,
)


def _dumbbell() -> np.ndarray:
    y, x = np.ogrid[:25, :41]
    return (np.hypot(y - 12, x - 12) < 9) | (np.hypot(y - 12, x - 28) < 9)


def test_foreground_is_interior_and_border_together() -> None:
    planes = np.array([[[0.2]], [[0.5]], [[0.3]]])
    assert foreground_of(planes).item() == pytest.approx(0.8)
    assert foreground_of(planes[:2]).item() == foreground_of(planes[:1]).item() == 0.2


def test_planes_of_several_classes_are_refused() -> None:
    with pytest.raises(GeometryError, match="4 planes"):
        foreground_of(np.zeros((4, 3, 3)))


@pytest.mark.parametrize(("n_planes", "own"), [(1, ()), (2, ("distance",)), (3, ("interior",))])
def test_methods_are_those_the_planes_allow(n_planes: int, own: tuple[str, ...]) -> None:
    allowed = methods_for(n_planes)
    assert allowed == ("components", "probability", "depth", "waist", *own)
    for method in ("components", "probability", "depth", "waist", "interior", "distance", None):
        if method in (*allowed, None):
            require_method(n_planes, DecodingConfig(method=method))
        else:
            with pytest.raises(ConfigError, match=method):
                require_method(n_planes, DecodingConfig(method=method))


def test_surroundings_reach_as_far_as_smoothing_and_end_with_the_image() -> None:
    box = Region((2, 20), (5, 30))
    assert surroundings(box, (50, 50), DecodingConfig(smoothing=1)) == Region((0, 16), (9, 34))
    assert surroundings(box, (6, 31), DecodingConfig(smoothing=0)) == Region((1, 19), (6, 31))


def test_two_discs_come_apart_at_their_waist() -> None:
    own = _dumbbell()
    config = DecodingConfig(method="depth", seed_threshold=7)
    objects, n = split(own, own[None].astype(np.float32), config)
    assert n == 2
    assert np.array_equal(objects > 0, own)
    assert (objects[:, :20][own[:, :20]] == objects[12, 12]).all()
    assert (objects[:, 21:][own[:, 21:]] == objects[12, 28]).all()
    assert objects[12, 12] != objects[12, 28]


@pytest.mark.parametrize("seed_threshold", [0, 100])
def test_one_seed_or_none_leaves_one_object(seed_threshold: float) -> None:
    own = _dumbbell()
    config = DecodingConfig(method="depth", seed_threshold=seed_threshold)
    objects, n = split(own, own[None].astype(np.float32), config)
    assert n == 1
    assert np.array_equal(objects, own)


def test_component_that_is_the_whole_image_has_no_depth() -> None:
    own = np.ones((6, 6), bool)
    objects, n = split(own, np.ones((1, 6, 6), np.float32), DecodingConfig(method="depth"))
    assert n == 1
    assert objects.all()


@pytest.mark.parametrize(("method", "n_planes"), [("probability", 1), ("distance", 2), ("interior", 3)])
def test_map_is_the_plane_of_the_method(method: str, n_planes: int) -> None:
    own = np.ones((1, 9), bool)
    peaks = np.array([[0.1, 0.9, 0.9, 0.6, 0.55, 0.6, 0.9, 0.9, 0.1]], np.float32)
    flat = np.full_like(peaks, 0.6)
    planes = {1: [peaks], 2: [flat, peaks], 3: [1 - peaks, peaks, 0 * flat]}[n_planes]
    objects, n = split(own, np.stack(planes), DecodingConfig(method=method, smoothing=0, seed_threshold=0.8))
    assert n == 2
    assert objects[0, [0, 1, 2, 3]].tolist() == [objects[0, 0]] * 4
    assert objects[0, [5, 6, 7, 8]].tolist() == [objects[0, 8]] * 4


def test_smoothing_joins_seeds() -> None:
    own = np.ones((9, 9), bool)
    speckled = np.full((1, 9, 9), 0.9, np.float32)
    speckled[0, :, 4] = 0.7
    config = DecodingConfig(method="probability", seed_threshold=0.75, smoothing=0)
    assert split(own, speckled, config)[1] == 2
    assert split(own, speckled, config.model_copy(update={"smoothing": 2}))[1] == 1


@pytest.mark.parametrize("size", [1, 4])
def test_a_waist_parts_small_and_large_objects_alike(size: int) -> None:
    y, x = np.ogrid[: 14 * size, : 26 * size]
    middle, radius = 6.5 * size, 5 * size
    discs = [(y - middle) ** 2 + (x - at * size) ** 2 <= radius**2 for at in (6.5, 15)]
    pair, planes = discs[0] | discs[1], np.ones((1, 14 * size, 26 * size), np.float32)
    waist = DecodingConfig(method="waist", smoothing=0)
    _, n = split(pair, planes, waist)
    assert n == 2, "narrow to less than 0.7 of their depth where they meet"
    assert split(pair, planes, waist.model_copy(update={"seed_threshold": 0.3}))[1] == 1
    assert split(discs[0], planes, waist)[1] == 1


def test_bands_that_grow_no_narrower_belong_to_what_they_hang_on() -> None:
    yy, xx = np.mgrid[:48, :48]
    away = np.hypot(yy - 24, xx - 24)
    parts, _ = label((away < 8) | (away < 18) & ((yy + xx) % 11 != 0))  # slanted bands on a disc
    own = parts == parts[24, 24]
    _, n = split(own, own[None].astype(np.float32), DecodingConfig(method="waist", smoothing=0))
    assert n == 1
