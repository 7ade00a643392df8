"""DICOM-SEG written; highdicom reads it again."""

from pathlib import Path

import highdicom as hd
import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from dicom_series import change, save, write_enhanced, write_series
from seglet import __version__
from seglet.core.errors import FormatError, GeometryError
from seglet.io import dicom, dicom_seg
from seglet.io.dicom_seg_write import write

HU = np.zeros((4, 10, 12), int)
LABELS = np.random.default_rng(0).integers(0, 3, HU.shape).astype(np.uint8)
NAMES = ("background", "Left_kidney", "my structure ω")
OBLIQUE = (0.8, 0.6, 0.0, 0.0, 0.0, -1.0)


def _require_same_place(path: Path, source: Path, labels: NDArray[np.integer]) -> None:
    """Compare with what highdicom reads: each pixel's value, and its place in the patient."""
    volume = hd.seg.segread(path).get_volume(combine_segments=True)
    image = dicom.open_image(source, "", "source")
    axes = np.reshape(image.direction, (3, 3)) * image.spacing
    for index in np.ndindex(volume.spatial_shape):
        place = volume.map_indices_to_reference(np.array([index]))[0][::-1]
        own = np.linalg.solve(axes, place - np.array(image.origin))
        np.testing.assert_allclose(own, np.round(own), atol=1e-3)
        assert volume.array[index] == labels[tuple(np.round(own).astype(int))]
    assert volume.spatial_shape == labels.shape


@pytest.mark.data
@pytest.mark.parametrize("folder", ["dicom_seg/24x38x3/image", "dicom_seg/24x38x3/multiframe/mf.dcm"])
def test_a_segmentation_of_real_images_is_where_they_are(
    data_folder: Path, tmp_path: Path, folder: str
) -> None:
    source = data_folder / "ct" / folder
    labels = np.random.default_rng(0).integers(0, 2, (3, 38, 24)).astype(np.uint8)
    write(tmp_path / "seg.dcm", labels, ("background", "liver"), source, "")
    _require_same_place(tmp_path / "seg.dcm", source, labels)


@pytest.mark.data
def test_a_compressed_anonymized_series_gets_a_whole_segmentation(data_folder: Path, tmp_path: Path) -> None:
    source = data_folder / "ct" / "totalsegmentator" / "example_ct_dicom"
    labels = np.zeros((20, 512, 512), np.uint8)
    labels[3:9, 100:200, 150:180] = 1
    write(tmp_path / "seg.dcm", labels, ("background", "liver"), source, "")
    written = dicom_seg.open_image(tmp_path / "seg.dcm", "", "seg").load()
    like = dicom.open_image(source, "", "ct")
    np.testing.assert_array_equal(dicom_seg.place(written, like), labels)
    volume = hd.seg.segread(tmp_path / "seg.dcm").get_volume()
    assert volume.spacing == pytest.approx(like.spacing)


@pytest.mark.parametrize("orientation", [(1.0, 0.0, 0.0, 0.0, 1.0, 0.0), OBLIQUE])
def test_highdicom_finds_each_label_at_its_place(tmp_path: Path, orientation: tuple[float, ...]) -> None:
    write_series(tmp_path / "ct", HU, orientation=orientation, names=list("cadb"))
    write(tmp_path / "seg.dcm", LABELS, NAMES, tmp_path / "ct", "")
    _require_same_place(tmp_path / "seg.dcm", tmp_path / "ct", LABELS)


def test_frames_of_a_source_of_many_frames_get_their_own_labels(tmp_path: Path) -> None:
    source = write_enhanced(tmp_path / "ct.dcm", HU, (2, 0, 3, 1))
    write(tmp_path / "seg.dcm", LABELS, NAMES, source, "")
    read = dicom_seg.open_image(tmp_path / "seg.dcm", "", "seg").load()
    np.testing.assert_array_equal(read.pixels[0], LABELS)


def test_the_object_says_whose_it_is_and_who_made_it(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "ct", HU, PatientName="Müller^Jörg", SpecificCharacterSet="ISO_IR 100")
    write(tmp_path / "seg.dcm", LABELS, NAMES, tmp_path / "ct", "")
    seg, source = pydicom.dcmread(tmp_path / "seg.dcm"), pydicom.dcmread(paths[0])
    assert seg.Modality == "SEG"
    assert str(seg.PatientName) == "Müller^Jörg"
    for keyword in ("PatientID", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert seg[keyword].value == source[keyword].value
    referenced = seg.ReferencedSeriesSequence[0]
    assert referenced.SeriesInstanceUID == source.SeriesInstanceUID
    uids = {item.ReferencedSOPInstanceUID for item in referenced.ReferencedInstanceSequence}
    assert uids == {pydicom.dcmread(path).SOPInstanceUID for path in paths}
    kidney, other = seg.SegmentSequence
    assert kidney.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Kidney"
    assert other.SegmentedPropertyTypeCodeSequence[0].CodeMeaning == "Tissue"
    assert (kidney.SegmentAlgorithmType, kidney.SegmentAlgorithmName) == ("AUTOMATIC", "seglet")
    assert kidney.SegmentationAlgorithmIdentificationSequence[0].AlgorithmVersion == __version__
    assert dicom_seg.segment_names(tmp_path / "seg.dcm") == {1: "Left_kidney", 2: "my structure ω"}


def test_a_prediction_of_nothing_is_a_whole_object(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", HU)
    write(tmp_path / "seg.dcm", LABELS * 0, NAMES, tmp_path / "ct", "")
    assert not hd.seg.segread(tmp_path / "seg.dcm").get_volume(combine_segments=True).array.any()
    read = dicom_seg.open_image(tmp_path / "seg.dcm", "", "seg").load()
    np.testing.assert_array_equal(read.pixels[0], LABELS * 0)
    assert dicom_seg.segment_names(tmp_path / "seg.dcm") == {1: "Left_kidney", 2: "my structure ω"}


def test_what_an_anonymizer_removed_is_left_blank_or_made_anew(tmp_path: Path) -> None:
    gone = dict.fromkeys(("PatientID", "PatientName", "StudyID", "AccessionNumber", "FrameOfReferenceUID"))
    for path in write_series(tmp_path / "ct", HU, PatientSex="F"):
        save(change(pydicom.dcmread(path), {**gone, "StudyInstanceUID": ""}), path)
    write(tmp_path / "seg.dcm", LABELS, NAMES, tmp_path / "ct", "")
    seg = pydicom.dcmread(tmp_path / "seg.dcm")
    assert (seg.PatientID, seg.PatientSex) == ("", "F")
    assert seg.StudyInstanceUID
    assert seg.FrameOfReferenceUID
    _require_same_place(tmp_path / "seg.dcm", tmp_path / "ct", LABELS)


def test_labels_of_another_shape_are_refused(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", HU)
    with pytest.raises(GeometryError, match="3 x 10 x 12; expected 4 x 10 x 12"):
        write(tmp_path / "seg.dcm", LABELS[:3], NAMES, tmp_path / "ct", "")
    assert not (tmp_path / "seg.dcm").exists()


def test_a_value_without_a_name_is_refused(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", HU)
    with pytest.raises(FormatError, match="values 0 to 2 for 2 classes"):
        write(tmp_path / "seg.dcm", LABELS, NAMES[:2], tmp_path / "ct", "")


def test_a_source_that_cannot_be_referred_to_is_named(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", HU, PixelSpacing=None)
    with pytest.raises(FormatError, match="no DICOM-SEG can refer to"):
        write(tmp_path / "seg.dcm", LABELS, NAMES, tmp_path / "ct", "")
