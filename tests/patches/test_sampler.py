"""Batches: repeatable, inside the labelled pixels, balanced, and true to their images."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from seglet.core.errors import ConfigError, DatasetError
from seglet.core.image import IGNORE
from seglet.patches import sampler as sampler_room
from seglet.patches.augment import AugmentConfig
from seglet.patches.sampler import Batch, PatchConfig, PatchSampler, fixed_windows
from seglet.patches.sources import InMemory, make_truth
from seglet.patches.targets import BorderWeightConfig, TargetConfig, border_weights
from seglet.patches.warp import SpatialDraw
from seglet.preprocessing.transform import Prepared

CPU = torch.device("cpu")
STILL = AugmentConfig(
    rotation=0,
    flip=0,
    scale=(1, 1),
    shift=0,
    elastic=0,
    probability=0,
    brightness=0,
    contrast=(1, 1),
    gamma=(1, 1),
    noise=0,
    blur=0,
)
WILD = AugmentConfig(rotation=180, flip=0.5, scale=(0.7, 1.4), shift=3, elastic=4, probability=0.8, noise=0.1)


def _case(name: str = "a", shape: tuple[int, int] = (20, 24), **truth: Any) -> Prepared:
    """An image whose every pixel is unlike all others, so that a patch tells where it was cut."""
    image = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(1, *shape)
    labels = truth.pop("labels", (image[0] % 3 == 0).astype(np.uint8))
    return Prepared(name, image, labels=labels, **truth)


def _sampler(cases: list[Prepared], **changed: Any) -> PatchSampler:
    options: dict[str, Any] = {
        "patch_size": (8, 8),
        "batch_size": 4,
        "seed": 1,
        "config": PatchConfig(augment=STILL),
    }
    return PatchSampler(cases, device=CPU, **(options | changed))


def _equal(first: Batch, second: Batch) -> bool:
    pairs = zip(vars(first).values(), vars(second).values(), strict=True)
    return all(a is b is None or torch.equal(a, b) for a, b in pairs)


def test_batch_has_the_promised_shapes_and_types() -> None:
    batch = _sampler([_case()], patch_size=(8, 6), batch_size=3).batch(0)
    assert (batch.images.shape, batch.images.dtype) == ((3, 1, 8, 6), torch.float32)
    assert (batch.labels.shape, batch.labels.dtype) == ((3, 8, 6), torch.int64)
    assert (batch.weights.shape, batch.weights.dtype) == ((3, 8, 6), torch.float32)
    assert batch.distances is None


def test_batch_depends_on_seed_and_step_alone() -> None:
    config = PatchConfig(augment=WILD)
    once, again = (_sampler([_case(), _case("b")], config=config) for _ in range(2))
    for step in range(5):
        once.batch(step)
    assert _equal(once.batch(7), again.batch(7))
    assert not _equal(once.batch(7), once.batch(8))
    assert not _equal(once.batch(7), _sampler([_case(), _case("b")], config=config, seed=2).batch(7))


def test_neighboring_seeds_share_no_batch() -> None:
    """Runs that differ in the seed by one must not see the same patches one step apart."""
    first, second = (_sampler([_case()], config=PatchConfig(augment=WILD), seed=seed) for seed in (1, 2))
    assert not _equal(first.batch(8), second.batch(7))


def test_batch_leaves_the_global_randomness_alone() -> None:
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    _sampler([_case()], config=PatchConfig(augment=WILD)).batch(0)
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert (np.random.get_state()[1] == numpy_before).all()  # noqa: NPY002


@pytest.mark.parametrize("patch_size", [(8, 8), (7, 7), (8, 5)])
def test_still_patch_is_a_cut_of_the_image(patch_size: tuple[int, int]) -> None:
    """Nothing is blurred nor displaced where nothing was to be changed; mirrored beyond the border."""
    case = _case()
    assert case.labels is not None
    padded = np.pad(case.image[0], 30, mode="reflect")
    labels = np.pad(case.labels, 30, mode="reflect")
    sampler = _sampler([case], patch_size=patch_size, batch_size=8)
    draw = sampler.draw(0)
    batch = sampler.apply(draw)
    for number, center in enumerate(draw.spatial.center.numpy()):
        y, x = (round(float(c) - (n - 1) / 2) + 30 for c, n in zip(center, patch_size, strict=True))
        cut = (slice(y, y + patch_size[0]), slice(x, x + patch_size[1]))
        np.testing.assert_allclose(batch.images[number, 0], padded[cut], atol=1e-2)  # values reach 479
        np.testing.assert_array_equal(batch.labels[number], labels[cut])


def test_labels_stay_on_their_image_under_every_change() -> None:
    labels = np.zeros((40, 40), np.uint8)
    labels[10:30, 12:33] = 1
    case = Prepared("a", labels[None].astype(np.float32), labels=labels)
    quiet = WILD.model_copy(
        update={"noise": 0, "blur": 0, "brightness": 0, "contrast": (1, 1), "gamma": (1, 1)}
    )
    sampler = _sampler([case], patch_size=(24, 24), batch_size=16, config=PatchConfig(augment=quiet))
    batch = sampler.batch(0)
    sure = (batch.images[:, 0] - 0.5).abs() > 0.49  # bilinear edges lie between the classes
    assert float(sure.float().mean()) > 0.7
    assert torch.equal((batch.images[:, 0] > 0.5)[sure], (batch.labels == 1)[sure])


def test_pixels_outside_the_fov_and_ignored_ones_weigh_nothing() -> None:
    labels = np.ones((20, 20), np.uint8)
    labels[:, 15:] = IGNORE
    fov = np.ones((20, 20), bool)
    fov[:4] = False
    image = np.where(fov & (labels != IGNORE), 1, 0).astype(np.float32)[None]
    batch = _sampler([Prepared("a", image, labels=labels, fov=fov)], batch_size=32).batch(0)
    counted = batch.images[:, 0] > 0.5
    assert 0.2 < float(counted.float().mean()) < 1
    assert torch.equal(batch.weights > 0, counted)
    assert torch.equal(batch.labels, counted.long())
    assert int(batch.labels.max()) == 1  # IGNORE never reaches the loss


def test_centers_are_labelled_pixels_of_usable_cases() -> None:
    fov = np.zeros((20, 24), bool)
    fov[5:8, 6:9] = True
    dead = _case("dead", labels=np.full((20, 24), IGNORE, np.uint8))
    sampler = _sampler([dead, _case("b", fov=fov)], patch_size=(7, 7), batch_size=30)
    draw = sampler.draw(0)
    assert set(draw.cases) == {1}
    assert all(fov[int(y), int(x)] for y, x in draw.spatial.center)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_foreground_share_is_kept_and_classes_take_turns(share: float) -> None:
    labels = np.zeros((40, 40), np.uint8)
    labels[0, 0], labels[5, 5:25], labels[39, 39] = 1, 2, 7
    case = _case(shape=(40, 40), labels=labels)
    config = PatchConfig(augment=STILL, foreground=share)
    sampler = _sampler([case], patch_size=(7, 7), batch_size=600, config=config)
    met = Counter(int(labels[int(y), int(x)]) for y, x in sampler.draw(0).spatial.center)
    for c in (1, 2, 7):
        assert met[c] / 600 == pytest.approx(share / 3, abs=0.07)


def test_many_cases_share_the_places_that_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler_room, "PLACES", 60)
    monkeypatch.setattr(sampler_room, "LEAST_PLACES", 10)
    rare = np.zeros((20, 24), np.uint8)
    rare[3, 4:7] = 1
    few = _sampler([_case(str(n), labels=rare) for n in range(3)], patch_size=(7, 7), batch_size=900)
    assert [len(points) for points in few._anywhere] == [20] * 3
    assert [len(of_class) for of_class in few._foreground[0].values()] == [3] * 3
    met = few.draw(0).spatial.center.numpy()
    assert 55 <= len(np.unique(met, axis=0)) <= 60 + 9
    many = _sampler([_case(str(n)) for n in range(30)], patch_size=(7, 7))
    assert [len(points) for points in many._anywhere] == [10] * 30


def test_rare_class_in_one_case_is_found() -> None:
    empty, full = np.zeros((20, 24), np.uint8), np.zeros((20, 24), np.uint8)
    full[3, 4] = 1
    cases = [_case(str(n), labels=empty) for n in range(5)] + [_case("f", labels=full)]
    config = PatchConfig(augment=STILL, foreground=1)
    assert set(_sampler(cases, config=config, batch_size=20).draw(0).cases) == {5}


def test_images_with_little_of_a_class_are_seen_as_often_as_those_with_much() -> None:
    little, much = np.zeros((20, 24), np.uint8), np.ones((20, 24), np.uint8)
    little[3, 4] = 1
    cases = [_case("empty", labels=0 * little), _case("little", labels=little), _case("much", labels=much)]
    for share, expected in [(1.0, (0, 1 / 2, 1 / 2)), (0.0, (1 / 3, 1 / 3, 1 / 3))]:
        config = PatchConfig(augment=STILL, foreground=share)
        met = Counter(_sampler(cases, config=config, batch_size=900).draw(0).cases)
        np.testing.assert_allclose([met[n] / 900 for n in range(3)], expected, atol=0.06)


@pytest.mark.parametrize("patch_size", [(8, 8), (7, 5), (20, 8)])
def test_patches_wished_inside_show_nothing_mirrored(patch_size: tuple[int, int]) -> None:
    case = _case()
    config = PatchConfig(augment=STILL, inside=True, foreground=0.5)
    sampler = _sampler([case], patch_size=patch_size, batch_size=300, config=config)
    batch = sampler.batch(0)
    corners = torch.round(batch.images[:, 0, 0, 0]).long().numpy()
    rows, columns = np.divmod(corners, 24)
    last = np.subtract((20, 24), patch_size)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (0, last[0], 0, last[1])
    for image, y, x in zip(batch.images[:, 0], rows, columns, strict=True):
        cut = case.image[0, y : y + patch_size[0], x : x + patch_size[1]]
        np.testing.assert_allclose(image, cut, atol=1e-2)


@pytest.mark.parametrize("shape", [(20, 24), (21, 23)])
@pytest.mark.parametrize("foreground", [0.0, 1.0])
def test_a_patch_of_the_image_s_size_is_the_image(shape: tuple[int, int], foreground: float) -> None:
    case = _case(shape=shape)
    config = PatchConfig(augment=STILL, inside=True, foreground=foreground)
    batch = _sampler([case], patch_size=shape, config=config).batch(0)
    for image, labels in zip(batch.images, batch.labels, strict=True):
        np.testing.assert_allclose(image, case.image, atol=1e-2)
        np.testing.assert_array_equal(labels, case.labels)


def test_an_image_smaller_than_its_patch_lies_in_the_middle() -> None:
    case = _case(shape=(4, 24))
    batch = _sampler([case], config=PatchConfig(augment=STILL, inside=True)).batch(0)
    for image in batch.images[:, 0]:
        columns = torch.round(image[2]).long()
        np.testing.assert_allclose(image[2:6], case.image[0][:, columns], atol=1e-2)


def test_inside_patches_of_a_field_of_view_are_centered_in_it() -> None:
    fov = np.zeros((20, 24), bool)
    fov[0:8, 6:9] = True
    config = PatchConfig(augment=STILL, inside=True, foreground=0)
    sampler = _sampler([_case(fov=fov)], patch_size=(7, 7), batch_size=400, config=config)
    centers = sampler.draw(0).spatial.center.int().tolist()
    assert {tuple(center) for center in centers} == {(y, x) for y in range(3, 8) for x in range(6, 9)}


def test_case_without_any_foreground_can_be_trained_on() -> None:
    config = PatchConfig(augment=STILL, foreground=1)
    batch = _sampler([_case(labels=np.zeros((20, 24), np.uint8))], config=config).batch(0)
    assert not batch.labels.any()
    assert (batch.weights == 1).all()


@pytest.mark.parametrize("labels", [None, np.full((20, 24), IGNORE, np.uint8)])
def test_nothing_labelled_is_refused(labels: np.ndarray | None) -> None:
    with pytest.raises(DatasetError, match="no labelled pixel"):
        _sampler([_case(labels=labels)])


def test_empty_field_of_view_is_refused() -> None:
    with pytest.raises(DatasetError, match="field of view"):
        _sampler([_case(fov=np.zeros((20, 24), bool))])


def test_border_weights_travel_with_the_patch() -> None:
    objects = np.zeros((20, 24), np.int32)
    objects[4:16, 2:11], objects[4:16, 13:22] = 1, 2
    case = _case(labels=(objects > 0).astype(np.uint8), objects=objects)
    border = BorderWeightConfig(peak=10, sigma=3)
    plain, weighted = (
        _sampler([case], config=PatchConfig(augment=STILL, border_weight=b), batch_size=16).batch(0)
        for b in (None, border)
    )
    assert (plain.weights == 1).all()
    extra = 1 + border_weights(objects, border)
    for image, weights in zip(weighted.images[:, 0], weighted.weights, strict=True):
        pixel = torch.round(image).long().numpy()
        np.testing.assert_allclose(weights, extra.ravel()[pixel], rtol=1e-6)
    assert float(weighted.weights.max()) > 2


OBJECTS = np.zeros((20, 24), np.int32)
OBJECTS[4:16, 2:11], OBJECTS[2:16, 11:22] = 1, 2


@pytest.mark.parametrize("kind", ["classes", "borders", "distance"])
def test_targets_travel_with_the_patch(kind: str) -> None:
    """What is learned of a pixel comes from where its intensity comes from, however it is turned and bent."""
    case = _case(labels=(OBJECTS > 0).astype(np.uint8), objects=OBJECTS)
    places = np.stack(np.mgrid[:20, :24]).astype(np.float32)
    case = replace(case, image=places)
    quiet = WILD.model_copy(
        update={"noise": 0, "blur": 0, "brightness": 0, "contrast": (1, 1), "gamma": (1, 1)}
    )
    targets, border = TargetConfig(kind=kind, separation=2), BorderWeightConfig()
    config = PatchConfig(augment=quiet, border_weight=border)
    batch = _sampler([case], config=config, targets=targets, batch_size=16).batch(0)
    expected = make_truth(case, border, targets)
    assert (batch.distances is not None) == (kind == "distance")
    found = [batch.labels, batch.weights, *([batch.distances] if batch.distances is not None else [])]
    fraction = (batch.images % 1 - 0.5).abs().amin(1)
    sure = fraction > 1e-3  # in the middle between two pixels either is the nearest
    y, x = torch.round(batch.images).long().unbind(1)
    assert float(sure.float().mean()) > 0.98
    for plane, known in zip(found, expected, strict=True):
        np.testing.assert_allclose(plane[sure], known[y[sure], x[sure]], rtol=1e-6)


def test_targets_of_validation_windows_are_those_of_training() -> None:
    case = _case(labels=(OBJECTS > 0).astype(np.uint8), objects=OBJECTS)
    for kind in ("borders", "distance"):
        targets = TargetConfig(kind=kind, separation=1)
        (window,) = fixed_windows([case], (20, 24), 5, targets=targets)
        expected = make_truth(case, None, targets)
        np.testing.assert_array_equal(window.labels[0], expected[0])
        assert (window.distances is None) == (kind == "borders")
        if window.distances is not None:
            np.testing.assert_array_equal(window.distances[0], expected[2])


def test_cases_on_disk_whose_objects_are_to_be_told_apart_are_refused() -> None:
    class Slow(InMemory):
        is_on_disk = True

    slow = Slow(_case(), None, CPU)
    assert _sampler([slow]).is_on_disk
    with pytest.raises(ConfigError, match="border_weight"):
        _sampler([slow], config=PatchConfig(border_weight=BorderWeightConfig()))
    for targets in (TargetConfig(separation=1), TargetConfig(kind="borders")):
        with pytest.raises(ConfigError, match=r"plan\.reading=memory"):
            _sampler([slow], targets=targets)
        with pytest.raises(ConfigError, match=r"plan\.reading=memory"):
            fixed_windows([slow], (8, 8), 5, targets=targets)


def test_images_smaller_than_a_patch_are_mirrored() -> None:
    batch = _sampler([_case(shape=(3, 1), labels=np.ones((3, 1), np.uint8))]).batch(0)
    assert batch.images.shape == (4, 1, 8, 8)
    assert (batch.weights == 1).all()
    assert set(torch.round(batch.images).unique().tolist()) == {0, 1, 2}


def test_images_of_unlike_sizes_share_a_batch() -> None:
    cases = [_case("small", shape=(5, 9)), _case("tall", shape=(60, 9)), _case("wide", shape=(12, 80))]
    sampler = _sampler(cases, batch_size=24)
    draw = sampler.draw(0)
    batch = sampler.apply(draw)
    assert set(draw.cases) == {0, 1, 2}
    for number, case in enumerate(draw.cases):
        pixel = torch.round(batch.images[number, 0]).long().numpy()
        np.testing.assert_allclose(batch.images[number, 0], pixel, atol=1e-2)
        labels = cases[case].labels
        assert labels is not None
        np.testing.assert_array_equal(batch.labels[number], labels.ravel()[pixel])


def test_windows_for_validation_are_cut_from_the_grid() -> None:
    case = _case(shape=(16, 24))
    assert case.labels is not None
    windows = fixed_windows([case], (8, 8), most=100)
    assert len(windows) == 6
    image = np.block([[windows[3 * i + j].images[0, 0].numpy() for j in range(3)] for i in range(2)])
    labels = np.block([[windows[3 * i + j].labels[0].numpy() for j in range(3)] for i in range(2)])
    np.testing.assert_array_equal(image, case.image[0])
    np.testing.assert_array_equal(labels, case.labels)
    assert all((w.weights == 1).all() for w in windows)


def test_what_a_network_says_between_margins_lies_side_by_side() -> None:
    case = _case(shape=(17, 24))
    assert case.labels is not None
    margin = (3, 2)
    windows = fixed_windows([case], (14, 12), most=100, margin=margin)
    assert len(windows) == 9
    padded = np.pad(case.image[0], ((3, 3 + 7), (2, 2)), mode="reflect")
    for number, window in enumerate(windows):
        y, x = np.multiply(divmod(number, 3), (8, 8))
        np.testing.assert_array_equal(window.images[0, 0], padded[y : y + 14, x : x + 12])
        assert window.labels.shape == window.weights.shape == (1, 14, 12)
    said = [window.labels[0, 3:-3, 2:-2].numpy() for window in windows]
    labels = np.block([[said[3 * i + j] for j in range(3)] for i in range(3)])
    np.testing.assert_array_equal(labels[:17], case.labels)


def test_windows_labelled_in_their_margins_alone_are_left_out() -> None:
    fov = np.zeros((16, 16), bool)
    fov[7, 5] = True  # in the margin of the window below
    (window,) = fixed_windows([_case(shape=(16, 16), fov=fov)], (12, 12), most=9, margin=(2, 2))
    assert np.argwhere(window.weights[0].numpy()).tolist() == [[9, 7]]


def test_few_windows_are_spread_evenly_over_the_cases() -> None:
    cases = [_case(str(n), shape=(16, 16)) for n in range(3)]
    for number, case in enumerate(cases):
        case.image[:] = number
    chosen = fixed_windows(cases, (8, 8), most=3)
    assert [float(w.images[0, 0, 0, 0]) for w in chosen] == [0, 1, 2]


def test_windows_without_a_labelled_pixel_are_left_out() -> None:
    fov = np.zeros((16, 16), bool)
    fov[10, 2] = True
    (window,) = fixed_windows([_case(shape=(16, 16), fov=fov)], (8, 8), most=9)
    assert window.weights.sum() == 1
    assert window.weights[0, 2, 2] == 1


@pytest.mark.parametrize("most", [0, 5])
def test_no_window_is_an_empty_list(most: int) -> None:
    nothing = _case(labels=np.full((20, 24), IGNORE, np.uint8))
    assert fixed_windows([nothing], (8, 8), most) == []


def test_window_beyond_the_border_is_mirrored() -> None:
    (window,) = fixed_windows([_case(shape=(5, 5))], (8, 8), most=1)
    expected = np.pad(_case(shape=(5, 5)).image[0], ((0, 3), (0, 3)), mode="reflect")
    np.testing.assert_array_equal(window.images[0, 0], expected)


def _volume(shape: tuple[int, int, int] = (9, 20, 24), **truth: Any) -> Prepared:
    image = np.arange(np.prod(shape), dtype=np.float32).reshape(1, *shape)
    return Prepared("v", image, labels=truth.pop("labels", (image[0] % 3 == 0).astype(np.uint8)), **truth)


@pytest.mark.parametrize("patch_size", [(4, 8, 8), (3, 7, 8), (1, 8, 8)])
def test_still_patch_is_a_cut_of_the_volume(patch_size: tuple[int, ...]) -> None:
    case = _volume()
    assert case.labels is not None
    padded, labels = (np.pad(each, 30, mode="reflect") for each in (case.image[0], case.labels))
    sampler = _sampler([case], patch_size=patch_size, batch_size=8)
    draw = sampler.draw(0)
    batch = sampler.apply(draw)
    assert batch.images.shape == (8, 1, *patch_size)
    assert batch.labels.shape == batch.weights.shape == (8, *patch_size)
    for number, center in enumerate(draw.spatial.center.numpy()):
        corner = [round(float(c) - (n - 1) / 2) + 30 for c, n in zip(center, patch_size, strict=True)]
        cut = tuple(slice(a, a + n) for a, n in zip(corner, patch_size, strict=True))
        np.testing.assert_allclose(batch.images[number, 0], padded[cut], atol=5e-2)  # values reach 4319
        np.testing.assert_array_equal(batch.labels[number], labels[cut])


def test_labels_stay_on_their_volume_under_every_change() -> None:
    labels = np.zeros((24, 30, 30), np.uint8)
    labels[6:18, 8:22, 9:23] = 1
    case = Prepared("a", labels[None].astype(np.float32), labels=labels)
    quiet = WILD.model_copy(
        update={"noise": 0, "blur": 0, "brightness": 0, "contrast": (1, 1), "gamma": (1, 1)}
    )
    options: dict[str, Any] = {"patch_size": (12, 16, 16), "batch_size": 8, "spacing": (1.3, 1.0, 1.0)}
    batch = _sampler([case], config=PatchConfig(augment=quiet), **options).batch(0)
    sure = (batch.images[:, 0] - 0.5).abs() > 0.49
    assert float(sure.float().mean()) > 0.6
    assert torch.equal((batch.images[:, 0] > 0.5)[sure], (batch.labels == 1)[sure])


def test_volumes_of_one_slice_give_the_patches_of_that_image() -> None:
    """Two and three axes share one code: where nothing crosses slices, they agree to the pixel."""
    case = _case()
    assert case.labels is not None
    flat = _sampler([case], config=PatchConfig(augment=STILL))
    deep = _sampler(
        [Prepared("a", case.image[:, None], labels=case.labels[None])],
        config=PatchConfig(augment=STILL),
        patch_size=(1, 8, 8),
    )
    draw = flat.draw(3)
    n = len(draw.cases)
    spatial = SpatialDraw(
        torch.cat([torch.zeros(n, 1), draw.spatial.center], 1),
        torch.eye(3).repeat(n, 1, 1),
        torch.zeros(n, 3, 2, 2, 2),
    )
    expected, found = flat.apply(draw), deep.apply(replace(draw, spatial=spatial))
    np.testing.assert_allclose(found.images[:, :, 0], expected.images, atol=1e-3)
    assert torch.equal(found.labels[:, 0], expected.labels)


def test_windows_of_volumes_are_cut_from_the_grid() -> None:
    case = _volume((8, 16, 12))
    windows = fixed_windows([case], (4, 8, 6), most=100)
    assert len(windows) == 8
    np.testing.assert_array_equal(windows[-1].images[0, 0], case.image[0, 4:, 8:, 6:])
    (beyond,) = fixed_windows([_volume((3, 5, 4))], (4, 8, 6), most=1)
    expected = np.pad(_volume((3, 5, 4)).image[0], ((0, 1), (0, 3), (0, 2)), mode="reflect")
    np.testing.assert_array_equal(beyond.images[0, 0], expected)
