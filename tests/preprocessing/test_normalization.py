"""Images on disk are normalized part by part as in memory."""

from collections.abc import Callable

import numpy as np
import pytest

from seglet.core.errors import GeometryError
from seglet.core.image import Image, StoredImage
from seglet.preprocessing.contrast import equalize
from seglet.preprocessing.intensity import IntensityScale, Normalization
from seglet.preprocessing.normalization import (
    normalization_of,
    normalize_image,
    normalize_part,
    require_parts,
)
from seglet.preprocessing.plan import Plan

PLAN = Plan(
    color="gray",
    normalization="standardize",
    resize=None,
    patch_size=(8, 8, 8),
    batch_size=2,
    channels=(4,),
    strides=(),
    kernels=((3, 3, 3),),
    mode="3d",
    n_channels=1,
    n_classes=2,
    training_memory=1,
)


def _plan(**changed: object) -> Plan:
    return PLAN.model_copy(update=changed)


def _stored(pixels: np.ndarray, *, is_random: bool = True) -> tuple[StoredImage, list[tuple[slice, ...]]]:
    asked: list[tuple[slice, ...]] = []

    def read(box: tuple[slice, ...]) -> np.ndarray:
        asked.append(box)
        return pixels[(slice(None), *box)]

    return StoredImage(pixels.shape, pixels.dtype, read, is_random), asked


def _noise(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 4000, shape).astype(np.uint16)


@pytest.mark.parametrize("kind", ["standardize", "zscore", "rescale", "divide"])
def test_parts_of_a_small_image_are_parts_of_the_whole(kind: Normalization) -> None:
    pixels, plan = _noise((1, 9, 20, 30)), _plan(normalization=kind)
    stored, _ = _stored(pixels)
    part = (slice(None), slice(2, 5), slice(0, 7), slice(20, 30))
    normalized = normalize_part(pixels[part], normalization_of(stored, plan))
    np.testing.assert_allclose(normalized, normalize_image(Image(pixels), plan)[part], atol=1e-6)


def test_large_image_is_measured_in_boxes() -> None:
    base = _noise((1, 8, 160, 160))
    pixels = np.broadcast_to(np.tile(base, (1, 20, 1, 1)), (1, 160, 160, 160))
    stored, asked = _stored(pixels)
    record = normalization_of(stored, PLAN)
    assert sum(np.prod([s.stop - s.start for s in box]) for box in asked) < 2_200_000 < pixels.size
    part = normalize_part(pixels[:, :20, :20, :20], record)
    np.testing.assert_allclose(part, normalize_image(Image(pixels), PLAN)[:, :20, :20, :20], atol=0.01)


def test_file_that_cannot_be_read_in_part_is_read_once() -> None:
    stored, asked = _stored(_noise((1, 160, 160, 160)), is_random=False)
    normalization_of(stored, PLAN)
    assert len(asked) == 1


@pytest.mark.parametrize("shape", [(3, 40, 50), (3, 6, 40, 50)])
def test_color_is_brought_to_the_plan_before_it_is_measured(shape: tuple[int, ...]) -> None:
    pixels = _noise(shape)
    stored, _ = _stored(pixels)
    record = normalization_of(stored, PLAN)
    assert len(record.scales) == 1
    np.testing.assert_allclose(
        normalize_part(pixels, record), normalize_image(Image(pixels), PLAN), atol=1e-5
    )


def _whole(pixels: np.ndarray, plan: Plan) -> np.ndarray:
    return normalize_image(Image(pixels), plan)


def _in_parts(pixels: np.ndarray, plan: Plan) -> np.ndarray:
    return normalize_part(pixels, normalization_of(_stored(pixels)[0], plan))


@pytest.mark.parametrize("normalized", [_whole, _in_parts])
def test_computed_tomography_is_scaled_by_the_plan(
    normalized: Callable[[np.ndarray, Plan], np.ndarray],
) -> None:
    plan = _plan(normalization="ct", intensity=(IntensityScale(low=-100, high=300, zero=100, unit=50),))
    pixels = np.array([-1024, -100, 100, 150, 300, 3071], np.int16).reshape(1, 1, 2, 3)
    assert normalized(pixels, plan).ravel().tolist() == [-4, -4, 0, 1, 4, 4]


@pytest.mark.parametrize("normalized", [_whole, _in_parts])
def test_other_channels_are_refused(normalized: Callable[[np.ndarray, Plan], np.ndarray]) -> None:
    with pytest.raises(GeometryError, match="found 2 channels; expected 1"):
        normalized(_noise((2, 3, 4, 5)), PLAN)


SAGITTAL_FIRST = (0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0)  # the file's axes are left, head, back


@pytest.mark.parametrize(("direction", "axis"), [((), 0), (SAGITTAL_FIRST, 1)])
def test_each_slice_is_zscored_by_itself(direction: tuple[float, ...], axis: int) -> None:
    """Slices are those that the network sees, also where the file has their axis elsewhere."""
    pixels = _noise((1, 6, 7, 8))
    plan = _plan(normalization="zscore", mode="slices")
    slices = np.moveaxis(normalize_image(Image(pixels, direction=direction), plan)[0], axis, 0)
    np.testing.assert_allclose(slices.mean(axis=(1, 2)), 0, atol=1e-5)
    np.testing.assert_allclose(slices.std(axis=(1, 2)), 1, atol=1e-5)
    whole = normalize_image(Image(pixels, direction=direction), _plan(normalization="zscore"))[0]
    assert np.ptp(np.moveaxis(whole, axis, 0).mean(axis=(1, 2))) > 0.01
    assert (whole.mean(), whole.std()) == pytest.approx((0, 1), abs=1e-4)


def test_coronal_slices_are_equalized_as_images() -> None:
    pixels = _noise((1, 16, 5, 24))
    plan = _plan(normalization="clahe", mode="slices", slice_axis=1)
    result = normalize_image(Image(pixels), plan)
    for number in range(5):
        expected = equalize(pixels[:, :, number].astype(np.float32))
        np.testing.assert_array_equal(result[:, :, number], expected)


def test_colors_become_gray_before_they_are_equalized() -> None:
    colors = _noise((3, 20, 30))
    gray = np.tensordot([0.299, 0.587, 0.114], colors.astype(float), axes=1).astype(np.float32)
    result = normalize_image(Image(colors), _plan(normalization="clahe", mode="2d"))
    np.testing.assert_allclose(result, equalize(gray[None]), atol=0.02)  # a level, where rounding decides


@pytest.mark.parametrize(
    "changed",
    [
        {"normalization": "clahe"},
        {"normalization": "clahe", "mode": "2d"},
        {"normalization": "zscore", "mode": "slices"},
    ],
)
def test_what_needs_the_whole_is_refused_in_parts_before_anything_is_read(changed: dict[str, str]) -> None:
    stored, asked = _stored(_noise((1, 9, 20, 30)))
    with pytest.raises(GeometryError, match=f"normalizes whole .*{changed['normalization']}"):
        normalization_of(stored, _plan(**changed))
    assert asked == []


def test_what_needs_no_whole_may_be_read_in_parts() -> None:
    for changed in ({}, {"mode": "slices"}, {"normalization": "zscore"}, {"normalization": "divide"}):
        require_parts(_plan(**changed))
