"""NIfTI volumes: any orientation, scaling, time or vectors as channels; affines that are kept exactly."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import GeometryError, SegletError
from seglet.core.image import Image, StoredImage
from seglet.io.axes import Box
from seglet.io.packages import need
from seglet.io.pixels import unreadable

SUFFIXES = (".nii", ".nii.gz")

WHOLE = (np.uint8, np.int16, np.uint16, np.int32)  # types that scaled whole numbers may get
UNITS = {"micron": ("um", 1.0), "meter": ("mm", 1000.0)}  # millimeters unless said, as all tools have it
# From (right, anterior, superior), in which NIfTI counts, to (superior, posterior, left):
TO_WORLD = np.array([[0.0, 0.0, 1.0], [0.0, -1.0, 0.0], [-1.0, 0.0, 0.0]])


def open_image(path: Path, part: str, where: str) -> StoredImage:
    """Open a volume; a file that is not compressed is read box by box.

    Array axes are those of the file read backwards, (k, j, i) as (z, y, x); a single slice stays a volume
    of one. A fourth axis (time), or a fifth (vectors), is the channels. The header's scaling is applied:
    whole numbers stay whole where slope and intercept are, anything else becomes float32.

    Parameters
    ----------
    path : Path
        The file.
    part : str
        Not used.
    where : str
        Its name, for messages.

    Raises
    ------
    FormatError
        If the file is truncated or damaged, or its values are no real numbers.
    GeometryError
        If it has both time and vectors.
    MissingExtra
        If nibabel is not installed.
    """
    with _reading(where):
        volume = _nibabel().load(path)
        stored = volume.dataobj
        lengths = tuple(int(n) for n in volume.shape)
        unscaled = _nibabel().arrayproxy.ArrayProxy(
            stored.file_like, (stored.shape, stored.dtype, stored.offset, 1.0, 0.0)
        )
    if stored.dtype.kind not in "uif" or 0 in lengths:
        raise unreadable(
            where, f"{stored.dtype} values of shape {lengths}", "whole or real numbers, one per voxel"
        )
    channel_axis = _channel_axis(lengths, where)
    dtype = _scaled_dtype(stored)
    shape = (*lengths, 1, 1)[2::-1]

    def read(box: Box) -> NDArray[np.generic]:
        space = tuple(reversed(box))[: len(lengths)]
        others = tuple(slice(None) if axis == channel_axis else 0 for axis in range(3, len(lengths)))
        with _reading(where):
            values = np.asarray(unscaled[(*space, *others)])
        return _channels_first(_scaled(values, float(stored.slope), float(stored.inter), dtype))

    n_channels = 1 if channel_axis is None else lengths[channel_axis]
    grid = _grid(volume)
    return StoredImage((n_channels, *shape), dtype, read, path.suffix.lower() == ".nii", *grid)


def write(path: Path, image: Image, like: Path | None = None) -> None:
    """Write a volume; a plane becomes a volume of one slice, channels become a fourth axis.

    Parameters
    ----------
    path : Path
        Ends in ``.nii`` or ``.nii.gz``.
    image : Image
        Of a dtype that NIfTI knows: 8 to 64 bits whole, 32 or 64 bits real.
    like : Path or None
        A NIfTI file on the same grid, whose affines, their codes and units are written unchanged.

    Raises
    ------
    GeometryError
        If the volume is not of the extent of `like`.
    """
    nibabel = _nibabel()
    pixels = image.pixels if image.pixels.ndim == 4 else image.pixels[:, None]
    values = np.moveaxis(pixels, 0, -1).transpose(2, 1, 0, 3)
    values = values[..., 0] if values.shape[-1] == 1 else values
    if like is None:
        volume = nibabel.Nifti1Image(values, _affine(image), dtype=values.dtype)
        volume.header.set_xyzt_units({"um": "micron"}.get(image.unit, "mm"))
        volume.set_sform(volume.affine, code="scanner")
        volume.set_qform(volume.affine, code="scanner", strip_shears=True)
    else:
        volume = _volume_like(values, like, str(path))
    with path.open("wb") as raw:
        if path.suffix.lower() == ".gz":  # without name and time: the same volume gives the same bytes
            with gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as stream:
                volume.to_stream(stream)
        else:
            volume.to_stream(raw)


def _nibabel() -> Any:
    return need("nibabel", "medical", "NIfTI files")


@contextmanager
def _reading(where: str) -> Iterator[None]:
    try:
        yield
    except SegletError:
        raise
    except Exception as error:  # damaged files end in errors of many kinds
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise unreadable(where, f"damaged or truncated data ({reason})", "a whole NIfTI volume") from error


def _channel_axis(lengths: tuple[int, ...], where: str) -> int | None:
    long = [axis for axis in range(3, len(lengths)) if lengths[axis] > 1]
    if len(long) > 1:
        raise GeometryError(
            where,
            found=f"an array of shape {lengths}",
            expected="three axes of space and at most one more, for channels",
            remedy="Save every time point as a file of its own.",
        )
    return long[0] if long else None


def _channels_first(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Order (i[, j[, k[, c]]]) values as (c, k, j, i)."""
    return values.reshape(*values.shape, *[1] * (4 - values.ndim)).transpose(3, 2, 1, 0)


def _scaled(
    values: NDArray[np.generic], slope: float, inter: float, dtype: np.dtype[np.generic]
) -> NDArray[np.generic]:
    """Apply the header's scaling, plane by plane: at once it takes eight bytes for each voxel."""
    if (slope, inter) == (1.0, 0.0):
        return values.astype(dtype, copy=False)
    scaled: NDArray[np.generic] = np.empty(values.shape, dtype, order="F")
    for k in range(values.shape[-1]):
        scaled[..., k] = np.multiply(values[..., k], slope, dtype=np.float64) + inter
    return scaled


def _scaled_dtype(stored: Any) -> np.dtype[np.generic]:
    """Choose the type that holds all scaled values."""
    dtype: np.dtype[np.generic] = stored.dtype.newbyteorder("=")
    slope, inter = float(stored.slope), float(stored.inter)
    if (slope, inter) == (1.0, 0.0):
        return dtype
    if dtype.kind in "ui" and dtype.itemsize <= 2 and slope.is_integer() and inter.is_integer():
        lowest = 0 if dtype.kind == "u" else -(2 ** (8 * dtype.itemsize - 1))
        ends = [int(slope) * end + int(inter) for end in (lowest, lowest + 2 ** (8 * dtype.itemsize) - 1)]
        holds = (
            kind for kind in WHOLE if all(np.iinfo(kind).min <= end <= np.iinfo(kind).max for end in ends)
        )
        return np.dtype(next(holds, np.float32))
    return np.dtype(np.float32)


def _grid(volume: Any) -> tuple[tuple[float, ...], str, tuple[float, ...], tuple[float, ...]]:
    """Give spacing, unit, origin and direction as images have them."""
    unit, factor = UNITS.get(volume.header.get_xyzt_units()[0], ("mm", 1.0))
    affine = np.asarray(volume.affine, np.float64)
    steps = factor * (TO_WORLD @ affine[:3, :3])[:, ::-1]
    lengths = np.linalg.norm(steps, axis=0)
    if not (np.isfinite(affine).all() and abs(np.linalg.det(steps)) > 0):
        return (), "px", (), ()
    spacing = tuple(float(n) for n in lengths)
    origin = tuple(float(n) for n in factor * TO_WORLD @ affine[:3, 3])
    return spacing, unit, origin, tuple(float(n) for n in (steps / lengths).ravel())


def _affine(image: Image) -> NDArray[np.float64]:
    """Build the affine of an image; what is unknown is taken as 1, 0 and upright."""
    spacing = image.spacing if len(image.spacing) == 3 else (1.0, *image.spacing, 1.0, 1.0)[:3]
    direction = np.reshape(image.direction, (3, 3)) if len(image.direction) == 9 else np.eye(3)
    origin = image.origin if len(image.origin) == 3 else (0.0, 0.0, 0.0)
    affine = np.eye(4)
    affine[:3, :3] = TO_WORLD.T @ (direction * spacing)[:, ::-1]
    affine[:3, 3] = TO_WORLD.T @ origin
    return affine


def _volume_like(values: NDArray[np.generic], like: Path, where: str) -> Any:
    """Make a volume with the header of another, apart from what describes its values."""
    nibabel = _nibabel()
    with _reading(str(like)):
        model = nibabel.load(like)
    extent = (*model.shape, 1, 1)[:3]
    if values.shape[:3] != extent:
        raise GeometryError(
            where,
            found=f"a volume of {values.shape[:3]} voxels",
            expected=f"{extent} as in {like}",
            remedy="Write it without the grid of that file.",
        )
    header = model.header.copy()
    header.extensions.clear()
    header.set_data_dtype(values.dtype)
    header.set_slope_inter(1, 0)
    header["cal_min"] = header["cal_max"] = 0
    kind = nibabel.Nifti2Image if isinstance(model, nibabel.Nifti2Image) else nibabel.Nifti1Image
    return kind(values, None, header)
