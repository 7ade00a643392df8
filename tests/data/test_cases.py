"""Cases are found, named, sorted and completed."""

from pathlib import Path

import pytest

from seglet.core.errors import DatasetError
from seglet.data.cases import Dataset, find_cases
from seglet.data.layouts import Layout


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
