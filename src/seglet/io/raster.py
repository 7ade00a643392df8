"""Bytes of PNG, JPEG, GIF, BMP and Netpbm files to arrays of pixels, and back."""

import gzip
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ExifTags import Base
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from seglet.core.errors import FormatError, SegletError
from seglet.core.image import Image, StoredImage
from seglet.io import netpbm
from seglet.io.pixels import Raster, in_memory, is_gray, shown, unreadable
from seglet.io.sources import File

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", *netpbm.SUFFIXES, ".ppm.gz")

KNOWN = "a whole PNG, JPEG, GIF, BMP, Netpbm or TIFF image"

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"  # how files start
END_OF_JPEG = b"\xff\xd9"
SIDEWAYS = 4  # orientations of EXIF above it exchange width and height
EVEN = 0.75  # share of pixels like their neighbor from which on an image is taken for a mask
# How masks are packed: as small, in a fifth of the time (13 for 71 ms of 8 megapixels of vessels).
RUNS: dict[str, Any] = {"strategy": imagecodecs.PNG.STRATEGY.RLE, "filter": imagecodecs.PNG.FILTER.NONE}


def open_image(path: Path, part: str, where: str) -> StoredImage:
    """Open a picture; these formats are decoded whole, here and now.

    Raises
    ------
    FormatError
        If the file is empty, of another format, truncated or damaged.
    """
    return in_memory(Image(shown(decode(path.read_bytes(), where))))


def open_mask(path: Path, part: str, where: str) -> StoredImage:
    """Open a picture as `open_image` does, but give palette indexes instead of the colors they stand for."""
    return in_memory(Image(decode(path.read_bytes(), where).pixels))


def extent_ahead(file: File) -> tuple[int, int] | None:
    """(y, x) of a PNG or JPEG in a folder by its header, long before it is decoded; else None."""
    if not file.root.is_dir():
        return None
    try:
        with file.open() as stream:
            head = stream.read(24)
            if head.startswith(PNG):
                width, height = struct.unpack(">II", head[16:])
                return height, width
            if not head.startswith(JPEG):
                return None
            stream.seek(0)
            picture = JpegImageFile(stream, file.name)
            is_turned = picture.getexif().get(Base.Orientation, 1) > SIDEWAYS
            return picture.size if is_turned else picture.size[::-1]
    except Exception:  # as many kinds as there are damages; decoding says which
        return None


def decode(content: bytes, where: str) -> Raster:
    """Decode a whole file; the content decides about the format.

    The frames of an animated GIF become (c, z, y, x).

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
    """
    if content.startswith(b"\x1f\x8b"):
        content = _unzipped(content, where)
    decoder = next((known for magic, known in DECODERS if content.startswith(magic)), None)
    if decoder is None:
        found = f"a file that starts with {content[:8]!r}" if content else "an empty file"
        raise unreadable(where, found, KNOWN)
    try:
        return decoder(content, where)
    except SegletError:
        raise
    except Exception as error:  # the decoders raise a dozen kinds for damaged data
        raise unreadable(where, f"damaged or truncated data ({error})", KNOWN) from error


def write(path: Path, image: Image) -> None:
    """Write 2D uint8 or uint16 pixels of one channel, or of three as colors, as PNG.

    Raises
    ------
    FormatError
        If the image is another one.
    """
    pixels = image.pixels
    if pixels.ndim != 3 or len(pixels) not in (1, 3) or pixels.dtype not in (np.uint8, np.uint16):
        raise FormatError(
            path,
            found=f"an image of {pixels.dtype} pixels of shape (c, [z,] y, x) = {pixels.shape}",
            expected="2D, gray or RGB, of 8 or 16 bits",
            remedy="Write it as .tif.",
        )
    planes = pixels[0] if len(pixels) == 1 else np.moveaxis(pixels, 0, -1)
    same = np.count_nonzero(planes[:, 1:] == planes[:, :-1])
    how = RUNS if same > EVEN * planes.size else {}
    path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(planes), **how))


def _unzipped(content: bytes, where: str) -> bytes:
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(where, f"damaged or truncated data ({error})", KNOWN) from error


def _decode_png(content: bytes, where: str) -> Raster:
    depth, color_type = content[24], content[25]
    pixels = imagecodecs.png_decode(content)  # checks every checksum, unlike Pillow
    if depth < 8 or color_type == 3:
        return _from_pillow(PngImageFile(io.BytesIO(content)))
    return Raster(_planes(pixels))


def _decode_jpeg(content: bytes, where: str) -> Raster:
    picture = JpegImageFile(io.BytesIO(content))
    is_turned = picture.getexif().get(Base.Orientation, 1) != 1
    if picture.mode in ("L", "RGB") and content.endswith(END_OF_JPEG) and not is_turned:
        return Raster(_planes(imagecodecs.jpeg8_decode(content)))  # the same pixels in half the time
    picture.load()  # says so where the end is missing
    ImageOps.exif_transpose(picture, in_place=True)
    return Raster(_planes(np.asarray(picture.convert("RGB") if picture.mode == "CMYK" else picture)))


def _decode_gif(content: bytes, where: str) -> Raster:
    picture = GifImageFile(io.BytesIO(content))
    if picture.n_frames == 1:
        return _shown_if_gray(_from_pillow(picture))
    frames = []
    for number in range(picture.n_frames):
        picture.seek(number)
        frames.append(np.asarray(picture.convert("RGB")))
    colors = np.moveaxis(np.stack(frames), -1, 0)
    return Raster(colors[:1] if is_gray(colors.reshape(3, -1).T) else colors)


def _decode_bmp(content: bytes, where: str) -> Raster:
    return _shown_if_gray(_from_pillow(BmpImageFile(io.BytesIO(content))))


def _decode_netpbm(content: bytes, where: str) -> Raster:
    return Raster(netpbm.decode(content, where))


def _from_pillow(picture: ImageFile) -> Raster:
    """Take the pixels out of an opened picture; Pillow's own plugin classes know no limit on the size."""
    picture.load()
    if picture.mode == "1":
        return Raster(_planes(np.asarray(picture.convert("L"))))
    if picture.mode in ("P", "PA"):
        colors = picture.getpalette("RGB") or []
        return Raster(_planes(np.asarray(picture)), np.asarray(colors, np.uint8).reshape(-1, 3))
    return Raster(_planes(np.asarray(picture)))


def _shown_if_gray(raster: Raster) -> Raster:
    """Replace indexes by gray levels: GIF and BMP have no gray mode and write gray as a palette."""
    return raster if raster.palette is None or not is_gray(raster.palette) else Raster(shown(raster))


def _planes(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """Order (y, x[, c]) pixels as (c, y, x), without alpha."""
    if pixels.ndim == 2:
        return pixels[None]
    n_colors = 1 if pixels.shape[-1] < 3 else 3
    return np.ascontiguousarray(np.moveaxis(pixels[..., :n_colors], -1, 0))


Decoder = Callable[[bytes, str], Raster]
DECODERS: tuple[tuple[bytes, Decoder], ...] = (
    (PNG, _decode_png),
    (JPEG, _decode_jpeg),
    (b"GIF8", _decode_gif),
    (b"BM", _decode_bmp),
    *((magic, _decode_netpbm) for magic in netpbm.MAGICS),
)
