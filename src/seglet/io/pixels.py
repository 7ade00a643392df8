"""Decoded pixels: with a palette or without, shown in color or kept as written, handed out box by box."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import FormatError
from seglet.core.image import Image, StoredImage
from seglet.io.axes import Box


@dataclass(frozen=True, eq=False)
class Raster:
    """The pixels of one picture as they are written in its file, alpha left out.

    Attributes
    ----------
    pixels : (c, [z,] y, x) array
        Gray levels, palette indexes or colors; 1-bit files as 0 and 255.
    palette : (n, 3) uint8 array or None
        Color of each palette index.
    """

    pixels: NDArray[np.generic]
    palette: NDArray[np.uint8] | None = None


def shown(raster: Raster) -> NDArray[np.generic]:
    """Give the pixels as a viewer shows them: palette indexes as colors, as one channel if all are gray."""
    if raster.palette is None:
        return raster.pixels
    indexes = raster.pixels[0].astype(np.intp)
    used = np.bincount(indexes.ravel()) > 0
    palette = np.pad(raster.palette, ((0, max(len(used) - len(raster.palette), 0)), (0, 0)))
    if is_gray(palette[: len(used)][used]):
        palette = palette[:, :1]
    colors: NDArray[np.uint8] = np.moveaxis(palette[indexes], -1, 0)
    return colors


def is_gray(palette: NDArray[np.uint8]) -> bool:
    """Whether all of (n, 3) colors are grays."""
    return not np.ptp(palette, axis=1).any()


def in_memory(image: Image) -> StoredImage:
    """Hand out an image that is in memory box by box."""

    def read(box: Box) -> NDArray[np.generic]:
        return image.pixels[(slice(None), *box)]

    grid = (image.spacing, image.unit, image.origin, image.direction)
    return StoredImage(image.pixels.shape, image.pixels.dtype, read, False, *grid)


def unreadable(where: str, found: str, expected: str = "a whole image file") -> FormatError:
    """Make the error about a file that cannot be used as it is."""
    remedy = "Copy or export the file again, or take it out of the dataset."
    return FormatError(where, found=found, expected=expected, remedy=remedy)
