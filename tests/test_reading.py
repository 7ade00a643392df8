"""Which way images are read, what it takes, and what is chosen of those on disk."""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from seglet import reading
from seglet.core.errors import ConfigError, DatasetError
from seglet.core.events import Event, quiet
from seglet.core.image import Image, LabelClass, Labels, Sample, StoredImage, StoredSample
from seglet.data.cases import Case
from seglet.data.crops import Crop
from seglet.data.datasets import open_dataset
from seglet.data.doctor import examine
from seglet.data.masks import MaskConfig
from seglet.data.samples import read_sample
from seglet.io.files import write_image, write_mask
from seglet.io.sources import File
from seglet.preprocessing.fingerprint import CaseFacts
from seglet.preprocessing.plan import Plan
from seglet.preprocessing.settings import PlanConfig
from seglet.preprocessing.transform import preprocess

LABELS = Labels(classes=(LabelClass(name="background", value=0), LabelClass(name="cell", value=1)))
FLAT = Plan(
    color="gray",
    normalization="standardize",
    resize=None,
    patch_size=(32, 32),
    batch_size=2,
    channels=(4, 8),
    strides=((2, 2),),
    kernels=((3, 3),) * 2,
    n_channels=1,
    n_classes=2,
    training_memory=1,
    reading="disk",
)
DEEP = FLAT.model_copy(
    update={"mode": "3d", "patch_size": (8, 16, 24), "strides": ((2, 2, 2),), "kernels": ((3, 3, 3),) * 2}
)
LYING = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


def cases(folder: Path, suffix: str = ".h5", side: int = 2100) -> list[Case]:
    pixels = np.random.default_rng(0).integers(0, 255, (side, side), np.uint8)
    write_image(folder / f"image{suffix}", Image(pixels[None]))
    write_mask(folder / f"mask{suffix}", (pixels > 128).astype(np.uint8))
    return [Case("a", (File(folder, f"image{suffix}"),), (File(folder, f"mask{suffix}"),))]


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Pretend that so much memory is free."""
    return lambda n_bytes: monkeypatch.setattr(reading, "free_memory", lambda: n_bytes)


def test_images_that_fit_are_kept(tmp_path: Path, free: Callable[[int], None]) -> None:
    one = cases(tmp_path)
    free(1000)
    assert reading.choose_reading(PlanConfig(), one, LABELS, needed=500) == "memory"
    assert reading.choose_reading(PlanConfig(), one, LABELS, needed=501) == "disk"


def test_images_are_kept_as_long_as_they_fit_what_was_said(
    tmp_path: Path, free: Callable[[int], None]
) -> None:
    one = cases(tmp_path)
    free(1)
    assert reading.choose_reading(PlanConfig(), one, LABELS, needed=1000, left=1000) == "memory"
    assert reading.choose_reading(PlanConfig(), one, LABELS, needed=1001, left=1000) == "disk"
    (tmp_path / "whole").mkdir()
    whole = cases(tmp_path / "whole", ".png")
    with pytest.raises(DatasetError, match=r"\(0 MiB are left\).*Or allow more memory\."):
        reading.choose_reading(PlanConfig(), whole, LABELS, needed=1001, left=1000)


def test_images_that_are_to_be_kept_are_refused_unread_where_they_do_not_fit(cells: Path) -> None:
    found = examine(open_dataset(cells, None), MaskConfig(), quiet)
    looks = [look for each in found.looks.values() for look in each]
    pixels = sum(prod(look.place.shape) * (look.n_channels + 1) for look in looks)  # bytes, and a label each
    reading.require_room(looks, pixels)
    with pytest.raises(ConfigError, match=r"max-ram: found images that take .* in memory; expected at most"):
        reading.require_room(looks, pixels - 1)


def test_what_is_said_counts(tmp_path: Path, free: Callable[[int], None]) -> None:
    one = cases(tmp_path)
    free(1000)
    assert reading.choose_reading(PlanConfig(reading="disk"), one, LABELS, needed=1) == "disk"
    assert reading.choose_reading(PlanConfig(reading="memory"), one, LABELS, needed=10**6) == "memory"
    assert reading.choose_reading(PlanConfig(resize=(8, 8)), one, LABELS, needed=10**6) == "memory"


def test_images_that_cannot_be_read_in_part_are_kept_as_long_as_they_fit(
    tmp_path: Path, free: Callable[[int], None]
) -> None:
    one = cases(tmp_path, ".png")
    free(1000)
    assert reading.choose_reading(PlanConfig(), one, LABELS, needed=900) == "memory"
    with pytest.raises(DatasetError, match=r"2 files.*image\.png.*--to ome-zarr"):
        reading.choose_reading(PlanConfig(), one, LABELS, needed=1000)
    with pytest.raises(DatasetError, match="patch by patch"):
        reading.choose_reading(PlanConfig(reading="disk"), one, LABELS, needed=1)
    (tmp_path / "small").mkdir()
    small = cases(tmp_path / "small", ".png", side=40)
    assert reading.choose_reading(PlanConfig(), small, LABELS, needed=1000) == "disk"


def test_patches_are_counted_and_say_what_of_them_is_predicted() -> None:
    assert reading.patches_in_words(FLAT) == "2 patches of 32x32 a step"
    unpadded = {"is_valid": True, "batch_size": 1, "patch_size": (44, 60)}  # two levels lose 16
    assert reading.patches_in_words(FLAT.model_copy(update=unpadded)) == (
        "1 patch of 60x44 (44x28 predicted) a step"
    )


def test_masks_that_would_fill_the_memory_are_named(tmp_path: Path, free: Callable[[int], None]) -> None:
    (one,) = cases(tmp_path)
    mask = File(tmp_path, "mask.h5")
    several = replace(one, labels=(mask, mask))
    objects = LABELS.model_copy(update={"encoding": "objects"})
    free(2100 * 2100 * 2 + 2)
    assert reading.choose_reading(PlanConfig(), [several], objects, needed=10**9) == "disk"
    free(2100 * 2100 * 2 - 2)
    with pytest.raises(DatasetError, match=r"mask\.h5"):
        reading.choose_reading(PlanConfig(), [several], objects, needed=10**9)


def test_memory_is_counted_by_hand() -> None:
    image = StoredImage((3, 10, 20), np.dtype(np.uint16), lambda box: np.zeros(0), True)
    per_pixel = 3 * (2 + 4) + 1 + 2 * 4  # as read and as float32, labels, labels and weights as float32
    assert reading.memory_of([image, image]) == 2 * 200 * per_pixel


def test_the_way_is_said() -> None:
    assert reading.reading_in_words(FLAT, 120 * 2**30) == (
        "read from disk by patches: about 0 MiB instead of 120 GiB"
    )
    kept = FLAT.model_copy(update={"reading": "memory"})
    assert reading.reading_in_words(kept, 2**30) == "kept in memory: about 1.0 GiB"
    large = DEEP.model_copy(update={"patch_size": (64, 64, 64), "batch_size": 8})
    assert 2**28 > reading.memory_of_patches(large) > 5 * 8 * 3 * 4 * 64**3


def facts(spacing: tuple[float, ...] | None) -> CaseFacts:
    return CaseFacts(
        id="a",
        shape=(8, 8, 8),
        spacings={"mm": spacing} if spacing else {},
        unit="mm",
        n_channels=1,
        is_color=False,
        is_oriented=False,
        dtype="uint8",
        has_fov=False,
        lowest=0.0,
        foreground=np.zeros((1, 0), np.float32),
        class_counts=np.ones(2, np.int64),
        elongations=(),
    )


def test_images_of_different_spacing_keep_their_own_on_disk() -> None:
    same = [facts((1.0, 1.0, 1.0)), facts((1.001, 1.0, 1.0)), facts(None)]
    assert reading.with_fitting_spacing(PlanConfig(), same).spacing is None
    other = [*same, facts((2.0, 1.0, 1.0))]
    assert reading.with_fitting_spacing(PlanConfig(), other).spacing == "own"
    said = PlanConfig(spacing=(1.0, 1.0, 1.0))
    assert reading.with_fitting_spacing(said, other) == said


def stored(labels: NDArray[np.uint8], direction: tuple[float, ...] = ()) -> StoredSample:
    pixels = np.random.default_rng(0).integers(0, 255, (1, *labels.shape), np.uint8)
    image = StoredImage(
        pixels.shape, pixels.dtype, lambda box: pixels[(slice(None), *box)], True, direction=direction
    )
    return StoredSample("a", image, lambda box: labels[box])


def test_windows_are_as_large_as_the_network_wants_along_the_axes_of_the_file() -> None:
    def shapes(plan: Plan, shape: tuple[int, ...], direction: tuple[float, ...] = ()) -> set[tuple[int, ...]]:
        crops = reading.crops_of({"a": stored(np.zeros(shape, np.uint8), direction)}, plan, 1, quiet)
        return {crop.region.shape for crop in crops["a"]}

    assert shapes(FLAT, (2048, 1024)) == {(512, 512)}
    assert shapes(FLAT.model_copy(update={"patch_size": (640, 32)}), (1280, 1024)) == {(640, 512)}
    assert shapes(DEEP, (80, 160, 240)) == {(8, 16, 24)}
    assert shapes(DEEP, (160, 240, 80), LYING) == {(16, 24, 8)}
    slices = FLAT.model_copy(update={"mode": "slices", "slice_axis": 1})
    assert shapes(slices, (320, 80, 320)) == {(32, 8, 32)}


def test_cases_share_the_windows_and_each_has_one() -> None:
    sample = stored(np.zeros((512 * 10, 512 * 10), np.uint8))
    told: list[Event] = []
    counts = [len(reading.crops_of({"a": sample}, FLAT, n, told.append)["a"]) for n in (1, 4, 1000)]
    assert counts == [64, 16, 1]
    assert [(event.done, event.total) for event in told] == [(1, 1)] * 3


def test_pieces_are_whole_samples_and_windows_of_stored_ones() -> None:
    whole = Sample("b", Image(np.zeros((1, 8, 8), np.uint8)))
    on_disk = stored(np.zeros((1024, 512), np.uint8))
    crops = reading.crops_of({"a": on_disk, "b": whole}, FLAT, 2, quiet)
    assert set(crops) == {"a"}
    pieces = reading.pieces_of([whole, on_disk], crops)
    assert pieces[0] is whole
    assert [piece.id for piece in pieces[1:]] == ["a@0-0", "a@512-0"]


def test_a_window_is_prepared_by_the_intensities_of_its_whole_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "CROP_SIDE", 32)
    labels = np.zeros((64, 96), np.uint8)
    sample = stored(labels)
    image = sample.image.load()
    image.pixels[:, :32] //= 4  # a dark half, by itself standardized it would be as bright as the other
    (whole,) = preprocess(Sample("a", image, labels), FLAT)
    crops = reading.crops_of({"a": sample}, FLAT, 1, quiet)["a"]
    assert len(crops) == 6
    for crop in crops:
        (prepared,) = reading.prepare(crop, FLAT)
        expected = whole.image[(slice(None), *crop.region.slices)]
        np.testing.assert_allclose(prepared.image, expected, rtol=1e-5, atol=1e-5)
    (same,) = reading.prepare(Sample("a", image, labels), FLAT)
    np.testing.assert_array_equal(same.image, whole.image)


def test_facts_of_stored_cases_alone_are_looked_for() -> None:
    whole = Sample("b", Image(np.zeros((1, 8, 8), np.uint8)), np.zeros((8, 8), np.uint8))
    labels = np.zeros((40, 30), np.uint8)
    labels[:10] = 1
    found = reading.look_at_stored({"a": stored(labels), "b": whole}, 2, quiet)
    assert set(found) == {"a"}
    assert found["a"].class_counts.tolist() == [900, 300]


def test_cases_are_read_or_opened(tmp_path: Path) -> None:
    found = cases(tmp_path, side=50)
    kept = reading.read_or_open(found, LABELS, "memory", quiet)["a"]
    opened = reading.read_or_open(found, LABELS, "disk", quiet)["a"]
    assert isinstance(kept, Sample)
    assert isinstance(opened, StoredSample)
    assert kept.labels is not None
    np.testing.assert_array_equal(opened.read_labels((slice(3, 9), slice(0, 50))), kept.labels[3:9])
    np.testing.assert_array_equal(read_sample(found[0], LABELS).image.pixels, opened.image.load().pixels)
    sources = reading.sources_of(opened, FLAT)
    assert [source.shape for source in sources] == [(50, 50)]
    assert all(source.is_on_disk for source in sources)
    assert isinstance(reading.crops_of({"a": opened}, FLAT, 1, quiet)["a"][0], Crop)
