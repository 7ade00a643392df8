"""Netpbm pictures (PBM, PGM, PPM), plain and raw, their values as written.

Readers that scale the values to the full range of 8 or 16 bits would change the labels of a mask.
"""

import re

import numpy as np
from numpy.typing import NDArray

from seglet.io.pixels import unreadable

SUFFIXES = (".pbm", ".pgm", ".ppm", ".pnm")
MAGICS = tuple(f"P{n}".encode() for n in range(1, 7))

TOKEN = re.compile(rb"(?:\s|#[^\n]*\n)*([0-9]+)")


def decode(content: bytes, where: str) -> NDArray[np.generic]:
    """Decode a whole file.

    Returns
    -------
    (c, y, x) uint8 or uint16 array
        One channel or three; of PBM 0 where it is black and 255 where it is white.

    Raises
    ------
    FormatError
        If the header makes no sense or pixels are missing.
    """
    kind = int(content[1:2])
    numbers, start = _header(content, 2 if kind in (1, 4) else 3, where)
    width, height, top = numbers[0], numbers[1], (numbers[2:] or [1])[0]
    if not (width and height and 0 < top < 65536):
        raise unreadable(where, f"a header of {width}x{height} pixels up to {top}", "a Netpbm picture")
    shape = (height, width, 3 if kind in (3, 6) else 1)
    values: NDArray[np.generic]
    if kind == 4:
        values = _bits(content[start + 1 :], width, height, where)
    elif kind < 4:
        values = _plain(content[start:], shape, kind, where)
    else:
        dtype = np.dtype(">u2" if top > 255 else "u1")
        values = _enough(content[start + 1 :], int(np.prod(shape)), dtype, where)
    pixels = np.moveaxis(values.reshape(shape), -1, 0).astype(np.uint16 if top > 255 else np.uint8)
    return (pixels == 0) * np.uint8(255) if kind in (1, 4) else pixels


def _header(content: bytes, n_numbers: int, where: str) -> tuple[list[int], int]:
    """Read the numbers after the magic, between which comments may stand, and where they end."""
    numbers, place = [], 2
    for _ in range(n_numbers):
        token = TOKEN.match(content, place)
        if token is None:
            raise unreadable(where, "an incomplete header", "a whole Netpbm picture")
        numbers.append(int(token.group(1)))
        place = token.end()
    return numbers, place


def _bits(content: bytes, width: int, height: int, where: str) -> NDArray[np.uint8]:
    packed = _enough(content, (width + 7) // 8 * height, np.dtype("u1"), where)
    return np.unpackbits(packed.reshape(height, -1).astype(np.uint8), axis=1)[:, :width]


def _plain(content: bytes, shape: tuple[int, ...], kind: int, where: str) -> NDArray[np.int64]:
    n_values = int(np.prod(shape))
    text = re.sub(rb"#[^\n]*", b" ", content)
    words = re.findall(rb"[01]" if kind == 1 else rb"[0-9]+", text)[:n_values]
    if len(words) < n_values:
        raise unreadable(where, f"{len(words)} of {n_values} pixels", "a whole Netpbm picture")
    return np.array(words, np.bytes_).astype(np.int64)


def _enough(content: bytes, n_values: int, dtype: np.dtype[np.generic], where: str) -> NDArray[np.generic]:
    if len(content) < n_values * dtype.itemsize:
        raise unreadable(
            where, f"{len(content)} of {n_values * dtype.itemsize} bytes", "a whole Netpbm picture"
        )
    return np.frombuffer(content, dtype, n_values)
