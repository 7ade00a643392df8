"""Objects as run lengths in a CSV file, as the Data Science Bowl 2018 on Kaggle asks for them.

A line ``ImageId,EncodedPixels`` for each object. Its runs are pairs of start and length; pixels are numbered
from 1 on, down the first column, then down the second. An image without objects has one line without runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import FormatError, GeometryError
from seglet.core.storage import whole_file

Runs = NDArray[np.int64]
"""(k, 2): start, from 1 on, and length of each run of one object."""

COLUMNS = ("ImageId", "EncodedPixels")

_REMEDY = "Write the file again, or leave the line out."


def write_runs(path: Path, images: Mapping[str, NDArray[np.integer]]) -> None:
    """Write the objects of images.

    Parameters
    ----------
    path : Path
        The CSV file; written whole or not at all.
    images : mapping
        Name to (y, x) integer array of object numbers, 0 the background; in the order of the file.

    Raises
    ------
    FormatError
        If a name has a comma, a quote or a line break.
    GeometryError
        If an image is not two-dimensional.
    StorageError
        If the disk is full or the folder cannot be written.
    """
    with whole_file(path) as aside, aside.open("w", encoding="utf-8", newline="\n") as file:
        file.write(",".join(COLUMNS) + "\n")
        for name, objects in images.items():
            _require_plain(path, name)
            for runs in runs_of(objects) or [np.zeros((0, 2), np.int64)]:
                file.write(f"{name},{' '.join(map(str, runs.ravel().tolist()))}\n")


def read_runs(path: Path) -> dict[str, list[Runs]]:
    """Read the runs of the objects of each image; see `objects_of` for the map of an image.

    Parameters
    ----------
    path : Path
        The CSV file; further columns are left alone.

    Returns
    -------
    dict
        Name to the runs of each of its objects, both in the order of the file; an empty list for an image
        without objects.

    Raises
    ------
    FormatError
        If the file cannot be read or is no such table, or a line has anything but pairs of positive numbers.
    """
    images: dict[str, list[Runs]] = {}
    for number, cells in _lines(path):
        of_image = images.setdefault(cells[0].strip().strip('"'), [])
        runs = _parsed(f"{path}, line {number}", cells[1].strip().strip('"'))
        if len(runs):
            of_image.append(runs)
    return images


def runs_of(objects: NDArray[np.integer]) -> list[Runs]:
    """Give the runs of each object, in the order of their numbers.

    Parameters
    ----------
    objects : (y, x) integer array
        Object number per pixel; 0 is the background.

    Raises
    ------
    GeometryError
        If it is not two-dimensional.
    """
    if objects.ndim != 2:
        raise GeometryError(
            "run lengths",
            found=f"objects of {objects.shape}",
            expected="a two-dimensional image",
            remedy="Write each slice of a volume as an image of its own.",
        )
    by_column = objects.ravel(order="F")
    changes = np.flatnonzero(by_column[1:] != by_column[:-1]) + 1
    starts = np.concatenate([[0], changes])[: len(by_column)]
    lengths = np.diff(starts, append=len(by_column))
    is_object = by_column[starts] != 0
    starts, lengths = starts[is_object], lengths[is_object]
    numbers = by_column[starts]
    order = np.argsort(numbers, kind="stable")
    runs = np.stack([starts + 1, lengths], axis=1).astype(np.int64)[order]
    ends = np.flatnonzero(np.diff(numbers[order])) + 1
    return np.split(runs, ends) if len(runs) else []


def objects_of(runs: Sequence[Runs], shape: tuple[int, int], image: str = "run lengths") -> NDArray[np.int32]:
    """Draw the objects of an image, numbered from 1 on in their order.

    Parameters
    ----------
    runs : sequence of (k, 2) int64 array
        Start, from 1 on, and length of the runs of each object.
    shape : (int, int)
        Height and width of the image.
    image : str
        Its name, for messages.

    Returns
    -------
    (y, x) int32 array
        Object number per pixel; 0 is the background.

    Raises
    ------
    FormatError
        If a run reaches beyond the image, or two share a pixel.
    """
    every = np.concatenate([np.zeros((0, 2), np.int64), *runs])
    owners = np.repeat(np.arange(1, len(runs) + 1, dtype=np.int32), [len(one) for one in runs])
    order = np.argsort(every[:, 0], kind="stable")
    starts, lengths, owners = every[order, 0] - 1, every[order, 1], owners[order]
    n_pixels = shape[0] * shape[1]
    outside = np.flatnonzero((starts < 0) | (lengths < 1) | (lengths > n_pixels - starts))
    if len(outside):
        expected = f"runs within the {n_pixels} pixels of an image of {shape[0]} x {shape[1]}"
        raise _wrong_run(image, owners[outside[0]], every[order[outside[0]]], expected)
    shared = np.flatnonzero(starts[1:] < starts[:-1] + lengths[:-1]) + 1
    if len(shared):
        expected = f"no pixel that object {owners[shared[0] - 1]} has already"
        raise _wrong_run(image, owners[shared[0]], every[order[shared[0]]], expected)
    gaps = starts - np.concatenate([[0], np.cumsum(lengths)])[:-1]
    by_column = np.zeros(n_pixels, np.int32)
    by_column[np.repeat(gaps, lengths) + np.arange(lengths.sum())] = np.repeat(owners, lengths)
    return np.ascontiguousarray(by_column.reshape(shape, order="F"))


def _wrong_run(image: str, owner: np.int32, run: Runs, expected: str) -> FormatError:
    found = f"a run of {run[1]} pixels from pixel {run[0]} on in object {owner}"
    remedy = "Check that the runs are of this image, and count down its columns from 1 on."
    return FormatError(image, found=found, expected=expected, remedy=remedy)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each line after the first that is not blank."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            first = [cell.strip().strip('"') for cell in file.readline().split(",")]
            if tuple(first[:2]) != COLUMNS:
                raise _wrong_line(f"{path}, line 1", repr(",".join(first))[:80], ",".join(COLUMNS))
            for number, line in enumerate(file, start=2):
                cells = line.split(",")
                if len(cells) < 2 and line.strip():
                    raise _wrong_line(
                        f"{path}, line {number}", repr(line.strip()[:40]), "a name and its runs"
                    )
                if line.strip():
                    yield number, cells
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong_line(str(path), f"no readable text ({error})", "a CSV file of run lengths") from error


def _parsed(where: str, text: str) -> Runs:
    try:
        numbers = np.array([int(word) for word in text.split()], np.int64)
    except (ValueError, OverflowError) as error:
        raise _wrong_line(where, repr(text[:40]), "whole numbers parted by spaces") from error
    if len(numbers) % 2:
        raise _wrong_line(where, f"{len(numbers)} numbers", "pairs of start and length")
    if (numbers < 1).any():
        raise _wrong_line(where, f"the number {numbers.min()}", "starts and lengths from 1 on")
    return numbers.reshape(-1, 2)


def _wrong_line(where: str, found: str, expected: str) -> FormatError:
    return FormatError(where, found=found, expected=expected, remedy=_REMEDY)


def _require_plain(path: Path, name: str) -> None:
    if not name or set(name) & set(',"\r\n') or name != name.strip():
        raise FormatError(
            path,
            found=f"an image named {name!r}",
            expected="a name without commas, quotes, line breaks and spaces around it",
            remedy="Rename the image.",
        )
