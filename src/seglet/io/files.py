"""The one door to files: images and masks of every format, in folders or zip archives, read and written."""

import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from math import prod
from pathlib import Path, PurePosixPath
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import FormatError, GeometryError
from seglet.core.image import Image, StoredImage, everywhere
from seglet.core.storage import whole_file
from seglet.io import dicom, dicom_seg_write, hdf5, nifti, nrrd, ome_zarr, raster, tiff
from seglet.io.axes import Box
from seglet.io.dtypes import smallest, storable, whole_numbers
from seglet.io.pixels import in_memory, unreadable
from seglet.io.sources import File, suffix_of

ROUNDING = 1e-5  # of probabilities: sums and means in float32 miss 0 and 1 by less
KEPT_BYTES = 64 << 20  # of an image in an archive, to which it stays in memory once it is opened


class Format(Protocol):
    """What a module of one family of formats offers."""

    def open_image(self, path: Path, part: str, where: str) -> StoredImage:
        """Open an image whose pixels are read box by box."""
        ...


FORMATS: dict[str, Format] = {
    **dict.fromkeys(raster.SUFFIXES, cast(Format, raster)),
    **dict.fromkeys(tiff.SUFFIXES, cast(Format, tiff)),
    **dict.fromkeys(nifti.SUFFIXES, cast(Format, nifti)),
    **dict.fromkeys(dicom.SUFFIXES, cast(Format, dicom)),
    **dict.fromkeys(nrrd.SUFFIXES, cast(Format, nrrd)),
    **dict.fromkeys(hdf5.SUFFIXES, cast(Format, hdf5)),
    **dict.fromkeys(ome_zarr.SUFFIXES, cast(Format, ome_zarr)),
}
SUFFIXES = tuple(FORMATS)
VOLUMES = (*nifti.SUFFIXES, *nrrd.SUFFIXES, *hdf5.SUFFIXES, *ome_zarr.SUFFIXES)


def open_image(file: File) -> StoredImage:
    """Open an image: its extent and grid are known afterwards, its pixels are read box by box.

    Colors, palettes, 1-bit pixels and axes are given as `read_image` gives them.

    Raises
    ------
    FormatError
        If the file is missing, truncated, damaged or of an unknown format; damaged pixels show on reading.
    GeometryError
        If its axes are no image or volume with channels.
    MissingExtra
        If a package that its format needs is not installed.
    """
    return _open(file, as_mask=False)


def read_image(file: File) -> Image:
    """Read one image or volume.

    Returns
    -------
    Image
        (c, [z,] y, x) pixels in the file's dtype, on its own axes; alpha is dropped, palette indexes become
        the colors shown (one channel if all are gray), 1-bit files 0 and 255, JPEG is turned upright.

    Raises
    ------
    FormatError, GeometryError, MissingExtra
        As `open_image` does, also for damaged pixels.
    """
    with _opened(file) as stored:
        image = stored.load()
    if image.pixels.dtype.kind not in "uifb":
        raise unreadable(str(file), f"pixels of type {image.pixels.dtype}", "whole or real numbers")
    return image


def open_mask(file: File) -> StoredImage:
    """Open a mask as `open_image` does, but give palette indexes instead of the colors they stand for."""
    return _open(file, as_mask=True)


def read_mask(file: File, *, keep_colors: bool = False) -> NDArray[np.integer]:
    """Read the raw values of one mask.

    Parameters
    ----------
    file : File
        Where it is.
    keep_colors : bool
        Give (y, x, 3) for every RGB file, also for one whose colors could be written as gray levels.

    Returns
    -------
    ([z,] y, x) or (y, x, 3) integer array
        Gray values, palette indexes, 0 and 255 for 1-bit files; colors where the channels tell
        different things. Equal channels become one, and so does red where green and blue are all zero.

    Raises
    ------
    FormatError
        If the file cannot be read or its values are no whole numbers.
    GeometryError
        If it has other than 1 or, in 2D, 3 channels.
    """
    with _opened(file, as_mask=True) as stored:
        return as_mask(stored.load().pixels, str(file), keep_colors=keep_colors)


def as_mask(pixels: NDArray[np.generic], where: str, *, keep_colors: bool = False) -> NDArray[np.integer]:
    """Take (c, [z,] y, x) pixels of `open_mask` for a mask, as `read_mask` does."""
    n_axes = pixels.ndim - 1
    if len(pixels) not in ((1, 3) if n_axes == 2 else (1,)):
        raise GeometryError(
            where,
            found=f"a mask of {len(pixels)} channels and {n_axes} axes",
            expected="one channel, or the three of RGB in 2D",
            remedy="Save the mask as gray values, one per class or object.",
        )
    planes = whole_numbers(pixels, where)
    first: NDArray[np.integer] = planes[0]
    colors: NDArray[np.integer] = np.moveaxis(planes, 0, -1)
    is_gray = not planes[1:].any() or bool((planes[:1] == planes[1:]).all())
    return first if len(planes) == 1 or (is_gray and not keep_colors) else colors


def write_mask(
    path: Path, values: NDArray[np.integer], *, like: File | None = None, names: Sequence[str] = ()
) -> None:
    """Write mask values by the suffix of `path`, whole or not at all.

    Parameters
    ----------
    path : Path
        Ends in ``.png``, ``.tif``, ``.nii.gz``, ``.nrrd``, ``.mha``, ``.zarr``, ``.h5`` or ``.dcm`` (a
        DICOM-SEG) and the like.
    values : ([z,] y, x) integer or, for PNG and TIFF, (y, x, 3) uint8 array
        Gray values from 0 on (PNG: up to 65535), or colors.
    like : File or None
        The image that the mask belongs to, whose grid is written; needed for ``.dcm``.
    names : sequence of str
        Name of each class, background first; written in DICOM-SEG.

    Raises
    ------
    FormatError
        If the format cannot be written or cannot hold the values.
    GeometryError
        If the axes do not fit the format or the image.
    """
    suffix = suffix_of(path.name)
    is_color = values.ndim == 3 and values.shape[-1] == 3 and suffix not in VOLUMES
    is_plane = values.ndim == 2 or is_color
    if not (is_plane or (values.ndim == 3 and suffix != ".png")) or values.dtype.kind not in "ui":
        found = f"{values.dtype} values of shape {values.shape}"
        expected = "(y, x), (y, x, 3) or, but for PNG, (z, y, x) integers"
        raise GeometryError(path, found=found, expected=expected, remedy="Check the axes, or write .tif.")
    pixels = smallest(values, 65535 if suffix == ".png" else 2**32 - 1, str(path))
    if suffix in dicom.SUFFIXES:
        _write_dicom_seg(path, pixels, names, like)
    else:
        planes = np.moveaxis(pixels, -1, 0) if is_color else pixels[None]
        write_image(path, _on_grid(planes, like, path), like=like, part="labels")


def write_probabilities(path: Path, probabilities: NDArray[np.floating], *, like: File | None = None) -> None:
    """Write (k, [z,] y, x) class probabilities as float32, whole or not at all.

    Parameters
    ----------
    path : Path
        Ends in ``.tif``, ``.nii.gz``, ``.nrrd``, ``.mha``, ``.zarr`` or ``.h5`` and the like.
    probabilities : (k, [z,] y, x) array
        k = 1: of the foreground; else of each class.
    like : File or None
        The image that they belong to, whose grid is written.
    """
    suffix = suffix_of(path.name)
    if suffix not in (*tiff.SUFFIXES, *VOLUMES):
        expected = "a name that ends in .tif, .nii.gz, .nrrd, .mha, .zarr or .h5"
        raise FormatError(path, found=f"suffix {suffix!r}", expected=expected, remedy="Rename the output.")
    numbers = probabilities.astype(np.float32, copy=False)
    write_image(path, _on_grid(numbers, like, path), like=like, part="probabilities")


def read_probabilities(file: File) -> NDArray[np.float32]:
    """Read what `write_probabilities` wrote.

    Returns
    -------
    (k, [z,] y, x) float32 array
        k = 1: probability of the foreground; else one per class. What rounding put just outside 0 to 1 is
        put back.

    Raises
    ------
    FormatError
        If the file is damaged or holds numbers that are no probabilities.
    """
    planes = read_image(file).pixels.astype(np.float32)
    if not (np.isfinite(planes).all() and planes.min() >= -ROUNDING and planes.max() <= 1 + ROUNDING):
        raise unreadable(str(file), "numbers outside 0 to 1", "probabilities")
    return planes.clip(0, 1)


def write_image(path: Path, image: Image, *, like: File | None = None, part: str = "image") -> None:
    """Write an image by the suffix of `path`, whole or not at all.

    Parameters
    ----------
    path : Path
        Ends in ``.png`` (2D, gray or RGB, 8 or 16 bits), ``.tif``, ``.ome.tif``, ``.nii``, ``.nii.gz``,
        ``.nrrd``, ``.mha``, ``.zarr`` or ``.h5``.
    image : Image
        PNG keeps no spacing, TIFF no origin and no direction. Types that a format lacks become wider ones.
    like : File or None
        A file on the same grid; of a NIfTI both affines are written into a NIfTI exactly as they are there.
    part : str
        Name of the dataset in an HDF5 file; other datasets of the file stay.

    Raises
    ------
    FormatError
        If the format cannot be written, or not with such pixels.
    """
    suffix = suffix_of(path.name)
    stored = replace(image, pixels=storable(image.pixels))
    if suffix in hdf5.SUFFIXES:
        hdf5.write(path, stored, part)
    elif suffix in ome_zarr.SUFFIXES:
        ome_zarr.write(path, stored)
    elif suffix in nifti.SUFFIXES:
        is_nifti = like is not None and like.suffix in nifti.SUFFIXES
        with _on_disk(like) if like and is_nifti else nullcontext() as model, whole_file(path) as aside:
            nifti.write(aside, stored, model)
    elif suffix in WRITERS:
        with whole_file(path) as aside:
            WRITERS[suffix](aside, stored)
    else:
        expected = "a name that ends in .png, .tif, .nii.gz, .nrrd, .mha, .zarr or .h5"
        raise FormatError(path, found=f"suffix {suffix!r}", expected=expected, remedy="Rename the output.")


WRITERS: dict[str, Callable[[Path, Image], None]] = {
    ".png": raster.write,
    **dict.fromkeys(tiff.SUFFIXES, tiff.write),
    **dict.fromkeys(nrrd.SUFFIXES, nrrd.write),
}


def _open(file: File, *, as_mask: bool) -> StoredImage:
    """Open a file for longer than an archive's member is unpacked: a large one is unpacked for each read."""
    with _opened(file, as_mask=as_mask) as stored:
        if not zipfile.is_zipfile(file.root):
            return stored
        if prod(stored.extent) * stored.dtype.itemsize <= KEPT_BYTES:
            return in_memory(stored.load())

    def read(box: Box) -> NDArray[np.generic]:
        with _opened(file, as_mask=as_mask) as again:
            return again.read(box)

    return replace(stored, read=read, is_random=False, is_written=everywhere)


@contextmanager
def _opened(file: File, *, as_mask: bool = False) -> Iterator[StoredImage]:
    """Open a file for as long as it is on disk."""
    with _on_disk(file) as path:
        module = _format(file, path)
        if as_mask and module in (raster, tiff):
            yield (tiff if module is tiff else raster).open_mask(path, file.part, str(file))
        else:
            yield module.open_image(path, file.part, str(file))


@contextmanager
def _on_disk(file: File) -> Iterator[Path]:
    with ExitStack() as stack:
        try:
            path = stack.enter_context(file.on_disk())
            if not path.is_dir():
                path.open("rb").close()
        except (OSError, KeyError) as error:
            raise unreadable(str(file), f"no readable file ({error})", "a file that can be opened") from error
        except (RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            found = f"a damaged or locked archive ({error})"
            raise unreadable(str(file), found, "a whole zip archive") from error
        yield path


def _format(file: File, path: Path) -> Format:
    """Choose the reader by suffix; the content tells TIFF from the other pictures."""
    names = [file.name, *(reversed(PurePosixPath(file.alias).parts) if file.part else ()), file.shown_name]
    suffixes = [suffix for suffix in map(suffix_of, names) if suffix in FORMATS]
    if not suffixes and (path.is_dir() or dicom.is_dicom(path)):
        return cast(Format, dicom)
    if not suffixes:
        raise unreadable(str(file), f"suffix {file.suffix!r}", f"one of {', '.join(SUFFIXES)}")
    module = FORMATS[suffixes[0]]
    if module not in (raster, tiff):
        return module
    with path.open("rb") as stream:
        return cast(Format, tiff if stream.read(4) in tiff.MAGICS else raster)


def _on_grid(planes: NDArray[np.generic], like: File | None, path: Path) -> Image:
    """Put pixels on the grid of the image that they belong to."""
    if like is None:
        return Image(planes)
    model = open_image(like)
    if planes.shape[1:] != model.shape:
        raise GeometryError(
            path,
            found=f"an array of shape {planes.shape[1:]}",
            expected=f"{model.shape} as in {like}",
            remedy="Give the image that it was made from.",
        )
    return Image(planes, model.spacing, model.unit, model.origin, model.direction)


def _write_dicom_seg(
    path: Path, values: NDArray[np.integer], names: Sequence[str], like: File | None
) -> None:
    if like is None:
        remedy = "Give the DICOM series that was predicted, or write .nii.gz."
        raise FormatError(path, found="no source series", expected="the images of a DICOM-SEG", remedy=remedy)
    numbered = ("background", *(f"class {number}" for number in range(1, int(values.max(initial=1)) + 1)))
    with _on_disk(like) as source:
        dicom_seg_write.write(path, values, names or numbered, source, like.part)
