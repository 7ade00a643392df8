"""NIfTI in and out: any orientation, scaling, channels, affines kept."""

import gzip
import itertools
import struct
import tracemalloc
from pathlib import Path

import nibabel
import numpy as np
import pytest

from seglet.core.errors import FormatError, GeometryError, MissingExtra
from seglet.core.image import Image
from seglet.io.nifti import open_image, write

VALUES = np.random.default_rng(0).integers(-900, 2000, (5, 6, 7), np.int16)
UPRIGHT = np.array([[-0.7, 0, 0, 30], [0, -0.8, 0, 40], [0, 0, 2.5, -50], [0, 0, 0, 1]])
ORIENTATIONS = list(itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)))
ALL = (slice(None),) * 3


def save(path: Path, values: np.ndarray, affine: np.ndarray, unit: str = "mm") -> Path:
    volume = nibabel.Nifti1Image(values, affine)
    volume.header.set_xyzt_units(unit)
    nibabel.save(volume, path)
    return path


def opened(path: Path) -> Image:
    return open_image(path, "", path.name).load()


def to_patient(image: Image, place: tuple[int, int, int]) -> np.ndarray:
    """Position of a voxel in the world (z, y, x) by the image's own geometry."""
    return np.reshape(image.direction, (3, 3)) @ (np.array(place) * image.spacing) + image.origin


def rotation(degrees: tuple[float, float, float]) -> np.ndarray:
    turned = np.eye(3)
    for (a, b), angle in zip(((0, 1), (1, 2), (0, 2)), np.deg2rad(degrees), strict=True):
        step = np.eye(3)
        step[[a, a, b, b], [a, b, a, b]] = np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
        turned = turned @ step
    return turned


def affines() -> list[np.ndarray]:
    """All 48 orientations, an oblique one, a sheared one."""
    found = []
    for order, signs in ORIENTATIONS:
        affine = np.eye(4)
        affine[:3, :3] = (np.eye(3)[:, order] * signs) * (0.7, 0.8, 2.5)
        affine[:3, 3] = 3, -11, 17
        found.append(affine)
    oblique, sheared = UPRIGHT.copy(), UPRIGHT.copy()
    oblique[:3, :3] = rotation((10, 25, -40)) * (0.7, 0.8, 2.5)
    sheared[1, 2] = 0.9
    return [*found, oblique, sheared]


@pytest.mark.parametrize("affine", affines(), ids=range(50))
def test_every_voxel_keeps_its_place_in_the_patient(tmp_path: Path, affine: np.ndarray) -> None:
    image = opened(save(tmp_path / "x.nii", VALUES, affine))
    assert np.array_equal(image.pixels[0], VALUES.T)
    stored = nibabel.load(tmp_path / "x.nii").affine
    for i, j, k in ((0, 0, 0), (4, 0, 0), (0, 5, 0), (0, 0, 6), (3, 2, 1)):
        right, front, up = (stored @ (i, j, k, 1))[:3]
        assert to_patient(image, (k, j, i)) == pytest.approx((up, -front, -right), abs=1e-4)


@pytest.mark.parametrize("affine", affines(), ids=range(50))
def test_an_affine_built_from_the_geometry_is_the_one_it_was_read_from(
    tmp_path: Path, affine: np.ndarray
) -> None:
    image = opened(save(tmp_path / "x.nii", VALUES, affine))
    write(tmp_path / "y.nii.gz", image)
    again = nibabel.load(tmp_path / "y.nii.gz")
    assert np.allclose(again.affine, nibabel.load(tmp_path / "x.nii").affine, atol=1e-4)
    assert np.array_equal(np.asarray(again.dataobj), VALUES)
    assert opened(tmp_path / "y.nii.gz").spacing == pytest.approx(image.spacing)


@pytest.mark.parametrize("affine", affines()[::7], ids=str)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_affines_and_codes_of_the_image_are_written_unchanged(
    tmp_path: Path, affine: np.ndarray, suffix: str
) -> None:
    source = nibabel.Nifti1Image(VALUES, affine)
    source.set_sform(affine, code="mni")
    source.set_qform(UPRIGHT, code="aligned")  # the two may differ
    source.header.set_xyzt_units("micron", "sec")
    source.header.set_slope_inter(2, -5)
    nibabel.save(source, tmp_path / "x.nii.gz")
    image = opened(tmp_path / "x.nii.gz")
    write(tmp_path / f"m{suffix}", Image((image.pixels > 0).astype(np.uint8)), tmp_path / "x.nii.gz")
    source, mask = nibabel.load(tmp_path / "x.nii.gz"), nibabel.load(tmp_path / f"m{suffix}")
    assert np.array_equal(mask.affine, source.affine)
    for form in ("get_sform", "get_qform"):
        ours, theirs = (getattr(one.header, form)(coded=True) for one in (mask, source))
        assert np.array_equal(ours[0], theirs[0])
        assert ours[1] == theirs[1]
    assert mask.header.get_xyzt_units() == source.header.get_xyzt_units()
    assert mask.get_data_dtype() == np.uint8
    assert np.array_equal(np.asarray(mask.dataobj), (image.pixels[0] > 0).T)


def test_a_mask_of_another_extent_is_not_given_that_affine(tmp_path: Path) -> None:
    save(tmp_path / "x.nii", VALUES, UPRIGHT)
    with pytest.raises(GeometryError, match=r"\(5, 6, 7\) as in"):
        write(tmp_path / "y.nii", Image(np.zeros((1, 7, 6, 4), np.uint8)), tmp_path / "x.nii")


def test_private_extensions_of_a_header_are_not_copied(tmp_path: Path) -> None:
    source = nibabel.Nifti1Image(VALUES, UPRIGHT)
    source.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"patient's name"))
    nibabel.save(source, tmp_path / "x.nii")
    write(tmp_path / "y.nii", opened(tmp_path / "x.nii"), tmp_path / "x.nii")
    assert b"patient" not in (tmp_path / "y.nii").read_bytes()


@pytest.mark.parametrize(
    ("dtype", "slope", "inter", "expected"),
    [
        (np.int16, 1, 0, np.int16),
        (np.uint8, 1, 0, np.uint8),
        (np.uint8, 2, -3, np.int16),
        (np.int16, 1, -1024, np.int32),
        (np.int16, 0.5, 0, np.float32),
        (np.float32, 1, 0, np.float32),
        (np.int32, 2, 0, np.float32),
    ],
)
def test_scaling_is_applied_and_whole_numbers_stay_whole(
    tmp_path: Path, dtype: type, slope: float, inter: float, expected: type
) -> None:
    raw = np.abs(VALUES).astype(dtype)
    volume = nibabel.Nifti1Image(raw, UPRIGHT)
    volume.header.set_slope_inter(slope, inter)
    with (tmp_path / "x.nii").open("wb") as stream:  # nibabel.save would divide the values
        volume.header.set_data_offset(352)
        volume.header.write_to(stream)
        stream.write(raw.tobytes(order="F"))
    image = opened(tmp_path / "x.nii")
    assert image.pixels.dtype == expected
    assert np.allclose(image.pixels[0], raw.T.astype(np.float64) * slope + inter)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((5, 6), (1, 1, 6, 5)),
        ((5, 6, 1), (1, 1, 6, 5)),
        ((5, 6, 7, 1), (1, 7, 6, 5)),
        ((5, 6, 7, 3), (3, 7, 6, 5)),
        ((5, 6, 7, 1, 3), (3, 7, 6, 5)),
    ],
)
def test_time_and_vectors_are_channels_and_one_slice_is_a_volume(
    tmp_path: Path, shape: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    values = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    stored = open_image(save(tmp_path / "x.nii.gz", values, UPRIGHT), "", "x")
    assert stored.extent == expected
    assert np.array_equal(stored.load().pixels, values.T.reshape(expected))
    box = (slice(0, 1), slice(2, 5), slice(1, 3))
    assert np.array_equal(stored.read(box), stored.load().pixels[(slice(None), *box)])


def test_scaled_voxels_take_no_more_memory_than_their_type(tmp_path: Path) -> None:
    values = np.zeros((64, 256, 256), np.int16)
    path = save(tmp_path / "x.nii", values, UPRIGHT)
    header = bytearray(path.read_bytes())
    header[112:120] = struct.pack("<ff", 1.0, -1024.0)
    path.write_bytes(header)
    stored = open_image(path, "", "x")
    tracemalloc.start()
    pixels = stored.load().pixels
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (pixels == -1024).all()
    assert peak < 1.5 * pixels.nbytes


def test_time_and_vectors_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match="Save every time point"):
        opened(save(tmp_path / "x.nii", np.zeros((5, 6, 7, 2, 3), np.float32), UPRIGHT))


def test_channels_are_written_as_the_fourth_axis(tmp_path: Path) -> None:
    pixels = np.random.default_rng(1).random((3, 7, 6, 5)).astype(np.float32)
    write(tmp_path / "x.nii.gz", Image(pixels, (2.0, 1.0, 0.5), "um"))
    image = opened(tmp_path / "x.nii.gz")
    assert np.array_equal(image.pixels, pixels)
    assert (image.spacing, image.unit) == ((2.0, 1.0, 0.5), "um")


def test_a_plane_is_written_as_one_slice(tmp_path: Path) -> None:
    write(tmp_path / "x.nii", Image(np.ones((1, 6, 5), np.uint8), (0.5, 0.25), "mm"))
    image = opened(tmp_path / "x.nii")
    assert (image.shape, image.spacing) == ((1, 6, 5), (1.0, 0.5, 0.25))


@pytest.mark.parametrize(
    ("unit", "spacing", "expected"), [("meter", 2500.0, "mm"), ("micron", 2.5, "um"), ("unknown", 2.5, "mm")]
)
def test_the_header_says_the_unit(tmp_path: Path, unit: str, spacing: float, expected: str) -> None:
    image = opened(save(tmp_path / "x.nii", VALUES, UPRIGHT, unit))
    assert (image.unit, image.spacing[0]) == (expected, pytest.approx(spacing))


def test_only_an_uncompressed_file_is_read_in_parts(tmp_path: Path) -> None:
    for name, is_random in (("x.nii", True), ("x.nii.gz", False)):
        stored = open_image(save(tmp_path / name, VALUES, UPRIGHT), "", name)
        assert stored.is_random is is_random
        assert stored.dtype == np.int16


def test_foreign_byte_order_becomes_native(tmp_path: Path) -> None:
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    nibabel.save(nibabel.Nifti1Image(VALUES, UPRIGHT, header), tmp_path / "x.nii")
    image = opened(tmp_path / "x.nii")
    assert image.pixels.dtype == np.dtype("=i2")
    assert np.array_equal(image.pixels[0], VALUES.T)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 0.95])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_truncated_files_are_named(tmp_path: Path, suffix: str, share: float) -> None:
    path = save(tmp_path / f"x{suffix}", VALUES, UPRIGHT)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(FormatError, match=rf"x{suffix}.*Copy or export"):
        opened(path)


def test_colors_and_complex_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="complex64"):
        opened(save(tmp_path / "x.nii", VALUES.astype(np.complex64), UPRIGHT))


def test_an_affine_without_extent_leaves_the_geometry_unknown(tmp_path: Path) -> None:
    volume = nibabel.Nifti1Image(VALUES, np.eye(4))
    volume.header["sform_code"], volume.header["qform_code"] = 1, 0
    for row in "xyz":
        volume.header[f"srow_{row}"] = 0
    with (tmp_path / "x.nii").open("wb") as stream:
        volume.header.set_data_offset(352)
        volume.header.write_to(stream)
        stream.write(VALUES.tobytes(order="F"))
    image = opened(tmp_path / "x.nii")
    assert (image.spacing, image.unit, image.direction) == ((), "px", ())


def test_the_same_volume_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.nii.gz", "b.nii.gz"):
        write(tmp_path / name, Image(VALUES.T[None], (1.0, 1.0, 1.0), "mm"))
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()
    assert len(gzip.decompress((tmp_path / "a.nii.gz").read_bytes())) == 352 + 2 * VALUES.size


def test_without_nibabel_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "nibabel", None)
    with pytest.raises(MissingExtra, match=r"seglet\[medical\]"):
        open_image(tmp_path / "x.nii", "", "x.nii")


@pytest.mark.data
def test_real_masks_lie_where_their_images_lie(data_folder: Path) -> None:
    folder = data_folder / "hippocampus"
    for name in sorted(path.name for path in (folder / "imagesTr").glob("*.nii.gz"))[:3]:
        image, mask = (open_image(folder / kind / name, "", name) for kind in ("imagesTr", "labelsTr"))
        assert (image.shape, image.unit) == (mask.shape, "mm")
        assert image.spacing == pytest.approx((1, 1, 1))
        assert image.direction == pytest.approx(mask.direction)
        assert set(np.unique(mask.load().pixels)) == {0, 1, 2}
