"""Raw data of nnU-Net."""

import json
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image as Picture

from same_data import assert_same_data, understood
from seglet.core.errors import DatasetError
from seglet.core.events import Event, quiet
from seglet.core.image import IGNORE
from seglet.data.convert_nnunet import write_nnunet
from seglet.data.samples import read_sample
from seglet.data.synthetic import make_dataset


def names_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}


def said(folder: Path) -> dict[str, object]:
    return json.loads((folder / "dataset.json").read_text(encoding="utf-8"))


def test_colors_stand_in_one_file_and_parts_in_their_folders(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "cells", "palette", n_images=5, shape=(40, 48))
    for path in sorted((data / "images").iterdir()):
        picture = Picture.open(path).convert("RGBA")
        picture.save(path)
    (data / "masks" / "004.png").unlink()
    dataset, labels = understood(data)
    parts = dict(zip(("000", "001", "002", "003"), ("train", "train", "validation", "test"), strict=True))
    dataset = replace(dataset, cases=tuple(replace(c, split=parts.get(c.id)) for c in dataset.cases))
    write_nnunet(dataset, labels, tmp_path / "out", quiet)
    assert names_below(tmp_path / "out") == {
        *("dataset.json", "splits_final.json"),
        *(f"imagesTr/{name}_0000.png" for name in ("000", "001", "002")),
        *(f"labelsTr/{name}.png" for name in ("000", "001", "002")),
        *("imagesTs/003_0000.png", "labelsTs/003.png", "imagesTs/004_0000.png"),
    }
    page = said(tmp_path / "out")
    assert page["channel_names"] == {"0": "R", "1": "G", "2": "B"}
    assert page["labels"] == {"background": 0, "class_1": 1, "class_2": 2}
    assert (page["numTraining"], page["file_ending"]) == (3, ".png")
    folds = json.loads((tmp_path / "out" / "splits_final.json").read_text())
    assert folds == [{"train": ["000", "001"], "val": ["002"]}]
    with Picture.open(tmp_path / "out" / "imagesTr" / "000_0000.png") as picture:
        assert picture.mode == "RGB", "alpha is no channel"
    assert_same_data((dataset, labels), understood(tmp_path / "out"))


def test_channels_are_files_and_affines_stay_as_they_are(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "volumes", "brats", n_images=2, shape=(6, 20, 24))
    affine = np.array([[0, -0.7, 0.1, 3.3], [1.1, 0, 0, -7], [0, 0.2, 3.3, 11], [0, 0, 0, 1]])
    for path in data.rglob("*.nii.gz"):
        volume = nibabel.load(path)
        nibabel.save(nibabel.Nifti1Image(np.asarray(volume.dataobj), affine), path)
    before = understood(data)
    write_nnunet(*before, tmp_path / "out", quiet)
    names = ("BraTS_000", "BraTS_001")
    images = {f"imagesTr/{name}_000{channel}.nii.gz" for name in names for channel in range(4)}
    assert names_below(tmp_path / "out") == {
        "dataset.json",
        *images,
        *(f"labelsTr/{n}.nii.gz" for n in names),
    }
    assert said(tmp_path / "out")["channel_names"] == {"0": "flair", "1": "t1", "2": "t1ce", "3": "t2"}
    assert said(tmp_path / "out")["seglet"]["values"] == {"background": 0, "class_1": 1, "class_4": 4}
    expected = nibabel.load(data / "BraTS_000" / "BraTS_000_t1.nii.gz").affine
    for name in ("imagesTr/BraTS_000_0001", "labelsTr/BraTS_000"):
        assert np.array_equal(nibabel.load(tmp_path / "out" / f"{name}.nii.gz").affine, expected)
    assert_same_data(before, understood(tmp_path / "out"))


def test_a_volume_of_its_own_format_is_copied_byte_by_byte(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "volumes", "decathlon", n_images=2, shape=(6, 20, 24))
    before = understood(data)
    write_nnunet(*before, tmp_path / "out", quiet)
    copied = tmp_path / "out" / "imagesTr" / "volume_000_0000.nii.gz"
    assert copied.read_bytes() == (data / "imagesTr" / "volume_000.nii.gz").read_bytes()
    assert said(tmp_path / "out")["labels"] == {"background": 0, "organ": 1, "lesion": 2}


def test_outside_of_the_field_of_view_is_ignored_and_losses_are_told(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "vessels", "drive", n_images=4, shape=(40, 48))
    before = understood(data)
    told: list[Event] = []
    write_nnunet(*before, tmp_path / "out", told.append)
    assert said(tmp_path / "out")["labels"] == {"background": 0, "foreground": 1, "ignore": 2}
    dataset, labels = understood(tmp_path / "out")
    assert [case.split for case in dataset.cases] == ["test", "test", "train", "train"]
    for old, new in zip(before[0].cases, dataset.cases, strict=True):
        was, now = read_sample(old, before[1]), read_sample(new, labels)
        assert np.array_equal(np.where(was.fov, was.labels, IGNORE), now.labels)
    messages = " ".join(event.message for event in told)
    assert "ignore" in messages
    assert "second observer" in messages


def test_objects_become_one_class_and_that_is_told(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "cells", "instances", n_images=4, shape=(64, 64))
    told: list[Event] = []
    before = understood(data)
    write_nnunet(*before, tmp_path / "out", told.append)
    assert any("objects" in event.message for event in told)
    assert_same_data(before, understood(tmp_path / "out"), without=("objects",))


def test_names_that_nnunet_needs_itself_are_changed_in_its_list_alone(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "cells", "palette", n_images=2, shape=(40, 48))
    dataset, labels = understood(data)
    names = ("membrane", "background", "ignore")
    classes = tuple(one.model_copy(update={"name": n}) for one, n in zip(labels.classes, names, strict=True))
    write_nnunet(dataset, labels.model_copy(update={"classes": classes}), tmp_path / "out", quiet)
    assert said(tmp_path / "out")["labels"] == {"background": 0, "background_1": 1, "ignore_2": 2}
    assert understood(tmp_path / "out")[1].names == names


def test_images_of_different_channels_are_refused(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "cells", "pairs", n_images=2, shape=(40, 48))
    Picture.open(data / "images" / "001.png").convert("RGB").save(data / "images" / "001.png")
    with pytest.raises(DatasetError, match=r"001\.png: found 3 channels.*as in .*000\.png"):
        write_nnunet(*understood(data), tmp_path / "out", quiet)
