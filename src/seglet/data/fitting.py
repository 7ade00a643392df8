"""The masks of a case as they lie on its image: the right page, the same size, the axes in the same order."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import GeometryError
from seglet.core.image import Image, StoredImage
from seglet.core.orientation import turn, turn_back, upright
from seglet.data.looks import Place
from seglet.data.survey import as_volume, is_color
from seglet.io import dicom_seg
from seglet.io.dicom_headers import SUFFIXES as DICOM
from seglet.io.files import as_mask, open_mask
from seglet.io.pixels import in_memory
from seglet.io.sources import File

Box = tuple[slice, ...]
Grid = StoredImage | Place


@dataclass(frozen=True, eq=False)
class Frame:
    """What a mask must fit: the image of its case, known by its header alone.

    Attributes
    ----------
    image : StoredImage
        Extent and grid.
    file : File
        Its name in messages.
    page : int or None
        Which page of the files of the case it is.
    """

    image: StoredImage
    file: File
    page: int | None = None


def frame_of(image: Image, file: File, page: int | None = None) -> Frame:
    """Make a frame of an image in memory."""
    return Frame(in_memory(image), file, page)


def values_of(
    stored: StoredImage, file: File, page: int | None, *, keep_colors: bool = False
) -> NDArray[np.integer]:
    """Read the raw values of an open mask, or of one page of it.

    Parameters
    ----------
    stored : StoredImage
        From `seglet.io.files.open_mask`: a volume, a stack, or a flat mask, which serves any page.
    file : File
        Its name in messages.
    page : int or None
        Slice along the first axis; None for all of the file.
    keep_colors : bool
        See `seglet.io.files.read_mask`.

    Returns
    -------
    ([z,] y, x) or (y, x, 3) integer array

    Raises
    ------
    FormatError
        If the file is damaged or holds no whole numbers.
    GeometryError
        If there is no such page.
    """
    opened = open_page(stored, page, file)
    values = as_mask(opened.load().pixels, str(file), keep_colors=keep_colors)
    return values if len(opened.shape) == 2 else as_volume(values)


def open_page(stored: StoredImage, page: int | None, file: File) -> StoredImage:
    """Take one slice along the first axis of a stack for a flat image; flat images serve any page.

    Raises
    ------
    GeometryError
        If there is no such page.
    """
    if page is None or len(stored.shape) == 2:
        return stored
    if page >= stored.shape[0]:
        found, remedy = f"{stored.shape[0]} pages", "Check that the stacks of image and mask belong together."
        raise GeometryError(str(file), found=found, expected=f"page {page + 1}", remedy=remedy)

    def read(box: Box) -> NDArray[np.generic]:
        return stored.read((slice(page, page + 1), *box))[:, 0]

    return replace(
        stored,
        extent=(stored.n_channels, *stored.shape[1:]),
        read=read,
        spacing=stored.spacing[1:],
        origin=(),
        direction=(),
        is_written=lambda box: stored.is_written((slice(page, page + 1), *box)),
    )


def read_fitting(file: File, frame: Frame, *, keep_colors: bool = False) -> NDArray[np.integer]:
    """Read the raw values of a mask on the grid of its image.

    A volume whose file orders or mirrors its axes otherwise than the image's is turned to the image's order,
    as far as both say how they lie and the extents then agree. Differences of origin and spacing are not
    looked at: the voxels are taken as they come. A DICOM segmentation of some slices is put in its place.

    Returns
    -------
    ([z,] y, x) or (y, x, 3) integer array

    Raises
    ------
    FormatError
        If the file cannot be read or holds no whole numbers.
    GeometryError
        If its extent differs from the image's; names both files.
    """
    stored = in_order_of(open_mask(file), frame.image)
    values = values_of(stored, file, frame.page, keep_colors=keep_colors)
    is_volume = len(frame.image.shape) == 3 and values.ndim == 3 and not is_color(values)
    if is_volume and values.shape != frame.image.shape and file.suffix in ("", *DICOM):
        values = as_volume(as_mask(dicom_seg.place(stored.load(), frame.image)[None], str(file)))
    values = _with_axes(values, frame.image.shape)
    check_size(values.shape, file, frame.image.shape, frame.file)
    return values


def lies_otherwise(own: Grid, image: Grid) -> bool:
    """Whether the file of a mask or channel orders or mirrors its axes otherwise than that of its image.

    A grid of unit spacing that starts at zero, where the image has another, was never set: neither is what
    it says of its direction believed then.
    """
    if not (own.direction and image.direction and len(own.shape) == len(image.shape)):
        return False
    is_never_set = own.shape == image.shape and _is_default(own) and not _is_default(image)
    return upright(own.direction) != upright(image.direction) and not is_never_set


def in_order_of(stored: StoredImage, image: StoredImage) -> StoredImage:
    """Turn a volume to the order of the axes of its image, on whose grid it then is.

    `stored` itself where it lies as the image does, or would not be of its extent when turned.
    """
    if not lies_otherwise(stored, image):
        return stored
    own, wanted = upright(stored.direction), upright(image.direction)
    if any(
        stored.shape[a] != image.shape[b] for a, b in zip(own.permutation, wanted.permutation, strict=True)
    ):
        return stored

    def read(box: Box) -> NDArray[np.generic]:
        mine = list(box)
        for axis, place in enumerate(own.permutation):
            part, n = box[wanted.permutation[axis]], stored.shape[place]
            is_mirrored = own.flips[axis] != wanted.flips[axis]
            mine[place] = slice(n - part.indices(n)[1], n - part.indices(n)[0]) if is_mirrored else part
        return turn_back(turn(stored.read(tuple(mine)), own), wanted)

    grid = (image.spacing, image.unit, image.origin, image.direction)
    return StoredImage((stored.n_channels, *image.shape), stored.dtype, read, stored.is_random, *grid)


def check_size(shape: tuple[int, ...], file: File, image_shape: tuple[int, ...], image: File) -> None:
    """Compare the extent of a mask, ([z,] y, x) or (y, x, 3), with that of its image, ([z,] y, x).

    Raises
    ------
    GeometryError
        If they differ.
    """
    is_flat_color = len(shape) == 3 and len(image_shape) == 2 and shape[-1] == 3
    if (shape[:2] if is_flat_color else shape) != image_shape:
        raise GeometryError(
            str(file),
            found=extent(shape[:2] if is_flat_color else shape),
            expected=f"{extent(image_shape)} as in {image}",
            remedy="Export the mask again at the size of its image, or pair it with another by a layout.",
        )


def extent(shape: tuple[int, ...]) -> str:
    """Write an extent for a person, width first: ``640x480 pixels``, ``512x512x60 voxels``."""
    return "x".join(map(str, reversed(shape))) + (" pixels" if len(shape) == 2 else " voxels")


def _is_default(grid: Grid) -> bool:
    """Whether a grid is what programs write that were told none; NIfTI and ITK differ in its direction."""
    is_unit = set(grid.spacing) == {1.0} and set(grid.origin) == {0.0}
    return is_unit and upright(grid.direction).permutation == (0, 1, 2)


def _with_axes(values: NDArray[np.integer], shape: tuple[int, ...]) -> NDArray[np.integer]:
    """A flat image and a volume of one slice are the same."""
    if values.ndim == 2 and shape[0] == 1 and len(shape) == 3:
        return values[None]
    return values[0] if values.ndim == 3 and len(values) == 1 and len(shape) == 2 else values
