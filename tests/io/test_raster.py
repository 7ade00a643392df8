"""Bytes to pixels."""

import io

import numpy as np
import pytest
import tifffile

from seglet.core.errors import FormatError
from seglet.io.raster import Raster, decode, shown

RAMP = np.arange(12, dtype=np.uint8).reshape(3, 4)


def as_tiff(pixels: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, pixels, **options)
    return stream.getvalue()


def test_the_content_decides_about_the_format() -> None:
    assert np.array_equal(decode(as_tiff(RAMP), "x.png").pixels, RAMP)


def test_nothing_and_noise_are_refused_by_name() -> None:
    with pytest.raises(FormatError, match=r"x\.png: found an empty file"):
        decode(b"", "x.png")
    with pytest.raises(FormatError, match="starts with b'noise'"):
        decode(b"noise", "x.png")


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "zstd", "packbits"])
def test_compressed_tiff_is_read(compression: str | None) -> None:
    assert np.array_equal(decode(as_tiff(RAMP, compression=compression), "x.tif").pixels, RAMP)


def test_a_palette_tiff_shows_its_colors() -> None:
    colormap = np.zeros((3, 256), np.uint16)
    colormap[0, 5] = 65535
    raster = decode(as_tiff(RAMP, photometric="palette", colormap=colormap), "x.tif")
    assert np.array_equal(raster.pixels, RAMP)
    assert shown(raster)[1, 1].tolist() == [255, 0, 0]


def test_an_index_beyond_the_palette_is_black() -> None:
    raster = Raster(np.array([[0, 3]], np.uint8), np.full((1, 3), 9, np.uint8))
    assert shown(raster).tolist() == [[[9, 9, 9], [0, 0, 0]]]


def test_reduced_pages_are_overlooked_and_other_pages_refused() -> None:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as tiff:
        tiff.write(RAMP)
        tiff.write(RAMP[:2, :2], subfiletype=1)
    assert np.array_equal(decode(stream.getvalue(), "x.tif").pixels, RAMP)
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as tiff:
        tiff.write(RAMP)
        tiff.write(RAMP[:2, :2])
    with pytest.raises(Exception, match="2 pages"):
        decode(stream.getvalue(), "x.tif")


def test_alpha_of_tiff_is_dropped_only_where_it_is_declared() -> None:
    four = np.zeros((3, 4, 4), np.uint8)
    options = {"photometric": "rgb", "extrasamples": ["unassalpha"]}
    assert decode(as_tiff(four, **options), "x.tif").pixels.shape == (3, 4, 3)
    options = {"photometric": "rgb", "extrasamples": ["unspecified"]}
    assert decode(as_tiff(four, **options), "x.tif").pixels.shape == (3, 4, 4)


def test_print_colors_are_refused() -> None:
    with pytest.raises(FormatError, match="Save the image as RGB"):
        decode(as_tiff(np.zeros((3, 4, 4), np.uint8), photometric="separated"), "x.tif")
