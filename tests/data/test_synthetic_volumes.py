"""Volumes on disk hold what the scenes show, on a grid in millimeters."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest

from seglet.data.synthetic_scenes import Scene
from seglet.data.synthetic_volumes import (
    CONTRASTS,
    SPACING,
    contrast,
    hounsfield,
    write_bids,
    write_brats,
    write_decathlon,
    write_lits,
    write_nnunet,
)


@pytest.fixture
def scenes() -> list[Scene]:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, (4, 10, 12)).astype(np.int32)
    return [Scene(k, rng.normal(0.5, 0.2, labels.shape).astype(np.float32), labels) for k in range(2)]


def values(path: Path) -> np.ndarray:
    """(z, y, x) values as an independent reader sees them."""
    return np.asarray(nibabel.load(path).dataobj).T


def test_ct_is_in_hounsfield_units_with_air_around(tmp_path: Path, scenes: list[Scene]) -> None:
    write_lits(tmp_path, iter(scenes), 2)
    np.testing.assert_array_equal(values(tmp_path / "segmentation-1.nii"), scenes[1].objects)
    volume = values(tmp_path / "volume-0.nii")
    assert volume.dtype == np.int16
    assert (volume[:, 0, 0] == -1000).all()
    assert 0 < np.median(volume) < 100
    np.testing.assert_array_equal(volume, hounsfield(scenes[0]))
    assert nibabel.load(tmp_path / "volume-0.nii").header.get_zooms() == SPACING[::-1]


def test_the_decathlon_and_nnunet_say_their_classes(tmp_path: Path, scenes: list[Scene]) -> None:
    write_decathlon(tmp_path / "msd", iter(scenes), 2)
    write_nnunet(tmp_path / "nnunet", iter(scenes), 2)
    msd = json.loads((tmp_path / "msd/dataset.json").read_text())
    assert msd["labels"] == {"0": "background", "1": "organ", "2": "lesion"}
    nnunet = json.loads((tmp_path / "nnunet/dataset.json").read_text())
    assert nnunet["labels"] == {"background": 0, "organ": 1, "lesion": 2}
    np.testing.assert_array_equal(values(tmp_path / "msd/imagesTr/volume_001.nii.gz"), scenes[1].image)
    np.testing.assert_array_equal(
        values(tmp_path / "nnunet/imagesTr/volume_001_0000.nii.gz"), scenes[1].image
    )
    second = values(tmp_path / "nnunet/imagesTr/volume_001_0001.nii.gz")
    np.testing.assert_allclose(second[scenes[1].objects == 0], scenes[1].image[scenes[1].objects == 0])
    assert not np.allclose(second, scenes[1].image)
    for place in ("msd", "nnunet"):
        labels = values(tmp_path / place / "labelsTr/volume_000.nii.gz")
        np.testing.assert_array_equal(labels, scenes[0].objects)


def test_brats_has_four_contrasts_and_the_values_0_1_4(tmp_path: Path, scenes: list[Scene]) -> None:
    write_brats(tmp_path, iter(scenes), 2)
    names = {path.name for path in (tmp_path / "BraTS_000").iterdir()}
    assert names == {f"BraTS_000_{kind}.nii.gz" for kind in (*CONTRASTS, "seg")}
    mask = values(tmp_path / "BraTS_000/BraTS_000_seg.nii.gz")
    np.testing.assert_array_equal(mask, np.array([0, 1, 4])[scenes[0].objects])


def test_bids_keeps_masks_in_derivatives(tmp_path: Path, scenes: list[Scene]) -> None:
    write_bids(tmp_path, iter(scenes), 2)
    mask = values(tmp_path / "derivatives/labels/sub-02/anat/sub-02_T2w_dseg.nii.gz")
    np.testing.assert_array_equal(mask, scenes[1].objects)
    np.testing.assert_array_equal(values(tmp_path / "sub-01/anat/sub-01_T2w.nii.gz"), scenes[0].image)


def test_contrasts_differ_in_organ_and_lesion_alone() -> None:
    scene = Scene(0, np.ones((1, 1, 3), np.float32), np.array([[[0, 1, 2]]], np.int32))
    np.testing.assert_allclose(contrast(scene, "t1ce"), [[[1.0, 0.6, 1.75]]], rtol=1e-6)
