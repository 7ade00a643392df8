"""What stands below a folder or in a zip archive: files, and folders and parts of files read as one."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from seglet.core.errors import DatasetError, MissingExtra, SegletError
from seglet.io import dicom, hdf5, ome_zarr
from seglet.io.files import SUFFIXES
from seglet.io.sources import File, archive, suffix_of

SKIPPED = ("__MACOSX", "Thumbs.db", "desktop.ini", "DICOMDIR")
OTHER_SUFFIXES = {suffix for suffix in SUFFIXES if suffix not in dicom.SUFFIXES}  # DICOM often has none
ZARR_FILES = ("zarr.json", ".zattrs", ".zgroup", ".zarray")


def list_files(root: Path) -> list[File]:
    """List all images and other files below a folder or in a zip archive, sorted by name.

    A folder with a Zarr store is one file, named as if it ended in ``.zarr``, and so are each of the labels
    in it (``x.zarr/labels/cells``). The slices of a DICOM series are one file, named like their folder
    (``patient1/ct.dcm``) or, where a folder holds several series, like each of these
    (``patient1/CT_2_abdomen.dcm``). Of an HDF5 file with several datasets each is a file (``x.h5/raw``).

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
    files = _list_path(root)
    if not any(file.part or file.suffix in SUFFIXES for file in files):
        archives = [file for file in files if file.suffix == ".zip"]
        files = [*files, *(inner for one in archives for inner in _list_archive(one.root / one.name))]
    if not files:
        raise DatasetError(
            root, found="no files", expected="images, in folders or a zip archive", remedy="Check the path."
        )
    return sorted(files, key=lambda file: (file.shown_name, file.root))


def as_file(path: Path) -> File:
    """Name a path as a file: on disk, into a zip archive or a container, or a folder read as one.

    The paths that `list_files` shows are understood too, like ``patient1/ct.dcm`` for the series in the
    folder ``patient1/ct``.
    """
    for parent in reversed(path.parents):  # the outermost: within a store every array looks like one
        if parent.suffix.lower() == ".zip" and parent.is_file():
            return File(parent, path.relative_to(parent).as_posix())
        if (parent.suffix.lower() in hdf5.SUFFIXES and parent.is_file()) or _is_zarr(parent):
            part = path.relative_to(parent).as_posix()
            return File(parent.parent, parent.name, part, f"{parent.name}/{part}")
    if path.is_dir():
        path = path if path.name else path.resolve()
        suffix = "" if suffix_of(path.name) in SUFFIXES else ".zarr" if _is_zarr(path) else ".dcm"
        return File(path.parent, path.name, alias=f"{path.name}{suffix}" if suffix else "")
    is_bare = suffix_of(path.name) not in SUFFIXES and path.is_file() and dicom.is_dicom(path)
    whole = File(path.parent, path.name, alias=f"{path.name}.dcm" if is_bare else "")
    return whole if path.exists() else _series_shown_as(path) or whole


def _list_path(root: Path) -> list[File]:
    if root.is_dir() and not _is_zarr(root):
        return _list_folder(root)
    if root.is_dir() or root.suffix.lower() in hdf5.SUFFIXES:
        return _parts(as_file(root))
    return _list_archive(root)


def _list_folder(root: Path) -> list[File]:
    files: list[File] = []
    for folder, names in _walk(root):
        files += _in_folder(root, folder, names)
    return [one for file in files for one in _parts(file)]


def _walk(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Visit folders depth first, through linked ones too, but none twice; Zarr stores count as files."""
    seen: set[Path] = set()
    for visited, subfolders, names in os.walk(root, followlinks=True):
        folder, real = Path(visited), Path(visited).resolve()
        below = [] if real in seen else sorted(name for name in subfolders if not _is_skipped(name))
        stores = [name for name in below if _is_zarr(folder / name)]
        subfolders[:] = [name for name in below if name not in stores]
        if real not in seen:
            yield folder, [*stores, *(name for name in names if not _is_skipped(name))]
        seen.add(real)


def _in_folder(root: Path, folder: Path, names: Sequence[str]) -> list[File]:
    """Name what stands in one folder; slices of one series are one file."""
    paths = [folder / name for name in names]
    unknown = [path for path in paths if suffix_of(path.name) not in OTHER_SUFFIXES and path.is_file()]
    slices = [path for path in unknown if dicom.is_dicom(path)]
    series = _series(root, folder, slices) if slices else []
    in_series = set(slices) if series is not None else set()
    files = []
    for path in paths:
        if path not in in_series:
            name = path.relative_to(root).as_posix()
            is_bare = path.is_dir() and suffix_of(name) not in SUFFIXES
            files.append(File(root, name, alias=f"{name}.zarr" if is_bare else ""))
    return [*files, *(series or [])]


def _series(root: Path, folder: Path, slices: Sequence[Path]) -> list[File] | None:
    """Name the series that slices belong to; None where pydicom is missing, so that opening says so."""
    try:
        found = dicom.series_in(slices)
    except MissingExtra:
        return None
    files = []
    for one in found:
        name = one.path.relative_to(root).as_posix()
        is_folder_alone = len(found) == 1 and one.path == folder and folder != root
        parent = folder.parent if is_folder_alone else folder
        alias = (parent.relative_to(root) / f"{one.name}.dcm").as_posix()
        files.append(File(root, name, one.part, "" if alias == name else alias))
    return files


def _series_shown_as(path: Path) -> File | None:
    """Find the DICOM series that `list_files` shows under a name where there is no file."""
    if path.suffix.lower() != ".dcm":
        return None
    if path.with_suffix("").is_dir():
        return as_file(path.with_suffix(""))
    if not path.parent.is_dir():
        return None
    shown = _series(path.parent, path.parent, [one for one in path.parent.iterdir() if one.is_file()])
    return next((file for file in shown or [] if file.shown_name == path.name), None)


def _parts(file: File) -> list[File]:
    """Name the datasets of an HDF5 file that has several, and the labels beside the image of a Zarr store."""
    path = file.root / file.name
    try:
        if path.suffix.lower() in hdf5.SUFFIXES:
            names = tuple(hdf5.datasets(path))
            if len(names) > 1:
                return [replace(file, part=name, alias=f"{file.shown_name}/{name}") for name in names]
        elif not file.part and _is_zarr(path):
            labels = [f"labels/{name}" for name in ome_zarr.label_names(path)]
            return [file, *(replace(file, part=name, alias=f"{file.shown_name}/{name}") for name in labels)]
    except SegletError:  # a damaged file, or a missing package: opening it says so
        return [file]
    return [file]


def _list_archive(path: Path) -> list[File]:
    names = [entry.filename for entry in archive(path).infolist() if not entry.is_dir()]
    return [File(path, name) for name in names if not any(map(_is_skipped, name.split("/")))]


def _is_zarr(path: Path) -> bool:
    return path.is_dir() and (
        path.suffix.lower() == ".zarr" or any((path / name).is_file() for name in ZARR_FILES)
    )


def _is_skipped(part: str) -> bool:
    return part.startswith(".") or part in SKIPPED
