"""A dataset in one HDF5 file."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from same_data import assert_same_data, understood
from seglet.core.errors import FormatError
from seglet.core.events import Event
from seglet.data.pack import MARK, is_pack, open_pack, write_pack
from seglet.data.synthetic import make_dataset
from seglet.io.files import open_image, write_mask
from seglet.io.sources import File


@pytest.mark.parametrize(
    ("kind", "layout"),
    [
        *(("cells", "pairs"), ("cells", "kaggle-zip"), ("cells", "rgb-colors"), ("cells", "ctc")),
        *(("vessels", "chasedb1"), ("vessels", "drive"), ("volumes", "nnunet"), ("volumes", "brats")),
    ],
)
def test_what_is_packed_is_read_back(kind: str, layout: str, tmp_path: Path) -> None:
    shape = (6, 24, 28) if kind == "volumes" else (48, 56)
    before = understood(make_dataset(tmp_path / "d", kind, layout, n_images=4, shape=shape))
    write_pack(*before, tmp_path / "d.h5")
    after = understood(tmp_path / "d.h5")
    assert_same_data(before, after)
    assert after[0].layout.name == before[0].layout.name, "by which its protocol is known"
    assert after[0].channels == before[0].channels


def test_one_object_in_several_pieces_stays_one(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "cells", "kaggle", n_images=1, shape=(48, 56))
    (folder,) = data.iterdir()
    for path in (folder / "masks").iterdir():
        path.unlink()
    pieces = np.zeros((48, 56), np.uint8)
    pieces[::8, ::8] = 255
    write_mask(folder / "masks" / "one.png", pieces)
    before = understood(data)
    write_pack(*before, tmp_path / "d.h5")
    assert_same_data(before, understood(tmp_path / "d.h5"))


def test_unlabelled_images_and_datasets_without_masks_are_packed(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", n_images=3, shape=(48, 56))
    (data / "masks" / "001.png").unlink()
    before = understood(data)
    write_pack(*before, tmp_path / "d.h5")
    assert_same_data(before, understood(tmp_path / "d.h5"))
    images = understood(data / "images")
    write_pack(*images, tmp_path / "images.h5")
    assert_same_data(images, understood(tmp_path / "images.h5"))


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    dataset, labels = understood(make_dataset(tmp_path / "d", n_images=2, shape=(48, 56)))
    told: list[Event] = []
    cases = (replace(dataset.cases[0], group="p1", split="test"), dataset.cases[1])
    write_pack(replace(dataset, cases=cases), labels, tmp_path / "d.h5", told.append)
    with h5py.File(tmp_path / "d.h5") as file:
        assert file.attrs[MARK] == 1
        case = file["cases/00000"]
        assert dict(case.attrs) == {"id": "000", "group": "p1", "split": "test"}
        assert case["image"].attrs["axes"] == "yx"
        assert case["image"].compression == "gzip"
        assert "group" not in file["cases/00001"].attrs
    assert told[-1].message.startswith("2 cases in")
    first = open_pack(tmp_path / "d.h5").cases[0]
    assert (first.image.stem, first.image.suffix, str(first.image)) == (
        *("000", ".h5"),
        (tmp_path / "d.h5" / "000.h5").as_posix(),
    )


def test_a_volume_of_one_slice_stays_a_volume(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "volumes", "decathlon", n_images=2, shape=(1, 24, 28))
    before = understood(data)
    write_pack(*before, tmp_path / "d.h5")
    assert_same_data(before, understood(tmp_path / "d.h5"))
    assert open_image(open_pack(tmp_path / "d.h5").cases[0].image).shape == (1, 24, 28)


def test_other_files_are_no_packs(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["raw"] = np.zeros((4, 4))
    (tmp_path / "text.h5").write_text("no HDF5")
    (tmp_path / "folder.h5").mkdir()
    for name in ("other.h5", "text.h5", "folder.h5", "nothing.h5"):
        assert not is_pack(tmp_path / name)


def test_damaged_and_newer_packs_are_named(tmp_path: Path) -> None:
    dataset, labels = understood(make_dataset(tmp_path / "d", n_images=1, shape=(48, 56)))
    write_pack(dataset, labels, tmp_path / "d.h5")
    with h5py.File(tmp_path / "d.h5", "r+") as file:
        del file["cases/00000"].attrs["id"]
    with pytest.raises(FormatError, match=r"d\.h5.*cannot be read"):
        open_pack(tmp_path / "d.h5")
    with h5py.File(tmp_path / "d.h5", "r+") as file:
        file.attrs[MARK] = 99
    with pytest.raises(FormatError, match="version 99"):
        open_pack(tmp_path / "d.h5")


def test_nothing_is_left_of_a_pack_that_failed(tmp_path: Path) -> None:
    dataset, labels = understood(make_dataset(tmp_path / "d", n_images=2, shape=(48, 56)))
    gone = replace(dataset.cases[1], images=(File(tmp_path / "d", "images/none.png"),))
    with pytest.raises(FormatError, match=r"none\.png"):
        write_pack(replace(dataset, cases=(dataset.cases[0], gone)), labels, tmp_path / "d.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["d"]
