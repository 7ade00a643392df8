"""Which DICOM files belong together: the slices of one series, files that stand alone."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from seglet.core.errors import FormatError
from seglet.io.dicom_headers import SUFFIXES, Header, is_dicom, read_header

PROJECTIONS = ("CR", "DX", "DXM", "MG", "PX", "IO", "RG", "RF", "XA", "US", "ES", "GM", "OP", "XC", "SM")


@dataclass(frozen=True)
class Series:
    """What is read as one image.

    Attributes
    ----------
    uid : str
        SeriesInstanceUID; empty for a file that cannot be read.
    name : str
        Readable, unique in its folder: the folder's name where the series is alone, a file's stem where it
        is one file, else modality, number and description.
    paths : tuple of Path
        Its files, sorted by name; all in one folder.
    modality : str
        As ``"CT"``, ``"MR"``, ``"SEG"``.
    """

    uid: str
    name: str
    paths: tuple[Path, ...]
    modality: str

    @property
    def path(self) -> Path:
        """What `open_image` takes: the file itself if it is one, else the folder."""
        return self.paths[0] if len(self.paths) == 1 else self.paths[0].parent

    @property
    def part(self) -> str:
        """What `open_image` takes beside the path: empty for one file, else the series' UID."""
        return "" if len(self.paths) == 1 else self.uid


def series_in(paths: Iterable[Path]) -> list[Series]:
    """Group files into series by their headers.

    Radiographs, ultrasound and DICOM-SEG objects are series of one file each, whatever their UID: those are
    shared by images that are no slices of one volume. What holds no image is left out, and so are
    localizers: planning views, as a rule across the others. A file that cannot be read is a series of its
    own, so that opening it says what is wrong.

    Returns
    -------
    list of Series
        Sorted by folder and name; empty if no file is DICOM.

    Raises
    ------
    MissingExtra
        If there are DICOM files, but pydicom is not installed.
    """
    by_folder: dict[Path, list[Path]] = defaultdict(list)
    for path in sorted(paths):
        if is_dicom(path):
            by_folder[path.parent].append(path)
    return [series for folder in sorted(by_folder) for series in _in_folder(folder, by_folder[folder])]


def choose(path: Path, part: str, where: str) -> tuple[Header, ...]:
    """Read the headers of one series.

    Parameters
    ----------
    path : Path
        A folder, or a file that is the whole image.
    part : str
        SeriesInstanceUID of one of the folder's series; empty where it has only one beside DICOM-SEG.
    where : str
        What error messages call it.

    Raises
    ------
    FormatError
        If there is no such series, or several and none is chosen, or a file of the folder cannot be read.
    """
    paths = _one_series(path, part, where) if path.is_dir() else (path,)
    headers = tuple(header for one in paths if (header := read_header(one)))
    if not headers:
        raise _no_series(where, "no image in it", "Give the folder or the file of a series of images.")
    return headers


def _one_series(folder: Path, part: str, where: str) -> tuple[Path, ...]:
    series = series_in(folder.iterdir())
    for one in series:
        read_header(one.paths[0])  # one that cannot be read may be a slice of any series: say so
    chosen = [one for one in series if part in ("", one.uid)]
    if not part and any(one.modality != "SEG" for one in chosen):
        chosen = [one for one in chosen if one.modality != "SEG"]
    if len(chosen) == 1:
        return chosen[0].paths
    if not series:
        raise _no_series(where, "no DICOM images", "Check the folder.")
    listed = "; ".join(f"{one.name} ({len(one.paths)} files, {one.uid})" for one in series)
    remedy = "Name one by its SeriesInstanceUID, or give each series a folder of its own."
    raise _no_series(where, f"{len(series)} series: {listed}", remedy)


def _no_series(where: str, found: str, remedy: str) -> FormatError:
    return FormatError(where, found=found, expected="one DICOM series", remedy=remedy)


def _in_folder(folder: Path, paths: Sequence[Path]) -> list[Series]:
    groups: dict[str, list[Header]] = defaultdict(list)
    found: list[Series] = []
    for path in paths:
        try:
            header = read_header(path)
        except FormatError:
            found.append(Series("", _stem(path), (path,), ""))
            continue
        if header is None or header.is_localizer:
            continue
        if _is_alone(header):
            found.append(Series(header.uid, _stem(path), (path,), header.modality))
        else:
            groups[header.uid].append(header)
    alone = len(groups) == 1 and not found
    for uid, headers in groups.items():
        name = _stem(headers[0].path) if len(headers) == 1 else folder.name if alone else _title(headers[0])
        found.append(Series(uid, name, tuple(header.path for header in headers), headers[0].modality))
    return _distinct(sorted(found, key=lambda one: (one.name, one.paths)))


def _is_alone(header: Header) -> bool:
    is_movie = len(header.frames) > 1 and not header.frames[0].position
    return header.is_segmentation or header.modality in PROJECTIONS or is_movie


def _stem(path: Path) -> str:
    return path.stem if path.suffix.lower() in SUFFIXES else path.name


def _title(header: Header) -> str:
    words = f"{header.modality} {header.number} {header.description}"
    return re.sub(r"[^\w.+-]+", "_", words).strip("_.")


def _distinct(series: Sequence[Series]) -> list[Series]:
    """Number those of equal name."""
    taken: set[str] = set()
    distinct = []
    for one in series:
        names = (one.name, *(f"{one.name}_{n}" for n in range(2, len(series) + 2)))
        name = next(name for name in names if name not in taken)
        taken.add(name)
        distinct.append(Series(one.uid, name, one.paths, one.modality))
    return distinct
