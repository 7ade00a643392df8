"""Layouts read off trees of folders and containers."""

import pytest

from seglet.data.tree_layouts import in_case_folders, in_containers, in_derivatives


@pytest.mark.parametrize(
    ("text", "image", "labels"),
    [
        ("sub-1/ct/sub-1_ct.nii.gz derivatives/labels/sub-1/ct/sub-1_ct_seg-manual.nii.gz",
         "sub-{group}/**/{id}.*", "derivatives/**/{id}_seg-manual.*"),
        ("B/sub-1/sub-1_SEM.png B/derivatives/sub-1/sub-1_SEM_seg-axon-manual.png "
         "B/derivatives/sub-1/sub-1_SEM_seg-myelin-manual.png",
         "B/sub-{group}/**/{id}.*", "B/derivatives/**/{id}_seg-{class}-manual.*"),
        ("sub-1/sub-1_T1w.nii sub-1/sub-1_T2w.nii derivatives/x/sub-1/sub-1_T1w_dseg.nii",
         "sub-{group}/**/{id}_T1w.*", "derivatives/**/{id}_T1w_dseg.*"),
        ("sub-1/sub-1_T1w.nii sub-1/sub-1_T2w.nii derivatives/x/sub-1/sub-1_label-lesion_mask.nii",
         "sub-{group}/**/{id}_{channel}.*", "derivatives/**/{id}_label-lesion_mask.*"),
        ("sub-1/sub-1_T1w.nii derivatives/x/sub-1/sub-1_mask.nii",
         "sub-{group}/**/{id}_T1w.*", "derivatives/**/{id}_mask.*"),
        ("sub-1/sub-1_SEM.png sub-2/sub-2_SEM.png", "sub-{group}/**/{id}.*", None),
    ],
)  # fmt: skip
def test_derivatives_are_masks_of_their_subjects(text: str, image: str, labels: str | None) -> None:
    layout = in_derivatives(text.split())
    assert layout is not None
    assert (layout.image, layout.labels) == (image, labels)


def test_derivatives_that_are_no_masks_are_none() -> None:
    assert in_derivatives(["sub-1/sub-1_T1w.nii", "derivatives/sub-1/sub-1_T1w_desc-preproc.nii"]) is None
    assert in_derivatives(["images/a.png", "masks/a.png"]) is None


@pytest.mark.parametrize(
    ("text", "image", "labels"),
    [
        ("x.h5/raw x.h5/labels y.h5/raw y.h5/labels", "**/{id}.h5/raw", "**/{id}.h5/labels"),
        ("a.hdf/volumes/raw a.hdf/volumes/labels a.hdf/weights",
         "**/{id}.hdf/volumes/raw", "**/{id}.hdf/volumes/labels"),
        ("x.ome.zarr x.ome.zarr/labels/cells", "**/{id}.ome.zarr", "**/{id}.ome.zarr/labels/cells"),
    ],
)  # fmt: skip
def test_containers_hold_image_and_truth(text: str, image: str, labels: str) -> None:
    layout = in_containers(text.split())
    assert layout is not None
    assert (layout.image, layout.labels) == (image, labels)


def test_containers_of_images_alone_or_with_several_truths_are_not_guessed() -> None:
    assert in_containers(["x.zarr", "y.zarr"]) is None
    assert in_containers(["x.zarr", "x.zarr/labels/cells", "x.zarr/labels/nuclei"]) is None


@pytest.mark.parametrize(
    ("text", "image", "labels"),
    [
        ("c0/imaging.nii.gz c0/segmentation.nii.gz c1/imaging.nii.gz c1/segmentation.nii.gz",
         "{id}/imaging.*", "{id}/segmentation.*"),
        ("top/p1/ct.dcm top/p1/seg.dcm", "top/{id}/ct.*", "top/{id}/seg.*"),
        ("p1/ct/ct.dcm p1/seg/seg.dcm p2/ct/ct.dcm p2/seg/seg.dcm", "{id}/ct/ct.*", "{id}/seg/seg.*"),
        ("p1/t1/ct.nii p1/t1/seg.nii p1/t2/ct.nii p1/t2/seg.nii p2/t1/ct.nii p2/t1/seg.nii",
         "{group}/{id}/ct.*", "{group}/{id}/seg.*"),
        ("train/a/ct.nii train/a/seg.nii val/b/ct.nii val/b/seg.nii",
         "{split}/{id}/ct.*", "{split}/{id}/seg.*"),
        ("p1/a.nii p1/b.nii p1/mask.nii p2/a.nii p2/b.nii p2/mask.nii", "{id}/{channel}.*", "{id}/mask.*"),
    ],
)  # fmt: skip
def test_folders_of_cases_hold_the_same_names(text: str, image: str, labels: str) -> None:
    layout = in_case_folders(text.split())
    assert layout is not None
    assert (layout.image, layout.labels) == (image, labels)


def test_folders_of_other_names_each_are_no_cases() -> None:
    assert in_case_folders(["a/x.png", "a/x_mask.png", "b/y.png", "b/y_mask.png"]) is None
    assert in_case_folders([]) is None
