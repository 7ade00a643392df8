"""What counts as one file: slices of a series, Zarr stores, datasets in HDF5."""

import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from seglet.core.errors import DatasetError, FormatError
from seglet.core.image import Image
from seglet.io import hdf5, ome_zarr
from seglet.io.files import open_image, read_image, write_image
from seglet.io.listing import as_file, list_files
from seglet.io.sources import File

VOLUME = np.random.default_rng(0).integers(0, 200, (1, 4, 6, 7), np.uint8)


def names(root: Path) -> list[str]:
    return [file.shown_name for file in list_files(root)]


def test_hidden_files_and_leftovers_are_not_listed(tmp_path: Path) -> None:
    for name in ("a/1.png", ".git/x.png", "__MACOSX/a/1.png", "a/.DS_Store", "a/Thumbs.db", "b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert names(tmp_path) == ["a/1.png", "b.png"]


def test_an_archive_is_listed_and_its_members_named(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.writestr("top/images/x.png", b"")
        archive.writestr("__MACOSX/top/._x.png", b"")
    (file,) = list_files(tmp_path / "set.zip")
    assert str(file).endswith("set.zip/top/images/x.png")
    assert (file.stem, file.suffix) == ("x", ".png")
    assert as_file(Path(str(file))) == file


def test_a_folder_of_archives_gives_what_is_in_them(tmp_path: Path) -> None:
    for name in ("images", "masks"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.writestr(f"{name}/1.png", b"")
    assert [name for name in names(tmp_path) if name.endswith(".png")] == ["images/1.png", "masks/1.png"]


def test_linked_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "1.png").touch()
    (tmp_path / "real" / "up").symlink_to(tmp_path, target_is_directory=True)
    assert [Path(name).name for name in names(tmp_path)] == ["1.png"]


def test_missing_empty_and_broken_roots_say_so(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="found nothing"):
        list_files(tmp_path / "absent")
    with pytest.raises(DatasetError, match="no files"):
        list_files(tmp_path)
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(FormatError, match=r"broken\.zip.*whole zip archive"):
        list_files(tmp_path / "broken.zip")


def test_a_zarr_store_is_one_file_and_its_labels_others(tmp_path: Path) -> None:
    store = tmp_path / "set" / "x.ome.zarr"
    ome_zarr.write(store, Image(VOLUME))
    ome_zarr.write_labels(store, "cells", VOLUME[0])
    shutil.copytree(store, tmp_path / "set" / "bare")
    shown = ["bare.zarr", "bare.zarr/labels/cells", "x.ome.zarr", "x.ome.zarr/labels/cells"]
    assert names(tmp_path / "set") == shown
    for file in list_files(tmp_path / "set"):
        assert np.array_equal(read_image(file).pixels, VOLUME)
    assert [file.part for file in list_files(store)] == ["", "labels/cells"]


def test_a_zarr_path_names_the_store_or_what_is_in_it(tmp_path: Path) -> None:
    ome_zarr.write(tmp_path / "x.zarr", Image(VOLUME))
    ome_zarr.write_labels(tmp_path / "x.zarr", "cells", VOLUME[0] // 2)
    assert as_file(tmp_path / "x.zarr") == File(tmp_path, "x.zarr")
    inner = as_file(tmp_path / "x.zarr" / "labels" / "cells")
    assert inner.part == "labels/cells"
    assert as_file(Path(str(inner))) == inner
    assert np.array_equal(read_image(inner).pixels, VOLUME // 2)


def test_each_of_several_datasets_in_hdf5_is_a_file(tmp_path: Path) -> None:
    hdf5.write(tmp_path / "a.h5", Image(VOLUME), "raw")
    hdf5.write(tmp_path / "a.h5", Image(VOLUME // 2), "group/labels")
    hdf5.write(tmp_path / "b.h5", Image(VOLUME), "raw")
    assert names(tmp_path) == ["a.h5/group/labels", "a.h5/raw", "b.h5"]
    labels = list_files(tmp_path)[0]
    assert labels.part == "group/labels"
    assert np.array_equal(read_image(labels).pixels, VOLUME // 2)
    assert as_file(Path(str(labels))) == labels
    assert [file.part for file in list_files(tmp_path / "a.h5")] == ["group/labels", "raw"]


def test_damaged_containers_are_listed_whole(tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_bytes(b"nothing")
    (file,) = list_files(tmp_path)
    with pytest.raises(FormatError, match=r"x\.h5"):
        read_image(file)


def test_an_hdf5_file_in_use_elsewhere_is_still_listed(tmp_path: Path) -> None:
    hdf5.write(tmp_path / "x.h5", Image(VOLUME), "raw")
    with h5py.File(tmp_path / "x.h5", "r"):
        assert names(tmp_path) == ["x.h5"]


@pytest.fixture
def series(data_folder: Path) -> Path:
    """A folder of the slices of one CT series."""
    return data_folder / "ct" / "dicom_seg" / "24x38x3" / "image"


@pytest.mark.data
def test_slices_are_one_file_named_like_their_folder(series: Path, tmp_path: Path) -> None:
    shutil.copytree(series, tmp_path / "set" / "patient1" / "ct")
    (tmp_path / "set" / "patient1" / "notes.txt").write_text("what else lies there")
    file, notes = list_files(tmp_path / "set")
    assert (file.shown_name, file.suffix, file.name) == ("patient1/ct.dcm", ".dcm", "patient1/ct")
    assert notes.shown_name == "patient1/notes.txt"
    assert read_image(file).shape == (3, 38, 24)
    for way in (Path(str(file)), tmp_path / "set" / "patient1" / "ct"):
        assert np.array_equal(read_image(as_file(way)).pixels, read_image(file).pixels)


@pytest.mark.data
def test_slices_without_a_suffix_are_known_by_their_first_bytes(series: Path, tmp_path: Path) -> None:
    for number, path in enumerate(sorted(series.iterdir())):
        shutil.copy(path, tmp_path / f"IM.000{number}")
    (tmp_path / "README").write_text("no image")
    shown = [file for file in list_files(tmp_path) if file.suffix == ".dcm"]
    assert len(shown) == 1
    assert open_image(shown[0]).shape == (3, 38, 24)
    one = as_file(tmp_path / "IM.0001")
    assert (one.suffix, open_image(one).shape[-2:]) == (".dcm", (38, 24))


@pytest.mark.data
def test_several_series_in_one_folder_are_told_apart(data_folder: Path, tmp_path: Path) -> None:
    for k, folder in enumerate(("24x38x3", "23x38x3")):
        for path in (data_folder / "ct" / "dicom_seg" / folder / "image").iterdir():
            shutil.copy(path, tmp_path / f"{k}_{path.name}")
    files = list_files(tmp_path)
    assert sorted(open_image(file).shape for file in files) == [(3, 38, 23), (3, 38, 24)]
    assert len({file.shown_name for file in files}) == 2
    for file in files:
        assert open_image(as_file(Path(str(file)))).shape == open_image(file).shape
    with pytest.raises(FormatError, match="2 series"):
        open_image(as_file(tmp_path))


@pytest.mark.data
def test_a_folder_given_as_root_is_its_own_series(series: Path, tmp_path: Path) -> None:
    shutil.copytree(series, tmp_path / "ct")
    (file,) = list_files(tmp_path / "ct")
    assert file.suffix == ".dcm"
    assert open_image(file).shape == (3, 38, 24)


def test_a_volume_in_an_archive_is_read(tmp_path: Path) -> None:
    write_image(tmp_path / "x.nii.gz", Image(VOLUME, (2.0, 1.0, 0.5), "mm"))
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(tmp_path / "x.nii.gz", "imagesTr/x.nii.gz")
    (file,) = list_files(tmp_path / "set.zip")
    stored = open_image(file)
    assert (file.stem, stored.extent, stored.spacing) == ("x", VOLUME.shape, (2.0, 1.0, 0.5))
    assert np.array_equal(stored.read((slice(1, 2), slice(0, 6), slice(2, 5))), VOLUME[:, 1:2, :, 2:5])
    assert np.array_equal(read_image(file).pixels, VOLUME)


@pytest.mark.data
def test_nothing_real_is_lost_or_listed_slice_by_slice(data_folder: Path) -> None:
    shown = names(data_folder / "ct" / "totalsegmentator")
    assert shown == [
        "example_ct.nii.gz",
        "example_ct_dicom.dcm",
        "example_ct_sm.nii.gz",
        "example_seg.nii.gz",
    ]
