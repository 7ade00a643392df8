"""What is counted in images and masks, checked on arrays that can be counted by hand."""

from pathlib import Path

import numpy as np
import pytest

from seglet.core.image import Image
from seglet.data.looks import ImageLook, MaskLook, Place, digest, look_at_image, look_at_mask, thumbnail
from seglet.io.sources import File

FILE = File(Path("data"), "a.png")


def image_look(pixels: np.ndarray) -> ImageLook:
    return look_at_image(FILE, pixels, Place(pixels.shape[1:]), is_whole=True)


def mask_look(mask: np.ndarray, pixels: np.ndarray | None = None) -> MaskLook:
    image = Image(mask[None] if pixels is None else pixels)
    return look_at_mask(FILE, mask, Place(mask.shape), image)


def test_levels_and_their_step_are_those_of_the_values() -> None:
    look = image_look(np.array([[[0, 514], [257, 1028]]], np.uint16))
    assert (look.n_levels, look.step, look.low, look.high) == (4, 257, 0, 1028)


def test_constant_means_each_channel_has_one_value() -> None:
    flat = np.stack([np.full((4, 4), 3, np.uint8), np.full((4, 4), 9, np.uint8)])
    assert image_look(flat).is_constant
    flat[0, 0, 0] = 4
    assert not image_look(flat).is_constant


def test_undefined_values_do_not_spoil_the_range() -> None:
    look = image_look(np.array([[[1.0, np.nan], [np.inf, 3.0]]], np.float32))
    assert (look.is_finite, look.high) == (False, 3.0)
    assert np.isfinite(look.thumbnail).all()


@pytest.mark.parametrize(("top", "share"), [(255, 0.25), (254, 0.0)])
def test_pixels_at_the_top_count_only_where_the_camera_ends(top: int, share: float) -> None:
    pixels = np.zeros((1, 4, 4), np.uint8)
    pixels[0, 0] = top
    assert image_look(pixels).at_top == share


def test_clipping_in_one_channel_is_none() -> None:
    pixels = np.zeros((3, 4, 4), np.uint8)
    pixels[0] = 255
    assert image_look(pixels).at_top == 0


def test_digest_tells_values_and_extent_apart_but_not_a_single_channel() -> None:
    pixels = np.arange(12, dtype=np.uint8)
    assert digest(pixels.reshape(1, 3, 4)) == digest(pixels.reshape(3, 4))
    assert digest(pixels.reshape(3, 4)) != digest(pixels.reshape(4, 3))
    assert digest(pixels.reshape(3, 4)) != digest(pixels[::-1].reshape(3, 4))


@pytest.mark.parametrize("shape", [(64, 96), (7, 50), (24, 36, 48), (3, 40, 40)])
def test_a_thumbnail_holds_the_means_of_boxes(shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (2, *shape)).astype(np.uint8)
    small = thumbnail(pixels)
    side = 32 if len(shape) == 2 else 12
    assert small.shape == (side ** len(shape),)
    box = tuple(slice(0, max(n // side, 1)) for n in shape)
    assert small[0] == pytest.approx(pixels[(slice(None), *box)].mean(), rel=1e-5)


def test_a_thumbnail_hardly_depends_on_resolution() -> None:
    rows = np.linspace(0, 6, 256)
    large = (np.sin(rows)[:, None] * np.cos(rows)[None])[None]
    small = large.reshape(1, 128, 2, 128, 2).mean(axis=(2, 4))
    assert np.abs(thumbnail(large) - thumbnail(small)).max() < 1e-6


def test_a_mask_is_measured_against_its_border_and_its_image() -> None:
    mask = np.zeros((6, 6), np.uint8)
    mask[2:4, 2:4] = 255
    bright = mask_look(mask, np.where(mask, 100, 20)[None].astype(np.uint8))
    dark = mask_look(mask, np.where(mask, 20, 100)[None].astype(np.uint8))
    assert bright.upper == pytest.approx(4 / 36)
    assert bright.upper_border == 0
    assert bright.contrast > 2
    assert dark.contrast == -bright.contrast
    assert mask_look(255 - mask).upper_border == 1


def test_a_mask_of_one_value_or_without_image_has_no_shares() -> None:
    empty = mask_look(np.zeros((4, 4), np.uint8))
    alone = look_at_mask(FILE, np.eye(4, dtype=np.uint8), Place((4, 4)), None)
    assert np.isnan([empty.upper, empty.contrast, alone.upper, alone.upper_border]).all()


def test_a_color_mask_is_looked_at_as_colors() -> None:
    mask = np.zeros((4, 4, 3), np.uint8)
    mask[1, 1] = (255, 0, 10)
    look = look_at_mask(FILE, mask, Place((4, 4)), Image(np.zeros((1, 4, 4))))
    assert look.survey.kind == "color"
    assert look.upper == 1 / 16
