"""Bytes to pixels."""

import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture

from seglet.core.errors import FormatError
from seglet.core.image import Image
from seglet.io.listing import as_file
from seglet.io.raster import decode, extent_ahead, open_image, open_mask, write
from seglet.io.sources import File

RAMP = np.arange(12, dtype=np.uint8).reshape(3, 4)


def test_the_content_decides_about_the_format(tmp_path: Path) -> None:
    Picture.fromarray(RAMP).save(tmp_path / "x.bmp")
    assert np.array_equal(decode((tmp_path / "x.bmp").read_bytes(), "x.png").pixels, RAMP[None])


def test_nothing_and_noise_are_refused_by_name() -> None:
    with pytest.raises(FormatError, match=r"x\.png: found an empty file"):
        decode(b"", "x.png")
    with pytest.raises(FormatError, match="starts with b'noise'"):
        decode(b"noise", "x.png")


def test_gzipped_pictures_are_read_and_damaged_ones_refused() -> None:
    packed = gzip.compress(b"P5 4 3 255\n" + RAMP.tobytes())
    assert np.array_equal(decode(packed, "im0001.ppm.gz").pixels, RAMP[None])
    with pytest.raises(FormatError, match=r"im0001\.ppm\.gz.*damaged"):
        decode(packed[:-12], "im0001.ppm.gz")


def test_frames_of_a_gif_are_the_slices_of_a_stack(tmp_path: Path) -> None:
    frames = [Picture.fromarray(np.full((4, 5), 40 * k, np.uint8)) for k in range(3)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    assert open_image(tmp_path / "x.gif", "", "x.gif").load().pixels[0, :, 0, 0].tolist() == [0, 40, 80]
    colors = [Picture.new("RGB", (5, 4), (255 * (k == 0), 0, 200)) for k in range(2)]
    colors[0].save(tmp_path / "c.gif", save_all=True, append_images=colors[1:])
    pixels = open_image(tmp_path / "c.gif", "", "c.gif").load().pixels
    assert pixels.shape == (3, 2, 4, 5)
    assert pixels[0, :, 0, 0].tolist() == [255, 0]


def test_a_mask_is_the_palette_index_and_an_image_its_color(tmp_path: Path) -> None:
    picture = Picture.new("P", (2, 1))
    picture.putdata([1, 0])
    picture.putpalette([0, 0, 0, 200, 0, 0])
    picture.save(tmp_path / "x.png")
    assert open_mask(tmp_path / "x.png", "", "x").load().pixels.tolist() == [[[1, 0]]]
    assert open_image(tmp_path / "x.png", "", "x").load().pixels[0].tolist() == [[200, 0]]


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("how", [{}, {"progressive": True}, {"subsampling": 2, "quality": 30}])
def test_a_jpeg_has_the_pixels_that_pillow_decodes(mode: str, how: dict[str, Any]) -> None:
    shape = (37, 51) if mode == "L" else (37, 51, len(mode))
    drawn = Picture.fromarray(np.random.default_rng(0).integers(0, 255, shape, np.uint8), mode)
    packed = io.BytesIO()
    drawn.save(packed, "JPEG", **how)
    expected = np.asarray(Picture.open(packed).convert("L" if mode == "L" else "RGB"))
    content = packed.getvalue()
    for found in (decode(content, "x.jpg").pixels, decode(content + b"\0of the camera", "x.jpg").pixels):
        np.testing.assert_array_equal(found, expected[None] if mode == "L" else np.moveaxis(expected, -1, 0))


@pytest.mark.parametrize("missing", [1, 2, 100, 1500])
def test_a_jpeg_without_its_end_is_refused(missing: int) -> None:
    packed = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    Picture.fromarray(noise).save(packed, "JPEG")
    with pytest.raises(FormatError, match=r"x\.jpg.*(damaged|truncated)"):
        decode(packed.getvalue()[:-missing], "x.jpg")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("n_channels", [1, 3])
def test_a_written_png_is_read_back(tmp_path: Path, dtype: type, n_channels: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (n_channels, 5, 7)).astype(dtype)
    write(tmp_path / "x.png", Image(pixels))
    assert np.array_equal(open_image(tmp_path / "x.png", "", "x").load().pixels, pixels)


@pytest.mark.parametrize("pixels", [np.zeros((2, 4, 4), np.uint8), np.zeros((1, 4, 4), np.float32)])
def test_what_png_cannot_hold_is_refused(tmp_path: Path, pixels: np.ndarray) -> None:
    with pytest.raises(FormatError, match=r"Write it as \.tif"):
        write(tmp_path / "x.png", Image(pixels))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("is_mask", [True, False])
def test_masks_and_photographs_come_back_as_they_were(tmp_path: Path, dtype: type, is_mask: bool) -> None:
    rng = np.random.default_rng(0)
    pixels = (
        np.kron(rng.integers(0, 200, (9, 7)), np.ones((16, 16)))
        if is_mask
        else rng.integers(0, 200, (90, 70))
    )
    write(tmp_path / "a.png", Image(pixels.astype(dtype)[None]))
    found = decode((tmp_path / "a.png").read_bytes(), "a.png").pixels
    np.testing.assert_array_equal(found[0], pixels)
    assert found.dtype == dtype


@pytest.mark.parametrize("shape", [(1, 1), (5, 1), (1, 5)])
def test_the_smallest_masks_are_written_too(tmp_path: Path, shape: tuple[int, int]) -> None:
    write(tmp_path / "a.png", Image(np.full((1, *shape), 7, np.uint8)))
    assert np.array_equal(decode((tmp_path / "a.png").read_bytes(), "a.png").pixels, np.full((1, *shape), 7))


def test_a_mask_of_many_shapes_is_no_larger_than_by_the_usual_way(tmp_path: Path) -> None:
    rng, (y, x), mask = np.random.default_rng(0), np.mgrid[:500, :500], np.zeros((500, 500), np.uint8)
    for _ in range(60):
        row, column, radius = rng.random(3) * (500, 500, 30)
        mask[np.hypot(y - row, x - column) < radius] = 255
    write(tmp_path / "a.png", Image(mask[None]))
    Picture.fromarray(mask).save(tmp_path / "b.png")
    assert (tmp_path / "a.png").stat().st_size < 1.1 * (tmp_path / "b.png").stat().st_size


@pytest.mark.parametrize("name", ["x.png", "x.jpg", "gray.jpg", "sixteen.png"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_header_tells_the_extent_that_is_read(tmp_path: Path, name: str, orientation: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (40, 70, 3), np.uint8)
    picture = {
        "gray.jpg": Picture.fromarray(pixels[..., 0]),
        "sixteen.png": Picture.fromarray(pixels[..., 0].astype(np.uint16)),
    }.get(name, Picture.fromarray(pixels))
    how: dict[str, Any] = {}
    if name.endswith(".jpg"):
        how["exif"] = picture.getexif()
        how["exif"][274] = orientation
    picture.save(tmp_path / name, **how)
    expected = (70, 40) if name.endswith(".jpg") and orientation > 4 else (40, 70)
    assert (
        extent_ahead(as_file(tmp_path / name)) == expected == open_image(tmp_path / name, "", name).extent[1:]
    )


def test_what_tells_no_extent_is_left_to_reading(tmp_path: Path) -> None:
    Picture.fromarray(RAMP).save(tmp_path / "x.bmp")
    for name, content in {
        "cut.png": b"\x89PNG\r\n\x1a\n\0\0",
        "cut.jpg": b"\xff\xd8\xff\xe0",
        "empty.png": b"",
    }.items():
        (tmp_path / name).write_bytes(content)
    assert [extent_ahead(as_file(path)) for path in sorted(tmp_path.iterdir())] == [None] * 4
    assert extent_ahead(File(tmp_path, "missing.png")) is None
