"""Intensities: hand-countable arrays, and what must hold for any image."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seglet.core.errors import GeometryError
from seglet.preprocessing.intensity import (
    MAX_LOOKED_AT,
    IntensityScale,
    Normalization,
    measure,
    measure_ct,
    scale,
    to_color,
    top_of,
    window_scale,
)

QUICK = settings(max_examples=40, deadline=None)
SOME = IntensityScale(low=-10, high=30, zero=10, unit=5)
RAMP = np.arange(12, dtype=np.float32).reshape(1, 3, 4)


def normalize(pixels: np.ndarray, kind: Normalization, top: float) -> np.ndarray:
    return scale(pixels, measure(pixels, kind, top))


def test_gray_of_rgb_is_the_luma() -> None:
    rgb = np.zeros((3, 1, 3), np.uint8)
    rgb[0, 0, 0], rgb[1, 0, 1], rgb[2, 0, 2] = 100, 100, 100
    gray = to_color(rgb, "gray", 1)
    assert gray.dtype == np.float32
    np.testing.assert_allclose(gray[0, 0], [29.9, 58.7, 11.4], rtol=1e-6)


def test_gray_becomes_three_equal_channels() -> None:
    rgb = to_color(np.arange(4, dtype=np.uint16).reshape(1, 2, 2), "rgb", 3)
    assert rgb.shape == (3, 2, 2)
    assert (rgb == rgb[0]).all()


@pytest.mark.parametrize(("color", "n"), [("gray", 1), ("rgb", 3), ("as_is", 5)])
def test_right_channels_are_left_alone(color: str, n: int) -> None:
    pixels = np.arange(n * 4, dtype=np.float32).reshape(n, 2, 2)
    np.testing.assert_array_equal(to_color(pixels, color, n), pixels)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "color", "wanted"), [(2, "gray", 1), (4, "rgb", 3), (3, "as_is", 4), (1, "as_is", 2)]
)
def test_wrong_number_of_channels_is_refused(found: int, color: str, wanted: int) -> None:
    with pytest.raises(GeometryError, match=f"found {found} channels; expected {wanted}"):
        to_color(np.zeros((found, 2, 2)), color, wanted)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("dtype", "top"), [("uint8", 255), ("uint16", 65535), ("int16", 32767), ("float32", 1), ("bool", 1)]
)
def test_top_of_a_type(dtype: str, top: float) -> None:
    assert top_of(np.dtype(dtype)) == top


def test_division_by_the_top_keeps_proportions() -> None:
    np.testing.assert_allclose(normalize(RAMP, "divide", 255), RAMP / 255)


def test_rescaling_clips_at_the_percentiles() -> None:
    pixels = np.arange(1001, dtype=np.float32).reshape(1, 7, 143)  # percentiles 5 and 995
    scaled = normalize(pixels, "rescale", 1).ravel()
    assert scaled[:6].tolist() == [0] * 6
    assert scaled[995:].tolist() == [1] * 6
    assert scaled[500] == pytest.approx(0.5)


def test_standardized_channels_have_mean_zero_and_deviation_one_each() -> None:
    rng = np.random.default_rng(0)
    pixels = np.stack([rng.normal(1000, 5, (40, 50)), rng.normal(-3, 0.1, (40, 50))]).astype(np.float32)
    result = normalize(pixels, "standardize", 1)
    np.testing.assert_allclose(result.mean(axis=(1, 2)), 0, atol=1e-3)
    np.testing.assert_allclose(result.std(axis=(1, 2)), 1, atol=1e-4)


def test_zscore_clips_nothing() -> None:
    pixels = np.array([[[-7, 1, 1, 1], [1, 1, 1, 9]]], np.float32)  # mean 1, variance (64 + 64) / 8
    np.testing.assert_allclose(normalize(pixels, "zscore", 1), (pixels - 1) / 4, atol=1e-6)


def test_zscore_of_faint_and_of_shifted_intensities_is_the_same() -> None:
    once = normalize(RAMP, "zscore", 1)
    for changed in (RAMP * np.float32(1e-25), RAMP * 64 + 4096):
        np.testing.assert_allclose(normalize(changed, "zscore", 1), once, rtol=1e-4)


@pytest.mark.parametrize("gap", [np.nan, np.inf, -np.inf])
def test_gap_is_left_out_of_zscore_and_becomes_zero(gap: float) -> None:
    holed = np.array([[gap, 2, 4, 6, gap]], np.float32)
    np.testing.assert_allclose(normalize(holed, "zscore", 1), [[0, -(1.5**0.5), 0, 1.5**0.5, 0]], atol=1e-6)


@pytest.mark.parametrize("kind", ["standardize", "zscore", "rescale", "divide"])
def test_channel_of_zeros_stays_exactly_zero(kind: Normalization) -> None:
    """As a missing modality is filled in, and as training drops one."""
    assert (normalize(np.zeros((1, 5, 6), np.float32), kind, 4095) == 0).all()


def test_hot_pixel_does_not_dim_the_rest() -> None:
    pixels = np.random.default_rng(0).normal(10, 1, (1, 50, 50)).astype(np.float32)
    hot = pixels.copy()
    hot[0, 3, 3] = 1e6
    difference = np.abs(normalize(pixels, "standardize", 1) - normalize(hot, "standardize", 1))
    difference[0, 3, 3] = 0
    assert difference.max() < 0.05


@pytest.mark.parametrize("kind", ["standardize", "rescale"])
def test_single_bright_pixel_is_still_seen(kind: Normalization) -> None:
    pixels = np.zeros((1, 40, 40), np.float32)  # both percentiles are 0
    pixels[0, 5, 6] = 7
    result = normalize(pixels, kind, 1)
    assert np.unravel_index(result.argmax(), result.shape) == (0, 5, 6)
    assert np.isfinite(result).all()


@pytest.mark.parametrize("kind", ["standardize", "zscore", "rescale"])
def test_constant_channel_becomes_zero_and_the_others_do_not(kind: Normalization) -> None:
    pixels = np.concatenate([np.full_like(RAMP, 9), RAMP])
    result = normalize(pixels, kind, 1)
    assert (result[0] == 0).all()
    assert result[1].max() > 0


@pytest.mark.parametrize("kind", ["standardize", "rescale"])
@pytest.mark.parametrize("gap", [np.nan, np.inf, -np.inf])
def test_gap_counts_as_the_smallest_value(kind: Normalization, gap: float) -> None:
    holed, filled = RAMP + 5, RAMP + 5
    holed[0, 1, 1], filled[0, 1, 1] = gap, 5
    np.testing.assert_array_equal(normalize(holed, kind, 2), normalize(filled, kind, 2))


@pytest.mark.parametrize("gap", [np.nan, np.inf, -np.inf])
def test_gap_counts_as_zero_where_intensities_are_only_divided(gap: float) -> None:
    holed = np.array([[gap, 4]], np.float32)
    assert normalize(holed, "divide", 2).tolist() == [[0, 2]]


def test_channel_of_gaps_alone_becomes_zero() -> None:
    for kind in ("standardize", "zscore"):
        assert (normalize(np.full((1, 3, 3), np.nan, np.float32), kind, 1) == 0).all()  # type: ignore[arg-type]


def test_difference_that_float32_cannot_tell_counts_as_none() -> None:
    assert (normalize(RAMP * np.float32(1e-44), "standardize", 1) == 0).all()


def test_faint_image_is_standardized_too() -> None:
    result = normalize(RAMP * np.float32(1e-25), "standardize", 1)  # its variance is below float32's range
    np.testing.assert_allclose(result, normalize(RAMP, "standardize", 1), rtol=1e-4)


def test_large_image_is_normalized_from_a_sample_of_its_pixels() -> None:
    pixels = np.random.default_rng(0).normal(0, 1, (1, 3 * MAX_LOOKED_AT)).astype(np.float32)[:, None]
    scaled = normalize(pixels, "rescale", 1)
    low, high = np.percentile(pixels, (0.5, 99.5))
    np.testing.assert_allclose(scaled, np.clip((pixels - low) / (high - low), 0, 1), atol=0.02)


def test_sample_of_pixels_meets_every_column() -> None:
    """Rows of 512 pixels: each 128th of all would be four columns, and miss what lies between them."""
    pixels = np.random.default_rng(0).integers(0, 20, (98, 512, 512), np.uint8)
    assert pixels.size // MAX_LOOKED_AT == 128
    pixels[:, 150:350, 300:330] = 200
    assert measure(pixels[None].astype(np.float32), "rescale", 255)[0].high == 200


@QUICK
@given(
    arrays(np.float32, (2, 4, 5), elements=st.floats(-1e4, 1e4, width=32)),
    st.sampled_from(["standardize", "rescale"]),
)
def test_result_is_finite_and_keeps_the_order_of_intensities(pixels: np.ndarray, kind: Normalization) -> None:
    result = normalize(pixels, kind, 1)
    assert result.dtype == np.float32
    assert np.isfinite(result).all()
    for before, after in zip(pixels, result, strict=True):
        assert (np.diff(after.ravel()[np.argsort(before, axis=None)]) >= 0).all()


@QUICK
@given(arrays(np.uint8, (1, 5, 5)), st.sampled_from([2.0, 256.0]), st.sampled_from([0.0, 512.0]))
def test_unit_of_the_intensities_does_not_matter(pixels: np.ndarray, factor: float, offset: float) -> None:
    pixels = pixels.astype(np.float32)
    once = normalize(pixels, "standardize", 1)
    np.testing.assert_allclose(normalize(pixels * factor + offset, "standardize", 1), once, atol=2e-3)


def test_scale_clips_shifts_and_divides() -> None:
    pixels = np.array([[-100, -10, 0, 10, 30, 100]], np.float32)
    assert scale(pixels, [SOME]).tolist() == [[-4, -4, -2, 0, 4, 4]]
    assert pixels[0, 0] == -100  # untouched


def test_gaps_count_as_the_lower_end_of_a_scale() -> None:
    assert scale(np.array([[np.nan, np.inf, 10]], np.float32), [SOME]).tolist() == [[-4, -4, 0]]


def test_scale_of_a_part_is_the_part_of_the_scaled() -> None:
    pixels = np.random.default_rng(0).normal(100, 20, (2, 6, 30, 20)).astype(np.float32)
    scales = measure(pixels, "standardize", 1)
    part = (slice(None), slice(1, 4), slice(5, 20), slice(3, 9))
    np.testing.assert_array_equal(scale(pixels[part], scales), scale(pixels, scales)[part])


def test_each_channel_has_its_scale() -> None:
    scaled = scale(np.full((2, 1, 1), 30, np.float32), [SOME, window_scale(-30, 90)])
    assert scaled.ravel().tolist() == [4, 0]


def test_window_ends_become_minus_two_and_two() -> None:
    pixels = np.array([[-1000, -160, 40, 240, 3000]], np.float32)
    assert scale(pixels, [window_scale(-160, 240)]).tolist() == [[-2, -2, 0, 2, 2]]


def test_scale_of_computed_tomography_is_that_of_its_foreground() -> None:
    intensities = np.arange(1001.0)[None]  # percentiles 5 and 995
    (found,) = measure_ct(intensities)
    clipped = np.clip(intensities, 5, 995)
    assert (found.low, found.high) == (5, 995)
    assert (found.zero, found.unit) == pytest.approx((clipped.mean(), clipped.std()))


@pytest.mark.parametrize("kind", ["standardize", "rescale", "zscore"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_counted_levels_have_the_scale_of_their_pixels_summed(kind: Normalization, dtype: type) -> None:
    rng = np.random.default_rng(0)
    top = np.iinfo(dtype).max
    pixels = np.clip(rng.gamma(2, top / 9, (2, 301, 997)), 0, top).astype(dtype)
    of_levels, of_numbers = measure(pixels, kind, 1), measure(pixels.astype(np.float32), kind, 1)
    for one, other in zip(of_levels, of_numbers, strict=True):
        assert (one.low, one.high) == (other.low, other.high)
        assert (one.zero, one.unit) == pytest.approx((other.zero, other.unit), rel=1e-6)
