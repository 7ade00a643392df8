"""The pixels of DICOM frames: decoded, in the quantity measured, bright always high."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from seglet.io.dicom_headers import Frame, Header, damage, pydicom, unfit

COLORS = ("RGB", "PALETTE COLOR")  # and all whose name starts with YBR
WHOLE_TYPES = (np.uint8, np.int16, np.uint16, np.int32)


def read_frame(frame: Frame) -> NDArray[np.generic]:
    """Decode one frame as stored; no other frame of its file is read.

    Returns
    -------
    (y, x) or (y, x, 3) array
        YBR becomes RGB; palette colors stay indexes.

    Raises
    ------
    FormatError
        If the pixels are truncated, damaged or compressed in a way that is not known.
    """
    try:
        pixels = pydicom().pixels.pixel_array(frame.path, index=frame.index)
    except damage() as error:
        raise unfit(frame.path, f"pixels that cannot be decoded ({error})") from error
    return np.asarray(pixels)


def read_packed(frame: Frame, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Decode one uncompressed frame of a bit per pixel, (y, x) of 0 and 1; it may end inside of a byte.

    pydicom 3.0 gives some of such frames too few pixels.

    Raises
    ------
    FormatError
        If the pixels are truncated or missing.
    """
    n_pixels = size[0] * size[1]
    start = frame.index * n_pixels
    try:
        packed = _pixel_data(frame.path, frame.path.stat().st_mtime_ns)
    except damage() as error:
        raise unfit(frame.path, f"pixels that cannot be read ({error})") from error
    inside = packed[start // 8 : -(-(start + n_pixels) // 8)]
    bits = np.unpackbits(inside, bitorder="little")[start % 8 :][:n_pixels]
    if len(bits) < n_pixels:
        raise unfit(frame.path, f"no pixels of frame {frame.index + 1}")
    return bits.reshape(size)


@lru_cache(maxsize=2)
def _pixel_data(path: Path, changed_ns: int) -> NDArray[np.uint8]:
    """Read the packed pixels of all frames; kept, as frames are read one by one."""
    return np.frombuffer(pydicom().dcmread(path, specific_tags=["PixelData"]).PixelData, np.uint8)


def read_plane(header: Header, frame: Frame, dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    """Decode one frame, (c, y, x), in the quantity measured and of one type for all frames."""
    pixels = read_frame(frame)
    if header.photometric == "PALETTE COLOR":
        pixels = _colors(pixels, frame)
    if pixels.ndim == 3:
        return np.moveaxis(pixels, -1, 0).astype(dtype, copy=False)
    if header.photometric == "MONOCHROME1":
        low, high = _stored_range(header)
        pixels = low + high - pixels.astype(np.int64)
    if (frame.slope, frame.intercept) != (1.0, 0.0):
        pixels = pixels.astype(np.float64) * frame.slope + frame.intercept
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(cast(np.dtype[np.integer], dtype))
        pixels = np.clip(pixels, limits.min, limits.max)
    return pixels.astype(dtype, copy=False)[None]


def n_channels(header: Header) -> int:
    """Count the channels: three for colors, else one."""
    return 3 if header.photometric in COLORS or header.photometric.startswith("YBR") else 1


def value_type(headers: Sequence[Header]) -> np.dtype[np.generic]:
    """Choose the type that holds all values that the headers allow.

    CT is int16 even where the header allows more: no tissue or metal has more than 32767 HU, and the few
    pixels outside a round field of view are cut off at its ends.
    """
    first = headers[0]
    if n_channels(first) == 3:
        return np.dtype(np.uint8 if first.bits <= 8 else np.uint16)
    frames = [(frame, header) for header in headers for frame in header.frames]
    whole = all(f.slope.is_integer() and f.intercept.is_integer() for f, _ in frames)
    if not whole or not all(0 < header.bits <= 32 for header in headers):
        return np.dtype(np.float32)
    ends = [end * f.slope + f.intercept for f, header in frames for end in _stored_range(header)]
    if first.modality == "CT" and min(ends) < 0:
        return np.dtype(np.int16)
    fits = [t for t in WHOLE_TYPES if np.iinfo(t).min <= min(ends) and max(ends) <= np.iinfo(t).max]
    return np.dtype(fits[0] if fits else np.float32)


def _stored_range(header: Header) -> tuple[int, int]:
    n_values = 1 << header.bits
    return (-n_values // 2, n_values // 2 - 1) if header.is_signed else (0, n_values - 1)


def _colors(indexes: NDArray[np.generic], frame: Frame) -> NDArray[np.generic]:
    """Look palette indexes up; 16-bit tables of 8-bit images keep their high bytes."""
    dicom = pydicom()
    try:
        ds = dicom.dcmread(frame.path, stop_before_pixels=True)
        colors = np.asarray(dicom.pixels.apply_color_lut(indexes, ds))
    except damage() as error:
        raise unfit(frame.path, f"a palette that cannot be read ({error})") from error
    return colors >> 8 if colors.dtype.itemsize > 1 and ds.BitsStored <= 8 else colors
