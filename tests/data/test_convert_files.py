"""Files of a converted dataset."""

import json
from pathlib import Path

import numpy as np
import pytest

from seglet.core.image import Image, LabelClass, Labels
from seglet.data.cases import Case, Dataset
from seglet.data.convert_files import (
    describe_dataset,
    grid_of,
    is_one_file,
    mask_suffix,
    members,
    names_of_files,
    put_image,
    put_mask,
    suffix_for,
)
from seglet.data.dataset_json import Addition, read_description
from seglet.data.layouts import Layout
from seglet.io.files import open_image, read_image, read_mask, write_image
from seglet.io.listing import as_file, list_files
from seglet.io.pixels import in_memory
from seglet.io.sources import File

UPRIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
OBJECTS = Labels(encoding="instances", classes=(LabelClass(name="a", value=0), LabelClass(name="b", value=1)))


def case_of(*names: str, folder: Path = Path("d"), **rest: object) -> Case:
    return Case("x", tuple(File(folder, name) for name in names), **rest)


def test_names_are_safe_and_all_different() -> None:
    ids = ["a", "A", "a/b", "a:b", "a;b", "..", "x.ome", "n{1}.v2", "größe 3"]
    names = names_of_files([Case(one, ()) for one in ids])
    assert list(names) == ids
    assert [names[one] for one in ids] == [
        *("a", "A_2", "a_b", "a_b_2", "a_b_3", "case", "x_ome", "n_1_.v2", "größe 3")
    ]


@pytest.mark.parametrize(
    ("case", "is_one"),
    [
        (case_of("a.png"), True),
        (case_of("a.nii.gz"), True),
        (case_of("a.png", "b.png"), False),
        (case_of("a.tif", page=0), False),
        (case_of("a.png", missing=(1,)), False),
        (case_of("a.mhd"), False),
        (case_of("a.ome.tif"), False),
        (case_of("slice.dcm"), False),
        (Case("x", (File(Path("d"), "a.h5", "raw"),)), False),
    ],
)
def test_one_file_is_told_from_several(case: Case, is_one: bool) -> None:
    assert is_one_file(case) is is_one


def test_a_folder_that_is_read_as_one_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    assert not is_one_file(case_of("a.zarr", folder=tmp_path))


@pytest.mark.parametrize(
    ("shape", "dtype", "grid", "suffix"),
    [
        ((1, 4, 5), np.uint8, (), ".png"),
        ((3, 4, 5), np.uint16, (), ".png"),
        ((2, 4, 5), np.uint8, (), ".tif"),
        ((1, 4, 5), np.float32, (), ".tif"),
        ((1, 4, 5), np.uint8, ((1.0, 1.0), "mm"), ".tif"),
        ((1, 3, 4, 5), np.uint8, ((1.0, 1.0, 1.0), "um"), ".tif"),
        ((1, 3, 4, 5), np.uint8, ((1.0, 1.0, 1.0), "mm", (0.0, 0.0, 0.0), UPRIGHT), ".nii.gz"),
    ],
)
def test_the_format_holds_all_that_is_known(
    shape: tuple[int, ...], dtype: type, grid: tuple[object, ...], suffix: str, tmp_path: Path
) -> None:
    image = Image(np.arange(np.prod(shape)).reshape(shape).astype(dtype), *grid)
    assert suffix_for(in_memory(image)) == suffix
    write_image(tmp_path / f"a{suffix}", image)
    back = read_image(as_file(tmp_path / f"a{suffix}"))
    assert np.array_equal(back.pixels, image.pixels)
    assert back.pixels.dtype == dtype
    assert (back.spacing, back.unit, back.direction) == (image.spacing, image.unit, image.direction)


def test_an_image_is_copied_byte_by_byte_or_joined(tmp_path: Path) -> None:
    planes = np.arange(40, dtype=np.uint8).reshape(2, 1, 4, 5)
    for name, plane in zip("ab", planes, strict=True):
        write_image(tmp_path / f"{name}.PNG".lower(), Image(plane))
    copied = put_image(case_of("a.png", folder=tmp_path), tmp_path / "out", "x")
    assert copied.read_bytes() == (tmp_path / "a.png").read_bytes()
    joined = put_image(case_of("a.png", "b.png", folder=tmp_path), tmp_path / "out", "y")
    assert joined.name == "y.tif"
    assert np.array_equal(read_image(as_file(joined)).pixels, planes[:, 0])


def test_masks_lie_on_the_grid_of_their_image(tmp_path: Path) -> None:
    grid = ((2.5, 0.3, 0.7), "mm", (1.0, 2.0, 3.0), UPRIGHT)
    image = Image(np.zeros((1, 3, 4, 5), np.int16), *grid)
    write_image(tmp_path / "a.nii.gz", image)
    case = case_of("a.nii.gz", folder=tmp_path)
    stored = read_image(case.image)
    values = np.arange(60).reshape(3, 4, 5)
    path = put_mask(tmp_path / "m.nii.gz", values, case, stored)
    opened = open_image(as_file(path))
    assert (opened.spacing, opened.origin) == (stored.spacing, stored.origin)
    assert opened.dtype == np.uint8
    assert np.array_equal(read_mask(as_file(path)), values)
    assert grid_of(case) == case.image
    assert grid_of(case_of("a.nii.gz", page=1)) is None


def test_masks_have_the_format_of_their_volume() -> None:
    plane, volume = Image(np.zeros((1, 4, 5))), Image(np.zeros((1, 3, 4, 5)))
    lying = Image(volume.pixels, (1.0, 1.0, 1.0), "mm", (0.0, 0.0, 0.0), UPRIGHT)
    assert mask_suffix(Path("a.jpg"), plane, None) == ".png"
    assert mask_suffix(Path("a.jpg"), plane, OBJECTS) == ".tif"
    assert mask_suffix(Path("a.nrrd"), lying, OBJECTS) == ".nrrd"
    assert mask_suffix(Path("a.h5"), lying, None) == ".nii.gz"
    assert mask_suffix(Path("a.tif"), volume, None) == ".tif"


def test_a_dataset_is_described(tmp_path: Path) -> None:
    case = Case("a:1", (), group="g", split="test")
    dataset = Dataset(tmp_path, Layout(image="{id}.*"), (case,), channels=("T1", "T2"))
    own = Addition(labels=OBJECTS, cases=members(dataset, {"a:1": tmp_path / "i" / "a_1.png"}, tmp_path))
    describe_dataset(tmp_path, {"numTraining": 1}, own, dataset.channels)
    assert json.loads((tmp_path / "dataset.json").read_text())["numTraining"] == 1
    found = read_description(list_files(tmp_path))
    assert found.channels == ("T1", "T2")
    assert found.own == own
    assert found.own.cases["i/a_1.png"].model_dump() == {"id": "a:1", "group": "g", "split": "test"}
