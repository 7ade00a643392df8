"""Netpbm values as they are written."""

import io

import numpy as np
import pytest
from PIL import Image as Picture

from seglet.core.errors import FormatError
from seglet.io.netpbm import decode

RAMP = np.arange(60, dtype=np.uint8).reshape(6, 10)


def by_pillow(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Picture.fromarray(pixels).save(stream, "PPM")
    return stream.getvalue()


def test_what_another_program_wrote_is_read() -> None:
    assert np.array_equal(decode(by_pillow(RAMP), "x.pgm"), RAMP[None])
    colors = np.stack([RAMP, RAMP + 1, RAMP + 2], axis=-1)
    assert np.array_equal(decode(by_pillow(colors), "x.ppm"), np.moveaxis(colors, -1, 0))
    bits = RAMP % 3 == 0
    assert np.array_equal(decode(by_pillow(bits), "x.pbm"), bits[None] * 255)


@pytest.mark.parametrize("top", [3, 255, 4095, 65535])
def test_values_are_not_scaled_to_the_full_range(top: int) -> None:
    values = np.array([[0, 1], [2, top]])
    dtype = ">u2" if top > 255 else "u1"
    raw = f"P5\n# labels\n2 2\n{top}\n".encode() + values.astype(dtype).tobytes()
    plain = f"P2 2 2 {top}\n0 1 # first row\n2 {top}\n".encode()
    assert np.array_equal(decode(raw, "x.pgm")[0], values)
    assert np.array_equal(decode(plain, "x.pgm")[0], values)
    assert decode(raw, "x.pgm").dtype == (np.uint16 if top > 255 else np.uint8)


def test_plain_bits_need_no_spaces_and_one_is_black() -> None:
    assert decode(b"P1\n3 2\n010\n1 1 0\n", "x.pbm").tolist() == [[[255, 0, 255], [0, 0, 255]]]


@pytest.mark.parametrize(
    "content",
    [
        b"P5 2",
        b"P5 2 2 255\n\0\0\0",
        b"P2 2 2 255 1 2 3",
        b"P4 9 1\n\0",
        b"P5 0 2 255\n",
        b"P5 1 1 70000\n\0\0\0",
    ],
)
def test_missing_pixels_and_senseless_headers_are_refused(content: bytes) -> None:
    with pytest.raises(FormatError, match=r"x\.pgm"):
        decode(content, "x.pgm")
