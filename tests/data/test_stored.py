"""Cases on disk give in boxes what they give as a whole."""

import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr

from seglet.core.errors import FormatError, GeometryError
from seglet.core.image import IGNORE, Image, LabelClass, Labels
from seglet.data.cases import Case
from seglet.data.masks import MaskConfig, understand_masks
from seglet.data.samples import read_sample
from seglet.data.stored import bytes_kept, is_cheap_in_parts, open_sample
from seglet.io.files import open_image, write_image
from seglet.io.listing import as_file
from seglet.io.sources import File

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 4000, (1, 40, 50, 60)).astype(np.uint16)
MASK = RNG.choice(np.array([0, 7, 200], np.uint8), (40, 50, 60))
LABELS = Labels(classes=tuple(LabelClass(name=f"c{value}", value=value) for value in (0, 7, 200)))
BOX = (slice(3, 20), slice(11, 50), slice(4, 7))


def stored(path: Path, pixels: np.ndarray, direction: tuple[float, ...] = ()) -> File:
    origin = (0.0,) * 3 if direction else ()
    if path.suffix == ".zarr":
        zarr.create_array(path, data=pixels[0], chunks=(16, 16, 16))
        return as_file(path)
    spacing, unit = ((1.0,) * 3, "mm") if direction else ((), "px")
    write_image(path, Image(pixels, spacing, unit, origin, direction))
    return as_file(path)


@pytest.mark.parametrize("suffix", ["zarr", "tif", "nii.gz"])
def test_boxes_equal_the_sample_in_memory(tmp_path: Path, suffix: str) -> None:
    image, mask = stored(tmp_path / f"i.{suffix}", PIXELS), stored(tmp_path / f"m.{suffix}", MASK[None])
    case = Case("x", (image,), (mask,))
    whole, opened = read_sample(case, LABELS), open_sample(case, LABELS)
    assert opened.image.extent == (1, 40, 50, 60)
    assert whole.labels is not None
    np.testing.assert_array_equal(opened.image.read(BOX), whole.image.pixels[(slice(None), *BOX)])
    labels = opened.read_labels(BOX)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, whole.labels[BOX])


def test_only_the_box_is_decoded(tmp_path: Path) -> None:
    strange = MASK.copy()
    strange[-1] = 99
    case = Case("x", (stored(tmp_path / "i.zarr", PIXELS),), (stored(tmp_path / "m.zarr", strange[None]),))
    opened = open_sample(case, LABELS)
    assert opened.read_labels(BOX).max() == 2
    with pytest.raises(FormatError, match=r"m\.zarr.*99"):
        opened.read_labels((slice(39, 40), *BOX[1:]))


def test_of_what_is_far_larger_than_the_memory_little_is_read(tmp_path: Path) -> None:
    shape, place = (2000, 2048, 2560), (slice(992, 1008), slice(0, 64), slice(64, 128))
    for name, dtype, value in (("i", "u2", 1000), ("m", "u1", 1)):
        array = zarr.create_array(tmp_path / f"{name}.zarr", shape=shape, chunks=(16, 64, 64), dtype=dtype)
        array[place] = value
    case = Case("x", (as_file(tmp_path / "i.zarr"),), (as_file(tmp_path / "m.zarr"),))
    tracemalloc.start()
    assert understand_masks([case], MaskConfig()).n_classes == 2
    opened = open_sample(case, understand_masks([case], MaskConfig(classes={"bg": 0, "cell": 1})))
    box = (slice(990, 1010), slice(0, 70), slice(60, 130))
    pixels, indexes = opened.image.read(box), opened.read_labels(box)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 600e6
    assert opened.image.is_random
    assert (pixels[0] == 1000).sum() == (indexes == 1).sum() == 16 * 64 * 64
    assert not indexes[:2].any()


def test_turned_masks_and_fields_of_view_are_kept_whole(tmp_path: Path) -> None:
    straight = tuple(float(value) for value in np.eye(3).ravel())
    mirrored = tuple(float(value) for value in np.diag([1, -1, 1]).ravel())
    fov = np.zeros((1, 40, 50, 60), np.uint8)
    fov[:, 5:] = 255
    case = Case(
        "x",
        (stored(tmp_path / "i.nii.gz", PIXELS, straight),),
        (stored(tmp_path / "m.nii.gz", np.ascontiguousarray(MASK[None, :, ::-1]), mirrored),),
        fov=stored(tmp_path / "f.nii.gz", fov, straight),
    )
    opened = open_sample(case, LABELS)
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(opened.read_labels, [BOX] * 8))
    expected = np.searchsorted([0, 7, 200], MASK)[BOX]
    expected[:2] = IGNORE
    for labels in read:
        np.testing.assert_array_equal(labels, expected)


def test_a_mask_of_other_extent_is_refused_at_once(tmp_path: Path) -> None:
    small = stored(tmp_path / "m.zarr", MASK[None, 1:])
    case = Case("x", (stored(tmp_path / "i.zarr", PIXELS),), (small,))
    with pytest.raises(GeometryError, match=r"m\.zarr.* found 60x50x39 voxels; expected 60x50x40 voxels"):
        open_sample(case, LABELS)


def test_flat_images_are_read_in_boxes_too(tmp_path: Path) -> None:
    image, mask = stored(tmp_path / "i.tif", PIXELS[:, 0]), stored(tmp_path / "m.png", MASK[None, 0])
    opened = open_sample(Case("x", (image,), (mask,)), LABELS)
    box = (slice(10, 30), slice(5, 8))
    np.testing.assert_array_equal(opened.image.read(box), PIXELS[:, 0, 10:30, 5:8])
    np.testing.assert_array_equal(opened.read_labels(box), np.searchsorted([0, 7, 200], MASK[0])[box])


def test_what_was_never_written_is_known(tmp_path: Path) -> None:
    for name, dtype in (("i", "u2"), ("m", "u1")):
        array = zarr.create_array(tmp_path / f"{name}.zarr", shape=(40, 50, 60), chunks=(8,) * 3, dtype=dtype)
        array[8:16, 16:24, 24:32] = 7
        if name == "i":
            array[:, :8] = 1
    image, mask = as_file(tmp_path / "i.zarr"), as_file(tmp_path / "m.zarr")
    here, there = (slice(10, 20), slice(20, 30), slice(30, 40)), (slice(0, 40), slice(0, 8), slice(0, 60))
    opened = open_sample(Case("x", (image,), (mask,)), LABELS)
    assert (opened.image.is_written(here), opened.is_written(here)) == (True, True)
    assert (opened.image.is_written(there), opened.is_written(there)) == (True, False)
    assert not opened.image.is_written((slice(0, 8), slice(30, 50), slice(0, 60)))
    joined = open_sample(Case("x", (mask, image), (mask,), missing=(1,)), LABELS)
    assert joined.image.is_written(there)
    page = open_sample(Case("x", (mask,), (mask,), page=9), LABELS)
    assert [page.is_written(box) for box in ((slice(16, 17), slice(24, 25)), here[1:])] == [True, True]
    assert not open_sample(Case("x", (mask,), (mask,), page=2), LABELS).image.is_written(here[1:])


def test_small_images_of_any_format_are_cheap_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image, mask = stored(tmp_path / "i.nii.gz", PIXELS), stored(tmp_path / "m.nii.gz", MASK[None])
    case = Case("x", (image,), (mask,))
    assert is_cheap_in_parts(open_image(image))
    assert bytes_kept(case, LABELS) == 0
    assert bytes_kept(replace(case, fov=mask), LABELS) == MASK.size
    monkeypatch.setattr("seglet.data.stored.SMALL", 1000)
    assert not is_cheap_in_parts(open_image(image))
    assert bytes_kept(case, LABELS) == MASK.size
    assert is_cheap_in_parts(open_image(stored(tmp_path / "i.zarr", PIXELS)))


def test_values_of_no_class_are_background_in_boxes_too(tmp_path: Path) -> None:
    case = Case("x", (stored(tmp_path / "i.zarr", PIXELS),), (stored(tmp_path / "m.zarr", MASK[None]),))
    labels = Labels(classes=LABELS.classes[:2], others="background")
    np.testing.assert_array_equal(open_sample(case, labels).read_labels(BOX), MASK[BOX] == 7)
