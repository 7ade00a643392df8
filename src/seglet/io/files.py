"""The one door to files: in folders or in zip archives, images and masks, reading and writing."""

import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import DatasetError, FormatError, GeometryError
from seglet.core.image import Image
from seglet.core.storage import whole_file
from seglet.io.raster import SUFFIXES, decode, decode_planes, shown, write_png, write_tiff

ROUNDING = 1e-5  # of probabilities: sums and means in float32 miss 0 and 1 by less
SKIPPED = ("__MACOSX", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True, order=True)
class File:
    """A file in a folder or in a zip archive.

    Attributes
    ----------
    root : Path
        The folder, or the archive itself.
    name : str
        Path below `root`, with forward slashes.
    """

    root: Path
    name: str

    def __str__(self) -> str:
        return (self.root / self.name).as_posix()

    @property
    def suffix(self) -> str:
        """Lower-case suffix with its dot."""
        return PurePosixPath(self.name).suffix.lower()

    @property
    def stem(self) -> str:
        """Last part of the name without its suffix."""
        return PurePosixPath(self.name).stem

    def open(self) -> BinaryIO:
        """Open for reading."""
        if self.root.is_dir():
            return (self.root / self.name).open("rb")
        return cast(BinaryIO, _archive(self.root).open(self.name))


def list_files(root: Path) -> list[File]:
    """List all files below a folder or in a zip archive, sorted by name.

    Hidden files and what operating systems leave behind are skipped. A folder without images of its own
    gives the files of the zip archives in it.

    Raises
    ------
    DatasetError
        If there is nothing at `root`, or nothing in it.
    FormatError
        If `root` is a file, but no zip archive, or a broken one.
    """
    if not root.exists():
        remedy = "Check the path for typing errors."
        raise DatasetError(root, found="nothing", expected="a folder or a zip archive", remedy=remedy)
    files = _list_folder(root) if root.is_dir() else _list_archive(root)
    if not any(file.suffix in SUFFIXES for file in files):
        archives = [file for file in files if file.suffix == ".zip"]
        files = [*files, *(inner for one in archives for inner in _list_archive(one.root / one.name))]
    if not files:
        raise DatasetError(
            root, found="no files", expected="images, in folders or a zip archive", remedy="Check the path."
        )
    return sorted(files, key=lambda file: (file.name, file.root))


def as_file(path: Path) -> File:
    """Name a path on disk, or one into a zip archive, as a file."""
    for parent in path.parents:
        if parent.suffix.lower() == ".zip" and parent.is_file():
            return File(parent, path.relative_to(parent).as_posix())
    return File(path.parent, path.name)


def read_image(file: File) -> Image:
    """Read one 2D image.

    Returns
    -------
    Image
        (c, y, x) pixels in the file's dtype; alpha is dropped, palette indexes become the colors shown
        (one channel if all are gray), 1-bit files become 0 and 255, JPEG is turned upright.

    Raises
    ------
    FormatError
        If the file is missing, truncated, damaged or of an unknown format.
    GeometryError
        If it is a stack.
    """
    raster = decode(_content(file), str(file))
    pixels = shown(raster)
    if pixels.dtype.kind not in "uifb":
        raise _unfit(file, f"pixels of type {pixels.dtype}", "whole or real numbers")
    if raster.palette is not None and _is_gray(pixels):
        pixels = pixels[..., 0]
    planes = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    return Image(np.ascontiguousarray(planes), raster.spacing, raster.unit)


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
    (y, x) or (y, x, 3) integer array
        Gray values, palette indexes, 0 and 255 for 1-bit files; colors where the channels tell
        different things. Equal channels become one, and so does red where green and blue are all zero.

    Raises
    ------
    FormatError
        If the file cannot be read or its values are no whole numbers.
    GeometryError
        If it is a stack or has other than 1 or 3 channels.
    """
    pixels = _whole_numbers(decode(_content(file), str(file)).pixels, file)
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[-1] != 3:
        raise GeometryError(
            str(file),
            found=f"a mask of {pixels.shape[-1]} channels",
            expected="one channel, or the three of RGB",
            remedy="Save the mask as a gray or RGB image.",
        )
    first_alone = not pixels[..., 1:].any()
    return pixels if keep_colors or not (first_alone or _is_gray(pixels)) else pixels[..., 0]


def write_mask(path: Path, values: NDArray[np.integer]) -> None:
    """Write mask values as PNG or TIFF, by the suffix of `path`.

    Parameters
    ----------
    path : Path
        Ends in ``.png``, ``.tif`` or ``.tiff``; written whole or not at all.
    values : (y, x) integer or (y, x, 3) uint8 array
        Gray values up to 65535, or colors.
    """
    is_color = values.ndim == 3 and values.shape[-1] == 3
    if not (values.ndim == 2 or is_color) or values.dtype.kind not in "ui":
        found = f"{values.dtype} values of shape {values.shape}"
        raise GeometryError(
            path, found=found, expected="(y, x) or (y, x, 3) integers", remedy="Check the axes."
        )
    top = int(values.max(initial=0))
    if top > 65535 or int(values.min(initial=0)) < 0:
        remedy = "Number the objects from 1 on, without gaps."
        raise FormatError(path, found=f"values up to {top}", expected="values from 0 to 65535", remedy=remedy)
    wide = values.dtype == np.uint16 or top > 255
    pixels = values.astype(np.uint16 if wide else np.uint8, copy=False)
    if path.suffix.lower() == ".png":
        with whole_file(path) as aside:
            write_png(aside, pixels)
    elif path.suffix.lower() in (".tif", ".tiff"):
        with whole_file(path) as aside:
            write_tiff(aside, pixels, "YXS" if is_color else "YX")
    else:
        expected = "a name that ends in .png, .tif or .tiff"
        raise FormatError(
            path, found=f"suffix {path.suffix!r}", expected=expected, remedy="Rename the output."
        )


def write_probabilities(path: Path, probabilities: NDArray[np.floating]) -> None:
    """Write (k, y, x) class probabilities as a compressed float32 TIFF, whole or not at all."""
    if path.suffix.lower() not in (".tif", ".tiff"):
        expected = "a name that ends in .tif or .tiff"
        raise FormatError(
            path, found=f"suffix {path.suffix!r}", expected=expected, remedy="Rename the output."
        )
    with whole_file(path) as aside:
        write_tiff(aside, probabilities.astype(np.float32, copy=False), "CYX")


def read_probabilities(file: File) -> NDArray[np.float32]:
    """Read what `write_probabilities` wrote.

    Returns
    -------
    (k, y, x) float32 array
        k = 1: probability of the foreground; else one per class. What rounding put just outside 0 to 1 is
        put back.

    Raises
    ------
    FormatError
        If the file is damaged or holds numbers that are no probabilities.
    """
    planes = decode_planes(_content(file), str(file)).astype(np.float32)
    if not (np.isfinite(planes).all() and planes.min() >= -ROUNDING and planes.max() <= 1 + ROUNDING):
        raise _unfit(file, "numbers outside 0 to 1", "probabilities")
    return planes.clip(0, 1)


def _content(file: File) -> bytes:
    if file.suffix not in SUFFIXES:
        raise _unfit(file, f"suffix {file.suffix!r}", f"one of {', '.join(SUFFIXES)}")
    try:
        with file.open() as stream:
            return stream.read()
    except (OSError, KeyError) as error:
        raise _unfit(file, f"no readable file ({error})", "a file that can be opened") from error
    except (RuntimeError, NotImplementedError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise _unfit(file, f"a damaged or locked archive ({error})", "a whole zip archive") from error


def _unfit(file: File, found: str, expected: str) -> FormatError:
    remedy = "Copy or export the file again, or take it out of the dataset."
    return FormatError(str(file), found=found, expected=expected, remedy=remedy)


def _is_gray(pixels: NDArray[np.generic]) -> bool:
    return bool((pixels[..., :1] == pixels[..., 1:]).all())


def _whole_numbers(pixels: NDArray[np.generic], file: File) -> NDArray[np.integer]:
    if pixels.dtype.kind == "f":
        numbers = cast(NDArray[np.floating], pixels)
        if not (np.isfinite(numbers).all() and (numbers == np.round(numbers)).all()):
            raise _unfit(file, "fractions", "a mask of whole numbers, one per class or object")
        return numbers.astype(np.int64)
    if pixels.dtype.kind not in "ui":
        raise _unfit(file, f"values of type {pixels.dtype}", "a mask of whole numbers")
    return cast(NDArray[np.integer], pixels)


def _list_folder(root: Path) -> list[File]:
    return [File(root, path.relative_to(root).as_posix()) for path in _walk(root)]


def _walk(root: Path) -> Iterator[Path]:
    """Visit files depth first, through linked folders too, but none twice."""
    seen: set[Path] = set()
    for folder, subfolders, names in os.walk(root, followlinks=True):
        real = Path(folder).resolve()
        subfolders[:] = [] if real in seen else sorted(name for name in subfolders if not _is_skipped(name))
        if real not in seen:
            yield from (Path(folder) / name for name in names if not _is_skipped(name))
        seen.add(real)


def _list_archive(path: Path) -> list[File]:
    names = [entry.filename for entry in _archive(path).infolist() if not entry.is_dir()]
    return [File(path, name) for name in names if not any(map(_is_skipped, name.split("/")))]


def _is_skipped(part: str) -> bool:
    return part.startswith(".") or part in SKIPPED


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        return _opened(path, path.stat().st_mtime_ns, os.getpid())
    except (OSError, zipfile.BadZipFile) as error:
        remedy = "Give the folder of the dataset, or download the archive again."
        expected = "a folder or a whole zip archive"
        raise FormatError(
            path, found=f"no zip archive ({error})", expected=expected, remedy=remedy
        ) from error


@lru_cache(maxsize=8)
def _opened(path: Path, changed_ns: int, process: int) -> zipfile.ZipFile:
    """Open once per archive, state and process: forked processes must not share a file position."""
    return zipfile.ZipFile(path)
