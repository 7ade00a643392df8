"""Windows along one axis: weights that add up to one, legal sizes, phases."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seglet.core.errors import GeometryError
from seglet.core.tiling import Stripe, strided_stripes, stripes, valid_stripes
from seglet.core.valid import ValidAxis

QUICK = settings(max_examples=60, deadline=None)
Axis = tuple[int, int, int]  # extent, window, margin


@st.composite
def axes(draw: st.DrawFn) -> Axis:
    """An axis, a window and a margin that fits it."""
    margin = draw(st.integers(0, 6))
    return draw(st.integers(1, 40)), draw(st.integers(2 * margin + 1, 2 * margin + 15)), margin


@pytest.mark.parametrize(("window", "margin"), [(4, 2), (4, 3), (0, 0)])
def test_window_without_a_core_is_refused(window: int, margin: int) -> None:
    with pytest.raises(GeometryError, match="larger than twice") as caught:
        stripes(9, window, margin, 1)
    assert f"at least {2 * margin + 1}" in caught.value.remedy


def _total(n: int, found: list[Stripe]) -> np.ndarray:
    total = np.zeros(n)
    for stripe in found:
        place = np.arange(stripe.extent - 2 * stripe.lost) + stripe.start + stripe.lost
        inside = (place >= 0) & (place < n)
        assert (stripe.weights[~inside] == 0).all()
        total[place[inside]] += stripe.weights[inside]
    return total


@QUICK
@given(axes(), st.sampled_from([1, 4, 32]))
def test_weights_of_stripes_add_up_to_one(axis: Axis, multiple: int) -> None:
    n, window, margin = axis
    found = stripes(n, window, margin, multiple)
    np.testing.assert_allclose(_total(n, found), 1, atol=1e-6)
    assert len({stripe.extent for stripe in found}) == 1
    assert found[0].extent % multiple == 0
    assert all(stripe.weights.shape == (stripe.extent,) for stripe in found)
    assert all((stripe.weights >= 0).all() and stripe.weights.any() for stripe in found)


def test_short_axis_takes_a_single_window() -> None:
    (only,) = stripes(37, 64, 8, 32)
    assert only.extent == 64
    assert only.weights.sum() == 37


def test_ramp_between_two_windows_by_hand() -> None:
    first, second = stripes(20, 14, 2, 1)  # two cores of 10, shared over the pixels 8 to 11
    assert (first.start, first.extent, second.start) == (-2, 14, 8)
    np.testing.assert_allclose(first.weights[10:], [7 / 8, 5 / 8, 3 / 8, 1 / 8])
    np.testing.assert_allclose(second.weights[:5], [1 / 8, 3 / 8, 5 / 8, 7 / 8, 1])


def test_windows_without_margin_do_not_overlap() -> None:
    found = stripes(10, 5, 0, 1)
    assert [(s.start, s.extent) for s in found] == [(0, 5), (5, 5)]
    assert all((s.weights == 1).all() for s in found)


@QUICK
@given(axes(), st.sampled_from([1, 4, 32]))
def test_windows_stand_apart_by_whole_multiples(axis: Axis, multiple: int) -> None:
    starts = np.array([stripe.start for stripe in stripes(*axis, multiple)])
    assert (np.diff(starts) % multiple == 0).all()


@st.composite
def valid_axes(draw: st.DrawFn) -> ValidAxis:
    """Sizes of a network of up to five levels."""
    kernels = draw(st.lists(st.sampled_from([1, 3]), min_size=1, max_size=5))
    strides = draw(st.lists(st.sampled_from([1, 2]), min_size=len(kernels) - 1, max_size=len(kernels) - 1))
    return ValidAxis(tuple(strides), tuple(kernels))


@QUICK
@given(st.integers(1, 900), st.integers(1, 700), valid_axes())
def test_each_pixel_is_taken_from_one_valid_window_in_the_phase_of_the_first(
    n: int, window: int, axis: ValidAxis
) -> None:
    found = valid_stripes(n, window, axis)
    np.testing.assert_array_equal(_total(n, found), 1)
    assert {weight for stripe in found for weight in stripe.weights} <= {0, 1}
    assert found[0].start == -axis.margin
    for stripe in found:
        assert axis.is_legal(stripe.extent)
        assert len(stripe.weights) == axis.output(stripe.extent)
        assert (stripe.start - found[0].start) % axis.step == 0
        assert stripe.weights.any()


@QUICK
@given(st.integers(1, 900), st.integers(1, 700), valid_axes())
def test_valid_windows_are_no_larger_than_wished_nor_than_they_must_be(
    n: int, window: int, axis: ValidAxis
) -> None:
    found = valid_stripes(n, window, axis)
    smallest = axis.nearest(axis.lost + axis.step)
    assert found[0].extent <= max(smallest, axis.nearest(window))
    assert found[0].extent <= axis.nearest(n + axis.lost)


def test_valid_windows_of_the_original_by_hand() -> None:
    original = ValidAxis((2,) * 4, (3,) * 5)
    places = [
        (stripe.start, stripe.extent, stripe.weights.sum()) for stripe in valid_stripes(1000, 572, original)
    ]
    assert places == [(-92, 524, 336), (244, 524, 336), (580, 524, 328)]  # of 340 pixels each, three of 336


@QUICK
@given(st.integers(1, 200), st.integers(1, 60), st.data())
def test_windows_a_stride_apart_count_alike(n: int, window: int, data: st.DataObject) -> None:
    stride = data.draw(st.integers(1, window))
    found = strided_stripes(n, window, stride)
    np.testing.assert_allclose(_total(n, found), 1, atol=1e-5)
    assert [stripe.start for stripe in found] == list(range(0, stride * len(found), stride))
    assert all(stripe.extent == window for stripe in found)
    assert found[-1].start + window >= n, "the end is shown"
    assert len(found) == 1 or found[-2].start + window < n, "and by one window more than before"


def test_weights_of_windows_a_stride_apart_by_hand() -> None:
    first, second, third = strided_stripes(7, 4, 2)
    np.testing.assert_allclose(first.weights, [1, 1, 1 / 2, 1 / 2])
    np.testing.assert_allclose(second.weights, [1 / 2] * 4)
    np.testing.assert_allclose(third.weights, [1 / 2, 1 / 2, 1, 0])


def test_gaps_between_windows_are_refused() -> None:
    with pytest.raises(GeometryError, match="without gaps") as caught:
        strided_stripes(100, 48, 49)
    assert "at most 48" in caught.value.remedy


def test_what_a_window_says_of_an_axis() -> None:
    assert Stripe(-4, 12, np.ones(8, np.float32), 2).inside(5) == (slice(0, 5), slice(2, 7))
    assert Stripe(3, 4, np.ones(4, np.float32)).inside(5) == (slice(3, 5), slice(0, 2))
