"""Broken datasets of many kinds: each is found with the names of its files, and mended where it can be."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from seglet.core.errors import DatasetError
from seglet.data.cases import find_cases
from seglet.data.doctor import Examination, examine, require_sound
from seglet.data.masks import MaskConfig
from seglet.data.repair import repair
from seglet.data.samples import read_samples
from seglet.data.synthetic import make_dataset
from seglet.io.files import write_mask

N = 8
SHAPE = (64, 80)


def gray(path: Path) -> np.ndarray:
    return np.asarray(Picture.open(path).convert("L"))


def mask(root: Path, k: int) -> Path:
    return root / "masks" / f"{k:03}.png"


def image(root: Path, k: int) -> Path:
    return root / "images" / f"{k:03}.png"


def truncated_image(root: Path) -> None:
    path = image(root, 1)
    path.write_bytes(path.read_bytes()[:200])


def empty_file(root: Path) -> None:
    mask(root, 1).write_bytes(b"")


def other_size(root: Path) -> None:
    write_mask(mask(root, 1), gray(mask(root, 1))[:, :50].copy())


def exchanged_axes(root: Path) -> None:
    write_mask(mask(root, 1), gray(mask(root, 1)).T.copy())


def interpolated(root: Path) -> None:
    for k in range(N):
        picture = Picture.open(mask(root, k))
        small = picture.resize((40, 32), Picture.Resampling.BILINEAR)
        small.resize((80, 64), Picture.Resampling.BILINEAR).save(mask(root, k))


def as_jpeg(root: Path) -> None:
    for k in range(N):
        Picture.open(mask(root, k)).save(mask(root, k).with_suffix(".jpg"), quality=80)
        mask(root, k).unlink()


def two_writings(root: Path) -> None:
    for k in (1, 2):
        write_mask(mask(root, k), gray(mask(root, k)) // 255)


def one_in_color(root: Path) -> None:
    write_mask(mask(root, 1), gray(mask(root, 1))[..., None] * np.array([1, 0, 1], np.uint8))


def shifted_by_one(root: Path) -> None:
    for k in range(N):
        write_mask(mask(root, k), gray(mask(root, k)) // 255 + (k == 1))


def inverted(root: Path) -> None:
    write_mask(mask(root, 1), 255 - gray(mask(root, 1)))


def orphaned(root: Path) -> None:
    image(root, 1).unlink()


def copied(root: Path) -> None:
    shutil.copyfile(image(root, 0), image(root, 1))
    shutil.copyfile(mask(root, 0), mask(root, 1))


def constant(root: Path) -> None:
    write_mask(image(root, 1), np.full(SHAPE, 7, np.uint8))


def undefined(root: Path) -> None:
    pixels = gray(image(root, 1)).astype(np.float32)
    pixels[3, 4:9] = np.nan
    tifffile.imwrite(image(root, 1).with_suffix(".tif"), pixels)
    image(root, 1).unlink()


def mixed_channels(root: Path) -> None:
    for k in range(N):
        planes = [gray(image(root, k)) // n for n in (1, 2, 3)]
        write_mask(image(root, k), planes[0] if k == 1 else np.stack(planes, axis=-1))


MENDED: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "truncated image": (truncated_image, "unreadable", "images/001.png"),
    "empty file": (empty_file, "unreadable", "masks/001.png"),
    "mask of another size": (other_size, "geometry", "masks/001.png"),
    "rows and columns exchanged": (exchanged_axes, "transposed", "masks/001.png"),
    "interpolated masks": (interpolated, "soft-mask", "masks/001.png"),
    "masks in JPEG": (as_jpeg, "soft-mask", "masks/001.jpg"),
    "0/1 beside 0/255": (two_writings, "mixed-encodings", "masks/001.png"),
    "one mask in color": (one_in_color, "mixed-encodings", "masks/001.png"),
    "labels shifted by one": (shifted_by_one, "off-by-one", "masks/001.png"),
    "one mask inverted": (inverted, "inverted", "masks/001.png"),
    "mask without image": (orphaned, "no-image", "masks/001.png"),
    "copied image": (copied, "duplicate", "images/001.png"),
    "image of one value": (constant, "constant", "images/001.png"),
    "undefined pixels": (undefined, "not-finite", "images/001.tif"),
    "gray among color": (mixed_channels, "channels", "images/001.png"),
}


def exchanged_folders(root: Path) -> None:
    (root / "images").rename(root / "other")
    (root / "masks").rename(root / "images")
    (root / "other").rename(root / "masks")


def photograph_as_mask(root: Path) -> None:
    for k in range(N):
        shutil.copyfile(image(root, k), mask(root, k))


def two_truths(root: Path) -> None:
    shutil.copyfile(image(root, 0), image(root, 1))


def class_of_one_mask(root: Path) -> None:
    for k in range(N):
        values = gray(mask(root, k)) // 255
        values[20:30, 20:30] = 2 + (k == 1)
        write_mask(mask(root, k), values)


def clipped(root: Path) -> None:
    pixels = gray(image(root, 1)).copy()
    pixels[: SHAPE[0] // 2] = 255
    write_mask(image(root, 1), pixels)


def nearly_copied(root: Path) -> None:
    darker = (gray(image(root, 0)) * 0.8 + 5).astype(np.uint8)
    write_mask(image(root, 1), darker)


def without_object(root: Path) -> None:
    write_mask(mask(root, 1), np.zeros(SHAPE, np.uint8))


def scaled_depth(root: Path) -> None:
    for k in range(N):
        fine = gray(image(root, k)).astype(np.uint16) * 16 + np.arange(SHAPE[1], dtype=np.uint16)
        write_mask(image(root, k), gray(image(root, k)).astype(np.uint16) * 257 if k == 1 else fine)


TOLD: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "folders exchanged": (exchanged_folders, "swapped", "masks/001.png"),
    "images as masks": (photograph_as_mask, "mask-is-image", "masks/001.png"),
    "one image, two truths": (two_truths, "contradiction", "images/001.png"),
    "class in one mask": (class_of_one_mask, "rare-class", "masks/001.png"),
    "clipped image": (clipped, "saturated", "images/001.png"),
    "nearly the same image": (nearly_copied, "near-duplicate", "images/001.png"),
    "mask without object": (without_object, "empty-mask", "masks/001.png"),
    "8 bits scaled to 16": (scaled_depth, "scaled", "images/001.png"),
}


def broken(root: Path, damage: Callable[[Path], None]) -> Path:
    make_dataset(root, n_images=N, shape=SHAPE)
    damage(root)
    return root


def checked(root: Path) -> Examination:
    return examine(find_cases(root), MaskConfig())


def contents(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("kind", [*MENDED, *TOLD])
def test_what_is_broken_is_found_with_its_file_why_and_what_to_do(kind: str, tmp_path: Path) -> None:
    damage, code, file = (MENDED | TOLD)[kind]
    examination = checked(broken(tmp_path, damage))
    (found,) = [one for one in examination.findings if one.code == code]
    assert any(name.endswith(file) for name in found.files)
    assert found.why
    assert found.remedy


@pytest.mark.parametrize("kind", MENDED)
def test_the_repaired_copy_can_be_trained_on_and_the_original_stays(kind: str, tmp_path: Path) -> None:
    damage, code, file = MENDED[kind]
    root = broken(tmp_path / "data", damage)
    before = contents(root)
    examination = checked(root)
    log = repair(examination, tmp_path / "copy")
    assert contents(root) == before
    assert any(one.code == code and one.is_done and one.file.endswith(file) for one in log.repairs)
    mended = checked(tmp_path / "copy")
    require_sound(mended)
    assert not [one for one in mended.findings if one.code == code and one.severity != "note"]
    samples = read_samples(mended.dataset.cases, mended.labels)
    assert len(samples) >= N - 1
    assert mended.labels is not None
    assert mended.labels.n_classes == 2
    assert (tmp_path / "copy" / "repairs.csv").read_text().startswith("file,finding,done,action")


@pytest.mark.parametrize("kind", ["rows and columns exchanged", "0/1 beside 0/255", "one mask inverted"])
def test_a_mended_mask_is_the_truth_it_was(kind: str, tmp_path: Path) -> None:
    truth = gray(mask(make_dataset(tmp_path / "sound", n_images=N, shape=SHAPE), 1))
    root = broken(tmp_path / "data", MENDED[kind][0])
    repair(checked(root), tmp_path / "copy")
    assert np.array_equal(gray(mask(tmp_path / "copy", 1)), truth)


def test_a_sound_dataset_gives_no_errors_and_no_warnings(tmp_path: Path) -> None:
    examination = checked(make_dataset(tmp_path, n_images=N, shape=SHAPE))
    assert [one for one in examination.findings if one.severity != "note"] == []


def test_a_dataset_broken_in_many_ways_trains_once_repaired(tmp_path: Path, tiny: tuple[str, ...]) -> None:
    from seglet import pipeline  # late: most tests need no torch

    root = make_dataset(tmp_path / "data", n_images=10, shape=SHAPE)
    truncated_image(root)
    write_mask(mask(root, 2), gray(mask(root, 2)).T.copy())
    write_mask(mask(root, 3), gray(mask(root, 3)) // 255)
    shutil.copyfile(image(root, 4), image(root, 5))
    shutil.copyfile(mask(root, 4), mask(root, 5))
    with pytest.raises(DatasetError, match=r"001\.png"):
        pipeline.train(root, tmp_path / "run", settings=tiny)
    repair(checked(root), tmp_path / "copy")
    trained = pipeline.train(tmp_path / "copy", tmp_path / "run2", settings=tiny)
    assert trained.run.folder.is_dir()
