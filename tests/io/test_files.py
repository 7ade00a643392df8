"""Files in folders and archives; what readers make of every kind of pixel; whole writing."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from seglet.core.errors import DatasetError, FormatError, GeometryError
from seglet.io.files import (
    File,
    as_file,
    list_files,
    read_image,
    read_mask,
    read_probabilities,
    write_mask,
    write_probabilities,
)

RAMP = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5


def save(path: Path, pixels: np.ndarray, mode: str | None = None, **options: object) -> File:
    picture = Picture.fromarray(pixels)
    (picture.convert(mode) if mode else picture).save(path, **options)
    return as_file(path)


def test_hidden_files_and_leftovers_are_not_listed(tmp_path: Path) -> None:
    for name in ("a/1.png", ".git/x.png", "__MACOSX/a/1.png", "a/.DS_Store", "a/Thumbs.db", "b.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert [file.name for file in list_files(tmp_path)] == ["a/1.png", "b.png"]


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


def test_a_folder_of_archives_gives_what_is_in_them(tmp_path: Path) -> None:
    for name in ("images", "masks"):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.writestr(f"{name}/1.png", b"")
    assert [file.name for file in list_files(tmp_path) if file.suffix == ".png"] == [
        "images/1.png",
        "masks/1.png",
    ]


def test_linked_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "1.png").touch()
    (tmp_path / "real" / "up").symlink_to(tmp_path, target_is_directory=True)
    assert [Path(file.name).name for file in list_files(tmp_path)] == ["1.png"]


def test_missing_empty_and_broken_roots_say_so(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="found nothing"):
        list_files(tmp_path / "absent")
    with pytest.raises(DatasetError, match="no files"):
        list_files(tmp_path)
    (tmp_path / "broken.zip").write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(FormatError, match=r"broken\.zip.*whole zip archive"):
        list_files(tmp_path / "broken.zip")


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


def test_stacks_are_refused_with_a_remedy(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "x.tif", np.zeros((7, 4, 5), np.uint8), photometric="minisblack")
    with pytest.raises(GeometryError, match="one 2D image"):
        read_image(as_file(tmp_path / "x.tif"))
    frames = [Picture.fromarray(RAMP + k) for k in range(2)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(GeometryError, match="2 frames"):
        read_image(as_file(tmp_path / "x.gif"))


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
    tifffile.imwrite(tmp_path / "x.tif", np.array([[0.0, 0.5]], np.float32))
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
