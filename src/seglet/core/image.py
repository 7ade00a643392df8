"""The values that travel: an image on its grid, a labelled sample, the scheme of its labels."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from seglet.core.config import Config
from seglet.core.errors import GeometryError

IGNORE = 255  # class index of pixels that nobody labelled; never trained on, never scored
MAX_CLASSES = 255

Encoding = Literal["values", "colors", "instances", "objects"]


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
        Position of the first pixel's center, in `unit`; empty where unknown.
    """

    pixels: NDArray[np.generic]
    spacing: tuple[float, ...] = ()
    unit: str = "px"
    origin: tuple[float, ...] = ()

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
    threshold : float or None
        For two-class masks with interpolated grays: values above it are foreground.
    ignore : int, color or None
        Value of pixels that nobody labelled.
    """

    encoding: Encoding = "values"
    classes: tuple[LabelClass, ...]
    threshold: float | None = None
    ignore: int | tuple[int, int, int] | None = None

    @property
    def n_classes(self) -> int:
        """Number of classes, background included."""
        return len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in order of their index."""
        return tuple(c.name for c in self.classes)


@dataclass(frozen=True, eq=False)
class Sample:
    """One case in memory.

    Attributes
    ----------
    id : str
        Name of the case, unique in its dataset.
    image : Image
        Intensities.
    labels : (y, x) uint8 array or None
        Class index per pixel; `IGNORE` where nobody labelled.
    objects : (y, x) int32 array or None
        Object number per pixel, 0 the background; where the dataset tells objects apart.
    fov : (y, x) bool array or None
        Field of view: the only pixels that are trained on and scored.
    second : (y, x) uint8 array or None
        A second observer's class index per pixel.
    """

    id: str
    image: Image
    labels: NDArray[np.uint8] | None = None
    objects: NDArray[np.int32] | None = None
    fov: NDArray[np.bool_] | None = None
    second: NDArray[np.uint8] | None = None
