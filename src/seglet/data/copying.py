"""Copy the files of a dataset byte by byte to another folder, under their own names."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from seglet.core.errors import DatasetError
from seglet.data.cases import Case, Dataset
from seglet.data.dataset_json import NAME as DESCRIPTION
from seglet.io.dicom import series_in
from seglet.io.listing import list_files
from seglet.io.sources import File

ELSEWHERE = "elsewhere"  # folder for what a table names outside of its own folder


def require_apart(root: Path, out: Path) -> None:
    """Refuse a place for a copy that is in use or inside the dataset.

    Raises
    ------
    DatasetError
        If it is.
    """
    here, there = root.resolve(), out.resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        found, expected = "something there already", "a new or empty place for the copy"
    elif there.is_relative_to(here) or (here.is_relative_to(there) and out.exists()):
        found, expected = f"a place inside {root}", "one outside of the dataset"
    else:
        return
    raise DatasetError(out, found=found, expected=expected, remedy="Choose another place for the copy.")


def files_of(case: Case) -> tuple[File, ...]:
    """All files of a case."""
    others = (case.fov, case.second, case.tracks)
    return (*case.images, *case.labels, *(file for file in others if file is not None))


def all_files(dataset: Dataset) -> list[File]:
    """All files below a dataset's folder or in its archive; of a table, those listed and their description.

    Raises
    ------
    DatasetError
        If all stands in one file.
    """
    if dataset.layout.table is not None:
        listed = dict.fromkeys(file for case in dataset.cases for file in files_of(case))
        description = File(dataset.root, DESCRIPTION)
        return [*listed, *([description] if (dataset.root / DESCRIPTION).is_file() else [])]
    if dataset.root.is_file() and dataset.root.suffix.lower() != ".zip":
        raise DatasetError(
            dataset.root,
            found="a dataset in one file",
            expected="a folder or a zip archive",
            remedy="Repair the folder that it was made from, or write it to one with seglet convert.",
        )
    return list_files(dataset.root)


def place_in_copy(file: File, dataset: Dataset) -> Path:
    """Say where a file stands in the copy, as a path below its folder."""
    if file.root == dataset.root or file.root.suffix.lower() == ".zip":
        return Path(file.name.lstrip("/"))  # archives may hold absolute names
    path = file.root / file.name
    if path.is_relative_to(dataset.root):
        return path.relative_to(dataset.root)
    return Path(ELSEWHERE, *path.parts[1:])


def copy_file(file: File, target: Path) -> None:
    """Copy a file, a folder that is read as one, or the slices of one series."""
    with file.on_disk() as path:
        for source, name in _members(file, path):
            place = target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():  # two parts of one container are one file
                shutil.copyfile(source, place)


def _members(file: File, path: Path) -> Iterator[tuple[Path, Path]]:
    """Give each file to copy and its name below the target."""
    if path.is_file():
        yield path, Path()
    elif file.part and path.suffix.lower() != ".zarr":
        slices = next((one.paths for one in series_in(path.iterdir()) if one.uid == file.part), ())
        yield from ((one, Path(one.name)) for one in slices)
    else:
        yield from ((one, one.relative_to(path)) for one in sorted(path.rglob("*")) if one.is_file())
