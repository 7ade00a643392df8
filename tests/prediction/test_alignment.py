"""Offsets of annotations: found to a fraction of a pixel, told apart from chance, and moved to."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from seglet.core.image import Image, LabelClass, Labels
from seglet.model import ModelCard
from seglet.networks.unet import UNetConfig
from seglet.prediction.alignment import (
    AT_ONCE,
    FARTHEST,
    MOST_PIXELS,
    aligned,
    common_offset,
    measured_offset,
    offset_in_words,
)
from seglet.preprocessing.plan import Plan

FLAT = (160, 200)


def plan_of(n_axes: int, **changed: Any) -> Plan:
    plan = Plan(
        color="gray",
        normalization="standardize",
        resize=None,
        mode="2d" if n_axes == 2 else "3d",
        patch_size=(16,) * n_axes,
        batch_size=2,
        channels=(4, 8),
        strides=((2,) * n_axes,),
        kernels=((3,) * n_axes,) * 2,
        n_channels=1,
        n_classes=2,
        training_memory=1,
    )
    return plan.model_copy(update=changed)


LABELS = Labels(classes=(LabelClass(name="a", value=0), LabelClass(name="b", value=1)))


def card_of(plan: Plan, offset: tuple[float, ...] | None) -> ModelCard:
    return ModelCard(recipe="auto", network=UNetConfig(), plan=plan, labels=LABELS, offset=offset)


def blobs(shape: tuple[int, ...], seed: int = 0, level: float = 0.0) -> NDArray[np.float32]:
    """Smooth shapes, as probabilities."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 3)
    return np.asarray(1 / (1 + np.exp(-8 * (noise / noise.std() - level))), np.float32)


def image_of(shape: tuple[int, ...], **changed: Any) -> Image:
    return Image(np.zeros((1, *shape), np.uint8), **changed)


def moved(planes: NDArray[np.float32], by: tuple[float, ...]) -> NDArray[np.float32]:
    return np.asarray(ndimage.shift(planes, by, order=1, mode="nearest"), np.float32)


@pytest.mark.parametrize("by", [(0.0, 0.0), (-0.63, -0.13), (0.5, 1.2), (-1.3, 0.3)])
def test_masks_drawn_beside_are_found_to_a_fraction_of_a_pixel(by: tuple[float, float]) -> None:
    said = blobs(FLAT)
    truth = (moved(said, by) > 0.5).astype(np.uint8)
    found = measured_offset(truth, said[None], np.ones(FLAT, bool), image_of(FLAT), plan_of(2))
    np.testing.assert_allclose(found or (), by, atol=0.1)


def test_pixels_that_do_not_count_say_nothing() -> None:
    said = blobs(FLAT)
    truth = (moved(said, (0.6, 0.0)) > 0.5).astype(np.uint8)
    counted = np.zeros(FLAT, bool)
    counted[:, :120] = True
    truth[:, 120:] = 1
    found = measured_offset(truth, said[None], counted, image_of(FLAT), plan_of(2))
    np.testing.assert_allclose(found or (), (0.6, 0.0), atol=0.1)


def test_of_several_classes_each_says_its_part() -> None:
    said = np.stack([blobs(FLAT, seed) for seed in (1, 2, 3)])
    said /= said.sum(0)
    truth = np.stack([moved(plane, (0.0, -0.4)) for plane in said]).argmax(0).astype(np.uint8)
    found = measured_offset(truth, said, np.ones(FLAT, bool), image_of(FLAT), plan_of(2, n_classes=3))
    np.testing.assert_allclose(found or (), (0.0, -0.4), atol=0.1)


def test_volumes_that_lie_otherwise_and_are_resampled_are_measured_on_the_grid_of_the_plan() -> None:
    """The file runs x, y, z with x backwards, at half the spacing along z."""
    shape, by = (60, 50, 80), (0.0, 0.6, -1.0)
    said = blobs(shape)
    truth = (moved(said, by) > 0.5).astype(np.uint8)
    direction = (0.0, 0.0, 1.0, 0.0, 1.0, 0.0, -1.0, 0.0, 0.0)
    image = image_of(shape, spacing=(1.0, 1.0, 0.5), unit="mm", direction=direction)
    plan = plan_of(3, spacing=(1.0, 1.0, 1.0), unit="mm")
    found = measured_offset(truth, said[None], np.ones(shape, bool), image, plan)
    np.testing.assert_allclose(found or (), (-0.5, 0.6, 0.0), atol=0.1)


@pytest.mark.parametrize("value", [0, 1])
def test_where_nothing_or_everything_is_marked_there_is_no_offset(value: int) -> None:
    truth = np.full(FLAT, value, np.uint8)
    assert measured_offset(truth, blobs(FLAT)[None], np.ones(FLAT, bool), image_of(FLAT), plan_of(2)) is None


def test_masks_of_another_place_have_no_offset() -> None:
    said = blobs(FLAT)
    truth = (moved(said, (FARTHEST + 2, 0)) > 0.5).astype(np.uint8)
    assert measured_offset(truth, said[None], np.ones(FLAT, bool), image_of(FLAT), plan_of(2)) is None


def test_of_large_images_every_few_lines_say_the_same() -> None:
    shape = (1200, 1 + 4 * MOST_PIXELS // 1200)
    said = np.tile(blobs((240, 240)), (5, shape[1] // 240 + 1))[:, : shape[1]]
    truth = (moved(said, (-0.5, 0.25)) > 0.5).astype(np.uint8)
    found = measured_offset(truth, said[None], np.ones(shape, bool), image_of(shape), plan_of(2))
    np.testing.assert_allclose(found or (), (-0.5, 0.25), atol=0.1)


def test_what_images_have_in_common_is_no_chance() -> None:
    assert common_offset([(-0.6, 0.3), (-0.7, -0.3), (-0.5, 0.1)]) == (-0.6, 0.0)
    assert common_offset([(0.05, 0.0), (0.06, 0.0)]) is None  # too small
    assert common_offset([(0.5, 0.0), (-0.4, 0.0)]) is None  # chance
    assert common_offset([(0.5, 0.5)]) is None  # one image alone
    assert common_offset([]) is None


@pytest.mark.parametrize("by", [(-0.63, -0.13), (0.5, 1.2), (0.0, -2.0)])
@pytest.mark.parametrize("shape", [FLAT, (601, AT_ONCE // 200)])
def test_predictions_are_moved_as_scipy_moves_them(by: tuple[float, float], shape: tuple[int, int]) -> None:
    raw = np.stack([blobs(shape, 1), blobs(shape, 2)])
    expected = np.stack([moved(plane, by) for plane in raw])
    found = aligned(raw, image_of(shape), card_of(plan_of(2), by))
    assert found is raw
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_without_an_offset_every_bit_stays() -> None:
    raw = blobs(FLAT)[None]
    before = raw.copy()
    np.testing.assert_array_equal(aligned(raw, image_of(FLAT), card_of(plan_of(2), None)), before)


def test_moving_undoes_what_was_measured_whatever_way_a_volume_lies() -> None:
    shape, by = (60, 50, 80), (0.4, -0.7, 0.8)
    said = blobs(shape)
    drawn = moved(said, by)
    image = image_of(
        shape,
        spacing=(1.0, 2.0, 0.5),
        unit="mm",
        direction=(0.0, 0.0, 1.0, 0.0, -1.0, 0.0, -1.0, 0.0, 0.0),
    )
    plan = plan_of(3, spacing=(1.0, 1.0, 1.0), unit="mm")
    truth = (drawn > 0.5).astype(np.uint8)
    found = measured_offset(truth, said[None], np.ones(shape, bool), image, plan)
    was = float(np.mean((said > 0.5) != (truth > 0)))
    there = aligned(said[None].copy(), image, card_of(plan, found))[0]
    assert np.mean((there > 0.5) != (truth > 0)) < 0.15 * was


def test_slices_are_moved_within_their_plane_alone() -> None:
    shape = (20, 60, 80)
    plan = plan_of(2, mode="slices", slice_axis=0)
    raw = blobs(shape)[None]
    expected = moved(raw[0], (0, 0.5, -0.25))
    np.testing.assert_allclose(
        aligned(raw, image_of(shape), card_of(plan, (0.5, -0.25)))[0], expected, atol=1e-5
    )


def test_words_say_the_side() -> None:
    flat, volume = plan_of(2), plan_of(3)
    assert "stand 0.15 px above what is seen" in offset_in_words((-0.15, 0.0), flat)
    assert "0.63 px above and 0.13 px left of what" in offset_in_words((-0.63, -0.13), flat)
    assert "stand 0.20 px right of what is seen" in offset_in_words((0.0, 0.2), flat)
    words = offset_in_words((0.5, 0.0, -0.2), volume)
    assert "stand +0.50 voxels along z, -0.20 voxels along x from what is seen" in words
