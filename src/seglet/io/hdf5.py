"""HDF5 files: arrays by name, read box by box, with axes and spacing in their attributes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import FormatError, SegletError
from seglet.core.image import Image, StoredImage
from seglet.core.storage import speaking_of, whole_file
from seglet.io.axes import (
    Axes,
    Box,
    chunk_shape,
    chunks_of,
    find_axes,
    is_random,
    pixel_dtype,
    read_box,
    stored_image,
)
from seglet.io.packages import need

SUFFIXES = (".h5", ".hdf5", ".hdf")
CHUNK_SIDE = 64  # gzip is slow, and a box unpacks every chunk that it touches


def datasets(path: Path) -> dict[str, tuple[int, ...]]:
    """List the arrays of numbers with at least two axes: name to shape.

    Raises
    ------
    FormatError
        If the file is missing, truncated or none of HDF5.
    MissingExtra
        If h5py is not installed.
    """
    with _opened(path, str(path)) as file:
        return _arrays(file)


def open_image(path: Path, part: str, where: str) -> StoredImage:
    """Open one array as an image whose pixels are read box by box.

    Every read opens the file anew, so that threads, worker processes and whoever writes to the file do not
    stand in each other's way; this costs less than a millisecond.

    Parameters
    ----------
    path : Path
        The file.
    part : str
        Name of the array; may be empty where there is only one.
    where : str
        What messages call it.

    Raises
    ------
    FormatError
        If the file is missing, truncated or none of HDF5, or has no such array of numbers.
    GeometryError
        If the array's axes cannot be told, or there are several times.
    MissingExtra
        If h5py is not installed.
    """
    with _opened(path, where) as file:
        name = part.strip("/") or _only(file, where)
        array = _array(file, name, where)
        attributes = {**file.attrs, **array.attrs}
        axes = find_axes(dict(array.attrs), tuple(array.shape), where)
        dtype = pixel_dtype(array.dtype, where)
        read = partial(_read, path, name, axes, dtype, where)
        stored = stored_image(axes, dtype, read, is_random(axes, array.chunks), attributes)
        return replace(stored, is_written=partial(_is_written, path, name, axes, where))


def write(path: Path, image: Image, part: str = "image") -> None:
    """Write an image, chunked and compressed, as one array; an existing file keeps its other arrays.

    Parameters
    ----------
    path : Path
        The file; made, whole or not at all, where there is none.
    image : Image
        Of one channel: stored without a channel axis.
    part : str
        Name of the array; one of that name is replaced.

    Raises
    ------
    StorageError
        If the disk is full or the file cannot be written.
    FormatError
        If there is a file, but none of HDF5.
    MissingExtra
        If h5py is not installed.
    """
    if path.exists():
        with speaking_of(path), _opened(path, str(path), "r+") as file:
            _put(file, part, image)
        return
    with whole_file(path) as aside, h5py().File(aside, "w") as file:
        _put(file, part, image)


def _put(file: Any, part: str, image: Image) -> None:
    letters = "c" * (image.n_channels > 1) + "zyx"[-len(image.shape) :]
    pixels = image.pixels if image.n_channels > 1 else image.pixels[0]
    if part in file:
        del file[part]
    array = file.create_dataset(
        part,
        data=pixels,
        chunks=chunk_shape(image.pixels.shape, CHUNK_SIDE)[-pixels.ndim :],
        compression="gzip",
        compression_opts=4,
        shuffle=True,
    )
    array.attrs["axes"] = letters
    if image.spacing:
        array.attrs["spacing"] = image.spacing
        array.attrs["unit"] = image.unit
    for name, numbers in (("origin", image.origin), ("direction", image.direction)):
        if numbers:
            array.attrs[name] = numbers


def _read(
    path: Path, name: str, axes: Axes, dtype: np.dtype[np.generic], where: str, box: Box
) -> NDArray[np.generic]:
    with _opened(path, where) as file:
        return read_box(file[name], axes, box).astype(dtype, copy=False)


def _is_written(path: Path, name: str, axes: Axes, where: str, box: Box) -> bool:
    """Whether any chunk of a box is in the file; an array in one piece is there as a whole."""
    with _opened(path, where) as file:
        array = file[name]
        if array.chunks is None:
            return True
        corners = (
            tuple(number * side for number, side in zip(place, array.chunks, strict=True))
            for place in chunks_of(axes, array.chunks, box)
        )
        return any(array.id.get_chunk_info_by_coord(corner).byte_offset is not None for corner in corners)


@contextmanager
def _opened(path: Path, where: str, mode: str = "r") -> Iterator[Any]:
    """Open the file; whatever cannot be read in it is told as a fault of the file."""
    library = h5py()
    try:
        with library.File(path, mode) as file:
            yield file
    except SegletError:
        raise
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        if isinstance(error, OSError) and mode != "r" and library.is_hdf5(path):
            raise
        raise FormatError(
            where,
            found=f"what cannot be read as HDF5 ({_first_line(error)})",
            expected="a whole HDF5 file",
            remedy="Copy or export the file again, or take it out of the dataset.",
        ) from error


def _array(file: Any, name: str, where: str) -> Any:
    array = file.get(name)
    if array is None or not hasattr(array, "dtype"):
        raise FormatError(
            where,
            found=f"no array named {name!r}",
            expected=f"one of {_listed(_arrays(file))}",
            remedy="Name one of these.",
        )
    if array.shape is None or array.ndim < 2:
        found = f"an array {name!r} of shape {array.shape}"
        raise FormatError(where, found=found, expected="pixels", remedy="Choose another array of the file.")
    return array


def _only(file: Any, where: str) -> str:
    names = _arrays(file)
    if len(names) == 1:
        return next(iter(names))
    raise FormatError(
        where,
        found=f"{len(names)} arrays of numbers" if names else "no array of numbers",
        expected=f"one of {_listed(names)}" if names else "an array of at least two axes",
        remedy="Name the one to read." if names else "Export the image again.",
    )


def _arrays(file: Any) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}

    def look(name: str, node: Any) -> None:
        shape = getattr(node, "shape", None)  # groups have none, and neither have null datasets
        if shape is not None and len(shape) >= 2 and node.dtype.kind in "uifb":
            found[name] = tuple(shape)

    file.visititems(look)
    return found


def _listed(names: dict[str, tuple[int, ...]]) -> str:
    shown = [f"{name} {shape}" for name, shape in sorted(names.items())]
    return ", ".join(shown[:8]) + ("" if len(shown) <= 8 else f" and {len(shown) - 8} more")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def h5py() -> Any:
    """Import h5py, or raise `MissingExtra` saying how to install it."""
    return need("h5py", "large", "HDF5 files")
