"""TIFF: axes, spacing, colors, damage."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from seglet.core.errors import FormatError, GeometryError
from seglet.core.image import Image
from seglet.io.tiff import open_image, open_mask, write

RAMP = np.arange(12, dtype=np.uint8).reshape(3, 4)
STACK = np.random.default_rng(0).integers(0, 60000, (5, 20, 30), np.uint16)


def saved(folder: Path, pixels: np.ndarray, **options: object) -> Image:
    tifffile.imwrite(folder / "x.tif", pixels, **options)
    return open_image(folder / "x.tif", "", "x.tif").load()


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "zstd", "packbits"])
def test_compressed_pixels_are_read(tmp_path: Path, compression: str | None) -> None:
    assert np.array_equal(saved(tmp_path, RAMP, compression=compression).pixels, RAMP[None])


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_big_files_and_both_byte_orders_are_read(tmp_path: Path, bigtiff: bool, byteorder: str) -> None:
    image = saved(tmp_path, STACK, bigtiff=bigtiff, byteorder=byteorder, photometric="minisblack")
    assert image.pixels.dtype == np.dtype("=u2")
    assert np.array_equal(image.pixels, STACK[None])


@pytest.mark.parametrize("n_pages", [2, 3, 4, 7])
def test_plain_pages_are_slices_however_few(tmp_path: Path, n_pages: int) -> None:
    pages = np.arange(n_pages * 20, dtype=np.uint8).reshape(n_pages, 4, 5)
    assert np.array_equal(saved(tmp_path, pages, photometric="minisblack").pixels, pages[None])
    with tifffile.TiffWriter(tmp_path / "p.tif") as tiff:
        for page in pages:
            tiff.write(page, contiguous=False, metadata=None)
    assert np.array_equal(open_image(tmp_path / "p.tif", "", "p").load().pixels, pages[None])


@pytest.mark.parametrize(
    ("axes", "shape", "expected"),
    [
        ("ZYX", (6, 20, 30), (1, 6, 20, 30)),
        ("TYX", (6, 20, 30), (1, 6, 20, 30)),
        ("CYX", (2, 20, 30), (2, 20, 30)),
        ("ZCYX", (6, 2, 20, 30), (2, 6, 20, 30)),
        ("CZYX", (2, 6, 20, 30), (2, 6, 20, 30)),
        ("TCYX", (6, 2, 20, 30), (2, 6, 20, 30)),
        ("YXS", (20, 30, 3), (3, 20, 30)),
        ("ZYXS", (6, 20, 30, 3), (3, 6, 20, 30)),
        ("TZCYX", (1, 6, 1, 20, 30), (1, 6, 20, 30)),
    ],
)
@pytest.mark.parametrize("kind", ["ome", "imagej", "shaped"])
def test_named_axes_end_up_as_channels_and_space(
    tmp_path: Path, axes: str, shape: tuple[int, ...], expected: tuple[int, ...], kind: str
) -> None:
    pixels = np.random.default_rng(1).integers(0, 255, shape, np.uint8)
    order = "TZCYXS" if kind == "imagej" else axes
    stored = np.transpose(pixels, [axes.index(letter) for letter in order if letter in axes])
    photometric = "rgb" if "S" in axes else "minisblack"
    name = "".join(letter for letter in order if letter in axes)
    options = {"ome": kind == "ome", "imagej": kind == "imagej", "metadata": {"axes": name}}
    image = saved(tmp_path, stored, photometric=photometric, **options)
    by_letter = {letter: n for letter, n in zip(axes, shape, strict=True) if n > 1}
    channel = next((letter for letter in "CS" if letter in by_letter), "")
    depth = next((letter for letter in "ZT" if letter in by_letter), "")
    target = [letter for letter in (channel, depth, "Y", "X") if letter]
    kept = pixels.reshape([n for n in shape if n > 1])
    oracle = np.transpose(kept, [list(by_letter).index(letter) for letter in target])
    assert image.pixels.shape == expected
    assert np.array_equal(image.pixels, oracle.reshape(expected))


def test_depth_and_time_together_are_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(GeometryError, match=r"T 2, Z 3.*Save every time point"):
        saved(tmp_path, np.zeros((2, 3, 4, 5), np.uint8), imagej=True, metadata={"axes": "TZYX"})


def test_reduced_pages_are_overlooked_and_other_pages_refused(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "x.tif") as tiff:
        tiff.write(RAMP)
        tiff.write(RAMP[:2, :2], subfiletype=1)
    assert np.array_equal(open_image(tmp_path / "x.tif", "", "x").load().pixels, RAMP[None])
    with tifffile.TiffWriter(tmp_path / "x.tif") as tiff:
        tiff.write(RAMP)
        tiff.write(RAMP[:2, :2])
    with pytest.raises(GeometryError, match="2 pages"):
        open_image(tmp_path / "x.tif", "", "x")


def test_a_file_that_changed_is_opened_anew(tmp_path: Path) -> None:
    for pages in (np.zeros((3, 4, 5), np.uint8), np.ones((2, 6, 7), np.uint8)):
        tifffile.imwrite(tmp_path / "x.tif", pages, photometric="minisblack")
        assert np.array_equal(open_image(tmp_path / "x.tif", "", "x").load().pixels[0], pages)


def test_equal_pages_written_one_by_one_are_a_stack(tmp_path: Path) -> None:
    pages = np.random.default_rng(0).integers(0, 99, (5, 20, 24)).astype(np.uint8)
    for compression in (None, "zlib"):
        with tifffile.TiffWriter(tmp_path / "x.tif") as tiff:
            for page in pages:
                tiff.write(page, compression=compression)
        stored = open_image(tmp_path / "x.tif", "", "x")
        assert np.array_equal(stored.load().pixels[0], pages)
        box = (slice(2, 4), slice(3, 9), slice(0, 24))
        assert np.array_equal(stored.read(box)[0], pages[box])


def test_alpha_is_dropped_only_where_it_is_declared(tmp_path: Path) -> None:
    four = np.arange(48, dtype=np.uint8).reshape(3, 4, 4)
    image = saved(tmp_path, four, photometric="rgb", extrasamples=["unassalpha"])
    assert np.array_equal(image.pixels, np.moveaxis(four, -1, 0)[:3])
    assert saved(tmp_path, four, photometric="rgb", extrasamples=["unspecified"]).n_channels == 4


def test_a_palette_shows_its_colors_and_masks_give_indexes(tmp_path: Path) -> None:
    colormap = np.zeros((3, 256), np.uint16)
    colormap[0, 5] = 65535
    image = saved(tmp_path, RAMP, photometric="palette", colormap=colormap)
    assert image.pixels[:, 1, 1].tolist() == [255, 0, 0]
    assert np.array_equal(open_mask(tmp_path / "x.tif", "", "x").load().pixels, RAMP[None])
    gray = np.repeat(np.arange(256, dtype=np.uint16)[None] * 257, 3, axis=0)
    assert np.array_equal(saved(tmp_path, RAMP, photometric="palette", colormap=gray).pixels, RAMP[None])


def test_one_bit_is_black_and_white_whichever_is_zero(tmp_path: Path) -> None:
    bits = np.random.default_rng(0).random((9, 13)) > 0.5
    for photometric, white in (("minisblack", bits), ("miniswhite", ~bits)):
        image = saved(tmp_path, bits, photometric=photometric)
        assert np.array_equal(image.pixels[0], white * 255)
        assert image.pixels.dtype == np.uint8


def test_print_colors_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="Save the image as RGB"):
        saved(tmp_path, np.zeros((3, 4, 4), np.uint8), photometric="separated")


def test_depth_has_a_spacing_in_ome_and_imagej(tmp_path: Path) -> None:
    sizes = {"PhysicalSizeX": 0.2, "PhysicalSizeY": 0.25, "PhysicalSizeZ": 900.0, "PhysicalSizeZUnit": "nm"}
    image = saved(tmp_path, STACK, ome=True, metadata={"axes": "ZYX", **sizes})
    assert image.spacing == pytest.approx((0.9, 0.25, 0.2))
    assert image.unit == "um"
    options = {"imagej": True, "resolution": (4.0, 2.0)}
    image = saved(tmp_path, STACK, **options, metadata={"axes": "ZYX", "unit": "mm", "spacing": 3.0})
    assert (image.spacing, image.unit) == ((3.0, 0.5, 0.25), "mm")
    image = saved(tmp_path, STACK, **options, metadata={"axes": "ZYX", "unit": "um"})
    assert image.spacing == (1.0, 0.5, 0.25)


def test_a_step_in_time_is_no_spacing(tmp_path: Path) -> None:
    options = {"imagej": True, "resolution": (4.0, 2.0), "metadata": {"axes": "TYX", "unit": "um"}}
    assert saved(tmp_path, STACK, **options).spacing == ()


def test_an_unknown_depth_leaves_the_spacing_unknown(tmp_path: Path) -> None:
    sizes = {"axes": "ZYX", "PhysicalSizeX": 0.2, "PhysicalSizeY": 0.25}
    assert saved(tmp_path, STACK, ome=True, metadata=sizes).spacing == ()


@pytest.mark.parametrize("share", [0.3, 0.9])
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"imagej": True}, {"tile": (16, 16)}])
def test_truncated_stacks_are_refused_not_filled_with_zeros(
    tmp_path: Path, share: float, options: dict[str, object]
) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, STACK, photometric="minisblack", **options)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(FormatError, match=r"x\.tif"):
        open_image(path, "", "x.tif").load()


def test_pages_cut_off_are_missed(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    with tifffile.TiffWriter(path) as tiff:
        for page in STACK:
            tiff.write(page, contiguous=False, metadata=None)
    with tifffile.TiffFile(path) as tiff:
        third = tiff.pages[2].offset
    path.write_bytes(path.read_bytes()[:third])
    with pytest.raises(FormatError, match=r"x\.tif.*header announces"):
        open_image(path, "", "x.tif")


def test_a_damaged_segment_is_named_on_reading(tmp_path: Path) -> None:
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, STACK, photometric="minisblack", compression="zlib")
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages[3].dataoffsets[0]
    content = bytearray(path.read_bytes())
    content[place : place + 40] = bytes(40)
    path.write_bytes(content)
    stored = open_image(path, "", "x.tif")
    assert np.array_equal(stored.read((slice(0, 2), slice(0, 9), slice(0, 9))), STACK[None, :2, :9, :9])
    with pytest.raises(FormatError, match=r"x\.tif.*damaged"):
        stored.read((slice(3, 4), slice(0, 9), slice(0, 9)))


@pytest.mark.parametrize("shape", [(1, 6, 7), (2, 6, 7), (3, 6, 7), (1, 5, 6, 7), (3, 5, 6, 7), (1, 3, 6, 7)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_a_written_image_is_read_back_with_its_spacing(
    tmp_path: Path, shape: tuple[int, ...], dtype: type
) -> None:
    pixels = np.random.default_rng(2).integers(0, 200, shape).astype(dtype)
    spacing = (2.0, 0.5, 0.25)[-(len(shape) - 1) :]
    for unit in ("um", "mm"):
        write(tmp_path / "x.tif", Image(pixels, spacing, unit))
        image = open_image(tmp_path / "x.tif", "", "x").load()
        assert np.array_equal(image.pixels, pixels)
        assert (image.spacing, image.unit, image.pixels.dtype) == (spacing, unit, dtype)
    write(tmp_path / "x.tif", Image(pixels))
    image = open_image(tmp_path / "x.tif", "", "x").load()
    assert np.array_equal(image.pixels, pixels)
    assert image.spacing == ()
