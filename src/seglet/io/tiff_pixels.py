"""Where the pixels of a TIFF file stand: mapped into memory, or decoded by tiles and strips."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
import tifffile
from numpy.typing import NDArray

Index = tuple[slice | int, ...]


class StoredPixels(Protocol):
    """An array on disk, its axes in the order of the file; read by several threads at once."""

    def __getitem__(self, index: Index) -> NDArray[np.generic]: ...


def open_tiff(path: Path) -> tifffile.TiffFile:
    """Open a file; equal pages that were written one by one, each with a shape of its own, are one stack."""
    tiff = tifffile.TiffFile(path)
    try:
        kinds = {(series.shape, series.keyframe.hash) for series in tiff.series} if tiff.is_shaped else ()
        if len(kinds) != 1 or len(tiff.series) == 1:
            return tiff
    except BaseException:
        tiff.close()
        raise
    tiff.close()
    return tifffile.TiffFile(path, is_shaped=False)


def stored_pixels(path: Path, series: Any, number: int) -> tuple[StoredPixels, bool]:
    """Choose how the pixels of one series of pages are read.

    Parameters
    ----------
    path : Path
        The file.
    series : tifffile.TiffPageSeries
        Pages of one open TiffFile; it may be closed before anything is read.
    number : int
        Which of the file's series it is.

    Returns
    -------
    (StoredPixels, bool)
        The array, in the machine's or the file's byte order, and whether small parts of it are read alone.
    """
    page, shape = series.keyframe, tuple(series.shape)
    if series.dataoffset is not None and page.is_final:
        dtype = np.dtype(series.dtype).newbyteorder(page.parent.byteorder)
        return _Mapped(path, dtype, int(series.dataoffset), shape), True
    whole = _Whole(path, number)
    leading = shape[: len(shape) - page.ndim]
    is_plain = shape == (*leading, *page.shape) and prod(leading) == len(series.pages)
    is_here = all(one.parent is page.parent for one in series.pages)  # OME may spread one image over files
    if not (is_plain and is_here and page.imagedepth == 1):
        return whole, False
    places = [(tuple(one.dataoffsets), tuple(one.databytecounts)) for one in series.pages]
    return _Segments(path, shape, page, page.decode, places, whole), len(places) * len(places[0][0]) > 1


@dataclass(frozen=True, eq=False)
class _Mapped:
    """An uncompressed array in one piece."""

    path: Path
    dtype: np.dtype[np.generic]
    offset: int
    shape: tuple[int, ...]

    def __getitem__(self, index: Index) -> NDArray[np.generic]:
        mapped = np.memmap(self.path, self.dtype, "r", self.offset, self.shape)
        return np.array(mapped[index])


@dataclass(frozen=True, eq=False)
class _Whole:
    """An array that is decoded whole, whatever part of it is needed."""

    path: Path
    number: int

    def __getitem__(self, index: Index) -> NDArray[np.generic]:
        with open_tiff(self.path) as tiff:
            stored: NDArray[np.generic] = tiff.series[self.number].asarray()
        return stored[index]


@dataclass(frozen=True, eq=False)
class _Segments:
    """An array in compressed tiles or strips, of which only the needed ones are decoded.

    Attributes
    ----------
    page : TiffPage
        What all pages have in common.
    decode : callable
        Turns the bytes of a segment into its values; made while the file is open, at which it looks.
    places : list of (offsets, byte counts)
        Where in the file the segments of each page are.
    whole : _Whole
        The same array, read faster where all of it is needed.
    """

    path: Path
    shape: tuple[int, ...]
    page: Any
    decode: Callable[..., Any]
    places: list[tuple[tuple[int, ...], tuple[int, ...]]]
    whole: _Whole

    def __getitem__(self, index: Index) -> NDArray[np.generic]:
        ranges = [
            range(n)[part] if isinstance(part, slice) else range(part, part + 1)
            for part, n in zip(index, self.shape, strict=True)
        ]
        if all(len(r) == n for r, n in zip(ranges, self.shape, strict=True)):
            return self.whole[index]
        n_leading = len(self.shape) - self.page.ndim
        out = np.zeros([len(r) for r in ranges], self.page.dtype)
        with self.path.open("rb") as stream:
            for place in product(*(range(len(r)) for r in ranges[:n_leading])):
                stored = [r[k] for r, k in zip(ranges, place, strict=False)]
                number = int(np.ravel_multi_index(stored, self.shape[:n_leading])) if stored else 0
                self._read_page(stream, number, ranges[n_leading:], out[place])
        return out[tuple(slice(None) if isinstance(part, slice) else 0 for part in index)]

    def _read_page(
        self, stream: BinaryIO, number: int, ranges: list[range], out: NDArray[np.generic]
    ) -> None:
        """Fill `out` from the segments of one page; all axes in the order of the page's."""
        page, (offsets, counts) = self.page, self.places[number]
        chunks = page.chunks if len(page.chunks) == page.ndim else (1, *page.chunks)  # planes apart
        needed = [range(r.start // n, -(-r.stop // n)) for r, n in zip(ranges, chunks, strict=True)]
        for cell in product(*needed):
            segment = int(np.ravel_multi_index(cell, page.chunked))
            if counts[segment] == 0:
                continue  # a sparse file: nothing was written there
            stream.seek(offsets[segment])
            content = stream.read(counts[segment])
            decoded, _, shape = self.decode(content, segment, jpegtables=page.jpegtables)
            values = decoded[0].reshape(shape[1:] if page.axes[-1] == "S" else shape[1:3])
            _paste(out, ranges, values if values.ndim == out.ndim else values[None], cell, chunks)


def _paste(
    out: NDArray[np.generic],
    ranges: list[range],
    values: NDArray[np.generic],
    cell: tuple[int, ...],
    chunks: tuple[int, ...],
) -> None:
    """Copy what a chunk and the wanted ranges have in common."""
    inner, outer = [], []
    for r, n_values, place, n in zip(ranges, values.shape, cell, chunks, strict=True):
        first = max(r.start, place * n)
        last = min(r.stop, place * n + n_values)
        inner.append(slice(first - place * n, last - place * n))
        outer.append(slice(first - r.start, last - r.start))
    out[tuple(outer)] = values[tuple(inner)]
