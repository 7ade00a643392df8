"""Cases on disk: the same patches as from memory, upright, by small boxes alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from seglet.core.errors import ConfigError, GeometryError
from seglet.core.grid import Region
from seglet.core.image import IGNORE, Image, Sample, StoredImage, StoredSample
from seglet.patches import stored
from seglet.patches.augment import AugmentConfig
from seglet.patches.sampler import PatchConfig, PatchSampler, fixed_windows
from seglet.patches.stored import OnDisk, SliceOf, require_in_memory, stored_sources
from seglet.patches.targets import BorderWeightConfig, TargetConfig
from seglet.preprocessing.normalization import normalization_of
from seglet.preprocessing.plan import Plan
from seglet.preprocessing.transform import Prepared, preprocess

LYING = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)  # file axes lead to the back, the right, the head
PLAN = Plan(
    color="gray",
    normalization="divide",
    resize=None,
    patch_size=(4, 8, 8),
    batch_size=2,
    channels=(4, 8),
    mode="3d",
    strides=((2, 2, 2),),
    kernels=((3, 3, 3), (3, 3, 3)),
    n_channels=1,
    n_classes=3,
    training_memory=1,
)
SLICES = PLAN.model_copy(
    update={"mode": "slices", "patch_size": (8, 8), "strides": ((2, 2),), "kernels": ((3, 3),) * 2}
)


def _pair(
    folder: Path, shape: tuple[int, ...], direction: tuple[float, ...] = (), fov: bool = True
) -> tuple[StoredSample, Sample]:
    """The same case as memory-mapped files and in memory."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (1, *shape), dtype=np.uint8)
    labels = rng.integers(0, 3, shape).astype(np.uint8)
    labels[..., -2:] = IGNORE
    inside = rng.random(shape) < 0.9 if fov else np.ones(shape, bool)
    maps = {}
    for name, values in {"pixels": pixels, "labels": labels, "fov": inside}.items():
        np.save(folder / f"{name}.npy", values)
        maps[name] = np.load(folder / f"{name}.npy", mmap_mode="r")
    on_disk = StoredImage(
        pixels.shape, pixels.dtype, lambda box: maps["pixels"][(slice(None), *box)], True, direction=direction
    )
    sample = StoredSample("a", on_disk, lambda box: np.where(maps["fov"][box], maps["labels"][box], IGNORE))
    return sample, Sample("a", Image(pixels, direction=direction), labels, fov=inside)


def _whole(source: OnDisk) -> tuple[NDArray[Any], NDArray[Any]]:
    region = Region((0,) * len(source.shape), source.shape)
    return source.read_image(region).numpy(), source.read_truth(region).numpy()


def _is_same(source: OnDisk, prepared: Prepared) -> bool:
    image, (labels, weights) = _whole(source)
    assert prepared.labels is not None
    assert prepared.fov is not None
    counted = (prepared.labels != IGNORE) & prepared.fov
    np.testing.assert_allclose(image, prepared.image, atol=1e-6)
    np.testing.assert_array_equal(weights, counted)
    np.testing.assert_array_equal(labels, prepared.labels * counted)
    return True


@pytest.mark.parametrize("direction", [(), LYING])
def test_volume_on_disk_equals_the_one_in_memory(tmp_path: Path, direction: tuple[float, ...]) -> None:
    on_disk, sample = _pair(tmp_path, (6, 7, 9), direction)
    record = normalization_of(on_disk.image, PLAN)
    (source,) = stored_sources(on_disk, record, PLAN)
    (prepared,) = preprocess(sample, PLAN)
    assert isinstance(source, OnDisk)
    assert source.shape == prepared.image.shape[1:]
    assert _is_same(source, prepared)
    part = Region((1, 2, 3), (4, 5, 6))
    image, truth = _whole(source)
    np.testing.assert_array_equal(source.read_image(part), image[(slice(None), *part.slices)])
    np.testing.assert_array_equal(source.read_truth(part), truth[(slice(None), *part.slices)])


@pytest.mark.parametrize("direction", [(), LYING])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_on_disk_equal_those_in_memory(
    tmp_path: Path, axis: int, direction: tuple[float, ...]
) -> None:
    on_disk, sample = _pair(tmp_path, (6, 7, 9), direction)
    plan = SLICES.model_copy(update={"slice_axis": axis})
    record = normalization_of(on_disk.image, plan)
    found = stored_sources(on_disk, record, plan)
    for prepared in preprocess(sample, plan):
        source = found[int(prepared.id[-3:])]
        assert isinstance(source, OnDisk)
        assert _is_same(source, prepared)


def test_slices_are_chosen_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "N_SLICES", 3)
    on_disk, _ = _pair(tmp_path, (9, 10, 11))
    record = normalization_of(on_disk.image, SLICES)
    first, middle, last = stored_sources(on_disk, record, SLICES)
    for source, number in ((first, 0), (middle, 4), (last, 8)):
        expected = OnDisk(on_disk, record, SliceOf(0, number))
        assert isinstance(source, OnDisk)
        np.testing.assert_array_equal(_whole(source)[0], _whole(expected)[0])


@pytest.mark.parametrize("shape", [(60, 70), (20, 30, 30)])
def test_patches_from_disk_equal_those_from_memory(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """The same draw, applied to a file and to an array, gives the same batch."""
    changed = {} if len(shape) == 3 else {"mode": "2d", "patch_size": (8, 8)}
    plan = PLAN.model_copy(update=changed)
    on_disk, sample = _pair(tmp_path, shape)
    record = normalization_of(on_disk.image, plan)
    config = PatchConfig(augment=AugmentConfig(probability=1))
    from_disk, from_memory = (
        PatchSampler(cases, plan.patch_size, 6, config, seed=1, device=torch.device("cpu"))
        for cases in (stored_sources(on_disk, record, plan), preprocess(sample, plan))
    )
    assert (from_disk.is_on_disk, from_memory.is_on_disk) == (True, False)
    draw = from_disk.draw(0)
    first, second = from_disk.apply(draw), from_memory.apply(draw)
    torch.testing.assert_close(first.images, second.images, atol=1e-4, rtol=1e-4)
    assert torch.equal(first.labels, second.labels)
    assert torch.equal(first.weights, second.weights)
    windows, expected = (
        fixed_windows(cases, plan.patch_size, 1000)
        for cases in (stored_sources(on_disk, record, plan), preprocess(sample, plan))
    )
    assert len(windows) == len(expected) > 4
    assert all(torch.equal(a.labels, b.labels) for a, b in zip(windows, expected, strict=True))


def _giant(labelled: slice) -> StoredSample:
    """A volume of eight terabytes that nobody could hold; its pixels are made when they are read."""
    side = 20_000

    def inside(box: tuple[slice, ...]) -> tuple[int, ...]:
        n = tuple(s.stop - s.start for s in box)
        assert np.prod(n) <= 100**3, "only small boxes may be read"
        return n

    def read_labels(box: tuple[slice, ...]) -> NDArray[np.uint8]:
        labels = np.zeros(inside(box), np.uint8)
        z = np.arange(box[0].start, box[0].stop)
        labels[z % 100 < 30] = 1
        labels[(z < labelled.start) | (z >= labelled.stop)] = IGNORE
        return labels

    image = StoredImage(
        (1, side, side, side), np.dtype(np.uint8), lambda box: np.zeros((1, *inside(box)), np.uint8), True
    )
    return StoredSample("giant", image, read_labels)


def test_giant_volume_is_trained_on_by_small_boxes() -> None:
    giant = _giant(slice(0, 20_000))
    (source,) = stored_sources(giant, normalization_of(giant.image, PLAN), PLAN)
    sampler = PatchSampler(
        [source], (32, 32, 32), 2, PatchConfig(foreground=1), seed=0, device=torch.device("cpu")
    )
    labels = sampler.batch(0).labels
    assert bool((labels == 1).any())
    places = source.find_places(np.random.default_rng(0))
    assert places.anywhere.std(axis=0) == pytest.approx(20_000 / 12**0.5, rel=0.02)  # everywhere alike
    assert (places.foreground[1][:, 0] % 100 < 30).all()


def test_patches_lie_where_somebody_labelled() -> None:
    giant = _giant(slice(0, 10_000))
    places = OnDisk(giant, normalization_of(giant.image, PLAN)).find_places(np.random.default_rng(0))
    assert len(places.anywhere)
    assert places.anywhere[:, 0].max() < 10_000


@pytest.mark.parametrize("cube", [(330, 370), (320, 384)])  # within a box, and all of it
@pytest.mark.parametrize("mask_tells", [True, False])
def test_the_one_place_that_was_labelled_is_drawn_from(mask_tells: bool, cube: tuple[int, int]) -> None:
    """A cube in a volume of 1000 boxes; where the mask cannot say so, all are looked through."""
    side = 640
    places = np.arange(cube[0], cube[1])

    def is_near(box: tuple[slice, ...]) -> bool:
        return all(one.start < cube[1] and one.stop > cube[0] for one in box)

    def read_labels(box: tuple[slice, ...]) -> NDArray[np.uint8]:
        inside = [np.isin(np.arange(one.start, one.stop), places) for one in box]
        return np.where(inside[0][:, None, None] & inside[1][:, None] & inside[2], 1, IGNORE).astype(np.uint8)

    def read(box: tuple[slice, ...]) -> NDArray[np.uint8]:
        return np.zeros((1, *(one.stop - one.start for one in box)), np.uint8)

    image = StoredImage((1, side, side, side), np.dtype(np.uint8), read, True)
    told = {"is_written": is_near} if mask_tells else {}
    sample = StoredSample("one", image, read_labels, **told)
    found = OnDisk(sample, normalization_of(image, PLAN), n_boxes=4).find_places(np.random.default_rng(0))
    assert set(np.unique(found.anywhere)) == set(places)
    assert set(np.unique(found.foreground[1])) == set(places)


def test_where_nothing_is_labelled_there_is_no_place() -> None:
    image = StoredImage(
        (1, 64, 64, 64), np.dtype(np.uint8), lambda box: np.zeros((1, 64, 64, 64), np.uint8), True
    )
    blank = StoredSample("blank", image, lambda box: np.full((64, 64, 64), IGNORE, np.uint8))
    found = OnDisk(blank, normalization_of(image, PLAN)).find_places(np.random.default_rng(0))
    assert (found.anywhere.shape, found.foreground) == ((0, 3), {})


def test_the_same_boxes_are_looked_at_in_every_run(tmp_path: Path) -> None:
    on_disk, _ = _pair(tmp_path, (70, 80, 90))
    source = OnDisk(on_disk, normalization_of(on_disk.image, PLAN), n_boxes=2)
    once, again = (source.find_places(np.random.default_rng(0)) for _ in range(2))
    assert all(np.array_equal(once.foreground[c], again.foreground[c]) for c in (1, 2))
    np.testing.assert_array_equal(once.anywhere, again.anywhere)


@pytest.mark.parametrize("changed", [{"resize": (8, 8, 8)}, {"spacing": (1.0, 1.0, 2.0), "unit": "mm"}])
def test_what_would_have_to_be_resampled_is_refused(tmp_path: Path, changed: dict[str, Any]) -> None:
    on_disk, _ = _pair(tmp_path, (6, 7, 9))
    image = StoredImage(
        on_disk.image.extent, on_disk.image.dtype, on_disk.image.read, True, (1.0, 1.0, 1.0), "mm"
    )
    plan = PLAN.model_copy(update=changed)
    with pytest.raises(GeometryError, match="patch by patch"):
        stored_sources(StoredSample("a", image, on_disk.read_labels), normalization_of(image, plan), plan)


def test_of_a_sparse_store_only_what_was_written_is_drawn() -> None:
    """The image was written in one slab, its mask in a part of it."""
    giant = _giant(slice(0, 20_000))
    image = replace(giant.image, is_written=lambda box: box[1].start < 2000)
    sparse = replace(giant, image=image, is_written=lambda box: box[1].start < 2000 > box[2].start)
    places = OnDisk(sparse, normalization_of(image, PLAN)).find_places(np.random.default_rng(0))
    assert places.anywhere[:, 1].max() < 2064
    assert places.anywhere[:, 2].max() > 15_000
    assert (places.foreground[1][:, 1] < 2064).all()
    near = (places.foreground[1][:, 2] < 2064).mean()
    assert near > 0.4, "half of the boxes lie where the mask was written"


def test_is_written_is_asked_of_the_file_s_own_axes(tmp_path: Path) -> None:
    on_disk, _ = _pair(tmp_path, (40, 60, 80), LYING)
    asked: list[tuple[slice, ...]] = []
    image = replace(on_disk.image, is_written=lambda box: not asked.append(box))
    for at in (None, SliceOf(1, 3)):
        OnDisk(replace(on_disk, image=image), normalization_of(image, PLAN), at).find_places(
            np.random.default_rng(0)
        )
    assert all(
        0 <= one.start < one.stop <= n for box in asked for one, n in zip(box, (40, 60, 80), strict=True)
    )


@pytest.mark.parametrize(
    ("border", "targets", "named"),
    [
        (BorderWeightConfig(), TargetConfig(), "patches.border_weight"),
        (None, TargetConfig(kind="borders"), "targets.kind=borders"),
        (None, TargetConfig(kind="distance"), "targets.kind=distance"),
        (None, TargetConfig(separation=1), "targets.separation"),
    ],
)
def test_what_needs_objects_told_apart_is_refused_on_disk(
    border: BorderWeightConfig | None, targets: TargetConfig, named: str
) -> None:
    require_in_memory(None, TargetConfig(border_width=5))
    with pytest.raises(ConfigError, match=named) as refused:
        require_in_memory(border, targets)
    assert "plan.reading=memory" in str(refused.value)
