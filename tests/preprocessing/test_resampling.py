"""Resampling: against scikit-image, by hand, and what must hold for any array."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.transform import resize

from seglet.core.image import IGNORE
from seglet.preprocessing.resampling import interpolation, pick_nearest, resample, resample_classes

QUICK = settings(max_examples=40, deadline=None)
Shape = st.one_of(st.tuples(*[st.integers(1, 12)] * 2), st.tuples(*[st.integers(1, 9)] * 3))
Pair = Shape.flatmap(lambda s: st.tuples(st.just(s), st.tuples(*[st.integers(1, 14)] * len(s))))


def _noise(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).random(shape, np.float32)


@pytest.mark.parametrize(
    ("shape", "wished"), [((7, 5), (9, 13)), ((6, 7, 5), (6, 14, 11)), ((3, 4, 5), (8, 4, 6))]
)
def test_enlarging_is_scikit_images_linear_resizing(shape: tuple[int, ...], wished: tuple[int, ...]) -> None:
    values = _noise(shape)
    expected = resize(values, wished, order=1, mode="edge", anti_aliasing=False)
    np.testing.assert_allclose(resample(values, wished), expected, atol=1e-5)


def test_halving_by_hand() -> None:
    """Triangles of two steps to each side: weights 1 3 3 1 of 8, without those beyond the border."""
    values = np.array([[0, 8, 0, 0, 0, 0, 16, 0]], np.float32)
    halved = resample(values, (1, 4))
    np.testing.assert_allclose(halved, [[8 * 3 / 7, 8 / 8, 16 / 8, 16 * 3 / 7]], rtol=1e-6)


@QUICK
@given(Pair)
def test_result_stays_in_the_range_and_a_constant_constant(pair: tuple[tuple[int, ...], ...]) -> None:
    shape, wished = pair
    values = _noise(shape)
    result = resample(values, wished)
    assert (result.shape, result.dtype) == (wished, np.float32)
    assert result.min() >= values.min() - 1e-6
    assert result.max() <= values.max() + 1e-6
    np.testing.assert_allclose(resample(np.full(shape, 3, np.float32), wished), 3, rtol=1e-6)


@QUICK
@given(Pair)
def test_mirrored_arrays_give_mirrored_results(pair: tuple[tuple[int, ...], ...]) -> None:
    shape, wished = pair
    values = _noise(shape)
    np.testing.assert_allclose(
        np.flip(resample(np.flip(values), wished)), resample(values, wished), atol=1e-5
    )


@QUICK
@given(Pair)
def test_shape_that_stands_is_left(pair: tuple[tuple[int, ...], ...]) -> None:
    values = _noise(pair[0])
    assert resample(values, pair[0]) is values
    assert resample_classes(values, pair[0]) is values
    assert pick_nearest(values, pair[0]) is values


@QUICK
@given(st.integers(1, 40), st.integers(1, 40))
def test_weights_of_each_new_point_add_up_to_one(n_old: int, n_new: int) -> None:
    weights = interpolation(n_old, n_new)
    assert weights.shape == (n_new, n_old)
    assert weights.data.min() >= 0
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-6)


@QUICK
@given(Pair)
def test_no_class_and_no_object_is_invented(pair: tuple[tuple[int, ...], ...]) -> None:
    shape, wished = pair
    classes = np.random.default_rng(1).choice(np.array([0, 2, 7, IGNORE], np.uint8), shape)
    for result in (resample_classes(classes, wished), pick_nearest(classes, wished)):
        assert (result.shape, result.dtype) == (wished, classes.dtype)
        assert set(np.unique(result)) <= set(np.unique(classes))


def test_largest_share_wins_and_the_smaller_index_a_tie() -> None:
    line = np.array([[1, 1, 1, 5, 5, 5, 5, 0]], np.uint8)
    assert resample_classes(line, (1, 2)).tolist() == [[1, 5]]
    assert resample_classes(np.array([[5, 3]], np.uint8), (1, 1)).tolist() == [[3]]


def test_thin_class_between_two_is_not_taken_for_their_mean() -> None:
    labels = np.repeat(np.array([[0, 2]], np.uint8), 6, axis=1)
    assert set(np.unique(resample_classes(labels, (1, 31)))) == {0, 2}


def test_truth_of_a_field_of_view_stays_bool() -> None:
    fov = np.zeros((4, 4), bool)
    fov[:, 2:] = True
    enlarged = resample_classes(fov, (8, 8))
    assert enlarged.dtype == bool
    assert enlarged[:, 4:].all()
    assert not enlarged[:, :4].any()


def test_nearest_of_each_third() -> None:
    assert pick_nearest(np.arange(9)[None], (1, 3)).tolist() == [[1, 4, 7]]
    assert pick_nearest(np.arange(2)[None], (1, 6)).tolist() == [[0, 0, 0, 1, 1, 1]]


@pytest.mark.parametrize("wished", [(20, 30, 24), (9, 14, 11), (20, 11, 30)])
def test_object_stays_where_it_is(wished: tuple[int, ...]) -> None:
    """Its center of mass, in units of the volume, moves by less than half of the coarser voxel."""
    shape = np.array((16, 20, 18))
    places = np.indices(shape)
    ball = sum((p - c) ** 2 for p, c in zip(places, (6, 12, 10), strict=True)) < 25
    for result in (
        resample(ball.astype(np.float32), wished),
        resample_classes(ball.astype(np.uint8), wished),
        pick_nearest(ball.astype(np.int32), wished),
    ):
        for axis, n in enumerate(wished):
            new = ((np.indices(wished)[axis] + 0.5) * result).sum() / result.sum() / n
            old = ((places[axis] + 0.5) * ball).sum() / ball.sum() / shape[axis]
            assert abs(new - old) < 0.5 / min(n, shape[axis])


def test_many_lines_are_resampled_like_few(monkeypatch: pytest.MonkeyPatch) -> None:
    values = _noise((5, 6, 7))
    expected = resample(values, (5, 6, 10))
    monkeypatch.setattr("seglet.preprocessing.resampling.MAX_AT_ONCE", 25)
    np.testing.assert_array_equal(resample(values, (5, 6, 10)), expected)
