"""What was seen of one case in one reading of its files; small, whatever their size."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import SegletError
from seglet.core.image import StoredImage
from seglet.data.cases import Case
from seglet.data.fitting import Frame, open_page, read_fitting, values_of
from seglet.data.looks import ImageLook, MaskLook, look_at_image, look_at_mask, place_of
from seglet.io.dicom_headers import SUFFIXES as DICOM
from seglet.io.files import as_mask, open_image, open_mask
from seglet.io.sources import File

LARGEST_WHOLE = 1 << 29  # bytes of pixels; of larger files boxes are seen; several are read at once
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
    pairs = [_attempt(file, partial(_image, file, case.page), problems) for file in case.images]
    frame = None if pairs[0] is None else Frame(pairs[0][1], case.image, case.page)

    def seen(file: File, *, is_compared: bool = False) -> MaskLook | None:
        look = partial(_mask, file, case.page, frame, is_compared=is_compared)
        return _attempt(file, look, problems)

    masks = [seen(file, is_compared=len(case.labels) == 1) for file in case.labels]
    return Chart(
        case,
        images=tuple(pair[0] for pair in pairs if pair is not None),
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


def _image(file: File, page: int | None) -> tuple[ImageLook, StoredImage]:
    """Look at an image; gives it too, with its pixels in memory unless they are too many."""
    stored = open_page(open_image(file), page, file)
    if _is_huge(stored):
        return look_at_image(file, _boxes_of(stored), place_of(stored), is_whole=False), stored
    pixels = stored.load().pixels
    look = look_at_image(file, pixels, place_of(stored), is_whole=True)
    return look, replace(stored, dtype=pixels.dtype, read=lambda box: pixels[(slice(None), *box)])


def _mask(file: File, page: int | None, frame: Frame | None, *, is_compared: bool) -> MaskLook:
    stored = open_mask(file)
    opened = open_page(stored, page, file)
    if _is_huge(opened):
        return look_at_mask(file, as_mask(_boxes_of(opened), str(file)), place_of(opened), None)
    values, place = values_of(stored, file, page, keep_colors=True), place_of(opened)
    if frame is None or _is_huge(frame.image):
        return look_at_mask(file, values, place, None)
    if place.shape != frame.image.shape and file.suffix in ("", *DICOM):
        values, place = read_fitting(file, frame, keep_colors=True), place_of(frame.image)
    return look_at_mask(file, values, place, frame.image.load() if is_compared else None)


def _is_huge(stored: StoredImage) -> bool:
    return float(np.prod(stored.extent, dtype=float)) * stored.dtype.itemsize > LARGEST_WHOLE


def _boxes_of(stored: StoredImage) -> NDArray[np.generic]:
    """Read boxes of a huge image, joined along their first axis; one, where each costs reading all of it."""
    boxes = spread_boxes(stored.shape, N_BOXES if stored.is_random else 1)
    return np.concatenate([stored.read(box) for box in boxes], axis=1)


def spread_boxes(shape: tuple[int, ...], n_boxes: int) -> list[tuple[slice, ...]]:
    """Spread boxes of the same extent evenly along the diagonals of a large image."""
    side = max(int(BOX_PIXELS ** (1 / len(shape))), 1)
    sides = [min(side, n) for n in shape]
    boxes = []
    for k in range(n_boxes):
        places = [((k + 0.5) * (2 * axis + 1) / n_boxes) % 1 for axis in range(len(shape))]
        starts = [round(at * (n - one)) for at, n, one in zip(places, shape, sides, strict=True)]
        boxes.append(tuple(slice(a, a + one) for a, one in zip(starts, sides, strict=True)))
    return boxes
