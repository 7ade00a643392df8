"""The values that travel: an image on its grid, a labelled sample, the scheme of its labels."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seglet.core.config import Config
from seglet.core.errors import GeometryError

Box = tuple[slice, ...]

IGNORE = 255  # class index of pixels that nobody labelled; never trained on, never scored
MAX_CLASSES = 255

Encoding = Literal["values", "colors", "instances", "objects", "files"]
Others = Literal["error", "background"]


@dataclass(frozen=True, eq=False)
class Image:
    """Pixels on a grid.

    Attributes
    ----------
    pixels : (c, y, x) or (c, z, y, x) array
        Intensities in the file's own dtype and range; channels always first.
    spacing : tuple of float
        Distance between neighbouring pixels along each spatial axis, in `unit`; empty where unknown.
    unit : str
        Unit of `spacing`: ``"mm"``, ``"um"`` or ``"px"``.
    origin : tuple of float
        Position of the first pixel's center, in `unit`, one number per spatial axis of the world, in the
        world's order (z, y, x); empty where unknown.
    direction : tuple of float
        Rotation from array axes to world axes, row by row: entry (w, a) is the component along world axis w
        of a step along array axis a. World axes are (z, y, x) too; for medical volumes z points to the
        patient's head (superior), y to the back (posterior), x to the left: DICOM's LPS, read backwards.
        Empty where unknown.
    """

    pixels: NDArray[np.generic]
    spacing: tuple[float, ...] = ()
    unit: str = "px"
    origin: tuple[float, ...] = ()
    direction: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.pixels.ndim not in (3, 4):
            raise GeometryError(
                "image",
                found=f"an array of shape {self.pixels.shape}",
                expected="(channel, y, x) or (channel, z, y, x)",
                remedy="Add or move the channel axis to the front.",
            )

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return int(self.pixels.shape[0])

    @property
    def shape(self) -> tuple[int, ...]:
        """Extent of the spatial axes, (y, x) or (z, y, x)."""
        return tuple(int(n) for n in self.pixels.shape[1:])


def everywhere(box: Box) -> bool:
    """Say of every box that it was written."""
    return True


@dataclass(frozen=True, eq=False)
class StoredImage:
    """An image on disk: its extent and grid are known, its pixels are read box by box.

    Attributes
    ----------
    extent : tuple of int
        (c, y, x) or (c, z, y, x), as `Image.pixels` has it.
    dtype : dtype
        Of the pixels.
    read : callable
        Gives the pixels of a box of spatial slices, ``read((slice, slice[, slice])) -> (c, [z,] y, x)``
        array; safe to call from several threads.
    is_random : bool
        Whether a small box is read without reading all of the file.
    spacing, unit, origin, direction
        As in `Image`.
    is_written : callable
        Whether anything was ever written in a box; where not, all of it has one value. Of a sparse store this
        is known without reading, others were written everywhere.
    """

    extent: tuple[int, ...]
    dtype: np.dtype[np.generic]
    read: Callable[[Box], NDArray[np.generic]]
    is_random: bool = False
    spacing: tuple[float, ...] = ()
    unit: str = "px"
    origin: tuple[float, ...] = ()
    direction: tuple[float, ...] = ()
    is_written: Callable[[Box], bool] = everywhere

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return self.extent[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """Extent of the spatial axes, (y, x) or (z, y, x)."""
        return self.extent[1:]

    def load(self) -> Image:
        """Read all pixels."""
        pixels = np.ascontiguousarray(self.read(tuple(slice(0, n) for n in self.shape)))
        return Image(pixels, self.spacing, self.unit, self.origin, self.direction)


class LabelClass(Config):
    """One class: its name and how the user's masks write it."""

    name: str
    value: int | tuple[int, int, int]


class Labels(Config):
    """How masks are written, and which class each value stands for.

    A class's index is its place in `classes`; index 0 is the background.

    Attributes
    ----------
    encoding : str
        ``values``: one gray or palette value per class. ``colors``: one RGB color per class.
        ``instances``: every object its own value, 0 the background. ``objects``: one file per object.
        ``files``: one file per class, each of two values; the last file that claims a pixel has it.
    others : str
        What pixels of ``values`` and ``colors`` are that no class names: an ``error``, or ``background``.
    threshold : float or None
        For two-class masks with interpolated grays: values above it are foreground.
    ignore : int, color or None
        Value of pixels that nobody labelled.
    is_numbered : bool
        Whether values of instances are the objects' numbers from 1 on, each one object however many pieces
        it has; otherwise values that recur all over an image merely keep neighbours apart.
    """

    encoding: Encoding = "values"
    classes: tuple[LabelClass, ...]
    others: Others = "error"
    threshold: float | None = None
    ignore: int | tuple[int, int, int] | None = None
    is_numbered: bool = False

    @property
    def n_classes(self) -> int:
        """Number of classes, background included."""
        return len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in order of their index."""
        return tuple(c.name for c in self.classes)

    @property
    def tell_objects_apart(self) -> bool:
        """Whether masks do."""
        return self.encoding in ("instances", "objects")


@dataclass(frozen=True, eq=False)
class Sample:
    """One case in memory.

    Attributes
    ----------
    id : str
        Name of the case, unique in its dataset.
    image : Image
        Intensities.
    labels : ([z,] y, x) uint8 array or None
        Class index per pixel; `IGNORE` where nobody labelled.
    objects : ([z,] y, x) int32 array or None
        Object number per pixel, 0 the background; where the dataset tells objects apart.
    fov : ([z,] y, x) bool array or None
        Field of view: the only pixels that are trained on and scored.
    second : ([z,] y, x) uint8 array or None
        A second observer's class index per pixel.
    """

    id: str
    image: Image
    labels: NDArray[np.uint8] | None = None
    objects: NDArray[np.int32] | None = None
    fov: NDArray[np.bool_] | None = None
    second: NDArray[np.uint8] | None = None


@dataclass(frozen=True, eq=False)
class StoredSample:
    """One labelled case on disk: read box by box, boxes being spatial slices; by any number of threads.

    Attributes
    ----------
    id : str
        Name of the case.
    image : StoredImage
        Intensities.
    read_labels : callable
        Gives the class indexes in a box, ([z,] y, x) uint8; `IGNORE` where nobody labelled and outside of
        the field of view.
    is_written : callable
        Whether anything was ever written in a box of the mask, as `StoredImage.is_written` says it.
    """

    id: str
    image: StoredImage
    read_labels: Callable[[Box], NDArray[np.uint8]]
    is_written: Callable[[Box], bool] = everywhere
