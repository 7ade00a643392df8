"""One case on disk: the pixels and classes of any box of it, without reading the rest."""

from collections.abc import Callable
from math import prod
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seglet.core.image import IGNORE, Labels, StoredImage, StoredSample, everywhere
from seglet.data.cases import Case
from seglet.data.channels import open_case
from seglet.data.fitting import Box, Frame, check_size, lies_otherwise, open_page
from seglet.data.masks import decode
from seglet.data.samples import read_case_labels, read_fov
from seglet.data.survey import as_volume
from seglet.io.files import as_mask, open_mask

SMALL = 1 << 22  # values of an image that costs little to read whole, whatever part is needed
WHOLE_NUMBERS = "ui"  # kinds of pixel; to know what real numbers mean, all of them must be seen


def open_sample(case: Case, labels: Labels) -> StoredSample:
    """Open all files of one labelled case, for what does not fit the memory.

    Image and masks that can be read in part are read box by box. A mask that cannot, or that must be turned
    or merged out of several files, is decoded as a whole on first use and kept, a byte per pixel; so is a
    field of view. Objects are not told apart, and the second observer is left out.

    Parameters
    ----------
    case : Case
        Where they are; with a mask.
    labels : Labels
        How its masks are written.

    Raises
    ------
    SegletError
        As `seglet.data.samples.read_sample` does; about what stands in a box, when it is read.
    """
    frame = Frame(open_case(case), case.image, case.page)
    read_labels, is_written = _read_decoded(case, frame, labels)
    if case.fov is None:
        return StoredSample(case.id, frame.image, read_labels, is_written)
    fov = case.fov
    read_inside = _kept(lambda: read_fov(fov, frame))

    def read_seen(box: Box) -> NDArray[np.uint8]:
        return np.where(read_inside(box), read_labels(box), np.uint8(IGNORE))

    return StoredSample(case.id, frame.image, read_seen, is_written)


def bytes_kept(case: Case, labels: Labels) -> int:
    """What `open_sample` keeps in memory of the masks of a case, once they are read."""
    image = open_case(case)
    n_kept = (_in_boxes(case, image, labels) is None) + (case.fov is not None)
    return n_kept * prod(image.shape)


def is_cheap_in_parts(stored: StoredImage) -> bool:
    """Whether reading a small box costs little: it is read alone, or the image is small."""
    return stored.is_random or prod(stored.extent) <= SMALL


def _read_decoded(
    case: Case, frame: Frame, labels: Labels
) -> tuple[Callable[[Box], NDArray[np.uint8]], Callable[[Box], bool]]:
    """Read class indexes in boxes of the file where each pixel says all about itself; and what it holds."""
    stored = _in_boxes(case, frame.image, labels)
    if stored is None:
        return _kept(lambda: read_case_labels(case, frame, labels)[0]), everywhere
    where = str(case.labels[0])
    check_size(stored.shape, case.labels[0], frame.image.shape, frame.file)
    return lambda box: decode(_values(stored.read(box), where), labels, where), stored.is_written


def _in_boxes(case: Case, image: StoredImage, labels: Labels) -> StoredImage | None:
    """The mask of a case, if the classes in a box follow from its values there."""
    is_plain = len(case.labels) == 1 and not case.classes and case.tracks is None
    if not is_plain or labels.encoding not in ("values", "instances"):
        return None
    stored = open_page(open_mask(case.labels[0]), case.page, case.labels[0])
    return stored if _is_readable_in_boxes(stored, image) else None


def _is_readable_in_boxes(stored: StoredImage, image: StoredImage) -> bool:
    is_gray = stored.n_channels == 1 and stored.dtype.kind in WHOLE_NUMBERS
    is_alike = len(stored.shape) == len(image.shape) and not lies_otherwise(stored, image)
    return is_cheap_in_parts(stored) and is_gray and is_alike


def _values(pixels: NDArray[np.generic], where: str) -> NDArray[np.integer]:
    values = as_mask(pixels, where)
    return as_volume(values) if pixels.ndim == 4 else values


def _kept(read: Callable[[], NDArray[Any]]) -> Callable[[Box], NDArray[Any]]:
    """Read all on first use, once for all threads, and hand out boxes of it."""
    lock = Lock()
    kept: list[NDArray[Any]] = []

    def read_box(box: Box) -> NDArray[Any]:
        with lock:
            if not kept:
                kept.append(read())
        return kept[0][box]

    return read_box
