"""Whole synthetic datasets: what stands on disk, and that chance is only the seed's."""

import hashlib
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from seglet.core.errors import ConfigError, StorageError
from seglet.data.synthetic import CLASS_COLORS, LAYOUTS, make_cells, make_dataset, make_vessels

SMALL = (96, 96)
SIZES = {"cells": SMALL, "vessels": SMALL, "volumes": (6, 20, 24)}
EVERY = [(layout, kind) for layout, (_, kinds) in LAYOUTS.items() for kind in kinds]


def read(path: Path) -> np.ndarray:
    with Picture.open(path) as picture:
        return np.asarray(picture)


def mode(path: Path) -> str:
    with Picture.open(path) as picture:
        return picture.mode


def fingerprint(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize(("layout", "kind"), EVERY)
def test_same_seed_writes_same_bytes_and_another_seed_others(tmp_path: Path, layout: str, kind: str) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        make_dataset(tmp_path / name, kind, layout, n_images=2, shape=SIZES[kind], seed=seed)
    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b")
    assert fingerprint(tmp_path / "a") != fingerprint(tmp_path / "c")


def test_picture_is_the_same_however_many_there_are(tmp_path: Path) -> None:
    make_dataset(tmp_path / "few", n_images=2, shape=SMALL)
    make_dataset(tmp_path / "many", n_images=4, shape=SMALL)
    many = fingerprint(tmp_path / "many")
    assert fingerprint(tmp_path / "few").items() < many.items()
    assert len(set(many.values())) == 8


def test_pairs_hold_the_exact_truth(tmp_path: Path) -> None:
    assert make_dataset(tmp_path / "d", n_images=1, shape=SMALL, seed=3) == tmp_path / "d"
    image, objects = make_cells(SMALL, np.random.default_rng([3, 0]))
    np.testing.assert_array_equal(read(tmp_path / "d/images/000.png"), image)
    np.testing.assert_array_equal(read(tmp_path / "d/masks/000.png"), 255 * (objects > 0))


def test_suffix_puts_masks_beside_images(tmp_path: Path) -> None:
    make_dataset(tmp_path, "vessels", "suffix", n_images=1, shape=SMALL)
    assert read(tmp_path / "000.png").shape == (*SMALL, 3)
    assert set(np.unique(read(tmp_path / "000_mask.png"))) == {0, 255}


def test_kaggle_masks_are_one_cell_each_and_add_up_to_the_truth(tmp_path: Path) -> None:
    make_dataset(tmp_path, layout="kaggle", n_images=1, shape=SMALL)
    (case,) = tmp_path.iterdir()
    assert mode(case / "images" / f"{case.name}.png") == "RGBA"
    masks = np.stack([read(path) > 0 for path in (case / "masks").iterdir()])
    _, objects = make_cells(SMALL, np.random.default_rng([0, 0]))
    assert len(masks) == objects.max()
    np.testing.assert_array_equal(masks.sum(axis=0), objects > 0)


def test_kaggle_archive_holds_what_the_folder_would(tmp_path: Path) -> None:
    make_dataset(tmp_path / "folder", layout="kaggle", n_images=2, shape=SMALL)
    archive = make_dataset(tmp_path / "zip", layout="kaggle-zip", n_images=2, shape=SMALL)
    assert archive == tmp_path / "zip" / "stage1_train.zip"
    with ZipFile(archive) as opened:
        zipped = {name: hashlib.sha256(opened.read(name)).hexdigest() for name in opened.namelist()}
    assert zipped == fingerprint(tmp_path / "folder")


def test_instances_are_numbered_16_bit_tiff(tmp_path: Path) -> None:
    make_dataset(tmp_path, layout="instances", n_images=1, shape=SMALL)
    _, objects = make_cells(SMALL, np.random.default_rng([0, 0]))
    masks = tifffile.imread(tmp_path / "masks/000.tif")
    assert masks.dtype == np.uint16
    np.testing.assert_array_equal(masks, objects)


def test_drive_has_its_names_splits_and_second_observer_in_test_only(tmp_path: Path) -> None:
    make_dataset(tmp_path, "vessels", "drive", n_images=4, shape=SMALL)
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")}
    expected = {f"training/images/{i}_training.tif" for i in (21, 22)}
    expected |= {f"training/1st_manual/{i}_manual1.gif" for i in (21, 22)}
    expected |= {f"training/mask/{i}_training_mask.gif" for i in (21, 22)}
    expected |= {f"test/images/{i:02}_test.tif" for i in (1, 2)}
    expected |= {f"test/{n}_manual/{i:02}_manual{n[0]}.gif" for i in (1, 2) for n in ("1st", "2nd")}
    expected |= {f"test/mask/{i:02}_test_mask.gif" for i in (1, 2)}
    assert names == expected
    drawn = make_vessels(SMALL, np.random.default_rng([0, 0]))
    with Picture.open(tmp_path / "test/1st_manual/01_manual1.gif") as shown:
        np.testing.assert_array_equal(np.asarray(shown.convert("L")), 255 * drawn.truth)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "test/images/01_test.tif"), drawn.image)


def test_chasedb1_has_its_names_and_one_bit_masks(tmp_path: Path) -> None:
    make_dataset(tmp_path, "vessels", "chasedb1", n_images=3, shape=SMALL)
    assert {path.name for path in (tmp_path / "images").iterdir()} == {
        "Image_01L.jpg",
        "Image_01R.jpg",
        "Image_02L.jpg",
    }
    drawn = make_vessels(SMALL, np.random.default_rng([0, 1]))
    for name, truth in (
        ("labels1/Image_01R_1stHO.png", drawn.truth),
        ("labels2/Image_01R_2ndHO.png", drawn.second),
        ("masks/mask_01R.png", drawn.fov),
    ):
        assert mode(tmp_path / name) == "1"
        np.testing.assert_array_equal(read(tmp_path / name), truth)


def test_palette_and_colors_say_the_same_classes(tmp_path: Path) -> None:
    make_dataset(tmp_path / "p", layout="palette", n_images=1, shape=SMALL)
    make_dataset(tmp_path / "c", layout="rgb-colors", n_images=1, shape=SMALL)
    with Picture.open(tmp_path / "p/masks/000.png") as palette:
        assert palette.mode == "P"
        classes, shown = np.asarray(palette), np.asarray(palette.convert("RGB"))
    assert set(np.unique(classes)) == {0, 1, 2}
    np.testing.assert_array_equal(read(tmp_path / "c/masks/000.png"), np.array(CLASS_COLORS)[classes])
    np.testing.assert_array_equal(shown, read(tmp_path / "c/masks/000.png"))
    _, objects = make_cells(SMALL, np.random.default_rng([0, 0]))
    np.testing.assert_array_equal(classes > 0, objects > 0)


@pytest.mark.parametrize(
    ("kind", "layout", "found"),
    [("bones", "pairs", "bones"), ("cells", "bids", "bids"), ("cells", "drive", "drive")],
)
def test_impossible_dataset_is_refused_before_anything_is_written(
    tmp_path: Path, kind: str, layout: str, found: str
) -> None:
    with pytest.raises(ConfigError, match=found):
        make_dataset(tmp_path / "d", kind, layout)
    assert not (tmp_path / "d").exists()


def test_a_file_in_the_way_is_said(tmp_path: Path) -> None:
    (tmp_path / "d").write_text("in the way")
    with pytest.raises(StorageError, match="writable"):
        make_dataset(tmp_path / "d", n_images=1, shape=SMALL)


def test_stare_is_ppm_every_other_file_compressed(tmp_path: Path) -> None:
    make_dataset(tmp_path, "vessels", "stare", n_images=2, shape=SMALL)
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")} == {
        f"{folder}/im000{n}{observer}.ppm{packed}"
        for folder, observer in (("stare-images", ""), ("labels-ah", ".ah"), ("labels-vk", ".vk"))
        for n, packed in ((1, ""), (2, ".gz"))
    }
    drawn = make_vessels(SMALL, np.random.default_rng([0, 0]))
    np.testing.assert_array_equal(read(tmp_path / "stare-images/im0001.ppm"), drawn.image)
    np.testing.assert_array_equal(read(tmp_path / "labels-ah/im0001.ah.ppm"), 255 * drawn.truth)


def test_a_shape_of_other_axes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="3 numbers for volumes"):
        make_dataset(tmp_path / "d", "volumes", "lits", shape=SMALL)
