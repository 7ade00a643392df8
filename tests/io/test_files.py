"""The door: every kind of file read as one kind of image, masks as numbers; whole writing."""

import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from seglet.core.errors import FormatError, GeometryError
from seglet.core.image import Image
from seglet.io.files import (
    SUFFIXES,
    open_image,
    open_mask,
    read_image,
    read_mask,
    read_probabilities,
    write_image,
    write_mask,
    write_probabilities,
)
from seglet.io.listing import as_file, list_files
from seglet.io.sources import File

RAMP = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5


def save(path: Path, pixels: np.ndarray, mode: str | None = None, **options: object) -> File:
    picture = Picture.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(path, **options)
    return as_file(path)


def test_an_archive_reads_like_its_folder(tmp_path: Path) -> None:
    inner = save(tmp_path / "x.png", RAMP)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(tmp_path / "x.png", "top/images/x.png")
        archive.write(tmp_path / "x.png", "__MACOSX/top/._x.png")
    (file,) = list_files(tmp_path / "set.zip")
    assert str(file).endswith("set.zip/top/images/x.png")
    assert (file.stem, file.suffix) == ("x", ".png")
    assert np.array_equal(read_image(file).pixels, read_image(inner).pixels)
    assert as_file(Path(str(file))) == file


@pytest.mark.parametrize("suffix", ["png", "bmp", "gif", "tif"])
def test_gray_images_keep_their_values(tmp_path: Path, suffix: str) -> None:
    image = read_image(save(tmp_path / f"x.{suffix}", RAMP))
    assert image.pixels.dtype == np.uint8
    assert np.array_equal(image.pixels, RAMP[None])


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_sixteen_bits_are_kept(tmp_path: Path, suffix: str) -> None:
    deep = RAMP.astype(np.uint16) * 257
    assert np.array_equal(read_image(save(tmp_path / f"x.{suffix}", deep)).pixels, deep[None])


@pytest.mark.parametrize(("mode", "n_channels"), [("RGB", 3), ("RGBA", 3), ("LA", 1), ("1", 1)])
def test_alpha_is_dropped(tmp_path: Path, mode: str, n_channels: int) -> None:
    assert read_image(save(tmp_path / "x.png", RAMP, mode)).n_channels == n_channels


def test_one_bit_becomes_black_and_white(tmp_path: Path) -> None:
    bits = np.eye(6, dtype=bool)
    for suffix in ("png", "bmp", "tif"):
        file = save(tmp_path / f"x.{suffix}", bits)
        assert np.array_equal(read_image(file).pixels[0], bits * 255)
        assert np.array_equal(read_mask(file), bits * 255)
        assert read_mask(file).dtype == np.uint8


def test_palette_images_show_colors_and_palette_masks_give_indexes(tmp_path: Path) -> None:
    indexes = np.array([[0, 1], [2, 1]], np.uint8)
    picture = Picture.new("P", (2, 2))
    picture.putdata(indexes.ravel().tolist())
    picture.putpalette([0, 0, 0, 255, 0, 0, 0, 0, 255])
    picture.save(tmp_path / "x.png")
    file = as_file(tmp_path / "x.png")
    assert np.array_equal(read_mask(file), indexes)
    assert read_image(file).pixels[:, 1, 0].tolist() == [0, 0, 255]


def test_a_gray_palette_is_one_channel_and_its_index_the_mask(tmp_path: Path) -> None:
    picture = Picture.new("P", (2, 1))
    picture.putdata([1, 0])
    picture.putpalette([0, 0, 0, 200, 200, 200])
    picture.save(tmp_path / "x.png")
    file = as_file(tmp_path / "x.png")
    assert read_image(file).pixels.tolist() == [[[200, 0]]]
    assert read_mask(file).tolist() == [[1, 0]]


def test_gif_masks_are_the_gray_shown_whatever_the_order_of_the_palette(tmp_path: Path) -> None:
    picture = Picture.new("P", (2, 1))
    picture.putdata([1, 0])
    picture.putpalette([255, 255, 255, 0, 0, 0])
    picture.save(tmp_path / "x.gif")
    assert read_mask(as_file(tmp_path / "x.gif")).tolist() == [[0, 255]]


def test_jpeg_is_turned_upright(tmp_path: Path) -> None:
    exif = Picture.Exif()
    exif[0x0112] = 6
    file = save(tmp_path / "x.jpg", np.zeros((20, 40, 3), np.uint8), exif=exif)
    assert read_image(file).shape == (40, 20)


def test_float_tiff_and_planes_first(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", np.full((4, 5), 0.25, np.float32))
    assert read_image(as_file(tmp_path / "x.tif")).pixels.dtype == np.float32
    planes = np.zeros((3, 4, 5), np.uint8)
    tifffile.imwrite(tmp_path / "p.tif", planes, photometric="rgb", planarconfig="separate")
    assert read_image(as_file(tmp_path / "p.tif")).pixels.shape == (3, 4, 5)


def test_spacing_is_read_where_its_unit_is_a_length(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, RAMP, imagej=True, resolution=(2.0, 4.0), metadata={"unit": "um"})
    image = read_image(as_file(path))
    assert (image.spacing, image.unit) == ((0.25, 0.5), "um")
    tifffile.imwrite(path, RAMP, resolution=(72, 72), resolutionunit="INCH")
    assert read_image(as_file(path)).spacing == ()
    tifffile.imwrite(path, RAMP, resolution=(5000, 5000), resolutionunit="CENTIMETER")
    image = read_image(as_file(path))
    assert (image.spacing, image.unit) == ((0.002, 0.002), "mm")
    tifffile.imwrite(
        tmp_path / "o.ome.tif", RAMP, metadata={"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.4}
    )
    assert read_image(as_file(tmp_path / "o.ome.tif")).spacing == (0.4, 0.5)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp", "gif"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_truncated_files_are_refused(tmp_path: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    file = save(tmp_path / f"x.{suffix}", noise)
    content = (tmp_path / f"x.{suffix}").read_bytes()
    (tmp_path / f"x.{suffix}").write_bytes(content[: int(share * len(content))])
    with pytest.raises(FormatError, match=rf"x\.{suffix}.*expected.*Copy or export"):
        read_image(file)


def test_a_damaged_byte_in_a_png_is_noticed(tmp_path: Path) -> None:
    file = save(tmp_path / "x.png", np.random.default_rng(0).integers(0, 255, (32, 32), np.uint8))
    content = bytearray((tmp_path / "x.png").read_bytes())
    content[len(content) // 2] ^= 0x55
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(FormatError, match="damaged"):
        read_mask(file)


def test_missing_foreign_and_unknown_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"gone\.png"):
        read_image(as_file(tmp_path / "gone.png"))
    (tmp_path / "x.xyz").touch()
    with pytest.raises(FormatError, match=r"suffix '\.xyz'"):
        read_image(as_file(tmp_path / "x.xyz"))
    (tmp_path / "x.png").write_text("<html>")
    with pytest.raises(FormatError, match="starts with"):
        read_image(as_file(tmp_path / "x.png"))


def test_large_images_are_no_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Picture, "MAX_IMAGE_PIXELS", 10)
    for suffix in ("png", "jpg", "bmp", "gif", "tif"):
        assert read_image(save(tmp_path / f"x.{suffix}", RAMP)).shape == (6, 8)


def test_masks_of_equal_channels_become_gray(tmp_path: Path) -> None:
    gray = np.repeat(RAMP[..., None], 3, axis=-1)
    assert np.array_equal(read_mask(save(tmp_path / "g.png", gray, "RGBA")), RAMP)
    red = gray * np.array([1, 0, 0], np.uint8)
    assert np.array_equal(read_mask(save(tmp_path / "r.png", red)), RAMP)
    assert read_mask(as_file(tmp_path / "r.png"), keep_colors=True).shape == (6, 8, 3)
    blue = gray * np.array([0, 0, 1], np.uint8)
    assert read_mask(save(tmp_path / "b.png", blue)).shape == (6, 8, 3)


def test_float_masks_hold_whole_numbers_or_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", np.array([[0.0, 3.0]], np.float32))
    assert read_mask(as_file(tmp_path / "x.tif")).tolist() == [[0, 3]]
    tifffile.imwrite(tmp_path / "x.tif", np.array([[0.0, 2.5]], np.float32))
    with pytest.raises(FormatError, match="fractions"):
        read_mask(as_file(tmp_path / "x.tif"))


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32])
def test_masks_come_back_as_written(tmp_path: Path, suffix: str, dtype: type) -> None:
    values = np.array([[0, 1, 255], [2, 3, 255]]).astype(dtype)
    write_mask(tmp_path / f"x.{suffix}", values)
    assert np.array_equal(read_mask(as_file(tmp_path / f"x.{suffix}")), values)
    colors = np.zeros((3, 4, 3), np.uint8) + np.array([9, 8, 7], np.uint8)
    write_mask(tmp_path / f"c.{suffix}", colors)
    assert np.array_equal(read_mask(as_file(tmp_path / f"c.{suffix}")), colors)
    assert {path.name for path in tmp_path.iterdir()} == {f"x.{suffix}", f"c.{suffix}"}


def test_masks_that_cannot_be_written_leave_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="65535"):
        write_mask(tmp_path / "x.png", np.array([[70000]]))
    with pytest.raises(FormatError, match="suffix"):
        write_mask(tmp_path / "x.jpg", RAMP)
    with pytest.raises(GeometryError, match="shape"):
        write_mask(tmp_path / "x.png", np.zeros((2, 3, 4), np.uint8))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n_classes", [1, 2, 3, 4, 5])
def test_probabilities_come_back_as_written(tmp_path: Path, n_classes: int) -> None:
    probabilities = np.random.default_rng(0).random((n_classes, 6, 7)).astype(np.float32)
    write_probabilities(tmp_path / "x.tif", probabilities)
    assert np.array_equal(read_probabilities(as_file(tmp_path / "x.tif")), probabilities)
    with pytest.raises(FormatError, match=r"\.tif"):
        write_probabilities(tmp_path / "x.png", probabilities)


def test_probabilities_just_outside_their_range_are_put_back(tmp_path: Path) -> None:
    write_probabilities(tmp_path / "x.tif", np.array([[[-5e-6, 0.5, 1 + 5e-6]]], np.float32))
    assert read_probabilities(as_file(tmp_path / "x.tif")).tolist() == [[[0, 0.5, 1]]]


def test_what_are_no_probabilities_is_refused(tmp_path: Path) -> None:
    write_probabilities(tmp_path / "x.tif", np.full((1, 4, 4), 1.5, np.float32))
    with pytest.raises(FormatError, match="outside 0 to 1"):
        read_probabilities(as_file(tmp_path / "x.tif"))
    (tmp_path / "y.tif").write_bytes((tmp_path / "x.tif").read_bytes()[:40])
    with pytest.raises(FormatError, match=r"y\.tif"):
        read_probabilities(as_file(tmp_path / "y.tif"))


VOLUME = np.random.default_rng(0).integers(0, 4, (1, 4, 6, 7), np.uint8)
LYING = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0, -1.0, 0.0, 0.0)
GRID = Image(VOLUME, (2.0, 1.0, 0.5), "mm", (17.0, -11.0, 3.0), LYING)
WRITTEN = ("tif", "ome.tif", "nii", "nii.gz", "nrrd", "mha", "zarr", "ome.zarr", "h5")


@pytest.mark.parametrize("suffix", WRITTEN)
def test_a_volume_is_written_and_read_in_every_format(tmp_path: Path, suffix: str) -> None:
    write_image(tmp_path / f"x.{suffix}", GRID)
    file = as_file(tmp_path / f"x.{suffix}")
    stored, image = open_image(file), read_image(file)
    assert (file.stem, stored.extent, stored.dtype) == ("x", VOLUME.shape, VOLUME.dtype)
    assert np.array_equal(image.pixels, VOLUME)
    assert np.array_equal(read_mask(file), VOLUME[0])
    box = (slice(1, 3), slice(0, 6), slice(2, 5))
    assert np.array_equal(stored.read(box), VOLUME[(slice(None), *box)])
    assert (image.spacing, image.unit) == (pytest.approx(GRID.spacing), "mm")
    if not suffix.endswith("tif"):  # TIFF knows no patient
        assert image.origin == pytest.approx(GRID.origin)
        assert image.direction == pytest.approx(GRID.direction)


@pytest.mark.parametrize("suffix", WRITTEN)
def test_a_mask_takes_over_the_grid_of_its_image(tmp_path: Path, suffix: str) -> None:
    write_image(tmp_path / "image.nii.gz", GRID)
    mask = tmp_path / f"mask.{suffix}"
    write_mask(mask, VOLUME[0].astype(np.int64), like=as_file(tmp_path / "image.nii.gz"))
    again = read_image(as_file(mask))
    assert np.array_equal(again.pixels, VOLUME)
    assert again.spacing == pytest.approx(GRID.spacing)
    if not suffix.endswith("tif"):
        assert again.direction == pytest.approx(GRID.direction)


def test_a_nifti_mask_has_the_affine_of_its_image_to_the_bit(tmp_path: Path) -> None:
    affine = np.array([[0.1, -0.7, 0.03, 3.3], [0.6, 0.1, 0.2, -1 / 3], [0.05, 0.2, -2.5, 7], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(VOLUME[0].T.copy(), affine), tmp_path / "x.nii.gz")
    write_mask(tmp_path / "m.nii.gz", VOLUME[0], like=as_file(tmp_path / "x.nii.gz"))
    image, mask = nibabel.load(tmp_path / "x.nii.gz"), nibabel.load(tmp_path / "m.nii.gz")
    assert np.array_equal(mask.affine, image.affine)
    assert np.array_equal(np.asarray(mask.dataobj), np.asarray(image.dataobj))


def test_a_mask_that_does_not_fit_its_image_is_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "x.nii.gz", GRID)
    with pytest.raises(GeometryError, match=r"\(4, 6, 7\) as in"):
        write_mask(tmp_path / "m.nii.gz", VOLUME[0, :3], like=as_file(tmp_path / "x.nii.gz"))
    assert not (tmp_path / "m.nii.gz").exists()


@pytest.mark.parametrize("suffix", WRITTEN)
@pytest.mark.parametrize("n_classes", [1, 3])
def test_probabilities_of_volumes_come_back(tmp_path: Path, suffix: str, n_classes: int) -> None:
    probabilities = np.random.default_rng(0).random((n_classes, 4, 6, 7)).astype(np.float32)
    write_image(tmp_path / "image.mha", GRID)
    path = tmp_path / f"p.{suffix}"
    write_probabilities(path, probabilities, like=as_file(tmp_path / "image.mha"))
    assert np.array_equal(read_probabilities(as_file(path)), probabilities)
    assert open_image(as_file(path)).spacing == pytest.approx(GRID.spacing)


@pytest.mark.parametrize("suffix", ["tif", "nii.gz", "nrrd", "zarr", "h5"])
@pytest.mark.parametrize("dtype", [bool, np.float16, np.int64, np.uint16, np.float32])
def test_types_that_a_format_lacks_become_wider_ones(tmp_path: Path, suffix: str, dtype: type) -> None:
    write_image(tmp_path / f"x.{suffix}", Image(VOLUME.astype(dtype)))
    assert np.array_equal(read_image(as_file(tmp_path / f"x.{suffix}")).pixels, VOLUME.astype(dtype))


def test_more_objects_than_sixteen_bits_can_count(tmp_path: Path) -> None:
    numbers = np.array([[[0, 70000]], [[1, 2]]])
    for suffix in ("tif", "nii.gz", "nrrd"):
        write_mask(tmp_path / f"x.{suffix}", numbers)
        assert np.array_equal(read_mask(as_file(tmp_path / f"x.{suffix}")), numbers)


def test_a_palette_mask_is_opened_as_indexes(tmp_path: Path) -> None:
    picture = Picture.new("P", (2, 1))
    picture.putdata([1, 0])
    picture.putpalette([0, 0, 0, 200, 0, 0])
    picture.save(tmp_path / "x.png")
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(tmp_path / "x.png", "x.png")
    for path in (tmp_path / "x.png", tmp_path / "set.zip" / "x.png"):
        assert open_mask(as_file(path)).load().pixels.tolist() == [[[1, 0]]]
        assert open_image(as_file(path)).extent == (3, 1, 2)


def test_what_is_large_in_an_archive_is_unpacked_for_each_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seglet.io.files.KEPT_BYTES", 0)
    write_image(tmp_path / "x.nii", GRID)
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as archive:
        archive.write(tmp_path / "x.nii", "x.nii")
    stored = open_image(as_file(tmp_path / "set.zip" / "x.nii"))
    assert not stored.is_random
    box = (slice(1, 3), slice(0, 6), slice(2, 5))
    for _ in range(2):
        assert np.array_equal(stored.read(box), VOLUME[(slice(None), *box)])


def test_volumes_of_colors_are_no_masks(tmp_path: Path) -> None:
    write_image(tmp_path / "x.nrrd", Image(np.zeros((3, 4, 5, 6), np.uint8)))
    with pytest.raises(GeometryError, match="3 channels and 3 axes"):
        read_mask(as_file(tmp_path / "x.nrrd"))


def test_every_suffix_has_its_reader_and_a_wrong_content_is_named(tmp_path: Path) -> None:
    for suffix in SUFFIXES:
        (tmp_path / f"x{suffix}").write_bytes(b"no such thing")
        with pytest.raises(FormatError, match=r"x\."):
            read_image(as_file(tmp_path / f"x{suffix}"))


def test_a_tiff_called_png_is_a_tiff(tmp_path: Path) -> None:
    write_image(tmp_path / "x.tif", GRID)
    (tmp_path / "x.tif").rename(tmp_path / "x.png")
    assert np.array_equal(read_image(as_file(tmp_path / "x.png")).pixels, VOLUME)


def test_a_dicom_segmentation_needs_its_images(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no source series"):
        write_mask(tmp_path / "x.dcm", VOLUME[0])


@pytest.mark.data
def test_a_prediction_of_a_series_is_written_as_dicom_segmentation(data_folder: Path, tmp_path: Path) -> None:
    series = as_file(data_folder / "ct" / "dicom_seg" / "24x38x3" / "image")
    image = open_image(series)
    values = np.zeros(image.shape, np.uint8)
    values[1, 10:20, 5:9] = 1
    values[2, 3:6, 5:9] = 2
    for names in ((), ("background", "liver", "tumor")):
        write_mask(tmp_path / "x.dcm", values, like=series, names=names)
        again = read_image(as_file(tmp_path / "x.dcm"))
        assert set(np.unique(again.pixels)) == {0, 1, 2}
        assert again.spacing == pytest.approx(image.spacing)


@pytest.mark.data
def test_real_corner_cases_are_read(data_folder: Path) -> None:
    folder = data_folder / "formats" / "png_tif"
    shapes = {
        file.stem: read_image(file).pixels for file in list_files(folder) if file.suffix in (".png", ".tif")
    }
    assert shapes["sub-png_sample-16rgb_SEM"].dtype == np.uint16
    assert {pixels.shape[0] for name, pixels in shapes.items() if "rgb" in name} == {3}
    assert {pixels.shape[0] for name, pixels in shapes.items() if "gray" in name and "alpha" not in name} == {
        1
    }
    mask = read_mask(list_files(data_folder / "bbbc039" / "masks")[0])
    assert mask.shape == (520, 696)
    assert read_image(as_file(data_folder / "hrf" / "images" / "01_dr.JPG")).pixels.shape == (3, 2336, 3504)
