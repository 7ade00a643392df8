"""TIFF files: pages, stacks, OME and ImageJ metadata, BigTIFF, tiles; mapped or read segment by segment."""

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from seglet.core.errors import FormatError, GeometryError, SegletError
from seglet.core.image import Image, StoredImage
from seglet.io.axes import Axes, Box, length_unit, read_box
from seglet.io.pixels import is_gray, unreadable
from seglet.io.tiff_pixels import open_tiff, stored_pixels

SUFFIXES = (".tif", ".tiff", ".ome.tif", ".ome.tiff")
MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

PRINT_DPI = (72, 96, 150, 300, 600)  # what software writes where nothing was measured
PRINT_COLORS = ("SEPARATED", "CIELAB", "ICCLAB", "ITULAB")

Spacing = tuple[tuple[float, ...], str]
UNKNOWN: Spacing = ((), "px")


def open_image(path: Path, part: str, where: str) -> StoredImage:
    """Open the only image of a file.

    Samples (RGB) and an axis C are channels, alpha is left out. Any one other axis (Z, T, or pages of which
    nothing is said) is z: also three plain pages are three slices, not red, green and blue. Palette indexes
    become colors, 1-bit pixels 0 and 255. What is stored whole and uncompressed is memory-mapped; of other
    files the tiles or strips that a box needs are decoded.

    Parameters
    ----------
    path : Path
        The file.
    part : str
        Not used.
    where : str
        Its name, for messages.

    Raises
    ------
    FormatError
        If the file is truncated or damaged, or its colors are those of print.
    GeometryError
        If it has pages of different sizes, or both depth and time.
    """
    values, palette = _open(path, where)
    return values if palette is None else _colored(values, palette)


def open_mask(path: Path, part: str, where: str) -> StoredImage:
    """Open a file as `open_image` does, but give palette indexes instead of the colors they stand for."""
    return _open(path, where)[0]


def write(path: Path, image: Image) -> None:
    """Write an image, Deflate-compressed; of a stack or one with a known spacing as OME-TIFF.

    Three channels of 8 or 16 bits in 2D are written as colors. TIFF keeps no origin and no direction.
    """
    pixels, axes = image.pixels, "CYX" if image.pixels.ndim == 3 else "CZYX"
    is_color = axes == "CYX" and len(pixels) == 3 and pixels.dtype in (np.uint8, np.uint16)
    if is_color:
        pixels, axes = np.moveaxis(pixels, 0, -1), "YXS"
    elif len(pixels) == 1:
        pixels, axes = pixels[0], axes[1:]
    tifffile.imwrite(
        path,
        np.ascontiguousarray(pixels),
        photometric="rgb" if is_color else "minisblack",
        compression="zlib",
        ome=bool(image.spacing) or "Z" in axes,
        metadata={"axes": axes, **_physical_size(image)},
    )


def _physical_size(image: Image) -> dict[str, object]:
    if len(image.spacing) != len(image.shape) or image.unit == "px":
        return {}
    unit = {"um": "µm"}.get(image.unit, image.unit)
    sizes = dict(zip("XYZ", reversed(image.spacing), strict=False))
    return {
        f"PhysicalSize{axis}{end}": value
        for axis, size in sizes.items()
        for end, value in (("", size), ("Unit", unit))
    }


@contextmanager
def _reading(where: str) -> Iterator[None]:
    try:
        yield
    except SegletError:
        raise
    except Exception as error:  # damaged files end in errors of any kind inside the decoder
        raise unreadable(where, f"damaged or truncated data ({error})", "a whole TIFF image") from error


def _open(path: Path, where: str) -> tuple[StoredImage, NDArray[np.uint8] | None]:
    with _reading(where):
        state = path.stat()
    return _opened(path, where, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=8)  # each page of a stack may be a case of its own, and opens the whole stack
def _opened(
    path: Path, where: str, changed_ns: int, size: int
) -> tuple[StoredImage, NDArray[np.uint8] | None]:
    with _reading(where), open_tiff(path) as tiff:
        number, series = _only_series(tiff, where)
        page = series.keyframe
        _refuse_truncated(tiff, series, size, where)
        if page.photometric.name in PRINT_COLORS:
            found = f"{page.photometric.name} colors"
            raise FormatError(where, found=found, expected="gray or RGB", remedy="Save the image as RGB.")
        axes = _axes(series.axes, series.shape, where)
        stored, is_random = stored_pixels(path, series, number)
        spacing, unit = UNKNOWN if _is_over_time(series.axes) else _fitting(_spacing(tiff, page), axes)
        palette = None
        if page.photometric.name == "PALETTE" and page.colormap is not None:
            palette = (page.colormap.T >> 8).astype(np.uint8)
        is_bits = page.bitspersample == 1
        dtype = np.dtype(np.uint8) if is_bits else np.dtype(page.dtype).newbyteorder("=")
        n_channels = axes.length("c") - _n_alpha(page, axes)
    is_inverse = page.photometric.name == "MINISWHITE"

    def read(box: Box) -> NDArray[np.generic]:
        with _reading(where):
            pixels = read_box(stored, axes, box)[:n_channels]
        if is_bits:
            pixels = (pixels.astype(bool) != is_inverse) * np.uint8(255)
        return np.asarray(pixels, dtype)

    extent = (n_channels, *axes.extent[1:])
    return StoredImage(extent, dtype, read, is_random, spacing, unit), palette


def _only_series(tiff: tifffile.TiffFile, where: str) -> tuple[int, Any]:
    """Take the only series of pages that is no reduced copy of another, and its number."""
    every = list(enumerate(tiff.series))
    series = [(number, one) for number, one in every if not one.keyframe.is_reduced] or every
    if len(series) != 1:
        raise GeometryError(
            where,
            found=f"{len(series)} pages of different sizes",
            expected="one image, or a stack of equal pages",
            remedy="Save every image as a file of its own.",
        )
    if any(page is None for page in series[0][1].pages):
        raise unreadable(where, "fewer pages than its metadata announce", "all files of the image")
    return series[0]


def _refuse_truncated(tiff: tifffile.TiffFile, series: Any, n_bytes: int, where: str) -> None:
    """Refuse a file whose pages reach beyond its end; tifffile leaves them out or fills them with zeros."""
    ends = [a + n for page in tiff.pages for a, n in zip(page.dataoffsets, page.databytecounts, strict=False)]
    if series.dataoffset is not None and series.keyframe.parent is tiff:
        ends.append(series.dataoffset + series.nbytes)
    n_images = int((tiff.imagej_metadata or {}).get("images", 1))
    if n_images * series.keyframe.size > series.size:
        ends.append(series.keyframe.dataoffsets[0] + n_images * series.keyframe.nbytes)
    following = _next_page(tiff)
    ends.append(following and following + 1)
    if max(ends, default=0) > n_bytes:
        found = f"{n_bytes} bytes where its header announces {max(ends)}"
        raise unreadable(where, found, "a whole TIFF image")


def _next_page(tiff: tifffile.TiffFile) -> int:
    """Read where the header of the page after the last one that was found should begin; 0 for none."""
    form, stream = tiff.tiff, tiff.filehandle
    start = tiff.pages[len(tiff.pages) - 1].offset
    stream.seek(start)
    (n_tags,) = struct.unpack(form.tagnoformat, stream.read(form.tagnosize))
    stream.seek(start + form.tagnosize + n_tags * form.tagsize)
    return int(struct.unpack(form.offsetformat, stream.read(form.offsetsize))[0])


def _axes(letters: str, shape: tuple[int, ...], where: str) -> Axes:
    """Name the stored axes: C or S is the channels, one other than these, Y and X is z.

    Axes of length 1 are called t, as which their only place is read.
    """
    known = {"S": "c", "C": "c", "Y": "y", "X": "x"}
    named = [
        "t" if n == 1 and a not in "YX" else known.get(a, "z") for a, n in zip(letters, shape, strict=True)
    ]
    long = [name for name in named if name != "t"]
    if len(set(long)) == len(long) and {"y", "x"} <= set(long):
        return Axes("".join(named), tuple(shape))
    sizes = ", ".join(f"{letter} {n}" for letter, n in zip(letters, shape, strict=True))
    raise GeometryError(
        where,
        found=f"a stack with the axes {sizes}",
        expected="y and x, and besides them at most one of depth, time and pages, and one of channels",
        remedy="Save every time point (or every RGB channel) as a file of its own.",
    )


def _is_over_time(letters: str) -> bool:
    """Whether what is read as z is time: its steps are no lengths."""
    return "T" in letters


def _n_alpha(page: Any, axes: Axes) -> int:
    """Count the channels that are alpha; unspecified extra samples are none."""
    alpha = [kind for kind in page.extrasamples if int(kind) in (1, 2)]
    return len(alpha) if axes.length("c") == page.samplesperpixel > len(alpha) else 0


def _colored(values: StoredImage, palette: NDArray[np.uint8]) -> StoredImage:
    """Look up the colors of palette indexes; a palette of grays gives one channel."""
    n_channels = 1 if is_gray(palette) else 3

    def read(box: Box) -> NDArray[np.generic]:
        colors = palette[:, :n_channels][values.read(box)[0]]
        return np.moveaxis(colors, -1, 0)

    extent = (n_channels, *values.shape)
    return replace(values, extent=extent, dtype=np.dtype(np.uint8), read=read)


def _fitting(spacing: Spacing, axes: Axes) -> Spacing:
    """Take the spacing of the axes there are; unknown where that of one is."""
    values = spacing[0][-len(axes.spatial) :]
    return (values, spacing[1]) if len(values) == len(axes.spatial) else UNKNOWN


def _spacing(tiff: tifffile.TiffFile, page: Any) -> Spacing:
    """Read the ([z,] y, x) pixel size where a unit of length other than the printer's inch is given."""
    if tiff.ome_metadata:
        return _ome_spacing(tiff.ome_metadata)
    per_unit = tuple(_resolution(page, name) for name in ("YResolution", "XResolution"))
    if min(per_unit) <= 0:
        return UNKNOWN
    imagej = tiff.imagej_metadata or {}
    name = str(imagej.get("unit", "")).replace("\\u00B5", "µ").strip()
    tag = page.tags.get("ResolutionUnit")
    if not name and tag is not None and int(tag.value) == 3:
        dpi = per_unit[0] * 2.54
        name = "" if any(abs(dpi - known) < 0.01 * known for known in PRINT_DPI) else "cm"
    unit, factor = length_unit(name)
    plane = tuple(factor / n for n in per_unit)
    if unit == "px":
        return UNKNOWN
    if not imagej:
        return plane, unit
    return (abs(float(imagej.get("spacing", 1.0))) * factor, *plane), unit  # ImageJ leaves out a depth of 1


def _ome_spacing(xml: str) -> Spacing:
    """Read the physical pixel size of an OME-TIFF; micrometers are its default unit."""
    spacing, units = [], set()
    for axis in "ZYX":
        size = re.search(rf'PhysicalSize{axis}="([^"]+)"', xml)
        if size:
            named = re.search(rf'PhysicalSize{axis}Unit="([^"]+)"', xml)
            unit, factor = length_unit(named.group(1).strip() if named else "um")
            spacing.append(factor * float(size.group(1)))
            units.add(unit)
    is_known = len(spacing) > 1 and len(units) == 1 and "px" not in units and min(spacing) > 0
    return (tuple(spacing), units.pop()) if is_known else UNKNOWN


def _resolution(page: Any, name: str) -> float:
    tag = page.tags.get(name)
    numerator, denominator = tag.value if tag is not None else (0, 1)
    return float(numerator) / float(denominator) if denominator else 0.0
