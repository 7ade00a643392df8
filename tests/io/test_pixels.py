"""Palettes shown, images handed out in boxes."""

import numpy as np

from seglet.core.image import Image
from seglet.io.pixels import Raster, in_memory, is_gray, shown, unreadable


def test_an_index_beyond_the_palette_is_black() -> None:
    raster = Raster(np.array([[[0, 3]]], np.uint8), np.full((1, 3), (9, 8, 7), np.uint8))
    assert shown(raster)[:, 0].tolist() == [[9, 0], [8, 0], [7, 0]]


def test_a_palette_of_grays_is_one_channel_whatever_colors_are_not_used() -> None:
    palette = np.array([[5, 5, 5], [9, 9, 9], [255, 0, 0]], np.uint8)
    assert shown(Raster(np.array([[[1, 0]]], np.uint8), palette)).tolist() == [[[9, 5]]]
    assert is_gray(palette[:2])
    assert not is_gray(palette)


def test_a_box_is_cut_out_of_all_channels() -> None:
    pixels = np.arange(48).reshape(2, 4, 6)
    image = Image(pixels, (0.5, 0.25), "um")
    stored = in_memory(image)
    assert np.array_equal(stored.read((slice(1, 3), slice(2, 5))), pixels[:, 1:3, 2:5])
    assert (stored.extent, stored.spacing, stored.unit) == ((2, 4, 6), (0.5, 0.25), "um")
    assert np.array_equal(stored.load().pixels, pixels)


def test_the_error_names_the_file_and_a_remedy() -> None:
    assert str(unreadable("x.png", "nothing")).startswith("x.png: found nothing; expected a whole image file")
