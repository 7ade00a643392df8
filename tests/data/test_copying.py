"""Files are copied under their own names, whatever they stand in."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from seglet.core.errors import DatasetError
from seglet.data.cases import Case, Dataset
from seglet.data.copying import all_files, copy_file, files_of, place_in_copy, require_apart
from seglet.data.layouts import Layout
from seglet.io.files import write_mask
from seglet.io.sources import File

LAYOUT = Layout(image="images/{id}.*")


def test_files_of_a_case_are_all_of_them() -> None:
    files = [File(Path("d"), name) for name in "abcdef"]
    case = Case("x", tuple(files[:2]), (files[2],), fov=files[3], second=files[4], tracks=files[5])
    assert list(files_of(case)) == files


def test_a_folder_and_an_archive_are_copied_byte_by_byte(tmp_path: Path) -> None:
    write_mask(tmp_path / "data" / "images" / "a.png", np.zeros((4, 4), np.uint8))
    (tmp_path / "data" / "README.txt").write_text("read me")
    archive = tmp_path / "data.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for name in ("images/a.png", "README.txt"):
            packed.write(tmp_path / "data" / name, name)
    for root in (tmp_path / "data", archive):
        dataset, out = Dataset(root, LAYOUT, ()), tmp_path / f"copy of {root.name}"
        for file in all_files(dataset):
            copy_file(file, out / place_in_copy(file, dataset))
        assert (out / "README.txt").read_text() == "read me"
        assert (out / "images" / "a.png").read_bytes() == (tmp_path / "data/images/a.png").read_bytes()


def test_absolute_names_in_an_archive_stay_inside_of_the_copy(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("/images/0.png", b"pixels")
    dataset = Dataset(tmp_path / "x.zip", LAYOUT, ())
    (file,) = all_files(dataset)
    assert place_in_copy(file, dataset) == Path("images/0.png")


def test_a_zarr_folder_is_copied_whole(tmp_path: Path) -> None:
    (tmp_path / "data" / "a.zarr" / "0" / "c").mkdir(parents=True)
    (tmp_path / "data" / "a.zarr" / "zarr.json").write_text("{}")
    (tmp_path / "data" / "a.zarr" / "0" / "c" / "0").write_bytes(b"chunk")
    copy_file(File(tmp_path / "data", "a.zarr", "0"), tmp_path / "out.zarr")
    assert (tmp_path / "out.zarr" / "zarr.json").read_text() == "{}"
    assert (tmp_path / "out.zarr" / "0" / "c" / "0").read_bytes() == b"chunk"


def test_a_table_lists_its_own_files_and_those_elsewhere_are_taken_in(tmp_path: Path) -> None:
    inside, outside = File(tmp_path / "t", "a.png"), File(tmp_path / "other", "b.png")
    layout = Layout(table=Path("cases.csv"))
    dataset = Dataset(tmp_path / "t", layout, (Case("a", (inside,)), Case("b", (outside,))))
    assert all_files(dataset) == [inside, outside]
    assert place_in_copy(inside, dataset) == Path("a.png")
    assert place_in_copy(outside, dataset).parts[0] == "elsewhere"
    assert not place_in_copy(outside, dataset).is_absolute()


def test_a_dataset_in_one_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pack.h5").write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"pack\.h5"):
        all_files(Dataset(tmp_path / "pack.h5", LAYOUT, ()))


def test_a_place_in_use_or_inside_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "x").touch()
    for out in ("data/inside", "data", "used", "used/x"):
        with pytest.raises(DatasetError, match="Choose another place"):
            require_apart(tmp_path / "data", tmp_path / out)
    require_apart(tmp_path / "data", tmp_path / "new")


def test_the_description_of_a_table_is_copied_with_it(tmp_path: Path) -> None:
    dataset = Dataset(tmp_path, Layout(table=Path("cases.csv")), (Case("a", (File(tmp_path, "a.png"),)),))
    assert all_files(dataset) == [File(tmp_path, "a.png")]
    (tmp_path / "dataset.json").write_text("{}")
    assert all_files(dataset) == [File(tmp_path, "a.png"), File(tmp_path, "dataset.json")]
