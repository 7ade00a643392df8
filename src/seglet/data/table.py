"""A table of the cases: a CSV file with a line for each image."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from seglet.core.errors import DatasetError, FormatError
from seglet.data.patterns import SPLITS
from seglet.io.listing import as_file
from seglet.io.sources import File

NAME = "cases.csv"  # a table of this name at the top of a dataset is found by itself
COLUMNS = ("id", "image", "label", "mask", "second", "group", "split")
FILES = ("image", "label", "mask", "second")  # columns of paths
SEPARATOR = ";"  # between the files of one cell
REMEDY = (
    "Write a CSV file with the columns image, label, mask (field of view), group and split; only image is "
    "needed, id and second (another observer's mask) may be added. Paths start at the table's folder; "
    "several files of an image are separated by a semicolon."
)


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    id: str
    images: tuple[File, ...]
    labels: tuple[File, ...] = ()
    fov: File | None = None
    second: File | None = None
    group: str | None = None
    split: str | None = None


def is_table(file: File) -> bool:
    """Whether a file is the table of its dataset: of the right name, and its first line names the images."""
    if file.name.lower() != NAME:
        return False
    with file.open() as stream:
        first = stream.readline().decode("utf-8-sig", "replace")
    return "image" in _words(first)


def read_table(path: Path) -> list[Row]:
    """Read the cases of a table; columns other than its own are left alone.

    A case is named by its first image where the column id is missing or does not tell all cases apart.

    Parameters
    ----------
    path : Path
        The CSV file; separated by commas, semicolons or tabs.

    Raises
    ------
    FormatError
        If it cannot be read, or has no column of images.
    DatasetError
        If files that it names do not exist, with their lines, if a split is unknown, or if images have
        different numbers of files.
    """
    text = _text(path)
    first = text.partition("\n")[0]
    delimiter = next((mark for mark in (",", "\t", SEPARATOR) if mark in first), ",")
    reader = csv.DictReader(io.StringIO(text), delimiter=delimiter)
    names = {name.strip().lower(): name for name in reader.fieldnames or ()}
    if "image" not in names:
        raise _no_images(path, list(names))
    lines = [
        (
            reader.line_num,
            {column: (line[names[column]] or "").strip() for column in COLUMNS if column in names},
        )
        for line in reader
    ]
    filled = [(number, cells) for number, cells in lines if any(cells.values())]
    _require_files(path, filled)
    rows = [_row(path, number, cells) for number, cells in filled]
    _require_same_counts(path, rows)
    is_told = all(row.id for row in rows) and len({row.id for row in rows}) == len(rows)
    return rows if is_told else [replace(row, id=row.images[0].stem) for row in rows]


def table_text(lines: Iterable[Mapping[str, str]]) -> str:
    """Write a table that `read_table` reads, from the cells of each line by column."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        expected = "a CSV file in UTF-8"
        raise FormatError(
            path, found=f"no readable text ({error})", expected=expected, remedy=REMEDY
        ) from error


def _words(line: str) -> list[str]:
    row = next(csv.reader([line.strip().replace("\t", ",").replace(SEPARATOR, ",")]), [])
    return [word.strip().lower() for word in row]


def _no_images(path: Path, columns: Sequence[str]) -> FormatError:
    close = get_close_matches("image", columns, n=1, cutoff=0.5)
    remedy = f"Is {close[0]!r} the column of images? {REMEDY}" if close else REMEDY
    found = f"the columns {', '.join(columns)}" if columns else "an empty table"
    return FormatError(path, found=found, expected="a column image", remedy=remedy)


def _paths(path: Path, cell: str) -> list[Path]:
    return [_path(path.parent, one.strip()) for one in cell.split(SEPARATOR) if one.strip()]


def _path(folder: Path, text: str) -> Path:
    """Find a path that may have been written on Windows."""
    path = folder / text
    return folder / text.replace("\\", "/") if "\\" in text and not path.exists() else path


def _require_files(path: Path, lines: Sequence[tuple[int, dict[str, str]]]) -> None:
    missing = [
        f"line {number}: {one}"
        for number, cells in lines
        for column in FILES
        for one in _paths(path, cells.get(column, ""))
        if not _exists(one)
    ]
    empty = [f"line {number}: no image" for number, cells in lines if not cells["image"]]
    if missing or empty or not lines:
        bad = [*missing, *empty]
        more = f" and {len(bad) - 20} more" if len(bad) > 20 else ""
        found = f"{len(bad)} files that are not there: {'; '.join(bad[:20])}{more}" if bad else "no lines"
        raise DatasetError(path, found=found, expected="an existing image in each line", remedy=REMEDY)


def _require_same_counts(path: Path, rows: Sequence[Row]) -> None:
    counts = Counter(len(row.images) for row in rows)
    if len(counts) > 1:
        usual = counts.most_common(1)[0][0]
        bad = [f"{row.images[0]} ({len(row.images)})" for row in rows if len(row.images) != usual]
        found = f"{len(bad)} images of other than {usual} files: {', '.join(bad[:5])}"
        remedy = "Give each image one file, or one for each channel, in the same order."
        raise DatasetError(path, found=found, expected=f"{usual} files in each line", remedy=remedy)


def _exists(path: Path) -> bool:
    """Whether the file is there, or the container that it is in."""
    return path.exists() or any(parent.is_file() for parent in path.parents)


def _file(path: Path, one: Path) -> File:
    """Name a file below the folder of the table; what is in containers or elsewhere by its own path."""
    below = one.is_file() and one.is_relative_to(path.parent) and ".." not in one.parts
    return File(path.parent, one.relative_to(path.parent).as_posix()) if below else as_file(one)


def _row(path: Path, number: int, cells: dict[str, str]) -> Row:
    files = {
        column: tuple(_file(path, one) for one in _paths(path, cells.get(column, ""))) for column in FILES
    }
    for column, what in (("mask", "fields of view"), ("second", "masks of another observer")):
        if len(files[column]) > 1:
            found = f"{len(files[column])} {what} in line {number}"
            raise DatasetError(path, found=found, expected="one", remedy=REMEDY)
    split = cells.get("split", "").lower()
    if split and split not in SPLITS:
        close = get_close_matches(split, SPLITS, n=1)
        remedy = f"Did you mean {close[0]!r}? {REMEDY}" if close else REMEDY
        found = f"split {split!r} in line {number}"
        raise DatasetError(path, found=found, expected="train, validation or test", remedy=remedy)
    return Row(
        cells.get("id", ""),
        files["image"],
        files["label"],
        next(iter(files["mask"]), None),
        next(iter(files["second"]), None),
        cells.get("group") or None,
        SPLITS[split] if split else None,
    )
