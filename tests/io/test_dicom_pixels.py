"""Decoded frames in the quantity measured."""

from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray
from pydicom.uid import (
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
)

from dicom_series import image_of, save, study_of_its_own, write_radiograph, write_series
from seglet.core.errors import FormatError
from seglet.io.dicom_headers import read_header
from seglet.io.dicom_pixels import n_channels, read_plane, value_type

HU = np.array([[[-1024, -1000, 0], [40, 1500, 3071]]])


def _values(path: Path) -> NDArray[np.generic]:
    header = read_header(path)
    assert header is not None
    dtype = value_type([header])
    plane = read_plane(header, header.frames[0], dtype)
    assert plane.dtype == dtype
    assert len(plane) == n_channels(header)
    return plane


def _ct(folder: Path, **changes: Any) -> NDArray[np.generic]:
    return _values(write_series(folder, HU, **changes)[0])[0]


def test_ct_is_in_hu_and_int16_though_the_header_allows_more(tmp_path: Path) -> None:
    values = _ct(tmp_path)
    assert values.dtype == np.int16
    np.testing.assert_array_equal(values, HU[0])


def test_signed_pixels_keep_their_sign(tmp_path: Path) -> None:
    stored = (HU[0] - 3).astype("<i2")
    values = _ct(
        tmp_path, PixelRepresentation=1, RescaleIntercept=3, RescaleSlope=1, PixelData=stored.tobytes()
    )
    np.testing.assert_array_equal(values, HU[0])


def test_unscaled_pixels_keep_their_type(tmp_path: Path) -> None:
    plain = {"RescaleSlope": None, "RescaleIntercept": None, "Modality": "MR"}
    assert _ct(tmp_path, **plain).dtype == np.uint16
    assert _ct(tmp_path, **plain, BitsStored=12, HighBit=11).dtype == np.int16


def test_fractional_slopes_make_real_numbers(tmp_path: Path) -> None:
    values = _ct(tmp_path, Modality="PT", RescaleSlope=0.25, RescaleIntercept=0)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, (HU[0] + 1024) * 0.25)


def test_monochrome1_is_turned_around(tmp_path: Path) -> None:
    pixels = np.array([[0, 1, 4095]], np.uint16)
    path = write_radiograph(
        tmp_path / "x.dcm", pixels, PhotometricInterpretation="MONOCHROME1", BitsStored=12, HighBit=11
    )
    np.testing.assert_array_equal(_values(path)[0], [[4095, 4094, 0]])


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless])
def test_compressed_pixels_are_those_that_were_compressed(tmp_path: Path, syntax: str) -> None:
    path = write_series(tmp_path, np.arange(-1000, -1000 + 32 * 40).reshape(1, 32, 40))[0]
    plain = _values(path)
    ds = pydicom.dcmread(path)
    ds.compress(syntax)
    save(ds, path)
    np.testing.assert_array_equal(_values(path), plain)


def test_colors_become_channels(tmp_path: Path) -> None:
    colors = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    image = image_of(colors, SecondaryCaptureImageStorage, Modality="OT", **study_of_its_own())
    values = _values(save(image, tmp_path / "a.dcm"))
    assert values.dtype == np.uint8
    np.testing.assert_array_equal(values, np.moveaxis(colors, -1, 0))


def test_ybr_becomes_rgb(tmp_path: Path) -> None:
    ybr = np.array([[[76, 85, 255], [150, 44, 21], [29, 255, 107]]], np.uint8)  # red, green, blue in JPEG
    image = image_of(ybr, UltrasoundImageStorage, Modality="US", **study_of_its_own())
    image.PhotometricInterpretation = "YBR_FULL"
    values = _values(save(image, tmp_path / "a.dcm")).astype(int)
    expected = np.array([[[255, 0, 0]], [[0, 255, 0]], [[0, 0, 255]]])
    np.testing.assert_allclose(values, expected, atol=2)


def test_palette_indexes_become_the_colors_of_the_table(tmp_path: Path) -> None:
    indexes = np.array([[0, 1, 2]], np.uint8)
    image = image_of(indexes, SecondaryCaptureImageStorage, Modality="OT", **study_of_its_own())
    image.PhotometricInterpretation = "PALETTE COLOR"
    tables = {"Red": [0, 255, 10], "Green": [0, 0, 20], "Blue": [9, 0, 30]}
    for color, table in tables.items():
        setattr(image, f"{color}PaletteColorLookupTableDescriptor", [3, 0, 16])
        entries = (np.array(table, "<u2") * 257).tobytes()
        setattr(image, f"{color}PaletteColorLookupTableData", entries)
    values = _values(save(image, tmp_path / "a.dcm"))
    np.testing.assert_array_equal(values[:, 0], list(tables.values()))
    assert values.dtype == np.uint8


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, RLELossless, JPEG2000Lossless])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_pixels_truncated_since_the_header_was_read_name_the_file(
    tmp_path: Path, syntax: str, share: float
) -> None:
    noise = np.random.default_rng(0).integers(-1000, 1000, (1, 64, 64))
    path = write_series(tmp_path, noise)[0]
    if syntax != ExplicitVRLittleEndian:
        ds = pydicom.dcmread(path)
        ds.compress(syntax)
        save(ds, path)
    header = read_header(path)
    assert header is not None
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(FormatError, match=r"slice_000\.dcm"):
        read_plane(header, header.frames[0], np.dtype(np.int16))
