"""Mended masks are what was meant."""

import numpy as np
import pytest

from seglet.core.image import Image, LabelClass, Labels
from seglet.core.orientation import turn, upright
from seglet.data.looks import Place
from seglet.data.mending import fill_undefined, mend_mask, onto, with_channels
from seglet.io.pixels import in_memory

FLAT = Place((3, 4))
BINARY = Labels(
    classes=(LabelClass(name="background", value=0), LabelClass(name="foreground", value=255)),
    threshold=127.5,
)
MASK = np.zeros((3, 4), np.uint8)
MASK[1, 1:3] = 255


@pytest.mark.parametrize(
    ("damaged", "codes"),
    [
        (MASK.T, ["transposed"]),
        (255 - MASK, ["inverted"]),
        (MASK // 255, ["mixed-encodings"]),
        (MASK[..., None] * np.array([1, 0, 1], np.uint8), ["mixed-encodings"]),
        (np.where(MASK > 0, 200, 40).astype(np.uint8), ["soft-mask"]),
        (np.where(MASK > 0, 40, 200).astype(np.uint8), ["soft-mask", "inverted"]),
        ((255 - MASK).T, ["transposed", "inverted"]),
        (MASK, ["grid"]),
        (np.where(MASK > 0, 200, 40).astype(np.uint8), ["mixed-encodings", "soft-mask"]),
        (1 - MASK // 255, ["mixed-encodings", "inverted"]),
    ],
)
def test_a_mask_becomes_what_was_meant(damaged: np.ndarray, codes: list[str]) -> None:
    mended = mend_mask(damaged, codes, BINARY, Place(damaged.shape[:2]), FLAT)
    assert np.array_equal(mended, MASK)
    assert mended.dtype == np.uint8


def test_shifted_labels_are_lowered() -> None:
    labels = np.array([[1, 2], [3, 1]], np.uint8)
    assert mend_mask(labels, ["off-by-one"], None, Place((2, 2)), Place((2, 2))).tolist() == [[0, 1], [2, 0]]


def test_a_volume_is_turned_to_the_axes_of_its_image() -> None:
    values = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    own = Place((2, 3, 4), direction=(1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0))
    image = Place((3, 2, 4), direction=(0, 1.0, 0, 1.0, 0, 0, 0, 0, -1.0))
    mended = mend_mask(values, ["orientation"], None, own, image)
    assert mended.shape == image.shape
    assert np.array_equal(turn(mended, upright(image.direction)), turn(values, upright(own.direction)))


def test_a_channel_is_put_on_the_grid_of_the_first() -> None:
    first = in_memory(Image(np.zeros((1, 2, 3), np.uint8), (2.0, 1.0), "um"))
    channel = onto(Image(np.arange(6, dtype=np.uint8).reshape(1, 3, 2)), first)
    assert channel.pixels.tolist() == [[[0, 2, 4], [1, 3, 5]]]
    assert (channel.spacing, channel.unit) == ((2.0, 1.0), "um")


def test_undefined_pixels_become_the_median_of_their_channel() -> None:
    pixels = np.array([[[1.0, np.nan, 3.0, 2.0]], [[np.inf, np.nan, -np.inf, np.nan]]], np.float32)
    filled = fill_undefined(Image(pixels, (1.0, 1.0), "um"))
    assert filled.pixels.tolist() == [[[1.0, 2.0, 3.0, 2.0]], [[0.0, 0.0, 0.0, 0.0]]]
    assert (filled.spacing, filled.unit) == ((1.0, 1.0), "um")
    assert np.isnan(pixels[0, 0, 1])


def test_gray_becomes_color_and_back_but_colors_stay() -> None:
    gray = Image(np.arange(6, dtype=np.uint8).reshape(1, 2, 3))
    color = with_channels(gray)
    assert color is not None
    assert color.pixels.shape == (3, 2, 3)
    again = with_channels(color)
    assert again is not None
    assert np.array_equal(again.pixels, gray.pixels)
    assert with_channels(Image(np.arange(18, dtype=np.uint8).reshape(3, 2, 3))) is None
    assert with_channels(Image(np.zeros((2, 2, 3), np.uint8))) is None
