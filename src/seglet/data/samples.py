"""One case in memory: its image, its classes and objects, its field of view."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import DatasetError, GeometryError
from seglet.core.events import Tell, quiet
from seglet.core.image import IGNORE, Image, Labels, Sample
from seglet.data.cases import Case
from seglet.data.masks import decode, decode_objects
from seglet.data.parallel import read_all
from seglet.io.files import File, read_image, read_mask


def read_sample(case: Case, labels: Labels | None) -> Sample:
    """Read all files of one case.

    Parameters
    ----------
    case : Case
        Where they are.
    labels : Labels or None
        How its masks are written; None leaves them unread.

    Raises
    ------
    FormatError
        If a file cannot be read or a mask holds a value that stands for no class.
    GeometryError
        If image, masks and field of view differ in size; names both files.
    """
    image = read_image(case.image)
    indexes: NDArray[np.uint8] | None = None
    objects: NDArray[np.int32] | None = None
    second: NDArray[np.uint8] | None = None
    if labels is not None and case.labels:
        indexes, objects = _read_labels(case, image, labels)
    if labels is not None and case.second is not None:
        second = decode(_read_fitting(case.second, case, image, labels), labels, str(case.second))
    fov = None if case.fov is None else read_fov(case.fov)
    if fov is not None and case.fov is not None:
        check_size(fov.shape, case.fov, image.shape, case.image)
    return Sample(case.id, image, indexes, objects, fov, second)


def read_samples(cases: Sequence[Case], labels: Labels | None, tell: Tell = quiet) -> list[Sample]:
    """Read many cases, in their order.

    Raises
    ------
    DatasetError
        If any of them cannot be read; lists every bad file.
    """
    samples, bad = read_all(lambda case: read_sample(case, labels), cases, "reading", tell)
    if bad:
        found = f"{len(bad)} cases that cannot be used: " + "; ".join(map(str, bad))
        remedy = "Repair these files or take them out of the dataset."
        raise DatasetError("dataset", found=found, expected="files that can be read", remedy=remedy)
    return samples


def read_fov(file: File) -> NDArray[np.bool_]:
    """Read a field of view, (y, x): inside is what is brighter than half of the brightest pixel."""
    values = read_mask(file)
    brightest = values if values.ndim == 2 else values.max(axis=-1)
    inside: NDArray[np.bool_] = brightest > brightest.max(initial=0) / 2
    return inside


def check_size(shape: tuple[int, ...], file: File, image_shape: tuple[int, ...], image: File) -> None:
    """Compare the (y, x) extent of a mask with that of its image.

    Raises
    ------
    GeometryError
        If they differ.
    """
    if shape[:2] != image_shape:
        raise GeometryError(
            str(file),
            found=f"{shape[1]}x{shape[0]} pixels",
            expected=f"{image_shape[1]}x{image_shape[0]} as in {image}",
            remedy="Export the mask again at the size of its image.",
        )


def _read_fitting(file: File, case: Case, image: Image, labels: Labels) -> NDArray[np.integer]:
    mask = read_mask(file, keep_colors=labels.encoding == "colors")
    check_size(mask.shape, file, image.shape, case.image)
    return mask


def _read_labels(
    case: Case, image: Image, labels: Labels
) -> tuple[NDArray[np.uint8], NDArray[np.int32] | None]:
    if labels.encoding == "objects":
        return _merge_objects(case, image, labels)
    if len(case.labels) > 1:
        remedy = "Give a layout that finds one mask per image, or say masks.encoding: objects."
        found = f"{len(case.labels)} masks of one image"
        raise GeometryError(str(case.image), found=found, expected="one", remedy=remedy)
    mask = _read_fitting(case.labels[0], case, image, labels)
    return decode(mask, labels, str(case.labels[0])), decode_objects(mask, labels)


def _merge_objects(case: Case, image: Image, labels: Labels) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Number the objects in the order of their files; where two overlap, the later number stands."""
    indexes = np.zeros(image.shape, np.uint8)
    objects = np.zeros(image.shape, np.int32)
    number = 0
    for file in case.labels:
        one = decode(_read_fitting(file, case, image, labels), labels, str(file))
        inside = one == 1
        number += int(inside.any())
        objects[inside] = number
        indexes[inside] = 1
        indexes[(one == IGNORE) & (indexes == 0)] = IGNORE
    return indexes, objects
