"""What DICOM files say of their images, frame by frame; read without the pixels."""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

from seglet.core.errors import FormatError
from seglet.io.packages import need

SUFFIXES = (".dcm", ".dicom", ".ima", ".seg")
SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")  # bitmaps, label maps
DOSE = "1.2.840.10008.5.1.4.1.1.481.2"  # has rows and columns, but is no picture of the patient
TAGS = (
    *("SOPClassUID", "SeriesInstanceUID", "Modality", "SeriesDescription", "SeriesNumber", "ImageType"),
    *("InstanceNumber", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation"),
    *("BitsAllocated", "BitsStored"),
    *("PixelRepresentation", "NumberOfFrames", "ImagePositionPatient", "ImageOrientationPatient"),
    *("PixelSpacing", "ImagerPixelSpacing", "SliceThickness", "SpacingBetweenSlices", "RescaleSlope"),
    *("RescaleIntercept", "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)


@dataclass(frozen=True)
class Frame:
    """One picture of a file.

    Attributes
    ----------
    path, index : Path, int
        Its file, and its place therein.
    position : (x, y, z) or empty
        Center of the first pixel in mm, in the patient's axes (left, posterior, superior).
    orientation : six numbers or empty
        Directions in which the columns' and then the rows' number grows.
    spacing : (row, column) or empty
        Distance in mm between rows and between columns.
    between : float
        Distance in mm to the next slice as the header has it; 0 where it says nothing.
    slope, intercept : float
        Stored numbers times slope plus intercept are the quantity measured (in CT: HU).
    segment : int
        Number of the segment that the frame of a DICOM-SEG shows; 0 for all others.
    """

    path: Path
    index: int
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, ...]
    between: float
    slope: float
    intercept: float
    segment: int


@dataclass(frozen=True)
class Header:
    """One file: what it belongs to, how its pixels are stored, its frames."""

    path: Path
    uid: str
    modality: str
    description: str
    number: int
    instance: int
    size: tuple[int, int]
    photometric: str
    bits: int
    is_signed: bool
    is_localizer: bool
    is_segmentation: bool
    frames: tuple[Frame, ...]


def pydicom() -> Any:
    """Import pydicom, or raise `MissingExtra` saying how to install it."""
    return need("pydicom", "medical", "DICOM files")


def damage() -> tuple[type[Exception], ...]:
    """List what pydicom and its decoders raise on files that break the rules."""
    own = pydicom().errors.InvalidDicomError, pydicom().errors.BytesLengthException
    values = ValueError, TypeError, LookupError, AttributeError
    return (*own, *values, OSError, EOFError, RuntimeError, struct.error, zlib.error)


def is_dicom(path: Path) -> bool:
    """Tell by its suffix or by its first bytes whether a file is DICOM; many have no suffix at all."""
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_header(path: Path) -> Header | None:
    """Read what a file says of its frames; unchanged files are read once.

    Returns
    -------
    Header or None
        None for what holds no image: reports, contours, radiation dose, directories.

    Raises
    ------
    FormatError
        If the file is missing, truncated, damaged or no DICOM.
    MissingExtra
        If pydicom is not installed.
    """
    try:
        state = path.stat()
        return _read(path, state.st_mtime_ns, state.st_size)
    except damage() as error:
        raise unfit(path, f"no readable DICOM file ({error})") from error


def unfit(path: Path, found: str) -> FormatError:
    """Build the error about one unusable file."""
    remedy = "Export it again from the scanner or the archive, or take it out of the dataset."
    return FormatError(path, found=found, expected="a whole DICOM file", remedy=remedy)


@lru_cache(maxsize=1 << 16)
def _read(path: Path, changed_ns: int, size: int) -> Header | None:
    dicom = pydicom()
    with path.open("rb") as stream:
        ds = dicom.dcmread(stream, stop_before_pixels=True, specific_tags=list(TAGS))
        n_left = size - stream.tell()
    kind = dicom.uid.UID(ds.get("SOPClassUID") or ds.file_meta.get("MediaStorageSOPClassUID", ""))
    if "Rows" not in ds or kind == DOSE:
        if kind.name.endswith(" Image Storage") and "Non-Image" not in kind.name:
            raise ValueError("its header ends early")
        return None
    n_frames = int(ds.get("NumberOfFrames") or 1)
    if n_left < _n_bytes(ds, n_frames):
        raise ValueError("its pixels end early")
    return Header(
        path,
        uid=str(ds.get("SeriesInstanceUID") or "unknown"),  # some anonymizers blank it
        modality=str(ds.get("Modality", "")),
        description=str(ds.get("SeriesDescription") or ""),
        number=int(ds.get("SeriesNumber") or 0),
        instance=int(ds.get("InstanceNumber") or 0),
        size=(int(ds.Rows), int(ds.Columns)),
        photometric=str(ds.get("PhotometricInterpretation", "MONOCHROME2")),
        bits=int(ds.get("BitsStored") or 0),
        is_signed=bool(ds.get("PixelRepresentation", 0)),
        is_localizer="LOCALIZER" in (ds.get("ImageType") or ()),
        is_segmentation=kind in SEGMENTATIONS,
        frames=tuple(_frame(path, index, _groups(ds, index)) for index in range(n_frames)),
    )


def _n_bytes(ds: Any, n_frames: int) -> int:
    """Count the bytes that uncompressed pixels take; pydicom fills single bits up where they are missing."""
    syntax = ds.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated or syntax.is_deflated:
        return 0
    is_halved = ds.get("PhotometricInterpretation") == "YBR_FULL_422"  # two pixels share their colors
    n_samples = 2 if is_halved else int(ds.get("SamplesPerPixel") or 1)
    n_bits = int(ds.Rows) * int(ds.Columns) * n_samples * int(ds.get("BitsAllocated") or 0) * n_frames
    return (8 if syntax.is_implicit_VR else 12) + -(-n_bits // 8)  # after their tag and length


def _groups(ds: Any, index: int) -> list[Any]:
    """List where the facts about one frame may stand, the most particular first."""
    shared = list(ds.get("SharedFunctionalGroupsSequence") or ())[:1]
    frames = list(ds.get("PerFrameFunctionalGroupsSequence") or ())[index : index + 1]
    return [*frames, *shared, ds]


def _frame(path: Path, index: int, groups: Sequence[Any]) -> Frame:
    def numbers(keyword: str, group: str, n: int = 1) -> tuple[float, ...]:
        value = _find(groups, keyword, group)
        if value is None or value == "":
            return ()
        several = tuple(float(v) for v in value) if hasattr(value, "__iter__") else (float(value),)
        if len(several) != n or not all(map(isfinite, several)):
            raise ValueError(f"{keyword} {value}, not {n} numbers")
        return several

    between = numbers("SpacingBetweenSlices", "PixelMeasuresSequence")
    thickness = numbers("SliceThickness", "PixelMeasuresSequence")
    spacing = numbers("PixelSpacing", "PixelMeasuresSequence", 2) or numbers("ImagerPixelSpacing", "", 2)
    segment = _find(groups, "ReferencedSegmentNumber", "SegmentIdentificationSequence")
    return Frame(
        path,
        index,
        position=numbers("ImagePositionPatient", "PlanePositionSequence", 3),
        orientation=numbers("ImageOrientationPatient", "PlaneOrientationSequence", 6),
        spacing=spacing if all(distance > 0 for distance in spacing) else (),
        between=abs((between or thickness or (0.0,))[0]),
        slope=(numbers("RescaleSlope", "PixelValueTransformationSequence") or (1.0,))[0],
        intercept=(numbers("RescaleIntercept", "PixelValueTransformationSequence") or (0.0,))[0],
        segment=int(segment or 0),
    )


def _find(groups: Sequence[Any], keyword: str, group: str) -> Any:
    """Look a fact up in each group's own sequence, then in the group itself."""
    for place in groups:
        for item in (*(place.get(group) or ())[:1], place) if group else (place,):
            if keyword in item and item.get(keyword) is not None:
                return item.get(keyword)
    return None
