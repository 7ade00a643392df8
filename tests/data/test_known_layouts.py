"""Published datasets and the layouts of widespread tools are known by their names."""

from pathlib import Path

import pytest

from seglet.data.known_layouts import KNOWN
from seglet.data.layouts import count_pairs
from seglet.data.patterns import variables
from seglet.data.recognition import recognize
from seglet.io.sources import File


def names(text: str) -> list[File]:
    return [File(Path("set"), name) for name in text.split()]


@pytest.mark.parametrize(
    ("name", "text", "n_pairs"),
    [
        ("DRIVE", "DRIVE/training/images/21_training.tif DRIVE/training/1st_manual/21_manual1.gif "
         "DRIVE/test/images/01_test.tif DRIVE/test/mask/01_test_mask.gif", 1),
        ("CHASE_DB1", "Image_01L.jpg Image_01L_1stHO.png Image_01L_2ndHO.png Image_01R.jpg", 1),
        ("HRF", "images/01_dr.JPG images/01_h.jpg manual1/01_dr.tif manual1/01_h.tif mask/01_dr_mask.tif", 2),
        ("STARE", "im0001.ppm im0001.ah.ppm im0001.vk.ppm im0002.ppm", 1),
        ("STARE", "a/im0001.ppm.gz b/im0001.ah.ppm.gz", 1),
        ("ISBI 2012 (stacks)", "em/train-volume.tif em/train-labels.tif em/test-volume.tif", 1),
        ("Cell Tracking Challenge", "D/01/t000.tif D/01/t001.tif D/01_GT/SEG/man_seg000.tif "
         "D/01_ST/SEG/man_seg001.tif D/02/t000.tif D/02_GT/TRA/man_track000.tif", 2),
        ("Cell Tracking Challenge", "01/t0000.tif 01_GT/SEG/man_seg0000.tif", 1),
        ("LiTS", "b1/volume-0.nii b1/segmentation-0.nii b2/volume-28.nii.gz c/segmentation-28.nii.gz", 2),
        ("nnU-Net", "imagesTr/a_0000.nii.gz labelsTr/a.nii.gz imagesTs/b_0000.nii.gz", 1),
        ("nnU-Net", "D/imagesTr/a_0000.png D/imagesTr/a_0001.png D/labelsTr/a.png", 2),
        ("Kaggle nuclei (one mask per object)", "a/images/a.png a/masks/1.png a/masks/2.png", 1),
        ("folders images and masks (one mask per object)", "images/a.png masks/a/1.png masks/a/2.png", 1),
    ],
)  # fmt: skip
def test_layout_is_known(name: str, text: str, n_pairs: int) -> None:
    files = names(text)
    layout = recognize(files)
    assert layout.name == name
    assert count_pairs(layout, [file.name for file in files]) == n_pairs


def test_single_slices_of_volumes_are_no_masks_of_whole_frames() -> None:
    layout = next(one for one in KNOWN if one.tracks)
    slices = ["01/t000.tif", "01_GT/SEG/man_seg_000_012.tif"]
    assert count_pairs(layout, slices) == 0


def test_every_mask_names_the_image_that_it_belongs_to() -> None:
    for layout in KNOWN:
        for patterns in layout.partners.values():
            assert all(variables(pattern) & variables(layout.image) for pattern in patterns)
