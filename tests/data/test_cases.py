"""Cases are found, named, sorted and completed."""

import json
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
import tifffile

from seglet.core.errors import DatasetError
from seglet.core.image import Image
from seglet.data.cases import Dataset, find_cases
from seglet.data.layouts import Layout
from seglet.data.matching import match_files
from seglet.data.recognition import recognize
from seglet.io import hdf5, ome_zarr
from seglet.io.files import read_image, read_mask, write_mask
from seglet.io.sources import File


def dataset(root: Path, text: str, layout: Layout | None = None) -> Dataset:
    for name in text.split():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return find_cases(root, layout)


def ids(found: Dataset) -> list[str]:
    return [case.id for case in found.cases]


def test_numbers_sort_by_value_and_hexadecimal_ids_plainly(tmp_path: Path) -> None:
    text = " ".join(f"images/{k}.png masks/{k}.png" for k in (10, 9, 1, 0))
    assert ids(dataset(tmp_path / "a", text)) == ["0", "1", "9", "10"]
    text = " ".join(f"images/{k}.png masks/{k}.png" for k in ("9f", "10a", "0bc"))
    assert ids(dataset(tmp_path / "b", text)) == ["0bc", "10a", "9f"]


def test_unlabelled_images_and_orphans_are_kept_apart(tmp_path: Path) -> None:
    found = dataset(tmp_path, "images/1.png images/2.png masks/1.png masks/3.png")
    assert [len(case.labels) for case in found.cases] == [1, 0]
    assert [file.name for file in found.orphans] == ["masks/3.png"]


def test_suffixes_in_capitals_count(tmp_path: Path) -> None:
    found = dataset(tmp_path, "images/1.JPG images/2.jpg masks/1.tif masks/2.TIF")
    assert all(case.labels for case in found.cases)


def test_objects_are_gathered(tmp_path: Path) -> None:
    found = dataset(tmp_path, "t/a/images/a.png t/a/masks/2.png t/a/masks/1.png t/b/images/b.png")
    assert [[file.stem for file in case.labels] for case in found.cases] == [["1", "2"], []]


def test_chase_cases_are_named_by_their_image_and_grouped_by_patient(tmp_path: Path) -> None:
    found = dataset(
        tmp_path,
        "Image_01L.jpg Image_01L_1stHO.png Image_01L_2ndHO.png Image_01R.jpg Image_01R_1stHO.png",
    )
    assert ids(found) == ["Image_01L", "Image_01R"]
    assert [case.group for case in found.cases] == ["01", "01"]
    assert [case.second is not None for case in found.cases] == [True, False]


def test_drive_test_images_may_lack_labels(tmp_path: Path) -> None:
    found = dataset(
        tmp_path,
        "training/images/21_training.tif training/1st_manual/21_manual1.gif "
        "training/mask/21_training_mask.gif test/images/01_test.tif test/mask/01_test_mask.gif",
    )
    assert [(case.id, case.split, len(case.labels)) for case in found.cases] == [
        ("01", "test", 0),
        ("21", "train", 1),
    ]
    assert all(case.fov for case in found.cases)


def test_ids_that_occur_twice_get_their_split_group_or_folder(tmp_path: Path) -> None:
    text = "train/images/1.png train/labels/1.png test/images/1.png test/labels/1.png"
    assert ids(dataset(tmp_path / "a", text)) == ["test_1", "train_1"]
    text = "p/images/1.png p/labels/1.png q/images/1.png q/labels/1.png"
    assert ids(dataset(tmp_path / "b", text)) == ["p_1", "q_1"]
    assert ids(dataset(tmp_path / "c", "x/1.png y/1.png z/2.png")) == ["2", "x_1", "y_1"]


def test_two_files_for_one_place_are_an_error_that_names_them(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"masks/1\.png.*masks/1\.tif"):
        dataset(tmp_path / "a", "images/1.png masks/1.png masks/1.tif")
    with pytest.raises(DatasetError, match=r"1\.jpg.*1\.png"):
        dataset(tmp_path / "b", "1.png 1.jpg")


def test_images_of_a_group_without_masks_borrow_none(tmp_path: Path) -> None:
    found = dataset(tmp_path, "a/images/1.png a/images/2.png a/masks/1.png a/masks/2.png b/images/1.png")
    assert {case.id: [file.name for file in case.labels] for case in found.cases} == {
        "a_1": ["a/masks/1.png"],
        "2": ["a/masks/2.png"],
        "b_1": [],
    }


def test_a_mask_that_several_images_claim_is_an_error_that_names_them(tmp_path: Path) -> None:
    layout = Layout(image="**/images/{id}.png", labels="**/masks/{id}.png")
    with pytest.raises(DatasetError, match=r"images of the mask .*a/masks/1\.png: .*a/images/1.*b/images/1"):
        dataset(tmp_path, "a/images/1.png a/masks/1.png b/images/1.png", layout)


def test_a_given_layout_is_used_and_its_misses_explained(tmp_path: Path) -> None:
    layout = Layout(image="a/{id}.png", labels="b/x_{id}.png")
    found = dataset(tmp_path, "a/1.png b/x_1.png", layout)
    assert len(found.cases[0].labels) == 1
    with pytest.raises(DatasetError, match="none of which matches"):
        find_cases(tmp_path, Layout(image="c/{id}.png"))


@pytest.mark.data
def test_real_cases_are_complete(data_folder: Path) -> None:
    chase = find_cases(data_folder / "chasedb1")
    assert ids(chase)[:2] == ["Image_01L", "Image_01R"]
    assert all(case.labels and case.fov and case.second for case in chase.cases)
    assert ids(find_cases(data_folder / "isbi2012"))[9:11] == ["9", "10"]
    assert len({case.group for case in find_cases(data_folder / "lgg_mr").cases}) == 4
    hrf = find_cases(data_folder / "hrf")
    assert ids(hrf) == ["01_dr", "01_g", "01_h", "02_h"]
    assert all(case.labels and case.fov for case in hrf.cases)


BRATS = " ".join(f"{p}/{p}_{c}.nii" for p in ("B1", "B2") for c in ("t2", "flair", "seg"))


def test_channels_of_a_case_are_in_order(tmp_path: Path) -> None:
    found = dataset(tmp_path, BRATS)
    assert found.channels == ("flair", "t2")
    assert [(case.id, case.channels) for case in found.cases] == [
        ("B1", found.channels),
        ("B2", found.channels),
    ]
    assert [file.name for file in found.cases[0].images] == ["B1/B1_flair.nii", "B1/B1_t2.nii"]
    assert found.cases[0].image.name == "B1/B1_flair.nii"


def test_a_layout_may_be_recognized_and_changed_in_one_line(tmp_path: Path) -> None:
    files = "images/m1_a.png masks/m1_a.png images/m1_b.png masks/m1_b.png"
    found = dataset(tmp_path, files, Layout(group=""))
    assert [case.group for case in found.cases] == [None, None]
    assert found.layout.image


def test_a_missing_channel_is_an_error_unless_the_layout_allows_it(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"B3 lacks t2 \(it has flair\).*layout\.missing: allow"):
        dataset(tmp_path, f"{BRATS} B3/B3_flair.nii B3/B3_seg.nii")
    layout = Layout(image="{id}/{id}_{channel}.*", labels="{id}/{id}_seg.*", missing="allow")
    found = find_cases(tmp_path, layout)
    assert found.channels == ("flair", "t2")
    assert [case.channels for case in found.cases] == [("flair", "t2"), ("flair", "t2"), ("flair",)]


def test_two_files_of_one_channel_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"a_t1\.nii.*a_t1\.png"):
        dataset(tmp_path, "a_t1.nii a_t1.png", Layout(image="{id}_{channel}.*"))


def test_channels_and_classes_have_the_names_that_the_dataset_says(tmp_path: Path) -> None:
    said = '{"channel_names": {"0": "T2", "1": "ADC"}, "labels": {"background": 0, "lesion": 1}}'
    tmp_path.joinpath("dataset.json").write_text(said)
    found = dataset(tmp_path, "imagesTr/a_0000.nii imagesTr/a_0001.nii labelsTr/a.nii")
    assert found.channels == found.cases[0].channels == ("T2", "ADC")
    assert found.classes == {"background": 0, "lesion": 1}


def test_each_class_may_have_a_file(tmp_path: Path) -> None:
    layout = Layout(image="raw/{id}.png", labels="{class}/{id}.png")
    found = dataset(tmp_path, "raw/1.png raw/2.png rim/1.png cell/1.png cell/2.png other/x.png", layout)
    assert found.class_files == ("cell", "rim")
    assert [case.classes for case in found.cases] == [("cell", "rim"), ("cell",)]
    assert [file.name for file in found.cases[0].labels] == ["cell/1.png", "rim/1.png"]
    assert found.orphans == ()


def test_gold_truth_is_preferred_to_silver_and_silver_is_no_orphan(tmp_path: Path) -> None:
    text = "01/t000.tif 01/t001.tif 01/t002.tif 01_GT/SEG/man_seg000.tif 01_ST/SEG/man_seg000.tif "
    text += "01_ST/SEG/man_seg001.tif 01_GT/TRA/man_track000.tif 01_GT/SEG/man_seg_000_012.tif"
    found = dataset(tmp_path, text)
    assert [[file.name for file in case.labels] for case in found.cases] == [
        ["01_GT/SEG/man_seg000.tif"],
        ["01_ST/SEG/man_seg001.tif"],
        [],
    ]
    assert [case.tracks is not None for case in found.cases] == [True, False, False]
    assert {case.group for case in found.cases} == {"01"}
    assert found.orphans == ()


def test_pages_of_stacks_are_cases(tmp_path: Path) -> None:
    for name, pages in (("a.tif", 3), ("a_mask.tif", 3), ("b.tif", 2), ("b_mask.tif", 2), ("c.tif", 1)):
        tifffile.imwrite(tmp_path / name, np.zeros((pages, 8, 9), np.uint8), photometric="minisblack")
    layout = Layout(image="{id}.tif", labels="{id}_mask.tif", pages=True)
    found = find_cases(tmp_path, layout)
    assert ids(found) == ["a_000", "a_001", "a_002", "b_000", "b_001", "c"]
    assert [case.page for case in found.cases] == [0, 1, 2, 0, 1, None]
    assert {case.group for case in found.cases if case.labels} == {"a", "b"}
    (tmp_path / "b_mask.tif").unlink()
    assert {case.group for case in find_cases(tmp_path, layout).cases} == {None}


def test_groups_are_guessed_from_ids_said_in_the_layout_and_can_be_refused(tmp_path: Path) -> None:
    text = " ".join(f"images/P{p}_{k}.png masks/P{p}_{k}.png" for p in (1, 2) for k in (1, 2))
    found = dataset(tmp_path, text)
    assert [case.group for case in found.cases] == ["1", "1", "2", "2"]
    assert found.layout.group == "P{number}_*"
    assert find_cases(tmp_path, found.layout) == found
    alone = find_cases(tmp_path, found.layout.model_copy(update={"group": ""}))
    assert {case.group for case in alone.cases} == {None}


def test_objects_may_stand_in_a_folder_of_their_image(tmp_path: Path) -> None:
    found = dataset(tmp_path, "images/a.png masks/a/1.png masks/a/2.png images/b.png masks/b/1.png")
    assert [len(case.labels) for case in found.cases] == [2, 1]


def test_an_ome_zarr_is_image_and_truth_in_one(tmp_path: Path) -> None:
    pixels = np.arange(1 * 4 * 16 * 16, dtype=np.uint16).reshape(1, 4, 16, 16)
    truth = (pixels[0] % 3).astype(np.uint8)
    for name in ("a", "b"):
        ome_zarr.write(tmp_path / f"{name}.ome.zarr", Image(pixels, (2.0, 1.0, 1.0), "um"))
        ome_zarr.write_labels(tmp_path / f"{name}.ome.zarr", "cells", truth)
    found = find_cases(tmp_path)
    assert ids(found) == ["a", "b"]
    assert found.layout.labels == "**/{id}.ome.zarr/labels/cells"
    np.testing.assert_array_equal(read_image(found.cases[1].image).pixels, pixels)
    np.testing.assert_array_equal(read_mask(found.cases[1].labels[0]), truth)


def test_an_hdf5_file_is_image_and_truth_in_one(tmp_path: Path) -> None:
    pixels = np.arange(1 * 6 * 8 * 9, dtype=np.uint16).reshape(1, 6, 8, 9)
    truth = (pixels % 2).astype(np.uint8)
    hdf5.write(tmp_path / "x.h5", Image(pixels), "raw")
    hdf5.write(tmp_path / "x.h5", Image(truth), "labels")
    (case,) = find_cases(tmp_path).cases
    assert case.id == "x"
    np.testing.assert_array_equal(read_image(case.image).pixels, pixels)
    np.testing.assert_array_equal(read_mask(case.labels[0]), truth[0])


def test_many_files_are_sorted_in_seconds() -> None:
    files = [File(Path("d"), f"top/{k:05}/images/{k:05}.png") for k in range(5000)]
    files += [File(Path("d"), f"top/{k:05}/masks/{n}.png") for k in range(5000) for n in range(6)]
    begun = perf_counter()
    found = match_files(recognize(files), files)
    assert len(found.images) == 5000
    assert perf_counter() - begun < 20


def test_a_single_fold_of_nnunet_says_who_validates(tmp_path: Path) -> None:
    for name in "abc":
        write_mask(tmp_path / "imagesTr" / f"{name}_0000.png", np.zeros((4, 4), np.uint8))
        write_mask(tmp_path / "labelsTr" / f"{name}.png", np.zeros((4, 4), np.uint8))
    (tmp_path / "dataset.json").write_text("{}", encoding="utf-8")
    (tmp_path / "splits_final.json").write_text('[{"train": ["a", "b"], "val": ["c"]}]', encoding="utf-8")
    assert [case.split for case in find_cases(tmp_path).cases] == ["train", "train", "validation"]


def test_what_a_converted_dataset_says_of_its_cases_holds(tmp_path: Path) -> None:
    for name in ("p1_1", "p1_2", "p2_1", "p2_2"):
        write_mask(tmp_path / "images" / f"{name}.png", np.zeros((4, 4), np.uint8))
        write_mask(tmp_path / "masks" / f"{name}.png", np.zeros((4, 4), np.uint8))
    own = {"cases": {"images/p1_2.png": {"id": "a: first", "group": "g", "split": "test"}}}
    (tmp_path / "dataset.json").write_text(json.dumps({"seglet": own}), encoding="utf-8")
    first, *others = find_cases(tmp_path).cases
    assert (first.id, first.group, first.split) == ("a: first", "g", "test")
    assert [(case.id, case.group) for case in others] == [("p1_1", None), ("p2_1", None), ("p2_2", None)]


def test_a_table_is_described_by_the_page_beside_it(tmp_path: Path) -> None:
    for name in ("p1_1", "p1_2", "p2_1", "p2_2"):
        write_mask(tmp_path / f"{name}.png", np.zeros((4, 4), np.uint8))
    lines = "".join(f"{name}.png\n" for name in ("p1_1", "p1_2", "p2_1", "p2_2"))
    (tmp_path / "cases.csv").write_text(f"image\n{lines}", encoding="utf-8")
    assert [case.group for case in find_cases(tmp_path).cases] == ["1", "1", "2", "2"]
    labels = {"classes": [{"name": "out", "value": 0}, {"name": "in", "value": 3}]}
    page = {"channel_names": {"0": "CT"}, "seglet": {"labels": labels, "layout": "DRIVE"}}
    (tmp_path / "dataset.json").write_text(json.dumps(page), encoding="utf-8")
    found = find_cases(tmp_path)
    assert [case.group for case in found.cases] == [None] * 4
    assert (found.layout.name, found.channels) == ("DRIVE", ("CT",))
    assert found.labels is not None
    assert found.labels.names == ("out", "in")
    assert find_cases(tmp_path, found.layout) == found
