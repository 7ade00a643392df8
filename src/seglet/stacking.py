"""Volumes among masks: a mask that is one, or flat masks stacked in the order of their numbers."""

import re
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import DatasetError, GeometryError
from seglet.core.image import Image, Labels
from seglet.data.cases import Case, Dataset
from seglet.data.channels import read_case_image
from seglet.data.fitting import extent, frame_of
from seglet.data.samples import read_case_labels
from seglet.io.files import open_mask

LAST_NUMBER = re.compile(r"([0-9]+)([^0-9]*)$")
KNOWN_UNITS = ("mm", "um")
SAY_SPACING = "Say it: --spacing 1.5,0.7,0.7mm, the distances along z, y and x."


@dataclass(frozen=True)
class Volume:
    """A volume on disk: one case, or flat slices in order."""

    id: str
    slices: tuple[Case, ...]


def find_volumes(dataset: Dataset) -> list[Volume]:
    """Group the labelled cases of a dataset into volumes.

    A mask that is a volume is one. Flat masks are slices: pages of one stack, or files that are named alike
    but for their last number, in the order of these numbers.

    Raises
    ------
    DatasetError
        If nothing is labelled, a flat mask stands alone, or slices are missing among the others.
    """
    volumes: list[Volume] = []
    stacks: dict[str, dict[int, Case]] = {}
    for case in dataset.cases:
        if not case.labels:
            continue
        if case.page is None and len(open_mask(case.labels[0]).shape) == 3:
            volumes.append(Volume(case.id, (case,)))
            continue
        name, number = _place(case)
        other = stacks.setdefault(name, {}).setdefault(number, case)
        if other is not case:
            remedy = "Take one of them out, or number each slice."
            found = f"two slices {number} of {name or 'one stack'}: {other.id}, {case.id}"
            raise DatasetError(dataset.root, found=found, expected="one mask for each", remedy=remedy)
    volumes += [_stacked(name, slices, dataset) for name, slices in stacks.items()]
    if not volumes:
        remedy = "Give a folder of masks, a mask file or a dataset."
        raise DatasetError(dataset.root, found="no masks", expected="masks of volumes", remedy=remedy)
    return volumes


def read_volume(
    volume: Volume, labels: Labels, spacing: tuple[float, ...] = (), unit: str = "px"
) -> tuple[NDArray[np.uint8], Image]:
    """Read the classes of a volume.

    Parameters
    ----------
    volume : Volume
        From `find_volumes`.
    labels : Labels
        How its masks are written.
    spacing, unit : tuple of float, str
        In place of what the files say, where not empty: one distance for all axes or three, (z, y, x).

    Returns
    -------
    (z, y, x) uint8 array, Image
        Class index per voxel, and the grid they are on; its pixels mean nothing where slices were stacked.

    Raises
    ------
    GeometryError
        If the spacing is not known, or slices differ in size.
    FormatError
        If a file cannot be read or holds a value that stands for no class.
    """
    read: list[NDArray[np.uint8]] = []
    for case in volume.slices:
        image = read_case_image(case)
        read.append(read_case_labels(case, frame_of(image, case.image, case.page), labels)[0])
    sizes = sorted({one.shape for one in read})
    if len(sizes) > 1:
        found = f"slices of {' and '.join(map(extent, sizes))}"
        remedy = "Cut or predict them anew at one size."
        raise GeometryError(volume.id, found=found, expected="one size", remedy=remedy)
    spacing, unit = (spacing, unit) if spacing else (image.spacing, image.unit)
    spacing = spacing * 3 if len(spacing) == 1 else spacing
    if len(spacing) != 3 or unit not in KNOWN_UNITS:
        known = " x ".join(f"{step:g}" for step in reversed(spacing)) + f" {unit}" if spacing else "unknown"
        expected = "the distance between voxels along z, y and x, in mm or um"
        raise GeometryError(volume.id, found=f"spacing {known}", expected=expected, remedy=SAY_SPACING)
    classes = read[0] if read[0].ndim == 3 else np.stack(read)
    return classes, replace(image, spacing=spacing, unit=unit)


def _place(case: Case) -> tuple[str, int]:
    """The stack that a flat mask belongs to, and its number in it."""
    if case.page is not None:
        return case.image.stem, case.page
    found = LAST_NUMBER.search(case.id)
    if found is None:
        return case.id, 0
    return case.id[: found.start()].rstrip("_-. ") + found[2], int(found[1])


def _stacked(name: str, slices: dict[int, Case], dataset: Dataset) -> Volume:
    numbers = sorted(slices)
    steps = {after - before for before, after in pairwise(numbers)}
    if len(steps) == 1:
        return Volume(name or dataset.root.resolve().stem, tuple(slices[number] for number in numbers))
    found = f"one flat mask, {slices[numbers[0]].id}"
    if steps:
        missing = sorted(set(range(numbers[0], numbers[-1], min(steps))) - set(numbers))
        listed = ", ".join(map(str, missing[:10]))
        found = f"{len(numbers)} slices of {name or 'one stack'} without number {listed}"
    expected = "volumes, or slices whose names end in evenly spaced numbers: name_0001, name_0002"
    remedy = "Add the missing slices, or take out what is no slice."
    raise DatasetError(dataset.root, found=found, expected=expected, remedy=remedy)
