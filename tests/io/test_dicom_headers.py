"""What the headers of single files tell."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import CTImageStorage, RTDoseStorage

from dicom_series import (
    change,
    image_of,
    save,
    study_of_its_own,
    write_enhanced,
    write_radiograph,
    write_series,
)
from seglet.core.errors import FormatError
from seglet.io.dicom_headers import is_dicom, read_header

HU = np.arange(3 * 4 * 5).reshape(3, 4, 5)


def test_a_slice_tells_its_place_its_size_and_how_to_get_hu(tmp_path: Path) -> None:
    path = write_series(tmp_path, HU)[1]
    header = read_header(path)
    assert header is not None
    assert (header.modality, header.size, header.bits, header.instance) == ("CT", (4, 5), 16, 2)
    frame = header.frames[0]
    assert frame.position == (-120.0, -90.0, 42.0)
    assert frame.orientation == (1, 0, 0, 0, 1, 0)
    assert (frame.spacing, frame.between) == ((0.7, 0.8), 3.0)
    assert (frame.slope, frame.intercept) == (1.0, -1024.0)


def test_frames_of_one_file_have_their_own_places_and_share_the_rest(tmp_path: Path) -> None:
    header = read_header(write_enhanced(tmp_path / "ct.dcm", HU, (2, 0, 1)))
    assert header is not None
    assert [frame.position[2] for frame in header.frames] == [44.0, 40.0, 42.0]
    assert [frame.index for frame in header.frames] == [0, 1, 2]
    assert {(frame.spacing, frame.intercept) for frame in header.frames} == {((0.7, 0.8), -1024.0)}


def test_a_radiograph_has_the_spacing_of_its_detector_and_no_place(tmp_path: Path) -> None:
    header = read_header(write_radiograph(tmp_path / "x.dcm", HU[0]))
    assert header is not None
    assert header.frames[0].spacing == (0.14, 0.15)
    assert header.frames[0].position == ()


def test_dose_and_files_without_pixels_are_no_images(tmp_path: Path) -> None:
    dose = save(image_of(HU[0], RTDoseStorage, Modality="RTDOSE", **study_of_its_own()), tmp_path / "d.dcm")
    report = image_of(HU[0], "1.2.840.10008.5.1.4.1.1.88.22", Modality="SR", **study_of_its_own())
    change(report, {"Rows": None, "Columns": None, "PixelData": None})
    assert read_header(dose) is None
    assert read_header(save(report, tmp_path / "sr.dcm")) is None


@pytest.mark.parametrize("kept", [0, 100, 200, 500])
def test_a_file_that_ends_in_its_header_is_named(tmp_path: Path, kept: int) -> None:
    whole = write_series(tmp_path, HU)[0].read_bytes()
    assert len(whole) > 600
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(whole[:kept])
    with pytest.raises(FormatError, match=r"cut\.dcm"):
        read_header(cut)


@pytest.mark.parametrize("cut", [1, 8, 39])
def test_a_file_that_ends_in_its_pixels_is_named(tmp_path: Path, cut: int) -> None:
    path = write_series(tmp_path, HU)[0]
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(FormatError, match=r"slice_000\.dcm.*pixels end early"):
        read_header(path)


def test_a_place_of_two_numbers_is_damage(tmp_path: Path) -> None:
    path = write_series(tmp_path, HU, ImagePositionPatient=[0, 1])[0]
    with pytest.raises(FormatError, match=r"slice_000\.dcm.*ImagePositionPatient .*not 3 numbers"):
        read_header(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"none\.dcm"):
        read_header(tmp_path / "none.dcm")


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = write_series(tmp_path, HU)[0]
    assert read_header(path) is read_header(path)
    save(change(pydicom.dcmread(path), {"Modality": "MR", "SeriesDescription": "changed"}), path)
    header = read_header(path)
    assert header is not None
    assert header.modality == "MR"


def test_dicom_is_known_by_suffix_or_by_its_first_bytes(tmp_path: Path) -> None:
    bare = write_series(tmp_path, HU[:1], names=["CT.1.2.840.10008"])[0]
    (tmp_path / "note.txt").write_text("no DICOM")
    (tmp_path / "a.IMA").write_bytes(b"")
    assert is_dicom(bare)
    assert is_dicom(tmp_path / "a.IMA")
    assert not is_dicom(tmp_path / "note.txt")
    assert not is_dicom(tmp_path / "missing")


def test_a_blank_series_uid_is_still_a_series(tmp_path: Path) -> None:
    image = image_of(HU[0], CTImageStorage, Modality="CT", StudyInstanceUID="1.2", SeriesInstanceUID="")
    header = read_header(save(image, tmp_path / "a.dcm"))
    assert header is not None
    assert header.uid == "unknown"
