"""DICOM-SEG read and placed; dcmqi's NRRD masks of the same objects are the oracle."""

from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid

from dicom_series import save, write_radiograph, write_series
from seglet.core.errors import FormatError, GeometryError
from seglet.core.image import Image, StoredImage
from seglet.io import dicom, dicom_seg
from seglet.io.dicom_seg_write import write

HU = np.zeros((6, 8, 9), int)
LABELS = np.random.default_rng(0).integers(0, 3, HU.shape).astype(np.uint8)
NAMES = ("background", "liver", "spleen")


def _open(path: Path) -> StoredImage:
    return dicom_seg.open_image(path, "", str(path))


def _nrrd(path: Path) -> NDArray[Any]:
    return np.asarray(sitk.GetArrayFromImage(sitk.ReadImage(str(path))))


def _image(labels: NDArray[np.generic], **changes: Any) -> Image:
    geometry = {"spacing": (2.0, 0.7, 0.8), "origin": (40.0, -90.0, -120.0), "direction": np.eye(3).ravel()}
    return Image(labels[None], unit="mm", **{**geometry, **changes})


def _highdicom(folder: Path, pixels: NDArray[Any], kind: str, n_segments: int) -> Path:
    """Write a segmentation of the series in a folder by highdicom itself."""
    slices = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
    described = [
        hd.seg.SegmentDescription(k + 1, f"s{k + 1}", codes.SCT.Tissue, codes.SCT.Tissue, "MANUAL")
        for k in range(n_segments)
    ]
    uids = generate_uid(), 1, generate_uid(), 1
    written = hd.seg.Segmentation(slices, pixels, kind, described, *uids, "m", "m", "1", "1")
    return save(written, folder.parent / "seg.dcm")


@pytest.mark.data
@pytest.mark.parametrize(
    ("segmentation", "mask", "source"),
    [
        ("23x38x3/seg/label.seg", "23x38x3/nrrd/label.nrrd", "23x38x3/image"),  # frames end inside of bytes
        ("24x38x3/seg/label.seg", "24x38x3/nrrd/label.nrrd", "24x38x3/image"),
        ("liver.dcm", "liver_seg.nrrd", "ct-3slice"),
        ("sparse-labelmap-noppv.dcm", "sparse_labelmap_noppv_seg.nrrd", "24x38x3/image"),  # no middle frame
    ],
)
def test_real_objects_are_read_as_dcmqi_reads_them(
    data_folder: Path, segmentation: str, mask: str, source: str
) -> None:
    folder = data_folder / "ct" / "dicom_seg"
    like = dicom.open_image(folder / source, "", source)
    placed = dicom_seg.place(_open(folder / segmentation).load(), like)
    np.testing.assert_array_equal(placed, _nrrd(folder / mask))


@pytest.mark.data
def test_what_pads_a_label_map_is_background(data_folder: Path) -> None:
    folder = data_folder / "ct" / "dicom_seg"
    mask = _nrrd(folder / "sparse_labelmap_ppv5_seg.nrrd")  # dcmqi fills the missing slice with the padding
    assert (mask == 5).any()
    labels = _open(folder / "sparse-labelmap-ppv5.dcm").load().pixels[0]
    np.testing.assert_array_equal(labels, np.where(mask == 5, 0, mask))


@pytest.mark.data
def test_of_overlapping_segments_the_highest_number_has_the_pixel(data_folder: Path) -> None:
    folder = data_folder / "ct" / "dicom_seg"
    masks = [_nrrd(folder / f"partial_overlaps-{k}.nrrd") for k in (1, 2, 3)]
    assert sum((mask > 0).astype(int) for mask in masks).max() > 1
    labels = _open(folder / "partial_overlaps.dcm").load().pixels[0]
    np.testing.assert_array_equal(labels, np.max(masks, axis=0))


@pytest.mark.data
def test_names_of_segments_are_read(data_folder: Path) -> None:
    names = dicom_seg.segment_names(data_folder / "ct" / "dicom_seg" / "partial_overlaps.dcm")
    assert names == {1: "GREEN", 2: "ORANGE", 3: "PURPLE", 4: "LIGHT_BLUE", 5: "DARK_BLUE"}


def test_fractions_are_cut_at_half(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", HU)
    fractions = np.random.default_rng(1).random(HU.shape).astype(np.float32)
    fractions[abs(fractions - 0.5) < 0.01] = 0.9
    labels = _open(_highdicom(tmp_path / "ct", fractions, "FRACTIONAL", 1)).load().pixels[0]
    np.testing.assert_array_equal(labels, fractions > 0.5)


def test_a_label_map_object_keeps_its_numbers(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", HU)
    labels = _open(_highdicom(tmp_path / "ct", LABELS, "LABELMAP", 2)).load().pixels[0]
    np.testing.assert_array_equal(labels, LABELS)


def test_labels_on_some_slices_are_placed_on_all(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", HU, spacing=(2.0, 0.7, 0.8))
    labels = LABELS.copy()
    labels[[0, 1, 3, 5]] = 0
    write(tmp_path / "seg.dcm", labels, NAMES, tmp_path / "ct", "")
    stored = _open(tmp_path / "seg.dcm")
    assert stored.shape[0] < len(HU)
    like = dicom.open_image(tmp_path / "ct", "", "ct")
    np.testing.assert_array_equal(dicom_seg.place(stored.load(), like), labels)


def test_a_box_is_a_part_of_the_whole(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", HU)
    write(tmp_path / "seg.dcm", LABELS, NAMES, tmp_path / "ct", "")
    box = (slice(1, 4), slice(2, 7), slice(3, 5))
    np.testing.assert_array_equal(_open(tmp_path / "seg.dcm").read(box)[0], LABELS[box])


def test_a_segmentation_of_a_radiograph_is_flat(tmp_path: Path) -> None:
    path = write_radiograph(tmp_path / "x.dcm", HU[0])
    write(tmp_path / "seg.dcm", LABELS[0], NAMES, path, "")
    labels = _open(tmp_path / "seg.dcm").load()
    np.testing.assert_array_equal(labels.pixels, LABELS[:1])
    np.testing.assert_array_equal(dicom_seg.place(labels, dicom.open_image(path, "", "x")), LABELS[0])


def test_placing_undoes_mirrored_and_exchanged_axes(tmp_path: Path) -> None:
    write_series(tmp_path, HU)
    like = dicom.open_image(tmp_path, "", "ct")
    turned = LABELS.transpose(2, 0, 1)[:, ::-1]  # x, then z from the last to the first, then y
    direction = np.array([[0, -1, 0], [0, 0, 1], [1, 0, 0]]).ravel()
    image = _image(turned, spacing=(0.8, 2.0, 0.7), origin=(50.0, -90.0, -120.0), direction=direction)
    np.testing.assert_array_equal(dicom_seg.place(image, like), LABELS)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"origin": (41.0, -90.0, -120.0)}, "between the pixels"),
        ({"origin": (46.0, -90.0, -120.0)}, "outside of the image"),
        ({"spacing": (2.0, 1.4, 0.8)}, "2 x 1 of the image's"),
        ({"direction": (1, 0, 0, 0, 0.8, -0.6, 0, 0.6, 0.8)}, "turned"),
    ],
)
def test_labels_of_another_grid_are_not_guessed(tmp_path: Path, changes: Any, words: str) -> None:
    write_series(tmp_path, HU)
    with pytest.raises(GeometryError, match=words):
        dicom_seg.place(_image(LABELS, **changes), dicom.open_image(tmp_path, "", "ct"))


def test_an_empty_label_map_is_placed_anywhere(tmp_path: Path) -> None:
    write_series(tmp_path, HU)
    placed = dicom_seg.place(_image(LABELS * 0, origin=(1, 2, 3)), dicom.open_image(tmp_path, "", "ct"))
    np.testing.assert_array_equal(placed, np.zeros_like(LABELS))


def test_labels_of_another_size_and_no_place_are_an_error(tmp_path: Path) -> None:
    path = write_radiograph(tmp_path / "x.dcm", HU[0])
    with pytest.raises(GeometryError, match="6 x 8 x 9 without a position"):
        dicom_seg.place(Image(LABELS[None]), dicom.open_image(path, "", "x"))


def test_a_truncated_object_is_named(tmp_path: Path) -> None:
    write_series(tmp_path / "ct", HU)
    path = tmp_path / "seg.dcm"
    write(path, LABELS, NAMES, tmp_path / "ct", "")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 40])
    with pytest.raises(FormatError, match=r"seg\.dcm.*pixels end early"):
        _open(path)
    path.write_bytes(whole[:400])
    with pytest.raises(FormatError, match=r"seg\.dcm"):
        _open(path)


def test_an_image_is_no_segmentation(tmp_path: Path) -> None:
    path = write_series(tmp_path, HU)[0]
    with pytest.raises(FormatError, match="expected one DICOM-SEG"):
        _open(path)
    with pytest.raises(FormatError, match="no segments"):
        dicom_seg.segment_names(path)


@pytest.mark.parametrize("size", [(3, 3), (5, 5), (5, 6), (5, 7), (9, 11), (4, 6), (8, 8)])
def test_frames_that_begin_and_end_inside_of_bytes_are_read_whole(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    labels = np.random.default_rng(1).integers(0, 3, (5, *size)).astype(np.uint8)
    write_series(tmp_path / "ct", labels.astype(int))
    write(tmp_path / "seg.dcm", labels, ("background", "a", "b"), tmp_path / "ct", "")
    np.testing.assert_array_equal(_open(tmp_path / "seg.dcm").load().pixels[0], labels)
    stored, packed = _open(tmp_path / "seg.dcm"), pydicom.dcmread(tmp_path / "seg.dcm")
    packed.PixelData = packed.PixelData[: len(packed.PixelData) // 2]
    packed.save_as(tmp_path / "seg.dcm")
    with pytest.raises(FormatError, match=r"seg\.dcm.*no pixels of frame"):
        stored.load()
