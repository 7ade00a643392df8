"""Layouts are recognized from names alone."""

from pathlib import Path

import pytest

from seglet.core.errors import ConfigError
from seglet.data.layouts import Layout, changed, channels_anywhere, count_pairs
from seglet.data.recognition import recognize
from seglet.io.sources import File

ROOT = Path("set")


def names(text: str) -> list[File]:
    return [File(ROOT, name) for name in text.split()]


def test_kaggle_nuclei_are_known_below_a_top_folder_too() -> None:
    plain = names("a/images/a.png a/masks/1.png a/masks/2.png b/images/b.png b/masks/3.png")
    below = [File(ROOT, f"stage1_train/{file.name}") for file in plain]
    for files in (plain, below):
        layout = recognize(files)
        assert layout.objects
        assert count_pairs(layout, [file.name for file in files]) == 2


def test_drive_has_splits_fields_of_view_and_a_second_observer() -> None:
    files = names(
        "DRIVE/training/images/21_training.tif DRIVE/training/1st_manual/21_manual1.gif "
        "DRIVE/training/mask/21_training_mask.gif DRIVE/test/images/01_test.tif "
        "DRIVE/test/1st_manual/01_manual1.gif DRIVE/test/2nd_manual/01_manual2.gif "
        "DRIVE/test/mask/01_test_mask.gif"
    )
    layout = recognize(files)
    assert layout.name == "DRIVE"
    assert count_pairs(layout, [file.name for file in files]) == 2


@pytest.mark.parametrize(
    ("text", "image", "labels"),
    [
        ("images/1.png masks/1.png", "images/{id}.*", "masks/{id}.*"),
        ("Images/1.png Masks/1_mask.tif", "Images/{id}.*", "Masks/{id}_mask.*"),
        ("top/img/1.jpg top/gt/1.png", "top/img/{id}.*", "top/gt/{id}.*"),
        ("train/images/1.png train/labels/1.png test/images/2.png test/labels/2.png",
         "{split}/images/{id}.*", "{split}/labels/{id}.*"),
        ("imagesTr/1.png labelsTr/1.png imagesTs/2.png labelsTs/2.png",
         "images{split}/{id}.*", "labels{split}/{id}.*"),
        ("train_images/1.png train_masks/1.png", "{split}_images/{id}.*", "{split}_masks/{id}.*"),
        ("p1/images/1.png p1/masks/1.png p2/images/2.png p2/masks/2.png",
         "{group}/images/{id}.*", "{group}/masks/{id}.*"),
        ("images/p1/1.png masks/p1/1.png images/p2/2.png masks/p2/2.png",
         "images/{group}/{id}.*", "masks/{group}/{id}.*"),
        ("p1/images/1.png p1/masks/1.png p2/images/1.png p3/images/2.png",
         "{group}/images/{id}.*", "{group}/masks/{id}.*"),
        ("p1/images/1.png p2/images/2.png all/masks/1.png all/masks/2.png",
         "{group}/images/{id}.*", "all/masks/{id}.*"),
        ("images/1.png cells/1.png", "images/{id}.*", "cells/{id}.*"),
        ("a.png a_mask.png b.png b_mask.png", "{id}.*", "{id}_mask.*"),
        ("a_img.png a_masks.png b_img.png b_masks.png", "{id}_img.*", "{id}_masks.*"),
        ("img_a.png mask_a.png", "img_{id}.*", "mask_{id}.*"),
        ("p/p_1.tif p/p_1_mask.tif q/q_1.tif q/q_1_mask.tif", "{group}/{id}.*", "{group}/{id}_mask.*"),
        ("train/a.png train/a_seg.png test/b.png test/b_seg.png", "{split}/{id}.*", "{split}/{id}_seg.*"),
        ("a.png b.tif", "{id}.*", None),
        ("x/y/a.png x/y/b.png", "x/y/{id}.*", None),
        ("x/a.png y/b.png", "**/{id}.*", None),
        ("images/a.png extra/q.png extra/r.png", "images/{id}.*", None),
    ],
)  # fmt: skip
def test_layouts_are_read_off_names(text: str, image: str, labels: str | None) -> None:
    layout = recognize(names(text))
    assert (layout.image, layout.labels) == (image, labels)


def test_masks_are_fields_of_view_where_another_folder_holds_the_truth() -> None:
    layout = recognize(names("images/1.png labels/1.png labels2/1.png masks/1.png"))
    assert (layout.labels, layout.second, layout.fov) == ("labels/{id}.*", "labels2/{id}.*", "masks/{id}.*")


def test_fields_of_view_of_one_group_are_not_those_of_the_others() -> None:
    text = "p1/images/1.png p1/labels/1.png p1/fov/1.png p2/images/1.png p2/labels/1.png"
    assert recognize(names(text)).fov == "{group}/fov/{id}.*"


def test_layouts_without_an_id_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"layout\.image"):
        Layout(image="images/*.png")
    with pytest.raises(ConfigError, match=r"layout\.labels"):
        Layout(image="images/{id}.png", labels="labels/*.png")


def test_the_first_of_several_patterns_is_preferred_and_any_counts() -> None:
    layout = Layout(image="{id}.png", labels=("gold/{id}.tif", "silver/{id}.tif"))
    assert layout.label_patterns == ("gold/{id}.tif", "silver/{id}.tif")
    assert count_pairs(layout, ["a.png", "b.png", "c.png", "gold/a.tif", "silver/a.tif", "silver/b.tif"]) == 2
    with pytest.raises(ConfigError, match=r"layout\.labels.*silver"):
        Layout(image="{id}.png", labels=("gold/{id}.tif", "silver/*.tif"))


def test_a_single_file_needs_no_variable_but_a_table_needs_no_pattern() -> None:
    layout = Layout(image="ct.dcm", labels="seg.dcm")
    assert count_pairs(layout, ["ct.dcm", "seg.dcm", "other.dcm"]) == 1
    assert Layout(table=Path("cases.csv")).image == ""
    with pytest.raises(ConfigError, match=r"layout\.image"):
        Layout(image="*.png")


def test_what_is_said_beside_a_recognized_layout_changes_it() -> None:
    found = Layout(name="found", image="{id}.tif", labels="{id}_mask.tif", group="m{number}_*")
    said = changed(found, Layout(pages=True, labels="truth/{id}.tif"))
    assert (said.image, said.labels, said.pages, said.name) == ("{id}.tif", "truth/{id}.tif", True, "found")
    assert changed(found, Layout(group="")).group == ""
    assert changed(found, Layout()) == found


def test_a_pattern_of_groups_must_say_them() -> None:
    assert Layout(image="{id}.png", group="").group == ""
    with pytest.raises(ConfigError, match=r"layout\.group"):
        Layout(image="{id}.png", group="mouse_*")


@pytest.mark.parametrize(
    ("image", "anywhere"),
    [
        ("images{split}/{id}_{channel}.*", "**/{id}_{channel}.*"),
        ("set/{id}/{id}_{channel}.nii.gz", "**/{id}/{id}_{channel}.nii.gz"),
        ("{channel}/{id}.*", "**/{channel}/{id}.*"),
        ("images/{id}.*", None),
    ],
)
def test_new_images_are_named_like_those_with_a_file_for_each_channel(
    image: str, anywhere: str | None
) -> None:
    found = channels_anywhere(Layout(image=image, labels="labels/{id}.*", missing="allow"))
    assert (found and found.image) == anywhere
    assert found is None or (found.labels, found.missing) == (None, "allow")
