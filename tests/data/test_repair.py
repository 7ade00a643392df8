"""The copy holds what can be used, the log says what became of the rest."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from seglet.core.errors import DatasetError
from seglet.core.image import Image
from seglet.data.cases import find_cases
from seglet.data.doctor import Examination, examine, require_sound
from seglet.data.masks import MaskConfig
from seglet.data.repair import LOG, repair
from seglet.data.samples import read_samples
from seglet.data.synthetic import make_dataset
from seglet.io.files import open_image, read_mask, write_image, write_mask
from seglet.io.listing import as_file

UPRIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
MIRRORED = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, 1.0)


def checked(root: Path) -> Examination:
    return examine(find_cases(root), MaskConfig())


def volumes(root: Path) -> np.ndarray:
    """Three volumes; the mask of the second lies mirrored, that of the third has another spacing."""
    rng = np.random.default_rng(0)
    truth = np.zeros((6, 20, 24), np.uint8)
    truth[2:4, 3:9, 5:20] = 1
    for k, (spacing, direction) in enumerate(
        [((3.0, 1.0, 1.0), UPRIGHT), ((3.0, 1.0, 1.0), MIRRORED), ((1.0, 1.0, 1.0), UPRIGHT)]
    ):
        pixels = rng.integers(0, 500, (1, 6, 20, 24)).astype(np.int16)
        name = f"case_{k}.nii.gz"
        (root / "imagesTr").mkdir(parents=True, exist_ok=True)
        (root / "labelsTr").mkdir(parents=True, exist_ok=True)
        write_image(root / "imagesTr" / name, Image(pixels, (3.0, 1.0, 1.0), "mm", (0.0, 0.0, 0.0), UPRIGHT))
        values = truth[:, ::-1] if direction is MIRRORED else truth
        origin = (0.0, 19.0, 0.0) if direction is MIRRORED else (0.0, 0.0, 0.0)
        mask = Image(np.ascontiguousarray(values)[None], spacing, "mm", origin, direction)
        write_image(root / "labelsTr" / name, mask)
    return truth


def test_masks_of_volumes_get_the_grid_of_their_image(tmp_path: Path) -> None:
    truth = volumes(tmp_path / "data")
    examination = checked(tmp_path / "data")
    found = {one.code: one.files for one in examination.findings}
    assert [Path(name).name for name in found["orientation"]] == ["case_1.nii.gz"]
    assert [Path(name).name for name in found["grid"]] == ["case_2.nii.gz"]
    log = repair(examination, tmp_path / "copy")
    assert {(Path(one.file).name, one.code) for one in log.repairs} == {
        ("case_1.nii.gz", "orientation"),
        ("case_2.nii.gz", "grid"),
    }
    for k in range(3):
        image, mask = (
            as_file(tmp_path / "copy" / name / f"case_{k}.nii.gz") for name in ("imagesTr", "labelsTr")
        )
        assert np.array_equal(read_mask(mask), truth)
        one, other = open_image(image), open_image(mask)
        assert (one.spacing, one.origin, one.direction) == (other.spacing, other.origin, other.direction)
    again = {one.code for one in checked(tmp_path / "copy").findings}
    assert not again & {"orientation", "grid", "geometry"}


def test_the_log_names_every_file_and_what_is_left_to_a_person(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "data", n_images=6, shape=(48, 48))
    (root / "images" / "001.png").write_bytes(b"broken")
    write_mask(root / "masks" / "002.png", np.zeros((48, 48), np.uint8))
    log = repair(checked(root), tmp_path / "copy")
    with (tmp_path / "copy" / LOG).open(encoding="utf-8") as stream:
        rows = {Path(row["file"]).relative_to(root).as_posix(): row for row in csv.DictReader(stream)}
    assert rows["images/001.png"]["action"] == "left out"
    assert rows["masks/001.png"]["action"].startswith("left out with ")
    assert (rows["masks/002.png"]["done"], rows["masks/002.png"]["finding"]) == ("no", "empty-mask")
    assert log.n_copied == 10
    assert not (tmp_path / "copy" / "masks" / "001.png").exists()


def test_object_files_without_object_are_left_out(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "data", layout="kaggle", n_images=3, shape=(48, 48))
    case = find_cases(root).cases[0]
    blank = case.labels[0].root / case.labels[0].name
    write_mask(blank, np.zeros((48, 48), np.uint8))
    repair(checked(root), tmp_path / "copy")
    again = checked(tmp_path / "copy")
    assert [len(one.labels) for one in again.dataset.cases] == [
        len(one.labels) - (one.id == case.id) for one in find_cases(root).cases
    ]
    assert "empty-object" not in {one.code for one in again.findings}


def test_a_channel_that_lies_otherwise_is_turned_like_the_first(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 500, (2, 6, 20, 24)).astype(np.int16)
    for k in range(3):
        for channel, direction in enumerate((UPRIGHT, MIRRORED)):
            values = pixels[channel] if direction is UPRIGHT else pixels[channel][:, ::-1]
            origin = (0.0, 0.0 if direction is UPRIGHT else 19.0, 0.0)
            image = Image(np.ascontiguousarray(values)[None], (3.0, 1.0, 1.0), "mm", origin, direction)
            (tmp_path / f"data/p{k}").mkdir(parents=True, exist_ok=True)
            write_image(tmp_path / f"data/p{k}/p{k}_t{channel + 1}.nii.gz", image)
        grid = ((3.0, 1.0, 1.0), "mm", (0.0, 0.0, 0.0), UPRIGHT)
        write_image(
            tmp_path / f"data/p{k}/p{k}_seg.nii.gz", Image((pixels[:1] > 250).astype(np.uint8), *grid)
        )
    examination = checked(tmp_path / "data")
    repair(examination, tmp_path / "copy")
    again = checked(tmp_path / "copy")
    assert "orientation" in {one.code for one in examination.findings}
    assert "orientation" not in {one.code for one in again.findings}
    second = open_image(as_file(tmp_path / "copy/p0/p0_t2.nii.gz"))
    assert (second.origin, second.direction) == ((0.0, 0.0, 0.0), UPRIGHT)
    assert np.array_equal(second.load().pixels[0], pixels[1])


def test_a_useless_page_does_not_cost_the_stack(tmp_path: Path) -> None:
    pages = np.random.default_rng(0).integers(1, 255, (1, 4, 40, 40)).astype(np.uint8)
    pages[:, 0] = 0
    pages[:, 3] = pages[:, 2]
    masks = np.zeros_like(pages)
    masks[:, :, 8:20, 8:20] = 255
    (tmp_path / "data").mkdir()
    write_image(tmp_path / "data/train-volume.tif", Image(pages))
    write_image(tmp_path / "data/train-labels.tif", Image(masks))
    log = repair(checked(tmp_path / "data"), tmp_path / "copy")
    assert len(find_cases(tmp_path / "copy").cases) == 4
    assert [(one.code, one.is_done) for one in log.repairs] == [("constant", False)]


def test_soft_and_hard_masks_are_written_alike(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "data", n_images=6, shape=(64, 64))
    truth = {}
    for k in range(6):
        path = root / "masks" / f"{k:03}.png"
        mask = read_mask(as_file(path)) > 0
        truth[path.name] = mask
        soft = np.where(mask, 240, 0) + np.roll(np.where(mask, 15, 0), 1)
        write_mask(path, mask.astype(np.uint8) if k > 3 else soft.clip(0, 250).astype(np.uint8))
    for k in range(4):
        path = root / "masks" / f"{k:03}.png"
        edge = np.linspace(20, 230, 64).astype(np.uint8)
        values = read_mask(as_file(path)).astype(np.uint8)
        values[0] = edge
        truth[path.name][0] = edge > 125
        write_mask(path, values)
    repair(checked(root), tmp_path / "copy")
    for name, mask in truth.items():
        assert np.array_equal(read_mask(as_file(tmp_path / "copy" / "masks" / name)), mask * 255)
    require_sound(checked(tmp_path / "copy"))


def test_an_archive_is_repaired_into_a_folder(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "data", n_images=4, shape=(48, 48))
    write_mask(folder / "masks" / "001.png", read_mask(as_file(folder / "masks" / "001.png")) // 255)
    archive = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", folder))
    repair(checked(archive), tmp_path / "copy")
    require_sound(checked(tmp_path / "copy"))


def test_groups_and_split_of_a_table_stay(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "data", n_images=5, shape=(48, 48))
    lines = [f"images/{k:03}.png,masks/{k:03}.png,p{k % 2},{'test' if k > 2 else 'train'}" for k in range(5)]
    (root / "cases.csv").write_text("\n".join(["image,label,group,split", *lines]))
    (root / "images" / "001.png").write_bytes(b"broken")
    repair(checked(root), tmp_path / "copy")
    again = find_cases(tmp_path / "copy")
    assert [(case.image.stem, case.group, case.split) for case in again.cases] == [
        ("000", "p0", "train"),
        ("002", "p0", "train"),
        ("003", "p1", "test"),
        ("004", "p0", "test"),
    ]
    assert len(read_samples(again.cases, checked(tmp_path / "copy").labels)) == 4


def test_the_copy_must_be_a_new_folder_outside(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "data", n_images=4, shape=(48, 48))
    examination = checked(root)
    for out in (root, root / "copy", root / "masks"):
        with pytest.raises(DatasetError, match="Choose another place"):
            repair(examination, out)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes.txt").write_text("mine")
    with pytest.raises(DatasetError, match="used"):
        repair(examination, tmp_path / "used")
    assert (tmp_path / "used" / "notes.txt").read_text() == "mine"


def test_a_dataset_of_which_nothing_is_left_is_refused(tmp_path: Path) -> None:
    root = make_dataset(tmp_path / "data", n_images=2, shape=(48, 48))
    for path in (root / "images").iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(DatasetError, match="at least one case"):
        repair(checked(root), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
