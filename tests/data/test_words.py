"""What the names of folders and files say."""

import pytest

from seglet.data.words import generalized, is_brain_mask, sounds_like_labels, split_as_variable


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("x_seg", True),
        ("GOLD_STANDARD_N4", True),
        ("consensus_gt", True),
        ("sub-01_label-lesion_mask", True),
        ("seg-axon-manual", True),
        ("sub-01_dseg", True),
        ("flair", False),
        ("segovia", False),
        ("brainmask", False),
        ("T1_brain_mask", False),
    ],
)
def test_masks_of_what_is_sought_are_told_by_their_names(stem: str, expected: bool) -> None:
    assert sounds_like_labels(stem) is expected


def test_masks_of_the_brain_are_told_apart() -> None:
    assert is_brain_mask("p1_brain-mask")
    assert not is_brain_mask("brain_lesion_mask")


@pytest.mark.parametrize(
    ("folder", "pattern"),
    [
        ("Training", "{split}"),
        ("imagesTr", "images{split}"),
        ("train_masks", "{split}_masks"),
        ("trained", "trained"),
        ("a{b}", "a*b*"),
    ],
)
def test_splits_in_folder_names_become_variables(folder: str, pattern: str) -> None:
    assert split_as_variable(folder) == pattern


def test_folders_that_differ_in_one_place_are_groups() -> None:
    assert generalized({("p1", "images"), ("p2", "images")}) == "{group}/images/"
    assert generalized({("a", "x"), ("b", "y")}) == "**/"
    assert generalized({("a", "images"), ("images",)}, "images") == "**/images/**/"
