"""Layouts read off the names of files that stand side by side."""

import pytest

from seglet.data.name_layouts import a_single_pair, one_file_per_contrast, side_by_side


@pytest.mark.parametrize(
    ("text", "image", "labels"),
    [
        ("brain1_image.nrrd brain1_label.nrrd lung_label.nrrd", "{id}_image.*", "{id}_label.*"),
        ("x_ct.nii.gz x_seg.nii.gz", "{id}_ct.*", "{id}_seg.*"),
        ("t2.nii.gz t2_seg-manual.nii.gz t2_seg-auto-manual.nii.gz", "{id}.*", "{id}_seg-manual.*"),
        ("x.tif x_cp_masks.png", "{id}.*", "{id}_cp_masks.*"),
    ],
)
def test_pairs_are_found(text: str, image: str, labels: str) -> None:
    layout = side_by_side(text.split())
    assert layout is not None
    assert (layout.image, layout.labels) == (image, labels)


@pytest.mark.parametrize(
    ("text", "image", "labels"),
    [
        ("B1/B1_flair.nii.gz B1/B1_t1.nii.gz B1/B1_t1ce.nii.gz B1/B1_seg.nii.gz",
         "{id}/{id}_{channel}.*", "{id}/{id}_seg.*"),
        ("B1_flair.nii.gz B1_t1.nii.gz B1_seg.nii.gz", "{id}_{channel}.*", "{id}_seg.*"),
        ("s/B-1-t1c.nii.gz s/B-1-t2f.nii.gz s/B-1-seg.nii.gz", "s/{id}-{channel}.*", "s/{id}-seg.*"),
        ("p/FLAIR_N4.nii p/T1_N4.nii p/GOLD_STANDARD_N4.nii q/FLAIR_N4.nii q/T1_N4.nii "
         "q/GOLD_STANDARD_N4.nii",
         "{id}/{channel}_N4.*", "{id}/GOLD_STANDARD_N4.*"),
    ],
)  # fmt: skip
def test_contrasts_are_channels(text: str, image: str, labels: str) -> None:
    layout = one_file_per_contrast(text.split())
    assert layout is not None
    assert (layout.image, layout.labels) == (image, labels)


def test_a_mask_of_the_brain_is_the_field_of_view() -> None:
    layout = one_file_per_contrast(["p/T1.nii", "p/T2.nii", "p/consensus_gt.nii", "p/brainmask.nii"])
    assert layout is not None
    assert (layout.labels, layout.fov) == ("{id}/consensus_gt.*", "{id}/brainmask.*")


@pytest.mark.parametrize(
    "text",
    [
        "p/p_1.tif p/p_1_mask.tif p/p_2.tif p/p_2_mask.tif",  # slices, each with its mask
        "p/T1.nii p/seg.nii",  # one contrast
        "p/T1.nii p/T2.nii p/seg.nii p/lesion_mask.nii",  # which mask?
        "a.png b.png a_mask.png",
    ],
)
def test_what_are_no_contrasts_of_one_mask_is_left_alone(text: str) -> None:
    assert one_file_per_contrast(text.split()) is None


def test_two_files_are_image_and_mask_where_one_says_so() -> None:
    layout = a_single_pair(["ct.dcm", "seg.dcm"])
    assert layout is not None
    assert (layout.image, layout.labels) == ("ct.dcm", "seg.dcm")
    assert a_single_pair(["a.png", "b.png"]) is None
    assert a_single_pair(["ct.dcm", "seg.dcm", "mr.dcm"]) is None
