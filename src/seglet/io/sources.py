"""Where files stand: in folders, in zip archives, inside container files, as series of slices."""

import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from seglet.core.errors import FormatError

DOUBLE_SUFFIXES = (".nii.gz", ".ome.tif", ".ome.tiff", ".ome.zarr", ".ppm.gz")


@dataclass(frozen=True, order=True)
class File:
    """What is read as one: a file in a folder or zip archive, a dataset in a container, a series of slices.

    Attributes
    ----------
    root : Path
        The folder, the archive, or the container file itself.
    name : str
        Path below `root`, with forward slashes; of a DICOM series the path of its folder.
    part : str
        What inside of it: a dataset in an HDF5 or Zarr container, the SeriesInstanceUID of a DICOM series;
        empty for a whole file.
    alias : str
        What patterns and messages see in place of `name`; empty where that is the name itself.
    """

    root: Path
    name: str
    part: str = ""
    alias: str = ""

    def __str__(self) -> str:
        inside = f" [{self.part}]" if self.part and not self.alias else ""
        return (self.root / self.shown_name).as_posix() + inside

    @property
    def shown_name(self) -> str:
        """The alias, or else the name."""
        return self.alias or self.name

    @property
    def suffix(self) -> str:
        """Lower-case suffix with its dot; `.nii.gz` and its like count as one."""
        return suffix_of(self.shown_name)

    @property
    def stem(self) -> str:
        """Last part of the name without its suffix."""
        last = PurePosixPath(self.shown_name).name
        suffix = suffix_of(last)
        return last[: -len(suffix)] if suffix else last

    def open(self) -> BinaryIO:
        """Open for reading."""
        if self.root.is_dir():
            return (self.root / self.name).open("rb")
        return cast(BinaryIO, archive(self.root).open(self.name))

    @contextmanager
    def on_disk(self) -> Iterator[Path]:
        """The path of the file; one in a zip archive is unpacked aside for as long as it is needed."""
        if not zipfile.is_zipfile(self.root):
            yield self.root / self.name
            return
        number, name = tempfile.mkstemp(suffix=suffix_of(self.name))  # faster than a folder for each
        try:
            with os.fdopen(number, "wb") as copy, self.open() as stream:
                shutil.copyfileobj(stream, copy, 1 << 20)
            yield Path(name)
        finally:
            Path(name).unlink()


def suffix_of(name: str) -> str:
    """Lower-case suffix of a name, with its dot."""
    lower = PurePosixPath(name).name.lower()
    double = next((suffix for suffix in DOUBLE_SUFFIXES if lower.endswith(suffix)), None)
    return double or PurePosixPath(lower).suffix


def archive(path: Path) -> zipfile.ZipFile:
    """Open a zip archive; an open one is used again.

    Raises
    ------
    FormatError
        If it is none, or a broken one.
    """
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
