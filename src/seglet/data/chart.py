"""What was seen of one case in one reading of its files; small, whatever their size."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from math import prod
from threading import BoundedSemaphore
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import SegletError
from seglet.core.grid import cube, spread_boxes
from seglet.core.image import StoredImage
from seglet.data.cases import Case
from seglet.data.fitting import Frame, open_page, read_fitting, values_of
from seglet.data.looks import ImageLook, MaskLook, look_at_image, look_at_mask, place_of
from seglet.io.dicom_headers import SUFFIXES as DICOM
from seglet.io.files import as_mask, open_image, open_mask
from seglet.io.sources import File

LARGEST_WHOLE = 1 << 28  # bytes of pixels; of larger files boxes are seen
LARGEST_TOGETHER = 1 << 25  # bytes of pixels; of larger images
LARGE = BoundedSemaphore(2)  # so many at a time are in memory, however many threads read
N_BOXES = 16
BOX_PIXELS = 1 << 20

Read = TypeVar("Read")


@dataclass(frozen=True)
class Problem:
    """A file that cannot be used, and the error that says so."""

    file: File
    error: SegletError


@dataclass(frozen=True, eq=False)
class Chart:
    """What was seen of one case.

    Attributes
    ----------
    images, masks : tuple of ImageLook, tuple of MaskLook
        One per file that could be read.
    second, fov : MaskLook or None
        Of the second observer's mask and the field of view.
    problems : tuple of Problem
        The files that could not.
    """

    case: Case
    images: tuple[ImageLook, ...] = ()
    masks: tuple[MaskLook, ...] = ()
    second: MaskLook | None = None
    fov: MaskLook | None = None
    problems: tuple[Problem, ...] = ()


def look_at(case: Case) -> Chart:
    """Read every file of a case once; what cannot be read becomes a problem."""
    problems: list[Problem] = []
    stored = _attempt(case.image, lambda: _open(case.image, case.page), problems)
    is_large = stored is not None and _n_bytes(stored) > LARGEST_TOGETHER
    with LARGE if is_large else nullcontext():
        return _look_at(case, stored, problems)


def _look_at(case: Case, stored: StoredImage | None, problems: list[Problem]) -> Chart:
    """Look at an opened case."""
    first = None if stored is None else _attempt(case.image, lambda: _image(case.image, stored), problems)
    frame = None if first is None else Frame(first[1], case.image, case.page)

    def seen(file: File, *, is_compared: bool = False) -> MaskLook | None:
        look = partial(_mask, file, case.page, frame, is_compared=is_compared)
        return _attempt(file, look, problems)

    def channel(file: File) -> ImageLook | None:
        return _attempt(file, lambda: _image(file, _open(file, case.page))[0], problems)

    others = [channel(file) for file in case.images[1:]]
    masks = [seen(file, is_compared=len(case.labels) == 1) for file in case.labels]
    return Chart(
        case,
        images=tuple(look for look in (None if first is None else first[0], *others) if look is not None),
        masks=tuple(look for look in masks if look is not None),
        second=None if case.second is None else seen(case.second),
        fov=None if case.fov is None else seen(case.fov),
        problems=tuple(problems),
    )


def _attempt(file: File, read: Callable[[], Read], problems: list[Problem]) -> Read | None:
    try:
        return read()
    except SegletError as error:
        problems.append(Problem(file, error))
        return None


def _open(file: File, page: int | None) -> StoredImage:
    return open_page(open_image(file), page, file)


def _image(file: File, stored: StoredImage) -> tuple[ImageLook, StoredImage]:
    """Look at an open image; gives it too, with its pixels in memory unless they are too many."""
    if is_huge(stored):
        return look_at_image(file, read_boxes(stored), place_of(stored), is_whole=False), stored
    pixels = stored.load().pixels
    look = look_at_image(file, pixels, place_of(stored), is_whole=True)
    return look, replace(stored, dtype=pixels.dtype, read=lambda box: pixels[(slice(None), *box)])


def _mask(file: File, page: int | None, frame: Frame | None, *, is_compared: bool) -> MaskLook:
    stored = open_mask(file)
    opened = open_page(stored, page, file)
    if is_huge(opened):
        return look_at_mask(file, as_mask(read_boxes(opened), str(file)), place_of(opened), None)
    values, place = values_of(stored, file, page, keep_colors=True), place_of(opened)
    if frame is None or is_huge(frame.image):
        return look_at_mask(file, values, place, None)
    if place.shape != frame.image.shape and file.suffix in ("", *DICOM):
        values, place = read_fitting(file, frame, keep_colors=True), place_of(frame.image)
    return look_at_mask(file, values, place, frame.image.load() if is_compared else None)


def is_huge(stored: StoredImage) -> bool:
    """Whether a file has so many pixels that only boxes of it are looked at."""
    return _n_bytes(stored) > LARGEST_WHOLE


def _n_bytes(stored: StoredImage) -> int:
    return prod(stored.extent) * stored.dtype.itemsize


def read_boxes(stored: StoredImage) -> NDArray[np.generic]:
    """Read boxes of a huge image or mask, (c, [z,] y, x), joined along their first spatial axis.

    They are spread over what was ever written; one is read where each costs reading all of the file.
    """
    sides = cube(len(stored.shape), BOX_PIXELS)
    most = N_BOXES if stored.is_random else 1
    boxes = spread_boxes(stored.shape, sides, most, lambda region: stored.is_written(region.slices))
    return np.concatenate([stored.read(region.slices) for region in boxes], axis=1)
