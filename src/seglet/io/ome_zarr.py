"""OME-Zarr 0.4 and 0.5, and plain Zarr: images and their labels, read and written box by box."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from seglet.core.errors import FormatError
from seglet.core.image import Image, StoredImage
from seglet.core.storage import speaking_of, whole_folder
from seglet.io.axes import (
    Axes,
    Box,
    chunk_shape,
    find_axes,
    is_random,
    pixel_dtype,
    read_box,
    stored_image,
    write_box,
)
from seglet.io.ngff import (
    OWN,
    Metadata,
    axis_letters,
    grid_attributes,
    image_metadata,
    labels_metadata,
    level_grids,
    level_paths,
    multiscale_of,
    version_of,
    versioned,
)
from seglet.io.pyramid import fill_mean, fill_nearest, level_steps
from seglet.io.zarr_store import (
    consolidate,
    has_chunks,
    new_array,
    open_group,
    open_node,
    reading,
    settled,
)

SUFFIXES = (".zarr", ".ome.zarr")

Version = Literal["0.4", "0.5"]


@dataclass(frozen=True, eq=False)
class Canvas:
    """Pixels on disk that are written box by box, as `StoredImage.read` reads them: ``canvas[box] = values``.

    Attributes
    ----------
    array : zarr array
        Where they go.
    axes : Axes
        Its axes.
    """

    array: Any
    axes: Axes

    @property
    def chunks(self) -> tuple[int, ...]:
        """Sides ([z,] y, x) of the boxes that several threads may write at once, if aligned to them."""
        chunks = dict(zip(self.axes.letters, self.array.chunks, strict=True))
        return tuple(int(chunks[letter]) for letter in self.axes.spatial)

    def __setitem__(self, box: Box, values: NDArray[np.generic]) -> None:
        write_box(self.array, self.axes, box, values)


def open_image(path: Path, part: str, where: str) -> StoredImage:
    """Open an image whose pixels are read box by box, chunk after chunk.

    Parameters
    ----------
    path : Path
        Folder of the store.
    part : str
        Empty: the finest level, or the only array. Else a group or array in it: ``"1"`` for a level,
        ``"labels/nuclei"`` for labels.
    where : str
        What messages call it.

    Raises
    ------
    FormatError
        If there is no such array of numbers, or several without saying which.
    GeometryError
        If the axes cannot be told, or there are several times.
    MissingExtra
        If zarr is not installed.
    """
    with reading(where):
        node = open_node(path, part)
        is_array = hasattr(node, "shape")
        array, attributes = _level(path, part, node) if is_array else _finest(node, where)
        shape = tuple(int(length) for length in array.shape)
    axes = find_axes(attributes, shape, where)
    dtype = pixel_dtype(array.dtype, where)
    read = partial(_read, array, axes, dtype, where)
    stored = stored_image(axes, dtype, read, is_random(axes, array.chunks), attributes)
    return replace(stored, is_written=partial(has_chunks, array, axes))


def label_names(path: Path) -> tuple[str, ...]:
    """List the labels that an image holds; each is read as the part ``labels/<name>``.

    Raises
    ------
    FormatError
        If the metadata are damaged.
    """
    with reading(str(path)):
        try:
            attributes = open_node(path, "labels").attrs
        except FileNotFoundError:
            return ()
    return tuple(attributes.get("ome", attributes).get("labels", ()))


def write(path: Path, image: Image, version: Version = "0.5") -> None:
    """Write an image as OME-Zarr with its coarser levels; as `new_image`, from memory."""
    with new_image(path, image.pixels.shape, image.pixels.dtype, image, version) as canvas:
        canvas[tuple(slice(0, length) for length in image.shape)] = image.pixels


def write_labels(
    path: Path, name: str, values: NDArray[np.integer], names: Mapping[int, str] | None = None
) -> None:
    """Add ([z,] y, x) labels to an image; as `new_labels`, from memory."""
    with new_labels(path, name, values.dtype, names) as canvas:
        canvas[tuple(slice(0, length) for length in values.shape)] = values


@contextmanager
def new_image(
    path: Path,
    extent: tuple[int, ...],
    dtype: DTypeLike,
    like: Image | StoredImage,
    version: Version = "0.5",
    own: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[Canvas]:
    """Give an image on disk to fill box by box; its coarser levels are made when the block ends.

    Whole or not at all: what was at `path` stays until then, and also if the block fails.

    Parameters
    ----------
    path : Path
        Folder of the new store.
    extent : tuple of int
        (c, [z,] y, x).
    dtype : dtype
        Of the pixels; those that are never written are 0.
    like : Image or StoredImage
        Whose spacing, unit, origin and direction it gets.
    version : str
        ``"0.5"`` (Zarr 3) or ``"0.4"`` (Zarr 2).
    own : mapping
        Further attributes that are kept under the key of this package.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    MissingExtra
        If zarr is not installed.
    """
    letters = "c" + "zyx"[1 - len(extent) :]
    steps = level_steps(extent[1:], chunk_shape(extent)[1:], like.spacing)
    with whole_folder(path) as aside, settled():
        group = open_group(aside, 2 if version == "0.4" else 3)
        array = new_array(group, "0", letters, extent, dtype)
        yield Canvas(array, Axes(letters, extent))
        sides = [[-(-side // s) for side, s in zip(extent[1:], step, strict=True)] for step in steps[1:]]
        _add_levels(group, array, letters, [(extent[0], *coarse) for coarse in sides], fill_mean)
        metadata = image_metadata(letters, like.unit, level_grids(like, steps), _stem(path), version)
        direction = {"direction": [float(number) for number in like.direction]} if like.direction else {}
        group.attrs.update({**metadata, **({OWN: {**direction, **own}} if direction or own else {})})


@contextmanager
def new_labels(
    path: Path,
    name: str,
    dtype: DTypeLike,
    names: Mapping[int, str] | None = None,
    own: Mapping[str, Any] = MappingProxyType({}),
) -> Iterator[Canvas]:
    """Give labels of an existing OME-Zarr image to fill box by box; levels follow when the block ends.

    They have the image's version, axes (but the channels) and levels. Whole or not at all; labels of that
    name are replaced.

    Parameters
    ----------
    path : Path
        Folder of the image.
    name : str
        Of the labels.
    dtype : integer dtype
        Of the values.
    names : mapping, optional
        What each value stands for.
    own : mapping
        As in `new_image`.

    Raises
    ------
    FormatError
        If there is no OME-Zarr image at `path`, or labels are to be no whole numbers.
    StorageError
        If the disk is full or the image's folder cannot be written.
    MissingExtra
        If zarr is not installed.
    """
    if np.dtype(dtype).kind not in "ui":
        found = f"labels of type {np.dtype(dtype)}"
        raise FormatError(path, found=found, expected="whole numbers", remedy="Round them first.")
    image, levels = _image_levels(path)
    letters = axis_letters(multiscale_of(image.attrs) or {}, levels[0].ndim)
    kept = [n for n, letter in enumerate(letters) if letter != "c"]
    spatial = "".join(letters[n] for n in kept)
    finest, *coarser = [tuple(level.shape[n] for n in kept) for level in levels]
    with whole_folder(path / "labels" / name) as aside, settled():
        group = open_group(aside, image.metadata.zarr_format)
        array = new_array(group, "0", spatial, finest, dtype)
        yield Canvas(array, Axes(spatial, finest))
        _add_levels(group, array, spatial, coarser, fill_nearest)
        metadata = labels_metadata(image.attrs, name, names or {})
        kept_own = {**metadata.get(OWN, {}), **own}
        group.attrs.update({**metadata, **({OWN: kept_own} if kept_own else {})})
    with speaking_of(path):
        _register(open_group(path / "labels", image.metadata.zarr_format), name, version_of(image.attrs))
        consolidate(path)


def _image_levels(path: Path) -> tuple[Any, list[Any]]:
    """Open an OME-Zarr image: its group, and the arrays of its levels."""
    with reading(str(path)):
        image = open_node(path)
        multiscale = multiscale_of(image.attrs) or {}
        if "axes" in multiscale:
            return image, [image[level] for level in level_paths(multiscale)]
    remedy = "Convert the image first: seglet convert DATA OUT --to ome-zarr."
    raise _unclear(str(path), "no image of OME-Zarr 0.3 or later", remedy)


def _add_levels(
    group: Any, finest: Any, letters: str, shapes: list[tuple[int, ...]], fill: Callable[[Any, Any], None]
) -> None:
    """Make each coarser level from the one before."""
    for n, shape in enumerate(shapes, start=1):
        coarser = new_array(group, str(n), letters, shape, finest.dtype)
        fill(finest, coarser)
        finest = coarser


def _finest(group: Any, where: str) -> tuple[Any, Metadata]:
    """Choose the finest level of an image, or the only array, and say its axes and grid."""
    attributes = group.attrs
    multiscale = multiscale_of(attributes)
    if multiscale:
        array = group[level_paths(multiscale)[0]]
        return array, grid_attributes(multiscale, 0, array.ndim, attributes)
    if "plate" in attributes.get("ome", attributes):
        raise _unclear(where, "a plate of many images", "Give its fields of view, each an image by itself.")
    images = {name: inner for name, inner in group.groups() if multiscale_of(inner.attrs)}
    if len(images) == 1:
        return _finest(next(iter(images.values())), where)
    members = images or {name: array for name, array in group.members(max_depth=None) if _is_pixels(array)}
    if len(members) != 1:
        names = ", ".join(sorted(members)[:8])
        remedy = f"Name one of them: {names}." if names else "Export the image again."
        raise _unclear(where, f"{len(members)} arrays or images of numbers", remedy)
    array = next(iter(members.values()))
    return array, _plain(array)


def _level(path: Path, part: str, array: Any) -> tuple[Any, Metadata]:
    """Say axes and grid of an array that may be a level of the image in one of the groups above it."""
    inside = PurePosixPath(part)
    for parent in inside.parents if part else ():
        attributes = open_node(path, parent.as_posix().strip(".")).attrs
        multiscale = multiscale_of(attributes)
        name = inside.relative_to(parent).as_posix()
        if multiscale and name in level_paths(multiscale):
            level = level_paths(multiscale).index(name)
            return array, grid_attributes(multiscale, level, array.ndim, attributes)
    return array, _plain(array)


def _plain(array: Any) -> Metadata:
    """Attributes of an array by itself; Zarr 3 keeps names of axes beside them."""
    names = getattr(array.metadata, "dimension_names", None)
    return {**({"dimension_names": names} if names else {}), **array.attrs}


def _is_pixels(node: Any) -> bool:
    return hasattr(node, "shape") and len(node.shape) >= 2 and getattr(node.dtype, "kind", "") in "uifb"


def _read(array: Any, axes: Axes, dtype: np.dtype[np.generic], where: str, box: Box) -> NDArray[np.generic]:
    with reading(where):
        return read_box(array, axes, box).astype(dtype, copy=False)


def _register(group: Any, name: str, version: str) -> None:
    """Add labels to the list of an image's labels."""
    attributes = group.attrs
    names = attributes.get("ome", attributes).get("labels", [])
    group.attrs.update(versioned({"labels": [*(n for n in names if n != name), name]}, version))


def _stem(path: Path) -> str:
    return path.name.removesuffix(".zarr").removesuffix(".ome")


def _unclear(where: str, found: str, remedy: str) -> FormatError:
    return FormatError(where, found=found, expected="one image", remedy=remedy)
