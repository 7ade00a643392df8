"""What is wrong is found, all of it, with its files."""

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from seglet.core.errors import DatasetError
from seglet.data.cases import find_cases
from seglet.data.doctor import Examination, Finding, examine, require_sound, with_split
from seglet.data.layouts import Layout
from seglet.data.masks import MaskConfig
from seglet.io.files import write_mask

NOISE = np.random.default_rng(0).integers(0, 255, (24, 24), np.uint8)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (24, 24), np.uint8)


MASK = np.pad(np.full((8, 8), 255, np.uint8), 8)


def healthy(root: Path, n: int = 3) -> Path:
    first = sum(map(ord, root.name))
    for k in range(n):
        write_mask(root / "images" / f"{k}.png", noise(first + k))
        write_mask(root / "masks" / f"{k}.png", MASK)
    return root


def checked(root: Path, config: MaskConfig | None = None) -> Examination:
    return examine(find_cases(root), config or MaskConfig())


def finding(examination: Examination, code: str) -> Finding:
    (found,) = [one for one in examination.findings if one.code == code]
    return found


def test_a_healthy_dataset_gives_only_notes_on_how_it_is_read(tmp_path: Path) -> None:
    examination = checked(healthy(tmp_path))
    assert {(one.severity, one.code) for one in examination.findings} == {
        ("note", "encoding"),
        ("note", "layout"),
    }
    assert examination.labels is not None
    require_sound(examination)


def test_unreadable_and_ill_fitting_files_are_errors_all_listed(tmp_path: Path) -> None:
    healthy(tmp_path, 5)
    (tmp_path / "images" / "1.png").write_bytes((tmp_path / "images" / "1.png").read_bytes()[:300])
    (tmp_path / "masks" / "2.png").write_bytes(b"")
    write_mask(tmp_path / "masks" / "3.png", MASK[:, :20].copy())
    examination = checked(tmp_path)
    errors = [one for one in examination.findings if one.severity == "error"]
    assert [Path(one.files[0]).as_posix()[-11:] for one in errors] == [
        "mages/1.png",
        "masks/2.png",
        "masks/3.png",
    ]
    assert [one.code for one in errors] == ["unreadable", "unreadable", "geometry"]
    assert examination.findings[: len(errors)] == tuple(errors)
    with pytest.raises(DatasetError, match=r"images/1\.png.*masks/2\.png.*masks/3\.png"):
        require_sound(examination)


def test_missing_partners_are_warnings(tmp_path: Path) -> None:
    healthy(tmp_path)
    write_mask(tmp_path / "images" / "8.png", NOISE)
    write_mask(tmp_path / "masks" / "9.png", MASK)
    examination = checked(tmp_path)
    assert finding(examination, "no-mask").files[0].endswith("images/8.png")
    assert finding(examination, "no-image").files[0].endswith("masks/9.png")
    require_sound(examination)


def test_masks_without_objects_are_warned_of(tmp_path: Path) -> None:
    healthy(tmp_path)
    write_mask(tmp_path / "masks" / "1.png", MASK * 0)
    empty = finding(checked(tmp_path), "empty-mask")
    assert (empty.severity, len(empty.files)) == ("warning", 1)


def test_objects_files_are_looked_at_together(tmp_path: Path) -> None:
    for name in "ab":
        write_mask(tmp_path / name / "images" / f"{name}.png", NOISE)
        write_mask(tmp_path / name / "masks" / "1.png", MASK * (name == "a"))
    examination = checked(tmp_path)
    assert examination.labels is not None
    assert examination.labels.encoding == "objects"
    assert finding(examination, "empty-mask").files[0].endswith("b/images/b.png")
    assert finding(examination, "empty-object").files[0].endswith("b/masks/1.png")


def test_soft_masks_are_warned_of(tmp_path: Path) -> None:
    healthy(tmp_path)
    soft = MASK.copy()
    soft[8, 8] = 140
    write_mask(tmp_path / "masks" / "1.png", soft)
    write_mask(tmp_path / "masks" / "0.png", np.full((24, 24), 255, np.uint8) - MASK)
    assert finding(checked(tmp_path), "soft-mask").files[0].endswith("masks/1.png")


def test_values_beside_the_classes_are_errors(tmp_path: Path) -> None:
    healthy(tmp_path)
    write_mask(tmp_path / "masks" / "1.png", MASK // 5)
    examination = checked(tmp_path, MaskConfig(classes={"bg": 0, "fg": 255}))
    found = finding(examination, "values")
    assert found.severity == "error"
    assert found.message == "1 masks hold values that stand for no class: 51."
    assert found.remedy.startswith("0 is bg, 255 is fg; add the others to masks.classes")
    with pytest.raises(DatasetError, match=r"no class.*masks/1\.png"):
        require_sound(examination)


def test_masks_that_make_no_sense_are_an_error(tmp_path: Path) -> None:
    healthy(tmp_path)
    for k in range(3):
        colors = np.random.default_rng(k).integers(0, 256, (24, 24, 3), np.uint8)
        write_mask(tmp_path / "masks" / f"{k}.png", colors)
    examination = checked(tmp_path)
    assert examination.labels is None
    assert finding(examination, "encoding").severity == "error"


def test_mixtures_are_noted(tmp_path: Path) -> None:
    healthy(tmp_path)
    write_mask(tmp_path / "images" / "1.png", np.repeat(NOISE[..., None], 3, axis=-1))
    write_mask(tmp_path / "images" / "2.png", NOISE.astype(np.uint16) * 200)
    examination = checked(tmp_path)
    assert finding(examination, "channels").severity == "note"
    assert finding(examination, "depth").files[0].endswith("2.png")


def test_constant_and_infinite_images_are_found(tmp_path: Path) -> None:
    healthy(tmp_path)
    write_mask(tmp_path / "images" / "1.png", NOISE * 0)
    (tmp_path / "images" / "2.png").unlink()
    broken = NOISE.astype(np.float32)
    broken[0, 0] = np.nan
    tifffile.imwrite(tmp_path / "images" / "2.tif", broken)
    examination = checked(tmp_path)
    assert finding(examination, "constant").files[0].endswith("1.png")
    assert finding(examination, "not-finite").severity == "error"


def test_an_empty_field_of_view_is_warned_of(tmp_path: Path) -> None:
    for k in range(2):
        write_mask(tmp_path / "images" / f"{k}.png", NOISE)
        write_mask(tmp_path / "labels" / f"{k}.png", MASK)
        write_mask(tmp_path / "fov" / f"{k}.png", MASK * k)
    assert finding(checked(tmp_path), "empty-fov").files[0].endswith("fov/0.png")


def test_too_few_labels_are_told(tmp_path: Path) -> None:
    alone = finding(checked(healthy(tmp_path / "one", 1)), "few-labels")
    assert alone.severity == "warning"
    assert "1 of 1 images has a mask; the model will be scored on what it was trained on" in alone.message
    write_mask(tmp_path / "none" / "1.png", NOISE)
    examination = checked(tmp_path / "none")
    assert finding(examination, "no-labels").severity == "warning"
    assert examination.labels is None


def test_a_few_folders_to_split_by_are_warned_of_with_a_layout_that_frees_them(tmp_path: Path) -> None:
    for name in ("benign", "malignant"):
        healthy(tmp_path / name, 2)
    found = finding(checked(tmp_path), "groups")
    assert found.severity == "warning"
    assert "only 2: benign, malignant" in found.message
    settings = [word.strip("' ") for word in found.remedy.split("--set ")[1:]]
    assert settings == ["layout.image={key}/images/{id}.*", "layout.labels={key}/masks/{id}.*"]
    freed = find_cases(tmp_path, Layout(image=settings[0][13:], labels=settings[1][14:]))
    assert [(case.id, case.group, len(case.labels)) for case in freed.cases] == [
        (f"{name}_images_{k}", None, 1) for name in ("benign", "malignant") for k in range(2)
    ]
    assert not [one for one in examine(freed, MaskConfig()).findings if one.code == "groups"]


def test_many_folders_or_one_image_in_each_are_nothing_to_warn_of(tmp_path: Path) -> None:
    for k in range(5):
        healthy(tmp_path / "many" / f"p{k}", 2)
        healthy(tmp_path / "single" / f"p{k % 3}", 1)
    for folder in ("many", "single"):
        assert not [one for one in checked(tmp_path / folder).findings if one.code == "groups"]


def test_checking_tells_how_far_it_is(tmp_path: Path) -> None:
    told: list[int] = []
    examine(find_cases(healthy(tmp_path)), MaskConfig(), lambda event: told.append(event.done))
    assert told == [1, 2, 3]


def test_copies_across_a_split_are_leaks_told_with_the_split(tmp_path: Path) -> None:
    healthy(tmp_path, 4)
    write_mask(tmp_path / "images" / "3.png", noise(sum(map(ord, tmp_path.name))))
    dataset = find_cases(tmp_path)
    told = examine(dataset, MaskConfig(), split={"0": "train", "3": "test"})
    assert {Path(name).name for name in finding(told, "leak").files} == {"0.png", "3.png"}
    later = with_split(examine(dataset, MaskConfig()), {"0": "train", "3": "test"})
    assert finding(later, "leak") == finding(told, "leak")
    together = with_split(later, {"0": "train", "3": "train"})
    assert not [one for one in together.findings if one.code == "leak"]


@pytest.mark.data
@pytest.mark.parametrize("folder", ["bbbc039", "isbi2012", "vnc_em", "lgg_mr", "hippocampus", "chasedb1"])
def test_real_datasets_are_sound_and_give_no_false_alarm(data_folder: Path, folder: str) -> None:
    examination = checked(data_folder / folder)
    require_sound(examination)
    told = {one.code for one in examination.findings if one.severity != "note"}
    assert told <= {"empty-mask", "groups"}


@pytest.mark.data
def test_thousands_of_object_masks_in_an_archive_take_seconds(data_folder: Path) -> None:
    dataset = find_cases(data_folder / "dsb2018" / "stage1_train.zip")
    began = time.process_time()
    examination = examine(replace(dataset, cases=dataset.cases[:60]), MaskConfig())
    require_sound(examination)
    assert examination.labels is not None
    assert examination.labels.encoding == "objects"
    assert time.process_time() - began < 10
