"""Small valid DICOM files for tests: CT series, radiographs, files of many frames."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    EnhancedCTImageStorage,
    ExplicitVRLittleEndian,
    generate_uid,
)

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
INTERCEPT = -1024


def write_series(
    folder: Path,
    hu: NDArray[np.integer],
    *,
    spacing: tuple[float, float, float] = (2.0, 0.7, 0.8),
    origin: tuple[float, float, float] = (-120.0, -90.0, 40.0),
    orientation: Sequence[float] = AXIAL,
    names: Sequence[str] = (),
    **changes: Any,
) -> list[Path]:
    """Write a CT series, one file per slice, and give the paths from the first slice to the last.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    hu : (z, y, x) integer array
        Values in HU, at least -1024.
    spacing : (z, y, x)
        Distances in mm; slices are one and a half times as thick.
    origin : (x, y, z)
        Position of the first pixel.
    orientation : six numbers
        Directions of rows and columns.
    names : sequence of str
        File names; ``slice_000.dcm`` and so on by default.
    **changes
        Attributes of every slice, by keyword; what is None is left out.
    """
    folder.mkdir(parents=True, exist_ok=True)
    across = np.cross(orientation[:3], orientation[3:])
    study = {key: generate_uid() for key in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")}
    paths = []
    for k, plane in enumerate(hu):
        slice_ = image_of(plane - INTERCEPT, CTImageStorage, Modality="CT", **study)
        slice_.RescaleSlope, slice_.RescaleIntercept, slice_.RescaleType = 1, INTERCEPT, "HU"
        slice_.ImagePositionPatient = [round(float(v), 6) for v in np.add(origin, across * spacing[0] * k)]
        slice_.ImageOrientationPatient = list(orientation)
        slice_.PixelSpacing = list(spacing[1:])
        slice_.SliceThickness = 1.5 * spacing[0]
        slice_.InstanceNumber = k + 1
        paths.append(save(change(slice_, changes), folder / (names[k] if names else f"slice_{k:03}.dcm")))
    return paths


def write_radiograph(path: Path, pixels: NDArray[np.integer], **changes: Any) -> Path:
    """Write one radiograph, (y, x), without a position in the patient."""
    image = image_of(pixels, DigitalXRayImageStorageForPresentation, Modality="DX", **study_of_its_own())
    image.ImagerPixelSpacing = [0.14, 0.15]
    path.parent.mkdir(parents=True, exist_ok=True)
    return save(change(image, changes), path)


def write_enhanced(path: Path, hu: NDArray[np.integer], order: Sequence[int], **changes: Any) -> Path:
    """Write a CT of (z, y, x) HU as one file whose frames stand in the order given, 2 x 0.7 x 0.8 mm."""
    stored = np.stack([hu[k] for k in order]) - INTERCEPT
    image = image_of(stored, EnhancedCTImageStorage, Modality="CT", **study_of_its_own())
    image.FrameOfReferenceUID = generate_uid()
    image.NumberOfFrames = len(order)
    shared, measures, turned, rescaled = Dataset(), Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [0.7, 0.8], 3.0
    turned.ImageOrientationPatient = list(AXIAL)
    rescaled.RescaleSlope, rescaled.RescaleIntercept, rescaled.RescaleType = 1, INTERCEPT, "HU"
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = Items([measures]), Items([turned])
    shared.PixelValueTransformationSequence = Items([rescaled])
    image.SharedFunctionalGroupsSequence = Items([shared])
    frames = []
    for k in order:
        frame, place = Dataset(), Dataset()
        place.ImagePositionPatient = [-120.0, -90.0, 40.0 + 2 * k]
        frame.PlanePositionSequence = Items([place])
        frames.append(frame)
    image.PerFrameFunctionalGroupsSequence = Items(frames)
    return save(change(image, changes), path)


def study_of_its_own() -> dict[str, str]:
    """Make the UIDs of a new study with one series."""
    return {"StudyInstanceUID": generate_uid(), "SeriesInstanceUID": generate_uid()}


def image_of(pixels: NDArray[np.integer], kind: str, **attributes: Any) -> Dataset:
    """Build a gray image of 16 bits, ([frame,] y, x), or of 8 where `pixels` has them, or RGB, (y, x, 3)."""
    is_color = pixels.ndim == 3 and pixels.shape[-1] == 3 and pixels.dtype == np.uint8
    stored = pixels if pixels.dtype.itemsize == 1 else pixels.astype("<u2")
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = kind
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = generate_uid()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.PatientName, image.PatientID = "Doe^Jane", "1"
    image.PatientBirthDate = image.PatientSex = image.StudyDate = image.StudyTime = ""
    image.StudyID = image.AccessionNumber = image.ReferringPhysicianName = ""
    image.Manufacturer, image.SeriesNumber, image.InstanceNumber = "seglet tests", 3, 1
    image.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    image.Rows, image.Columns = stored.shape[:2] if is_color else stored.shape[-2:]
    image.SamplesPerPixel = 3 if is_color else 1
    image.PhotometricInterpretation = "RGB" if is_color else "MONOCHROME2"
    if is_color:
        image.PlanarConfiguration = 0
    image.BitsAllocated = image.BitsStored = 8 * stored.dtype.itemsize
    image.HighBit, image.PixelRepresentation = image.BitsStored - 1, 0
    image.PixelData = stored.tobytes()
    return change(image, attributes)


def change(image: Dataset, changes: dict[str, Any]) -> Dataset:
    """Set attributes by keyword; those that are None are taken away."""
    for keyword, value in changes.items():
        if value is not None:
            setattr(image, keyword, value)
        elif keyword in image:
            delattr(image, keyword)
    return image


def save(image: Dataset, path: Path) -> Path:
    """Write a DICOM file."""
    image.save_as(path, enforce_file_format=True)
    return path
