"""DICOM-SEG written: a label map as a segmentation that refers to the images it was made from."""

import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seglet import __version__
from seglet.core.errors import FormatError, GeometryError
from seglet.core.storage import whole_file
from seglet.io.dicom_headers import Frame, damage, pydicom
from seglet.io.dicom_series import choose
from seglet.io.dicom_stack import in_order
from seglet.io.packages import need

# DICOM PS3.16: tissues, central nervous system, abdominal, thoracic and vascular anatomy, lesions
CODE_SETS = ("cid7166", "cid7153", "cid7154", "cid7155", "cid7156", "cid7159")
LESIONS = "cid7159"
MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime"),
    *("AccessionNumber", "ReferringPhysicianName"),
)
LABEL_LENGTH = 64  # characters of a segment's label


def write(path: Path, values: NDArray[np.integer], names: Sequence[str], source: Path, part: str) -> None:
    """Write a label map as DICOM-SEG, one segment per class, one bit per pixel.

    Parameters
    ----------
    path : Path
        The file; written whole or not at all.
    values : ([z,] y, x) integer array
        Class per pixel, on the grid of the source as `seglet.io.dicom.open_image` gives it; where it is
        all background, the segments are there, but empty.
    names : sequence of str
        Class names, background first. Known organs, tissues and lesions get their own code, others that
        of a tissue.
    source, part : Path, str
        Folder or file, and SeriesInstanceUID, of the images; the segmentation belongs to their patient and
        study and refers to each of them.

    Raises
    ------
    GeometryError
        If shapes differ.
    FormatError
        If a value has no name, or the source lacks what a DICOM-SEG must repeat.
    MissingExtra
        If highdicom is not installed.
    """
    headers = choose(source, part, str(source))
    frames = in_order(headers, str(source))
    planes = values.reshape(-1, *values.shape[-2:])
    _require_fit(path, planes, (len(frames), *headers[0].size), names)
    try:
        images, planes = _sources(frames, planes)
        with warnings.catch_warnings():  # on patients without a family name: theirs is repeated as it is
            warnings.filterwarnings("ignore", message="The string .* is unlikely to represent")
            segmentation = _segmentation(images, planes.astype(np.uint16), names)
    except damage() as error:
        raise FormatError(
            source,
            found=f"images that no DICOM-SEG can refer to ({error})",
            expected="complete images of one kind",
            remedy="Write the prediction as NIfTI, or export the images with all their headers.",
        ) from error
    with whole_file(path) as aside:
        segmentation.save_as(aside)


def _require_fit(
    path: Path, planes: NDArray[np.integer], shape: tuple[int, ...], names: Sequence[str]
) -> None:
    if planes.shape != shape:
        sizes = [" x ".join(map(str, one)) for one in (planes.shape, shape)]
        remedy = "Predict on the images that the segmentation is to refer to."
        raise GeometryError(path, found=f"labels of {sizes[0]}", expected=sizes[1], remedy=remedy)
    if len(names) < 2 or planes.min() < 0 or planes.max() >= len(names):
        found = f"values {planes.min()} to {planes.max()} for {len(names)} classes"
        remedy = "Give one name per class, the background first."
        raise FormatError(path, found=found, expected="a name for each value", remedy=remedy)


def _sources(frames: Sequence[Frame], planes: NDArray[np.integer]) -> tuple[list[Any], NDArray[np.integer]]:
    """Read the images' headers and bring the planes into the order in which the images have their frames."""
    paths = list(dict.fromkeys(frame.path for frame in frames))
    images = [_complete(pydicom().dcmread(path, stop_before_pixels=True)) for path in paths]
    shared = ("StudyInstanceUID", *(["FrameOfReferenceUID"] if frames[0].position else []))
    for keyword in shared:
        uid = images[0].get(keyword) or pydicom().uid.generate_uid()
        for image in images:
            setattr(image, keyword, image.get(keyword) or uid)
    if len(paths) == len(frames):
        return images, planes
    return images, planes[np.argsort([frame.index for frame in frames])]


def _complete(image: Any) -> Any:
    """Add what anonymizing removes although it must be there, be it empty."""
    for keyword in MAY_BE_EMPTY:
        if keyword not in image:
            setattr(image, keyword, "")
    for keyword in ("SOPClassUID", "SOPInstanceUID"):
        if not image.get(keyword):
            setattr(image, keyword, image.file_meta.get(f"MediaStorage{keyword}"))
    return image


def _segmentation(images: list[Any], planes: NDArray[np.uint16], names: Sequence[str]) -> Any:
    generate = pydicom().uid.generate_uid
    described = [_described(number, name) for number, name in enumerate(names) if number]
    return _highdicom().seg.Segmentation(
        source_images=images,
        pixel_array=planes,
        segmentation_type="BINARY",
        segment_descriptions=described,
        series_instance_uid=generate(),
        series_number=int(images[0].get("SeriesNumber") or 0) + 1000,
        sop_instance_uid=generate(),
        instance_number=1,
        manufacturer="seglet",
        manufacturer_model_name="seglet",
        software_versions=__version__,
        device_serial_number="1",
        content_label="SEGMENTATION",
        series_description="Segmentation by seglet",
        specific_character_set="ISO_IR 192",  # UTF-8: class names may be in any script
        omit_empty_frames=bool(planes.any()),
    )


def _described(number: int, name: str) -> Any:
    hd, codes = _highdicom(), pydicom().sr.codedict.codes
    category, kind = _codes(name)
    made_by = hd.AlgorithmIdentificationSequence(
        name="seglet", family=codes.DCM.ArtificialIntelligence, version=__version__
    )
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=name[:LABEL_LENGTH] or f"class {number}",
        segmented_property_category=category,
        segmented_property_type=kind,
        algorithm_type="AUTOMATIC",
        algorithm_identification=made_by,
    )


def _codes(name: str) -> tuple[Any, Any]:
    """Find the codes of what a class name means; of "left_kidney" or "Kidneys" those of the kidney."""
    codes = pydicom().sr.codedict.codes
    keyword = re.sub(r"[^a-z]|left|right", "", name.lower())
    for code_set in CODE_SETS:
        terms = getattr(codes, code_set)
        for term in terms.dir():
            if keyword in (term.lower(), f"{term.lower()}s"):
                abnormal = codes.SCT.MorphologicallyAbnormalStructure
                category = abnormal if code_set == LESIONS else codes.SCT.AnatomicalStructure
                return category, getattr(terms, term)
    return codes.SCT.Tissue, codes.SCT.Tissue


def _highdicom() -> Any:
    return need("highdicom", "medical", "DICOM-SEG files")
