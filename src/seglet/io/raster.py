"""Bytes of PNG, JPEG, GIF, BMP and TIFF files to arrays of pixels, and back."""

import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from seglet.core.errors import FormatError, GeometryError, SegletError

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff")

TIFF_UNITS = {"nm": 1e-3, "um": 1.0, "µm": 1.0, "μm": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0}
TIFF_UNITS_MM = {"mm": 1.0, "millimeter": 1.0, "cm": 10.0, "centimeter": 10.0}
PRINT_DPI = (72, 96, 150, 300, 600)  # what software writes where nothing was measured


@dataclass(frozen=True, eq=False)
class Raster:
    """The pixels of one file as they are written there, alpha left out.

    Attributes
    ----------
    pixels : (y, x) or (y, x, c) array
        Gray levels, palette indexes or colors; 1-bit files as 0 and 255.
    palette : (n, 3) uint8 array or None
        Color of each palette index.
    spacing : tuple of float
        Distance between pixels along y and x in `unit`; empty where unknown.
    unit : str
        ``"mm"``, ``"um"`` or ``"px"``.
    """

    pixels: NDArray[np.generic]
    palette: NDArray[np.uint8] | None = None
    spacing: tuple[float, ...] = ()
    unit: str = "px"


def decode(content: bytes, where: str) -> Raster:
    """Decode a whole file.

    Parameters
    ----------
    content : bytes
        The file.
    where : str
        Its name, for messages.

    Raises
    ------
    FormatError
        If the file is empty, of another format, truncated or damaged.
    GeometryError
        If it holds a stack or several pages.
    """
    decoder = next((known for magic, known in DECODERS if content.startswith(magic)), None)
    if decoder is None:
        found = f"a file that starts with {content[:8]!r}" if content else "an empty file"
        raise _damaged(where, found)
    try:
        return decoder(content, where)
    except SegletError:
        raise
    except Exception as error:  # the decoders raise a dozen kinds for damaged data
        raise _damaged(where, f"damaged or truncated data ({error})") from error


def decode_planes(content: bytes, where: str) -> NDArray[np.generic]:
    """Decode a TIFF of planes that are no colors.

    Returns
    -------
    (k, y, x) array
        As stored; a single plane becomes k = 1.

    Raises
    ------
    FormatError
        If it is no whole TIFF of two or three axes.
    """
    try:
        with tifffile.TiffFile(io.BytesIO(content)) as tiff:
            _refuse_truncated(tiff, len(content), where)
            stored: NDArray[np.generic] = tiff.asarray()
    except FormatError:
        raise
    except Exception as error:  # damaged files end in errors of any kind inside the decoder
        raise _damaged(where, str(error)) from error
    if stored.ndim not in (2, 3):
        raise _damaged(where, f"{stored.ndim} axes")
    return stored[None] if stored.ndim == 2 else stored


def write_png(path: Path, pixels: NDArray[np.generic]) -> None:
    """Write (y, x) or (y, x, 3) uint8 or uint16 pixels as PNG."""
    path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(pixels)))


def write_tiff(path: Path, pixels: NDArray[np.generic], axes: str) -> None:
    """Write pixels as Deflate-compressed TIFF; `axes` is ``"YX"``, ``"YXS"`` or ``"CYX"``."""
    photometric = "rgb" if axes == "YXS" else "minisblack"
    metadata = {"axes": axes}
    tifffile.imwrite(path, pixels, photometric=photometric, compression="zlib", metadata=metadata)


def _decode_png(content: bytes, where: str) -> Raster:
    depth, color_type = content[24], content[25]
    pixels = imagecodecs.png_decode(content)  # checks every checksum, unlike Pillow
    if depth < 8 or color_type == 3:
        return _from_pillow(PngImageFile(io.BytesIO(content)))
    return Raster(_without_alpha(pixels))


def _decode_jpeg(content: bytes, where: str) -> Raster:
    picture = JpegImageFile(io.BytesIO(content))
    picture.load()
    upright = ImageOps.exif_transpose(picture)
    return Raster(np.asarray(upright.convert("RGB") if picture.mode == "CMYK" else upright))


def _decode_gif(content: bytes, where: str) -> Raster:
    picture = GifImageFile(io.BytesIO(content))
    if picture.n_frames > 1:
        raise _stack(where, f"{picture.n_frames} frames")
    return _shown_if_gray(_from_pillow(picture))


def _decode_bmp(content: bytes, where: str) -> Raster:
    return _shown_if_gray(_from_pillow(BmpImageFile(io.BytesIO(content))))


def _from_pillow(picture: ImageFile) -> Raster:
    """Take the pixels out of an opened picture; Pillow's own plugin classes know no limit on the size."""
    picture.load()
    if picture.mode == "1":
        return Raster(np.asarray(picture.convert("L")))
    if picture.mode in ("P", "PA"):
        colors = picture.getpalette("RGB") or []
        indexes = np.asarray(picture)
        palette = np.asarray(colors, np.uint8).reshape(-1, 3)
        return Raster(indexes if indexes.ndim == 2 else indexes[..., 0], palette)
    return Raster(_without_alpha(np.asarray(picture)))


def _shown_if_gray(raster: Raster) -> Raster:
    """Replace indexes by gray levels: GIF and BMP have no gray mode and write gray as a palette."""
    if raster.palette is None or np.ptp(raster.palette, axis=1).any():
        return raster
    return Raster(shown(raster)[..., 0])


def shown(raster: Raster) -> NDArray[np.generic]:
    """Give the pixels as a viewer shows them: palette indexes as (y, x, 3) colors."""
    if raster.palette is None:
        return raster.pixels
    indexes = raster.pixels.astype(np.intp)
    n_missing = int(indexes.max(initial=0)) + 1 - len(raster.palette)
    colors: NDArray[np.uint8] = np.pad(raster.palette, ((0, max(n_missing, 0)), (0, 0)))[indexes]
    return colors


def _without_alpha(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    if pixels.ndim == 3 and pixels.shape[-1] in (2, 4):
        pixels = pixels[..., :-1]
    return pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels


def _decode_tiff(content: bytes, where: str) -> Raster:
    with tifffile.TiffFile(io.BytesIO(content)) as tiff:
        series = [one for one in tiff.series if not one.keyframe.is_reduced] or list(tiff.series)
        if len(series) != 1:
            raise _stack(where, f"{len(series)} pages of different sizes")
        _refuse_truncated(tiff, len(content), where)
        page = series[0].keyframe
        pixels = _channels_last(series[0].asarray(), series[0].axes, where)
        spacing, unit = _tiff_spacing(tiff, page)
    return _tiff_raster(pixels, page, where, spacing, unit)


def _refuse_truncated(tiff: tifffile.TiffFile, n_bytes: int, where: str) -> None:
    """Refuse a file whose pixel data reach beyond its end; tifffile may fill such gaps with zeros."""
    for page in tiff.pages:
        ends = [a + n for a, n in zip(page.dataoffsets, page.databytecounts, strict=False)]
        if max(ends, default=0) > n_bytes:
            raise _damaged(where, f"{n_bytes} bytes where its header announces {max(ends)}")


def _channels_last(stored: NDArray[np.generic], axes: str, where: str) -> NDArray[np.generic]:
    """Order the axes as (y, x) or (y, x, c)."""
    if axes in ("YX", "YXS"):
        return stored
    is_channel = axes in ("CYX", "SYX") or (axes in ("QYX", "IYX") and len(stored) in (3, 4))
    if is_channel:
        return np.moveaxis(stored, 0, -1)
    raise _stack(where, f"axes {axes} of extent {stored.shape}")


def _tiff_raster(
    pixels: NDArray[np.generic], page: Any, where: str, spacing: tuple[float, ...], unit: str
) -> Raster:
    photometric, alpha = page.photometric.name, [int(kind) for kind in page.extrasamples if kind in (1, 2)]
    if photometric in ("SEPARATED", "CIELAB", "ICCLAB", "ITULAB"):
        raise FormatError(
            where, found=f"{photometric} colors", expected="gray or RGB", remedy="Save the image as RGB."
        )
    if alpha and pixels.ndim == 3 and pixels.shape[-1] > 1:
        pixels = pixels[..., : -len(alpha)]
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    if page.bitspersample == 1:
        white = pixels == (photometric != "MINISWHITE")
        pixels = white.astype(np.uint8) * np.uint8(255)
    palette = None
    if photometric == "PALETTE" and page.colormap is not None:
        palette = (page.colormap.T >> 8).astype(np.uint8)
    return Raster(pixels, palette, spacing, unit)


def _tiff_spacing(tiff: tifffile.TiffFile, page: Any) -> tuple[tuple[float, ...], str]:
    """Read the pixel size where a unit of length other than the printer's inch is given."""
    if tiff.ome_metadata:
        return _ome_spacing(tiff.ome_metadata)
    per_unit = tuple(_resolution(page, name) for name in ("YResolution", "XResolution"))
    if min(per_unit) <= 0:
        return (), "px"
    unit = str((tiff.imagej_metadata or {}).get("unit", "")).replace("\\u00B5", "µ").strip().lower()
    tag = page.tags.get("ResolutionUnit")
    if not unit and tag is not None and int(tag.value) == 3:
        dpi = per_unit[0] * 2.54
        unit = "" if any(abs(dpi - known) < 0.01 * known for known in PRINT_DPI) else "cm"
    if unit in TIFF_UNITS:
        return tuple(TIFF_UNITS[unit] / n for n in per_unit), "um"
    if unit in TIFF_UNITS_MM:
        return tuple(TIFF_UNITS_MM[unit] / n for n in per_unit), "mm"
    return (), "px"


def _ome_spacing(xml: str) -> tuple[tuple[float, ...], str]:
    """Read the physical pixel size of an OME-TIFF; micrometers are its default unit."""
    sizes = [re.search(rf'PhysicalSize{axis}="([^"]+)"', xml) for axis in "YX"]
    unit = re.search(r'PhysicalSizeXUnit="([^"]+)"', xml)
    name = unit.group(1).strip().lower() if unit else "um"
    values = tuple(float(size.group(1)) for size in sizes if size)
    if len(values) < 2 or name not in TIFF_UNITS | TIFF_UNITS_MM:
        return (), "px"
    factor = TIFF_UNITS.get(name) or TIFF_UNITS_MM[name]
    return tuple(factor * value for value in values), "um" if name in TIFF_UNITS else "mm"


def _resolution(page: Any, name: str) -> float:
    tag = page.tags.get(name)
    numerator, denominator = tag.value if tag is not None else (0, 1)
    return float(numerator) / float(denominator) if denominator else 0.0


def _damaged(where: str, found: str) -> FormatError:
    formats = "a whole PNG, JPEG, GIF, BMP or TIFF image"
    remedy = "Copy or export the file again, or take it out of the dataset."
    return FormatError(where, found=found, expected=formats, remedy=remedy)


def _stack(where: str, found: str) -> GeometryError:
    expected = "one 2D image, gray or with channels"
    return GeometryError(
        where, found=found, expected=expected, remedy="Save every slice as a file of its own."
    )


Decoder = Callable[[bytes, str], Raster]
DECODERS: tuple[tuple[bytes, Decoder], ...] = (
    (b"\x89PNG\r\n\x1a\n", _decode_png),
    (b"\xff\xd8\xff", _decode_jpeg),
    (b"GIF8", _decode_gif),
    (b"BM", _decode_bmp),
    (b"II*\0", _decode_tiff),
    (b"MM\0*", _decode_tiff),
    (b"II+\0", _decode_tiff),
    (b"MM\0+", _decode_tiff),
)
