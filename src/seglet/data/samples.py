"""One case in memory: its image, its classes and objects, its field of view."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import DatasetError, GeometryError
from seglet.core.events import Tell, quiet
from seglet.core.image import IGNORE, Labels, Sample
from seglet.core.profile import timed
from seglet.data.cases import Case
from seglet.data.channels import read_case_image
from seglet.data.fitting import Frame, frame_of, read_fitting
from seglet.data.masks import decode, decode_objects, upper_half
from seglet.data.parallel import read_all
from seglet.data.partial import ignore_unoutlined
from seglet.data.survey import is_color
from seglet.io.sources import File


@timed("read")
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
        If channels, masks and field of view differ in extent; names both files.
    DatasetError
        If a mask file is of a class that `labels` does not know.
    """
    image = read_case_image(case)
    frame = frame_of(image, case.image, case.page)
    indexes: NDArray[np.uint8] | None = None
    objects: NDArray[np.int32] | None = None
    second: NDArray[np.uint8] | None = None
    if labels is not None and case.labels:
        indexes, objects = read_case_labels(case, frame, labels)
    if labels is not None and case.second is not None:
        second = decode(_read_raw(case.second, frame, labels), labels, str(case.second))
    fov = None if case.fov is None else read_fov(case.fov, frame)
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


def read_fov(file: File, frame: Frame) -> NDArray[np.bool_]:
    """Read a field of view, ([z,] y, x): inside is what is brighter than half of the brightest pixel."""
    return upper_half(_read_gray(file, frame))


def read_case_labels(
    case: Case, frame: Frame, labels: Labels
) -> tuple[NDArray[np.uint8], NDArray[np.int32] | None]:
    """Read the masks of a case.

    Returns
    -------
    ([z,] y, x) uint8 array, ([z,] y, x) int32 array or None
        Class index per pixel, and the number of its object where masks tell objects apart.

    Raises
    ------
    SegletError
        As `read_sample` does.
    """
    if case.classes:
        return _merge_classes(case, frame, labels), None
    if labels.encoding == "objects":
        return _merge_objects(case, frame, labels)
    if len(case.labels) > 1:
        remedy = "Give a layout that finds one mask per image, or say masks.encoding: objects."
        found = f"{len(case.labels)} masks of one image"
        raise GeometryError(str(case.image), found=found, expected="one", remedy=remedy)
    mask = _read_raw(case.labels[0], frame, labels)
    indexes, objects = decode(mask, labels, str(case.labels[0])), decode_objects(mask, labels)
    if case.tracks is not None:
        markers = read_fitting(case.tracks, frame)
        indexes = ignore_unoutlined(indexes, objects, markers, frame.image.spacing)
    return indexes, objects


def _read_raw(file: File, frame: Frame, labels: Labels) -> NDArray[np.integer]:
    return read_fitting(file, frame, keep_colors=labels.encoding == "colors")


def _read_gray(file: File, frame: Frame) -> NDArray[np.integer]:
    values = read_fitting(file, frame)
    brightest: NDArray[np.integer] = values.max(axis=-1) if is_color(values) else values
    return brightest


def _merge_objects(case: Case, frame: Frame, labels: Labels) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Number the objects in the order of their files; where two overlap, the later number stands."""
    indexes = np.zeros(frame.image.shape, np.uint8)
    objects = np.zeros(frame.image.shape, np.int32)
    number = 0
    for file in case.labels:
        one = decode(_read_raw(file, frame, labels), labels, str(file))
        inside = one == 1
        number += int(inside.any())
        objects[inside] = number
        indexes[inside] = 1
        indexes[(one == IGNORE) & (indexes == 0)] = IGNORE
    return indexes, objects


def _merge_classes(case: Case, frame: Frame, labels: Labels) -> NDArray[np.uint8]:
    """Fill in the classes one after the other; where two overlap, the later class stands."""
    strange = sorted(set(case.classes) - set(labels.names[1:]))
    if strange:
        expected = f"files of the classes {', '.join(labels.names[1:])}"
        remedy = "Rename the files, or leave them out by another layout."
        found = f"masks of {', '.join(strange)}"
        raise DatasetError(str(case.image), found=found, expected=expected, remedy=remedy)
    indexes = np.zeros(frame.image.shape, np.uint8)
    files = dict(zip(case.classes, case.labels, strict=True))
    for index, name in enumerate(labels.names):
        if name in files:
            gray = _read_gray(files[name], frame)
            is_ignored = np.equal(gray, -1 if labels.ignore is None else labels.ignore)
            indexes[is_ignored & (indexes == 0)] = IGNORE
            indexes[upper_half(np.where(is_ignored, 0, gray))] = index
    return indexes
