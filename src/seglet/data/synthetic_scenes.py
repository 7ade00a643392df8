"""One synthetic picture or volume on its way to disk, and how pictures are saved."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image as Picture


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture or volume with its truth.

    Attributes
    ----------
    number : int
        Its place in the dataset, from 0.
    image : (y, x[, 3]) or (z, y, x) array
        Intensities; of volumes float32.
    objects : (y, x) or (z, y, x) int32 array
        Object numbers; of volumes classes: 1 organ, 2 lesion.
    second, fov : (y, x) bool array or None
        A second observer's truth, and the field of view, of pictures of the retina.
    """

    number: int
    image: NDArray[np.generic]
    objects: NDArray[np.int32]
    second: NDArray[np.bool_] | None = None
    fov: NDArray[np.bool_] | None = None

    @property
    def truth(self) -> NDArray[np.bool_]:
        """Where any object is."""
        return self.objects > 0


def present(mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    """The mask that a retina layout needs."""
    if mask is None:
        raise ValueError("a retina layout was given a picture without field of view or second observer")
    return mask


def black_and_white(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Write a mask with 0 and 255."""
    return np.where(mask, 255, 0).astype(np.uint8)


def save(path: Path, pixels: NDArray[np.generic]) -> None:
    """Write a picture by its suffix, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels, compression="lzw", metadata=None)
    elif path.suffix == ".jpg":
        Picture.fromarray(pixels).save(path, quality=95)
    else:
        Picture.fromarray(pixels).save(path)
