"""Which axis of a stored array is which, and how far apart its pixels lie."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import isfinite, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import FormatError, GeometryError
from seglet.core.image import StoredImage

Box = tuple[slice, ...]

LETTERS = "tczyx"
NAMES = {
    **{letter: letter for letter in LETTERS},
    **dict.fromkeys(("s", "sample", "samples", "channel", "channels"), "c"),
    **dict.fromkeys(("time", "frame"), "t"),
    **dict.fromkeys(("depth", "slice", "plane"), "z"),
    **dict.fromkeys(("height", "row"), "y"),
    **dict.fromkeys(("width", "column"), "x"),
}
AXES_KEYS = ("axistags", "axes", "DIMENSION_LABELS", "_ARRAY_DIMENSIONS", "dimension_names")
SPACING_KEYS = ("spacing", "resolution")
UNIT_KEYS = ("unit", "units", "axis_units")
FEW_CHANNELS = 4  # an outer axis of a 3D array that is not longer is taken for channels (RGBA)
MANY_CHANNELS = 64  # the shorter outer axis of a 4D array that is longer is hardly one of channels
LENGTHS = {  # name: unit of an Image, how many of it
    **dict.fromkeys(("um", "µm", "μm", "micron", "microns", "micrometer", "micrometers"), ("um", 1.0)),
    **dict.fromkeys(("nm", "nanometer", "nanometers"), ("um", 1e-3)),
    **dict.fromkeys(("angstrom", "angstroms"), ("um", 1e-4)),
    **dict.fromkeys(("mm", "millimeter", "millimeters"), ("mm", 1.0)),
    **dict.fromkeys(("cm", "centimeter", "centimeters"), ("mm", 10.0)),
    **dict.fromkeys(("m", "meter", "meters"), ("mm", 1000.0)),
}


@dataclass(frozen=True)
class Axes:
    """The axes of a stored array.

    Attributes
    ----------
    letters : str
        One of t, c, z, y, x per axis, in the order in which they are stored.
    shape : tuple of int
        Length of each of them.
    is_volume: bool
        Whether a single plane is a volume of one slice.
    """

    letters: str
    shape: tuple[int, ...]
    is_volume: bool = False

    @property
    def spatial(self) -> str:
        """``"zyx"``, or ``"yx"`` where there is no z, or a single plane of it that is no volume."""
        return "zyx" if self.length("z") > 1 or (self.is_volume and "z" in self.letters) else "yx"

    @property
    def extent(self) -> tuple[int, ...]:
        """(c, [z,] y, x), as images have it."""
        return tuple(self.length(letter) for letter in "c" + self.spatial)

    def length(self, letter: str) -> int:
        """Length of one axis; 1 where it is not stored."""
        return self.shape[self.letters.index(letter)] if letter in self.letters else 1


def find_axes(attributes: Mapping[str, Any], shape: tuple[int, ...], where: str) -> Axes:
    """Name the axes of an array by its attributes, or else by its shape.

    What says its direction in space is a volume, also of a single slice.

    Without names, two axes are (y, x). Of three, an outer one of at most 4 is the channels, else they are
    (z, y, x). Of four, the shorter of the first and the last is the channels. Of five, the first is time.

    Raises
    ------
    GeometryError
        If the names are unknown or too few, if there are several times, or if the shape does not tell.
    FormatError
        If the array is empty.
    """
    told = next((names for key in AXES_KEYS if key in attributes and (names := _names(attributes[key]))), ())
    letters = "".join(NAMES.get(name.lower(), "?") for name in told) or _guess(shape, where)
    is_known = len(letters) == len(shape) == len(set(letters)) and {"y", "x"} <= set(letters) <= set(LETTERS)
    if not is_known:
        raise GeometryError(
            where,
            found=f"axes {told or letters} of an array of shape {shape}",
            expected="one of t, c, z, y, x for each axis, y and x among them",
            remedy="Correct its attribute 'axes', for example to \"czyx\".",
        )
    if 0 in shape:
        raise FormatError(where, found="an empty array", expected="pixels", remedy="Write the file again.")
    axes = Axes(letters, shape, is_volume=len(_numbers(attributes.get("direction"))) == 9)
    if axes.length("t") > 1:
        raise GeometryError(
            where,
            found=f"{axes.length('t')} points in time",
            expected="one image or volume",
            remedy="Save each time point by itself; if the axis is depth or channels, say so in 'axes'.",
        )
    return axes


def stored_image(
    axes: Axes,
    dtype: np.dtype[np.generic],
    read: Callable[[Box], NDArray[np.generic]],
    is_random: bool,
    attributes: Mapping[str, Any],
) -> StoredImage:
    """Describe a stored array as an image, its grid by its attributes.

    Understood are `spacing` or `resolution` with `unit`, `element_size_um` (always z, y, x), `origin` and
    `direction`. Numbers stand one per stored axis, or one per spatial axis in the order z, y, x.
    """
    spacing, unit, factor = _spacing(attributes, axes)
    origin = tuple(factor * number for number in _per_axis(attributes.get("origin"), axes))
    direction = _numbers(attributes.get("direction"))
    is_whole = len(direction) == len(axes.spatial) ** 2
    return StoredImage(
        axes.extent, dtype, read, is_random, spacing, unit, origin, direction if is_whole else ()
    )


def is_random(axes: Axes, chunks: tuple[int, ...] | None) -> bool:
    """Whether chunks (None: the array is contiguous) divide the array in space."""
    if chunks is None:
        return True
    lengths = zip(axes.letters, axes.shape, chunks, strict=True)
    return any(chunk < length for letter, length, chunk in lengths if letter in "zyx")


def pixel_dtype(dtype: Any, where: str) -> np.dtype[np.generic]:
    """Tell the type in which pixels are given: in the machine's byte order, truth values as 0 and 1.

    Raises
    ------
    FormatError
        If they are no real numbers.
    """
    if getattr(dtype, "kind", "") not in ("u", "i", "f", "b"):
        remedy = "Choose another array of the file, or store numbers."
        raise FormatError(
            where, found=f"values of type {dtype}", expected="whole or real numbers", remedy=remedy
        )
    return np.dtype(np.uint8) if dtype.kind == "b" else np.dtype(dtype).newbyteorder("=")


def read_box(array: Any, axes: Axes, box: Box) -> NDArray[np.generic]:
    """Read the (c, [z,] y, x) pixels of a box of spatial slices from an array on disk.

    A box of three slices suits a single plane too: the slice along z is ignored then.
    """
    pixels = np.asarray(array[_index(axes, box)])
    kept = _kept(axes)
    order = [kept.index(letter) for letter in "c" + axes.spatial if letter in kept]
    pixels = pixels.transpose(order)
    return pixels if "c" in kept else pixels[None]


def chunks_of(axes: Axes, chunks: tuple[int, ...], box: Box) -> Iterator[tuple[int, ...]]:
    """Number, along each stored axis, the chunks that a box of spatial slices touches."""
    spans = []
    for part, side, length in zip(_index(axes, box), chunks, axes.shape, strict=True):
        inside = range(length)[part] if isinstance(part, slice) else range(part, part + 1)
        spans.append(range(inside.start // side, (inside.stop - 1) // side + 1))
    return product(*spans)


def write_box(array: Any, axes: Axes, box: Box, values: NDArray[np.generic]) -> None:
    """Write the (c, [z,] y, x) or, of one channel, ([z,] y, x) values of a box, as `read_box` reads it."""
    own = [letter for letter in "c" + axes.spatial if letter in axes.letters]
    sides = (range(part.stop)[part] for part in box[-len(axes.spatial) :])
    lengths = [axes.length("c")] * ("c" in own) + [len(side) for side in sides]
    order = [own.index(letter) for letter in _kept(axes)]
    array[_index(axes, box)] = values.reshape(lengths).transpose(order)


def chunk_shape(extent: tuple[int, ...], side: int = 128) -> tuple[int, ...]:
    """Choose chunks for (c, [z,] y, x) pixels: `side` in volumes, four times that in planes, one channel."""
    longest = side if len(extent) == 4 else 4 * side
    return (1, *(min(longest, length) for length in extent[1:]))


def _kept(axes: Axes) -> str:
    """Letters of the stored axes that are left after one time, and one plane where it is alone, are taken."""
    return "".join(letter for letter in axes.letters if letter == "c" or letter in axes.spatial)


def _index(axes: Axes, box: Box) -> tuple[slice | int, ...]:
    places: dict[str, slice | int] = {"t": 0, "z": 0, "c": slice(None)}
    places.update(zip(axes.spatial, box[-len(axes.spatial) :], strict=True))
    return tuple(places[letter] for letter in axes.letters)


def _names(value: Any) -> tuple[str, ...]:
    """Take axis names from a string ("czyx", "c,z,y,x", JSON), a list of strings or of dictionaries."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, str) and value.lstrip()[:1] in ("[", "{"):
        try:
            value = json.loads(value)
        except ValueError:
            return ()
    if isinstance(value, str):
        return tuple(value.replace(",", " ").split()) if "," in value else tuple(value.replace(" ", ""))
    if isinstance(value, Mapping):  # vigra's axis tags
        value = value.get("axes", ())
    names = [_name(entry) for entry in (value if np.iterable(value) else ())]
    return tuple(names) if all(names) else ()


def _name(entry: Any) -> str:
    """The letter of a typed axis is told by its type, since the name is free there."""
    if isinstance(entry, Mapping):
        kind = {"channel": "c", "time": "t"}.get(str(entry.get("type", "")))
        return kind or str(entry.get("key", entry.get("name", "")))
    return entry.decode("utf-8", "replace") if isinstance(entry, bytes) else str(entry or "")


def _guess(shape: tuple[int, ...], where: str) -> str:
    match len(shape):
        case 2:
            return "yx"
        case 3 if shape[0] <= FEW_CHANNELS:
            return "cyx"
        case 3:
            return "yxc" if shape[2] <= FEW_CHANNELS else "zyx"
        case 4 if min(shape[0], shape[3]) <= MANY_CHANNELS:
            return "czyx" if shape[0] <= shape[3] else "zyxc"
        case 5:
            return "t" + _guess(shape[1:], where)
    raise GeometryError(
        where,
        found=f"an array of shape {shape} that does not say what its axes are",
        expected="an image or volume, with or without channels",
        remedy="Give the array an attribute 'axes', for example \"tczyx\".",
    )


def _spacing(attributes: Mapping[str, Any], axes: Axes) -> tuple[tuple[float, ...], str, float]:
    """Give the spacing, its unit, and what positions are multiplied by to have that unit."""
    found = next((attributes[key] for key in SPACING_KEYS if key in attributes), None)
    spacing = _per_axis(found, axes)
    unit, factor = length_unit(next((attributes[key] for key in UNIT_KEYS if key in attributes), None))
    if found is None and "element_size_um" in attributes:
        numbers = _numbers(attributes["element_size_um"])
        spacing, unit, factor = numbers[-len(axes.spatial) :], "um", 1.0
    if len(spacing) != len(axes.spatial) or min(spacing) <= 0:
        return (), "px", 1.0
    return tuple(factor * step for step in spacing), unit, factor


def length_unit(name: Any) -> tuple[str, float]:
    """Translate the name of a unit of length, or a list of equal ones, into one of images and a factor.

    Returns
    -------
    (str, float)
        ``"um"`` or ``"mm"`` and how many of it the named unit has; ``("px", 1.0)`` for an unknown name.
    """
    entries = [] if name is None else np.ravel(name).tolist()
    texts = {
        entry.decode("utf-8", "replace") if isinstance(entry, bytes) else str(entry) for entry in entries
    }
    lengths = [LENGTHS[text.lower()] for text in sorted(texts) if text.lower() in LENGTHS]
    return lengths[0] if len(lengths) == 1 else ("px", 1.0)


def _per_axis(value: Any, axes: Axes) -> tuple[float, ...]:
    """Choose the numbers of the spatial axes; empty where there are too few, or none."""
    numbers = _numbers(value)
    if len(numbers) == 1:
        return numbers * len(axes.spatial)
    if len(numbers) == len(axes.letters):
        return tuple(numbers[axes.letters.index(letter)] for letter in axes.spatial)
    return numbers[-len(axes.spatial) :] if len(numbers) >= len(axes.spatial) else ()


def _numbers(value: Any) -> tuple[float, ...]:
    """Give finite numbers as a tuple; empty where anything is none."""
    try:
        numbers = tuple(float(number) for number in np.atleast_1d(np.asarray(value, dtype=np.float64)).flat)
    except (TypeError, ValueError):
        return ()
    return numbers if all(isfinite(number) for number in numbers) else ()


def blocks(shape: tuple[int, ...], side: tuple[int, ...]) -> list[Box]:
    """List boxes of at most `side` that cover `shape`, each pixel once."""
    counts = [-(-length // step) for length, step in zip(shape, side, strict=True)]
    places = (np.unravel_index(n, counts) for n in range(prod(counts)))
    return [
        tuple(slice(int(p) * s, min(int(p + 1) * s, n)) for p, s, n in zip(place, side, shape, strict=True))
        for place in places
    ]
