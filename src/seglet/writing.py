"""Predictions as files: how masks are named, written, and read again."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import DatasetError
from seglet.core.image import Encoding, LabelClass, Labels
from seglet.core.profile import timed
from seglet.data.cases import Case, find_cases
from seglet.data.datasets import open_dataset
from seglet.data.fitting import Frame, read_fitting
from seglet.data.layouts import Layout, matches
from seglet.data.masks import decode, decode_objects, encode
from seglet.io.dicom_headers import SUFFIXES as DICOM
from seglet.io.files import SUFFIXES, write_mask, write_probabilities
from seglet.io.listing import as_file, list_files
from seglet.io.ome_zarr import SUFFIXES as ZARR
from seglet.io.sources import File, suffix_of
from seglet.metrics.evaluate import Prediction

Objects = NDArray[np.int32]

KEPT = (".png", ".tif", ".tiff", ".nii", ".nii.gz", ".nrrd", ".mha", ".dcm")  # of masks as of images
CONTAINERS = (".h5", ".hdf5", ".hdf", ".zarr", ".ome.zarr", ".ome.tif", ".ome.tiff")
PROBABILITIES = "_probabilities"
OF_VOLUMES = {".nrrd": ".nrrd", ".mha": ".mha", **dict.fromkeys((".nii", ".nii.gz", ".dcm"), ".nii.gz")}


def mask_names(cases: Sequence[Case]) -> dict[str, str]:
    """File name of each case's mask, by the case's id.

    The image's own name; PNG where its format would smear the mask, TIFF where it is a container. The case's
    id in its place where a case is one page of a file or has a file per channel, or where two images (of two
    patients, say) have the same name.
    """
    counts = Counter(case.image.stem.lower() for case in cases)
    return {
        case.id: (case.image.stem if _has_own_name(case, counts) else case.id.replace("/", "_"))
        + _mask_suffix(case)
        for case in cases
    }


def _has_own_name(case: Case, counts: Counter[str]) -> bool:
    is_whole = case.page is None and not case.channels and len(case.images) == 1
    return is_whole and counts[case.image.stem.lower()] == 1


def _mask_suffix(case: Case) -> str:
    suffix = {".mhd": ".mha", ".nhdr": ".nrrd"}.get(case.image.suffix, case.image.suffix)  # one file, not two
    if suffix in DICOM:
        suffix = ".dcm"
    if suffix in CONTAINERS:
        return ".tif"
    is_page_of_volume = case.page is not None and suffix not in (".png", ".tif", ".tiff")
    return suffix if suffix in KEPT and not is_page_of_volume else ".png"


def mask_places(images: Sequence[Path | str], out: Path, channels: Layout | None = None) -> dict[Path, Case]:
    """Where the mask of each image goes.

    Parameters
    ----------
    images : sequence of Path
        Files, folders or zip archives; of a dataset only the images are taken.
    out : Path
        Folder for the masks.
    channels : Layout or None
        How the files of an image are named where each channel has its own.

    Raises
    ------
    DatasetError
        If a mask would overwrite another one or an image, or be taken for an image the next time.
    """
    places: dict[Path, Case] = {}
    for cases in (unlabelled(Path(path), channels) for path in images):
        names = mask_names(cases)
        for case in cases:
            other = places.setdefault(out / names[case.id], case)
            if other.image != case.image:
                raise same_name(case, other)
    sources = {Path(str(case.image)).resolve() for case in places.values()}
    overwritten = sorted(str(path) for path in places if path.resolve() in sources)
    if overwritten:
        raise DatasetError(
            out,
            found=f"the folder of the images themselves: {', '.join(overwritten[:5])}",
            expected="a folder where masks overwrite no image",
            remedy="Choose another output folder.",
        )
    for path in map(Path, images):
        if path.is_dir() and out.resolve().is_relative_to(path.resolve()):
            raise DatasetError(
                out,
                found=f"a folder inside {path}, whose images are predicted",
                expected="a folder where masks cannot be taken for images",
                remedy="Choose an output folder outside.",
            )
    return places


def same_name(case: Case, other: Case) -> DatasetError:
    """Two images whose masks would have one place."""
    return DatasetError(
        str(case.image),
        found=f"a mask of the same name as that of {other.image}",
        expected="images whose masks can stand in one folder",
        remedy="Predict them into different folders.",
    )


@timed("write")
def write_prediction(
    path: Path, predicted: Prediction, labels: Labels, case: Case | None, *, probabilities: bool
) -> Path:
    """Write a mask with the values of the user's own masks, on the grid of its image.

    Objects that are told apart are numbered from 1 on; but DICOM-SEG, which lists classes, holds these alone.

    Parameters
    ----------
    path : Path
        As `mask_names` names it.
    predicted : Prediction
        Class indexes, objects, and probabilities.
    labels : Labels
        How the training masks are written.
    case : Case or None
        Whose geometry the mask takes over, if any.
    probabilities : bool
        Whether ``<name>_probabilities.tif`` is written too; of volumes that have a place in the world as
        ``.nrrd``, ``.mha`` or ``.nii.gz``.
    """
    keeps_grid = case is not None and case.page is None and suffix_of(path.name) != ".png"
    like = case.image if case is not None and keeps_grid else None
    is_numbered = predicted.objects is not None and suffix_of(path.name) not in DICOM
    written = predicted.objects if is_numbered else encode(predicted.labels, labels_in(path, labels))
    write_mask(path, np.asarray(written), like=like, names=labels.names)
    if probabilities and predicted.probabilities is not None:
        beside = probabilities_beside(path, predicted.labels.ndim)
        write_probabilities(beside, predicted.probabilities, like=like)
    return path


def read_prediction(file: File, labels: Labels, frame: Frame) -> tuple[NDArray[np.uint8], Objects | None]:
    """Read a mask as `write_prediction` writes it, on the grid of its image.

    Returns
    -------
    ([z,] y, x) uint8 array, ([z,] y, x) int32 array or None
        Class indexes; objects, where the masks tell them apart.

    Raises
    ------
    FormatError
        If the file cannot be read or holds a value that stands for no class.
    GeometryError
        If its extent is not the image's.
    """
    own = _numbered(labels) if labels.tell_objects_apart else labels
    return read_as(file, labels_in(Path(file.name), own), frame)


def labels_in(mask: Path, labels: Labels) -> Labels:
    """How classes are written: as the training masks; DICOM-SEG numbers them, Zarr instead of colors."""
    suffix = suffix_of(mask.name)
    is_by_number = suffix in DICOM or (suffix in ZARR and labels.encoding == "colors")
    return _numbered(labels, encoding="values") if is_by_number else labels


def _numbered(labels: Labels, encoding: Encoding = "instances") -> Labels:
    classes = tuple(LabelClass(name=name, value=k) for k, name in enumerate(labels.names))
    return Labels(classes=classes, encoding=encoding, is_numbered=encoding == "instances")


def read_as(file: File, written: Labels, frame: Frame) -> tuple[NDArray[np.uint8], Objects | None]:
    """Read a mask of which it is known how it is written; see `read_prediction`."""
    values = read_fitting(file, frame, keep_colors=written.encoding == "colors")
    return decode(values, written, str(file)), decode_objects(values, written)


def probabilities_beside(mask: Path, n_axes: int) -> Path:
    """Where the probabilities of a mask of so many axes stand."""
    suffix = suffix_of(mask.name)
    written = OF_VOLUMES.get(suffix, ".tif") if n_axes == 3 else ".tif"
    return mask.with_name(f"{mask.name.removesuffix(suffix)}{PROBABILITIES}{written}")


def unlabelled(path: Path, channels: Layout | None) -> list[Case]:
    """The images at a path: those of a dataset, all of a folder, or one file."""
    is_single = path.is_file() and path.suffix.lower() not in (".zip", ".csv", ".h5", ".hdf5")
    if is_single or path.suffix.lower() == ".zarr":
        file = as_file(path)
        return [Case(id=file.stem, images=(file,))]
    dataset = open_dataset(path)
    if channels is not None and not dataset.channels and path.is_dir() and _has_any(path, channels):
        dataset = find_cases(path, channels)
    return [replace(case, labels=(), second=None, tracks=None) for case in dataset.cases]


def _has_any(folder: Path, layout: Layout) -> bool:
    return any(
        matches(layout.image, [file.shown_name for file in list_files(folder) if file.suffix in SUFFIXES])
    )
