"""Synthetic volumes as NIfTI: CT of the liver (LiTS), the Decathlon, nnU-Net, BraTS and BIDS."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seglet.core.image import Image
from seglet.data.synthetic_scenes import Scene
from seglet.io.files import write_image

SPACING = (3.0, 1.0, 1.0)  # mm; as anisotropic as the volumes are drawn
DIRECTION = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, -1.0)  # NIfTI's own: to the right, to the front
HU_PER_LIGHT, HU_OF_DARK, HU_OF_AIR = 90.0, 10.0, -1000.0
BODY = 0.9  # share of the in-plane extent; air is around it
CLASSES = ("background", "organ", "lesion")
BRATS_VALUES = (0, 1, 4)
CONTRASTS = {"flair": (1.0, 0.55), "t1": (0.6, 0.5), "t1ce": (0.6, 1.3), "t2": (0.9, 1.4)}  # organ, lesion


def write_lits(folder: Path, scenes: Iterator[Scene], n_images: int) -> Path:
    """Write ``volume-N.nii`` in HU and ``segmentation-N.nii``: 0, 1 liver, 2 tumor."""
    for scene in scenes:
        _save(folder / f"volume-{scene.number}.nii", hounsfield(scene))
        _save(folder / f"segmentation-{scene.number}.nii", scene.objects.astype(np.uint8))
    return folder


def write_decathlon(folder: Path, scenes: Iterator[Scene], n_images: int) -> Path:
    """Write ``imagesTr/volume_000.nii.gz``, ``labelsTr`` and ``dataset.json`` as the Decathlon does."""
    for scene in scenes:
        name = f"volume_{scene.number:03}.nii.gz"
        _save(folder / "imagesTr" / name, scene.image)
        _save(folder / "labelsTr" / name, scene.objects.astype(np.uint8))
    labels = {str(value): name for value, name in enumerate(CLASSES)}
    _describe(folder, {"modality": {"0": "MRI"}, "labels": labels, "numTraining": n_images})
    return folder


def write_nnunet(folder: Path, scenes: Iterator[Scene], n_images: int) -> Path:
    """Write two channels a volume, ``imagesTr/volume_000_0000.nii.gz`` and ``_0001``, as nnU-Net wants it."""
    for scene in scenes:
        name = f"volume_{scene.number:03}"
        _save(folder / "imagesTr" / f"{name}_0000.nii.gz", scene.image)
        _save(folder / "imagesTr" / f"{name}_0001.nii.gz", contrast(scene, "t1ce"))
        _save(folder / "labelsTr" / f"{name}.nii.gz", scene.objects.astype(np.uint8))
    labels = {name: value for value, name in enumerate(CLASSES)}
    channels = {"0": "T2", "1": "T1ce"}
    said = {"channel_names": channels, "labels": labels, "numTraining": n_images, "file_ending": ".nii.gz"}
    _describe(folder, said)
    return folder


def write_brats(folder: Path, scenes: Iterator[Scene], n_images: int) -> Path:
    """Write a folder of each patient with four contrasts and one mask of the values 0, 1, 4."""
    for scene in scenes:
        name = f"BraTS_{scene.number:03}"
        for kind in CONTRASTS:
            _save(folder / name / f"{name}_{kind}.nii.gz", contrast(scene, kind))
        _save(folder / name / f"{name}_seg.nii.gz", np.array(BRATS_VALUES, np.uint8)[scene.objects])
    return folder


def write_bids(folder: Path, scenes: Iterator[Scene], n_images: int) -> Path:
    """Write ``sub-01/anat/sub-01_T2w.nii.gz`` and its mask in ``derivatives/labels``."""
    for scene in scenes:
        subject = f"sub-{scene.number + 1:02}"
        place = Path(subject) / "anat" / f"{subject}_T2w"
        _save(folder / f"{place}.nii.gz", scene.image)
        _save(folder / "derivatives/labels" / f"{place}_dseg.nii.gz", scene.objects.astype(np.uint8))
    said = {"Name": "Synthetic organs", "BIDSVersion": "1.8.0"}
    (folder / "dataset_description.json").write_text(json.dumps(said, indent=2), encoding="utf-8")
    return folder


def hounsfield(scene: Scene) -> NDArray[np.int16]:
    """The volume as CT: tissue around 50 HU, air around the body."""
    axes = [np.abs(2 * (np.arange(n) + 0.5) / n - 1) for n in scene.image.shape[1:]]
    is_air = np.hypot(*np.meshgrid(*axes, indexing="ij")) > BODY
    tissue = scene.image.astype(np.float64) * HU_PER_LIGHT + HU_OF_DARK
    return np.round(np.where(is_air, HU_OF_AIR, tissue)).astype(np.int16)


def contrast(scene: Scene, kind: str) -> NDArray[np.float32]:
    """The volume in another contrast: organ and lesion shine otherwise, the rest stays."""
    organ, lesion = CONTRASTS[kind]
    change = np.array([0.0, organ - 1.0, lesion - 0.55], np.float32)
    return np.asarray(scene.image, np.float32) + change[scene.objects]


def _save(path: Path, values: NDArray[np.generic]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_image(path, Image(values[None], SPACING, "mm", (0.0, 0.0, 0.0), DIRECTION))


def _describe(folder: Path, said: dict[str, object]) -> None:
    (folder / "dataset.json").write_text(json.dumps(said, indent=2), encoding="utf-8")
