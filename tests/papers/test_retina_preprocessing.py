"""Preprocessing of retina-unet (github.com/orobix/retina-unet, lib/pre_processing.py, 2016).

Gray (0.299, 0.587, 0.114), standardized over the data set, stretched to 0..255 image by image, CLAHE of
OpenCV (clipLimit 2.0, tileGridSize 8x8), gamma 1.2 by a table of 256 levels, divided by 255.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from seglet.core.image import Image
from seglet.data.cases import find_cases
from seglet.data.samples import read_sample
from seglet.preprocessing.contrast import equalize
from seglet.preprocessing.intensity import to_color
from seglet.preprocessing.normalization import normalize_image
from seglet.preprocessing.plan import Plan
from seglet.recipe import read_recipe

PLAN = Plan(
    color="gray",
    normalization="clahe",
    resize=None,
    patch_size=(48, 48),
    batch_size=32,
    channels=(32, 64, 128),
    strides=((2, 2), (2, 2)),
    kernels=((3, 3),) * 3,
    n_channels=1,
    n_classes=2,
    training_memory=1,
)


def photograph(side: int = 160) -> NDArray[np.uint8]:
    """A bright disc with uneven light and dark lines, black around it, as (3, y, x) colors."""
    y, x = np.mgrid[:side, :side] / side
    noise = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(side, side)), 1)
    lines = (np.sin(20 * x + 5 * y) > 0.97) | (np.sin(17 * y - 3 * x) > 0.98)
    light = 90 + 60 * x + 8 * noise - 25 * lines
    gray = np.where(np.hypot(y - 0.5, x - 0.5) < 0.46, light, 0)
    return np.stack([gray * f for f in (1.2, 0.7, 0.3)]).clip(0, 255).astype(np.uint8)


def published(gray: NDArray[np.floating]) -> NDArray[np.float64]:
    """All steps after the gray image, (y, x) to 0..1, with the rounding to 8 bits in between."""
    stretched = ((gray - gray.min()) / (gray.max() - gray.min()) * 255).astype(np.uint8)
    table = np.array([((i / 255.0) ** (1.0 / 1.2)) * 255 for i in range(256)]).astype(np.uint8)
    return table[cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(stretched)] / 255


def test_the_recipe_says_what_was_published() -> None:
    plan = read_recipe("retina-patches").plan
    assert (plan.color, plan.normalization) == ("gray", "clahe")


def test_gray_of_a_pure_color_is_its_published_weight() -> None:
    colors = 255 * np.eye(3, dtype=np.uint8)[:, None]
    np.testing.assert_allclose(to_color(colors, "gray", 1)[0, 0], [76.245, 149.685, 29.07], rtol=1e-6)


def test_clip_limit_and_gamma_are_the_published_ones() -> None:
    """Of two flat halves: tiles of 64 pixels, all of one level, which is cut to 1 (2 · 64 / 256, at least 1).

    The other 63 go to every fourth level, from level 0 on, which then has 2 of 64; all are at or below 255.
    """
    halves = np.zeros((1, 64, 64), np.float32)
    halves[:, :, 32:] = 1
    dark, bright = equalize(halves)[0, 0, [0, -1]]
    assert dark == pytest.approx(((1 + 1) / 64) ** (1 / 1.2))
    assert bright == pytest.approx(1)


@pytest.mark.parametrize("shape", [(160, 160), (160, 155), (155, 160), (157, 155)])
def test_steps_in_one_are_the_published_ones(shape: tuple[int, int]) -> None:
    """Within two of 256 levels, as the original rounds to 8 bits three times (tables, pixels, gamma).

    OpenCV enlarges the tiles along both axes where one side is no multiple of 8: of DRIVE's 565 and 584, one.
    """
    colors = photograph()[:, : shape[0], : shape[1]]
    gray = np.tensordot([0.299, 0.587, 0.114], colors.astype(np.float32), axes=1)
    ours, theirs = normalize_image(Image(colors), PLAN)[0], published(gray)
    difference = np.abs(ours - theirs) * 255
    assert np.ptp(theirs) > 0.9
    assert difference.mean() < 1
    assert difference.max() < 5


def test_standardizing_over_the_data_set_before_changes_nothing() -> None:
    """The stretch of each image undoes it: (a·v + b) stretched is v stretched, for any a > 0."""
    images = [to_color(photograph(side), "gray", 1) for side in (80, 120, 160)]
    pooled = np.concatenate([image.ravel() for image in images]).astype(np.float64)
    for image in images:
        standardized = ((image - pooled.mean()) / pooled.std()).astype(np.float32)
        difference = np.abs(equalize(standardized) - equalize(image)) * 255
        assert np.median(difference) < 1e-3
        assert difference.max() < 3  # a level more or less, where rounding falls on its edge


@pytest.mark.data
def test_a_real_photograph_is_prepared_as_published(data_folder: Path) -> None:
    case = find_cases(data_folder / "chasedb1").cases[0]
    colors = np.asarray(read_sample(case, None).image.pixels)  # 999x960: one side is no multiple of 8
    gray = np.tensordot([0.299, 0.587, 0.114], colors.astype(np.float32), axes=1)
    difference = np.abs(normalize_image(Image(colors), PLAN)[0] - published(gray)) * 255
    assert difference.mean() < 1
    assert difference.max() < 5
