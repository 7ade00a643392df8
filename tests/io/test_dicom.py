"""Series and files as images; SimpleITK's reader is the oracle."""

import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from dicom_series import AXIAL, write_enhanced, write_radiograph, write_series
from seglet.core.errors import FormatError, GeometryError, MissingExtra
from seglet.core.image import Image
from seglet.io import dicom
from seglet.io.dicom_seg_write import write

HU = np.random.default_rng(0).integers(-1000, 1500, (5, 6, 7))
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)
OBLIQUE = (0.8, 0.6, 0.0, 0.0, 0.0, -1.0)


def _read(path: Path) -> Image:
    return dicom.open_image(path, "", str(path)).load()


def _require_as_itk_reads_it(folder: Path) -> None:
    image = _read(folder)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    itk = reader.Execute()
    np.testing.assert_array_equal(image.pixels[0], sitk.GetArrayFromImage(itk))
    np.testing.assert_allclose(image.spacing[::-1], itk.GetSpacing(), atol=1e-6)
    np.testing.assert_allclose(image.origin[::-1], itk.GetOrigin(), atol=1e-5)
    np.testing.assert_allclose(image.direction[::-1], itk.GetDirection(), atol=1e-5)
    assert image.unit == "mm"


@pytest.mark.data
@pytest.mark.parametrize(
    "folder", ["totalsegmentator/example_ct_dicom", "dicom_seg/ct-3slice", "dicom_seg/24x38x3/image"]
)
def test_real_series_are_read_as_itk_reads_them(data_folder: Path, folder: str) -> None:
    _require_as_itk_reads_it(data_folder / "ct" / folder)


@pytest.mark.data
def test_the_dicom_series_of_a_nifti_is_where_and_what_the_nifti_is(data_folder: Path) -> None:
    image = _read(data_folder / "ct" / "totalsegmentator" / "example_ct_dicom")
    assert image.spacing[0] == 2.0  # the slices are 3 mm thick
    assert image.pixels.dtype == np.int16
    assert image.pixels.min() == -1024


@pytest.mark.data
def test_one_file_of_many_frames_is_as_its_slices(data_folder: Path) -> None:
    folder = data_folder / "ct" / "dicom_seg" / "24x38x3"
    slices, frames = _read(folder / "image"), _read(folder / "multiframe" / "mf.dcm")
    np.testing.assert_array_equal(frames.pixels, slices.pixels)
    assert (frames.spacing, frames.origin, frames.direction) == (
        *(slices.spacing, slices.origin),
        slices.direction,
    )


@pytest.mark.parametrize("orientation", [AXIAL, SAGITTAL, OBLIQUE], ids=["axial", "sagittal", "oblique"])
def test_series_of_any_direction_and_shuffled_names_are_read_as_itk_reads_them(
    tmp_path: Path, orientation: tuple[float, ...]
) -> None:
    write_series(tmp_path, HU, orientation=orientation, names=list("dbeac"))
    np.testing.assert_array_equal(_read(tmp_path).pixels[0], HU)
    _require_as_itk_reads_it(tmp_path)


def test_frames_of_an_enhanced_file_are_put_in_order(tmp_path: Path) -> None:
    image = _read(write_enhanced(tmp_path / "ct.dcm", HU, (3, 0, 4, 1, 2)))
    np.testing.assert_array_equal(image.pixels[0], HU)
    assert (image.spacing, image.origin) == ((2.0, 0.7, 0.8), (40.0, -90.0, -120.0))


def test_each_slice_has_its_own_slope(tmp_path: Path) -> None:
    pet = {"Modality": "PT", "RescaleIntercept": 0, "SeriesInstanceUID": "1.2"}
    counts = np.full((1, 3, 4), 100 - 1024)
    for k, slope in enumerate((0.5, 1.5)):
        place = [0.0, 0.0, 4.0 * k]
        write_series(
            tmp_path, counts, names=[f"{k}.dcm"], ImagePositionPatient=place, RescaleSlope=slope, **pet
        )
    pixels = _read(tmp_path).pixels
    assert pixels.dtype == np.float32
    assert [float(plane.max()) for plane in pixels[0]] == [50.0, 150.0]


def test_a_box_is_read_from_its_slices_alone(tmp_path: Path) -> None:
    paths = write_series(tmp_path, HU)
    stored = dicom.open_image(tmp_path, "", "here")
    assert stored.extent == (1, *HU.shape)
    assert stored.is_random
    for path in (paths[0], paths[4]):
        whole = path.read_bytes()
        path.write_bytes(whole[:-9])
    box = (slice(1, 3), slice(2, 5), slice(0, 4))
    np.testing.assert_array_equal(stored.read(box)[0], HU[box])
    with pytest.raises(FormatError, match=r"slice_000\.dcm"):
        stored.load()


def test_a_radiograph_is_flat_and_its_spacing_known(tmp_path: Path) -> None:
    image = _read(write_radiograph(tmp_path / "x.dcm", np.arange(12).reshape(3, 4)))
    np.testing.assert_array_equal(image.pixels, np.arange(12).reshape(1, 3, 4))
    assert (image.spacing, image.unit, image.origin) == ((0.14, 0.15), "mm", ())


def test_slices_without_a_direction_are_a_volume_of_unknown_spacing(tmp_path: Path) -> None:
    write_series(tmp_path, HU, ImageOrientationPatient=None, names=list("dbeac"))
    image = _read(tmp_path)
    np.testing.assert_array_equal(image.pixels[0], HU)
    assert (image.spacing, image.unit, image.direction) == ((), "px", ())


def test_a_gap_is_an_error_that_names_its_place_and_is_listed_for_the_doctor(tmp_path: Path) -> None:
    paths = write_series(tmp_path, HU)
    assert dicom.gaps(tmp_path, "") == []
    paths[2].unlink()
    with pytest.raises(GeometryError, match=r"between slice_001\.dcm and slice_003\.dcm.*1 missing"):
        dicom.open_image(tmp_path, "", "here")
    assert len(dicom.gaps(tmp_path, "")) == 1


def test_one_of_two_series_in_a_folder_is_chosen_by_its_uid(tmp_path: Path) -> None:
    write_series(tmp_path, HU, names=[f"a{k}" for k in range(5)], SeriesNumber=1)
    write_series(tmp_path, HU + 1, names=[f"b{k}" for k in range(5)], SeriesNumber=2)
    _, second = dicom.series_in(tmp_path.iterdir())
    pixels = dicom.open_image(second.path, second.part, "here").load().pixels
    np.testing.assert_array_equal(pixels[0], HU + 1)
    with pytest.raises(FormatError, match="2 series"):
        dicom.open_image(tmp_path, "", "here")


def test_a_segmentation_is_opened_as_labels(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", HU)
    labels = (HU > 0).astype(np.uint8)
    write(tmp_path / "seg.dcm", labels, ("background", "bone"), tmp_path / "ct", "")
    np.testing.assert_array_equal(_read(tmp_path / "seg.dcm").pixels[0], labels)


def test_a_file_that_is_no_dicom_is_named(tmp_path: Path) -> None:
    path = tmp_path / "fake.dcm"
    path.write_text("hello")
    with pytest.raises(FormatError, match=r"fake\.dcm"):
        dicom.open_image(path, "", "fake.dcm")


def test_a_missing_package_is_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_series(tmp_path, HU)[0]
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(MissingExtra, match=r"pip install 'seglet\[medical\]'"):
        dicom.open_image(path, "", "here")
