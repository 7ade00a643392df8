"""Files of a converted dataset: how they are named, images copied or written anew, masks on their grid."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seglet.core.image import Image, Labels, StoredImage
from seglet.data.cases import Case, Dataset
from seglet.data.channels import open_case
from seglet.data.copying import copy_file
from seglet.data.dataset_json import KEY, NAME, Addition, Member
from seglet.io.dtypes import smallest
from seglet.io.files import write_image
from seglet.io.sources import File, suffix_of

UNSAFE = r'[\\/:*?"<>|;{}\x00-\x1f]'  # in names of files, in tables of them, or in patterns of these
LARGEST_GRAY = 2**16 - 1  # of a PNG
LARGEST = 2**32 - 1
NIFTI = (".nii", ".nii.gz")
VOLUMES = (*NIFTI, ".nrrd", ".mha")  # formats that keep how a volume lies in space
SEVERAL_FILES = (".nhdr", ".mhd", ".ome.tif", ".ome.tiff", ".dcm", "")  # may tell of pixels in other files


def names_of_files(cases: Sequence[Case]) -> dict[str, str]:
    """Name the files of each case, by its id: the id where it can stand in a file's name, all different."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for case in cases:
        plain = re.sub(UNSAFE, "_", case.id).strip(". ") or "case"
        plain = re.sub(r"\.(?=(ome|nii|ppm)$)", "_", plain, flags=re.IGNORECASE)  # no half of a suffix
        name, number = plain, 1
        while name.lower() in taken:
            number += 1
            name = f"{plain}_{number}"
        taken.add(name.lower())
        names[case.id] = name
    return names


def is_one_file(case: Case) -> bool:
    """Whether the image is all there is in one file, which can be copied as it is."""
    file = case.image
    is_whole = len(case.images) == 1 and not case.missing and case.page is None and not file.part
    return is_whole and file.suffix not in SEVERAL_FILES and not (file.root / file.name).is_dir()


def suffix_for(stored: StoredImage) -> str:
    """Choose the format of an image that is written anew.

    Volumes that say how they lie in space become NIfTI, plain pictures PNG, all else TIFF.
    """
    if len(stored.shape) == 3:
        return ".nii.gz" if stored.direction else ".tif"
    is_plain = stored.dtype in (np.uint8, np.uint16) and stored.n_channels in (1, 3) and not stored.spacing
    return ".png" if is_plain else ".tif"


def put_image(case: Case, folder: Path, name: str) -> Path:
    """Copy the image of a case byte by byte, or join its files into one.

    Returns
    -------
    Path
        ``folder/name`` with the suffix that fits.
    """
    if is_one_file(case):
        path = folder / f"{name}{case.image.suffix}"
        copy_file(case.image, path)
        return path
    stored = open_case(case)
    path = folder / f"{name}{suffix_for(stored)}"
    write_image(path, stored.load(), like=grid_of(case))
    return path


def grid_of(case: Case) -> File | None:
    """The NIfTI file whose affine what belongs to a case shares exactly, if there is one."""
    is_nifti = case.image.suffix in NIFTI and case.page is None
    return case.image if is_nifti else None


def put_mask(path: Path, values: NDArray[np.integer], case: Case, image: Image) -> Path:
    """Write ([z,] y, x) or (y, x, 3) values on the grid of their image, in the narrowest type."""
    is_color = values.ndim == 3 and image.pixels.ndim == 3
    limit = LARGEST_GRAY if path.suffix == ".png" else LARGEST
    pixels = smallest(values, limit, str(path))
    planes = np.moveaxis(pixels, -1, 0) if is_color else pixels[None]
    write_image(path, replace(image, pixels=planes), like=grid_of(case))
    return path


def mask_suffix(image: Path, stored: Image, labels: Labels | None) -> str:
    """Choose the format of a mask beside an image: that of a volume; PNG, but TIFF for many objects."""
    if stored.pixels.ndim == 4:
        suffix = suffix_of(image.name)
        return suffix if suffix in VOLUMES else ".nii.gz" if stored.direction else ".tif"
    return ".tif" if labels is not None and labels.encoding == "instances" else ".png"


def describe_dataset(
    folder: Path, said: dict[str, object], addition: Addition, channels: Iterable[str]
) -> None:
    """Write ``dataset.json``, with the names of the channels if there are any."""
    named = {str(number): name for number, name in enumerate(channels)}
    content = {
        **({"channel_names": named} if named else {}),
        **said,
        KEY: addition.model_dump(mode="json", exclude_defaults=True),
    }
    (folder / NAME).write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")


def members(dataset: Dataset, images: dict[str, Path], folder: Path) -> dict[str, Member]:
    """Say of each case what it was called and where it belongs, by its image's path below the folder."""
    return {
        images[case.id].relative_to(folder).as_posix(): Member(id=case.id, group=case.group, split=case.split)
        for case in dataset.cases
    }
