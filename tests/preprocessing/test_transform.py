"""Applying a plan and undoing it."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seglet.core.errors import GeometryError
from seglet.core.image import IGNORE, Image, Sample
from seglet.preprocessing.intensity import measure, scale
from seglet.preprocessing.plan import Plan
from seglet.preprocessing.transform import grid_shape, has_own_grid, preprocess, preprocess_image, restore

QUICK = settings(max_examples=25, deadline=None)
Size = st.tuples(st.integers(1, 30), st.integers(1, 30))


def _plan(**changed: object) -> Plan:
    plan = Plan(
        color="gray",
        normalization="standardize",
        resize=None,
        patch_size=(8, 8),
        batch_size=2,
        channels=(4, 8),
        strides=((2, 2),),
        kernels=((3, 3),) * 2,
        n_channels=1,
        n_classes=2,
        training_memory=1,
    )
    return plan.model_copy(update=changed)


def _sample(shape: tuple[int, int]) -> Sample:
    rng = np.random.default_rng(0)
    return Sample(
        "case",
        Image(rng.integers(0, 255, (1, *shape), dtype=np.uint8)),
        labels=rng.choice(np.array([0, 1, IGNORE], np.uint8), shape),
        objects=rng.choice(np.array([0, 3, 70_001], np.int32), shape),
        fov=rng.random(shape) < 0.5,
    )


def test_own_size_is_kept_and_the_truth_untouched() -> None:
    sample = _sample((5, 7))
    (prepared,) = preprocess(sample, _plan())
    assert prepared.id == "case"
    assert prepared.image.dtype == np.float32
    pixels = sample.image.pixels
    expected = scale(pixels.astype(np.float32), measure(pixels, "standardize", 255))
    np.testing.assert_array_equal(prepared.image, expected)
    assert prepared.labels is sample.labels
    assert prepared.objects is sample.objects
    assert prepared.fov is sample.fov


def test_absent_truth_stays_absent() -> None:
    (prepared,) = preprocess(Sample("a", Image(np.zeros((1, 4, 4)))), _plan(resize=(6, 6)))
    assert prepared.labels is prepared.objects is prepared.fov is None


@QUICK
@given(Size, Size)
def test_resizing_invents_no_label(shape: tuple[int, int], size: tuple[int, int]) -> None:
    sample = _sample(shape)
    (prepared,) = preprocess(sample, _plan(resize=size))
    assert prepared.image.shape == (1, *size)
    for name in ("labels", "objects", "fov"):
        before, after = getattr(sample, name), getattr(prepared, name)
        assert after.shape == size
        assert after.dtype == before.dtype
        assert set(np.unique(after)) <= {0, *np.unique(before)}


@QUICK
@given(Size, Size)
def test_restored_probabilities_have_the_original_size(shape: tuple[int, int], size: tuple[int, int]) -> None:
    image = _sample(shape).image
    prepared = preprocess_image(image, _plan(resize=size))
    first = np.random.default_rng(0).random(prepared.shape, np.float32)
    restored = restore(np.concatenate([first, 1 - first]), image, _plan(resize=size))
    assert restored.dtype == np.float32
    assert restored.shape == (2, *shape)
    assert restored.min() >= 0
    np.testing.assert_allclose(restored.sum(axis=0), 1, atol=1e-5)


def test_restore_without_resizing_is_the_identity() -> None:
    probabilities = np.random.default_rng(0).random((2, 5, 7), np.float32)
    assert restore(probabilities, _sample((5, 7)).image, _plan()) is probabilities


def test_halves_stay_where_they_are() -> None:
    """Image and labels move together, there and back."""
    pixels = np.zeros((1, 16, 24), np.uint8)
    pixels[:, :, 12:] = 200
    sample = Sample("a", Image(pixels), labels=(pixels[0] > 0).astype(np.uint8))
    (prepared,) = preprocess(sample, _plan(resize=(32, 96), normalization="divide"))
    assert prepared.labels is not None
    assert (prepared.labels[:, :48] == 0).all()
    assert (prepared.labels[:, 48:] == 1).all()
    np.testing.assert_array_equal(prepared.image[0] > 100 / 255, prepared.labels == 1)
    back = restore(prepared.labels[None].astype(np.float32), sample.image, _plan(resize=(32, 96)))
    np.testing.assert_array_equal(back[0] > 0.5, sample.labels == 1)


def test_shrinking_averages_instead_of_skipping() -> None:
    pixels = np.zeros((1, 64, 64), np.uint8)
    pixels[:, ::4] = 200  # lines that picking every fourth row would keep or lose whole
    image = preprocess_image(Image(pixels), _plan(resize=(16, 16), normalization="divide"))
    np.testing.assert_allclose(image[0, 4:-4, 4:-4], 50 / 255, atol=0.05)


def test_field_of_view_does_not_change_intensities() -> None:
    sample = _sample((6, 6))
    without = Sample("a", sample.image)
    np.testing.assert_array_equal(preprocess(sample, _plan())[0].image, preprocess(without, _plan())[0].image)


def test_division_uses_the_type_of_the_file() -> None:
    image = Image(np.full((1, 2, 2), 65535, np.uint16))
    assert (preprocess_image(image, _plan(normalization="divide")) == 1).all()


def test_wrong_channels_are_refused() -> None:
    with pytest.raises(GeometryError, match="2 channels"):
        preprocess_image(Image(np.zeros((2, 4, 4))), _plan())


POSITIONS = [(order, signs) for order in permutations(range(3)) for signs in product((1.0, -1.0), repeat=3)]


def _direction(order: tuple[int, ...], signs: tuple[float, ...]) -> tuple[float, ...]:
    direction = np.zeros((3, 3))
    direction[list(order), [0, 1, 2]] = signs
    return tuple(float(v) for v in direction.ravel())


def _volume_plan(**changed: object) -> Plan:
    volumes = {"mode": "3d", "patch_size": (8, 8, 8), "strides": ((2, 2, 2),), "kernels": ((3, 3, 3),) * 2}
    return _plan(**(volumes | {"unit": "mm"} | changed))


def _volume(
    shape: tuple[int, ...], spacing: tuple[float, ...] = (), direction: tuple[float, ...] = ()
) -> Sample:
    rng = np.random.default_rng(0)
    labels = rng.choice(np.array([0, 1, IGNORE], np.uint8), shape)
    return Sample(
        "case",
        Image(rng.integers(0, 255, (1, *shape), dtype=np.uint8), spacing, "mm", direction=direction),
        labels=labels,
        objects=np.where(labels == 1, 70_001, 0).astype(np.int32),
        fov=rng.random(shape) < 0.5,
    )


@pytest.mark.parametrize(("order", "signs"), POSITIONS)
@pytest.mark.parametrize("mode", ["3d", "slices"])
def test_volume_comes_back_as_it_lies_in_its_file(
    order: tuple[int, ...], signs: tuple[float, ...], mode: str
) -> None:
    image = _volume((3, 4, 5), direction=_direction(order, signs)).image
    plan = _volume_plan(mode=mode, slice_axis=1, normalization="divide")
    back = restore(preprocess_image(image, plan), image, plan)
    np.testing.assert_array_equal(back, image.pixels / np.float32(255))


@pytest.mark.parametrize(("order", "signs"), POSITIONS)
def test_every_position_of_a_volume_is_prepared_the_same(
    order: tuple[int, ...], signs: tuple[float, ...]
) -> None:
    straight = _volume((4, 5, 6), (2.0, 1.0, 1.5))
    extent = tuple(straight.image.shape[axis] for axis in order)
    lying = np.empty(extent, np.intp)
    index = [0, 0, 0]
    for place in np.ndindex(extent):  # literally: go along each axis of the file, see where that leads
        for axis, world in enumerate(order):
            index[world] = place[axis] if signs[axis] > 0 else extent[axis] - 1 - place[axis]
        lying[place] = np.ravel_multi_index(index, (4, 5, 6))
    spacing = tuple(straight.image.spacing[axis] for axis in order)
    image = Image(
        straight.image.pixels.reshape(1, -1)[:, lying], spacing, "mm", direction=_direction(order, signs)
    )
    turned = Sample("case", image, straight.labels.ravel()[lying])  # type: ignore[union-attr]
    plan = _volume_plan(spacing=(1.0, 1.0, 1.0))
    (expected,), (prepared,) = preprocess(straight, plan), preprocess(turned, plan)
    assert prepared.image.shape == (1, 8, 5, 9)
    assert prepared.image.flags.c_contiguous
    assert prepared.labels.flags.c_contiguous  # type: ignore[union-attr]
    np.testing.assert_allclose(prepared.image, expected.image, atol=1e-6)
    np.testing.assert_array_equal(prepared.labels, expected.labels)


@QUICK
@given(
    st.tuples(*[st.integers(1, 12)] * 3),
    st.tuples(*[st.floats(0.3, 4)] * 3),
    st.sampled_from(POSITIONS),
    st.sampled_from(["3d", "slices"]),
)
def test_volume_of_any_spacing_comes_back_in_its_shape(
    shape: tuple[int, ...], spacing: tuple[float, ...], position: tuple[tuple[int, ...], ...], mode: str
) -> None:
    image = _volume(shape, spacing, _direction(*position)).image
    plan = _volume_plan(mode=mode, slice_axis=2, spacing=(1.0, 1.0, 1.0)[: 2 + (mode == "3d")])
    prepared = preprocess_image(image, plan)
    restored = restore(np.full_like(prepared, 0.25), image, plan)
    assert restored.shape == image.pixels.shape
    np.testing.assert_allclose(restored, 0.25, rtol=1e-6)


def test_ball_comes_back_to_its_place() -> None:
    """Resampled and turned there and back, its center of mass is within half a voxel."""
    ball = sum((p - c) ** 2 for p, c in zip(np.indices((14, 20, 24)), (5, 8, 15), strict=True)) < 20
    image = Image(
        ball[None] * np.uint8(200), (2.0, 0.7, 0.7), "mm", direction=_direction((1, 0, 2), (-1.0, 1.0, -1.0))
    )
    plan = _volume_plan(spacing=(1.0, 1.0, 1.0), normalization="divide")
    (prepared,) = preprocess(Sample("a", image, ball.astype(np.uint8)), plan)
    assert prepared.image.shape[1:] == (14, 28, 17)
    is_clear = np.abs(prepared.image[0] - 100 / 255) > 1e-3  # of a tie, see the vote
    assert prepared.labels is not None
    np.testing.assert_array_equal((prepared.image[0] > 100 / 255)[is_clear], prepared.labels[is_clear])
    back = restore(prepared.labels[None].astype(np.float32), image, plan)[0]
    for axis, places in enumerate(np.indices(ball.shape)):
        assert abs((places * back).sum() / back.sum() - (places * ball).sum() / ball.sum()) < 0.5, axis


def test_spacing_within_two_percent_is_left() -> None:
    sample = _volume((4, 5, 6), (1.01, 0.99, 1.0))
    (prepared,) = preprocess(sample, _volume_plan(spacing=(1.0, 1.0, 1.0)))
    assert prepared.labels is sample.labels


@pytest.mark.parametrize(("spacing", "unit"), [((), "mm"), ((2.0, 2.0, 2.0), "px")])
def test_volume_of_unknown_spacing_is_left(spacing: tuple[float, ...], unit: str) -> None:
    image = Image(np.zeros((1, 4, 5, 6)), spacing, unit)
    assert grid_shape(image, _volume_plan(spacing=(1.0, 1.0, 1.0))) == (4, 5, 6)


def test_spacing_is_compared_across_units() -> None:
    image = Image(np.zeros((1, 4, 5, 6)), (2000.0, 1000.0, 1000.0), "um")
    assert grid_shape(image, _volume_plan(spacing=(1.0, 1.0, 1.0))) == (8, 5, 6)


def test_volume_is_resized_to_a_fixed_size() -> None:
    (prepared,) = preprocess(_volume((4, 5, 6)), _volume_plan(resize=(8, 7, 6)))
    assert prepared.image.shape == (1, 8, 7, 6)
    assert prepared.labels is not None
    assert prepared.objects is not None
    assert not prepared.objects[prepared.labels == 0].any()
    assert set(np.unique(prepared.objects)) == {0, 70_001}


def test_slices_are_cut_along_their_axis_and_only_they_are_resampled() -> None:
    sample = _volume((4, 3, 6), (1.0, 5.0, 2.0))
    plan = _volume_plan(mode="slices", slice_axis=1, spacing=(1.0, 1.0), normalization="divide")
    slices = preprocess(sample, plan)
    assert [s.id for s in slices] == ["case_000", "case_001", "case_002"]
    volume = preprocess_image(sample.image, plan)
    assert volume.shape == (1, 3, 4, 12)
    for number, one in enumerate(slices):
        np.testing.assert_array_equal(one.image, volume[:, number])
        assert one.labels is not None
        assert one.fov is not None
        assert one.labels.shape == one.fov.shape == (4, 12)
        assert one.image.flags.c_contiguous
        assert one.labels.flags.c_contiguous


def test_slices_without_a_labelled_pixel_are_left_out() -> None:
    labels = np.zeros((5, 2, 2), np.uint8)
    labels[1] = IGNORE
    fov = np.ones((5, 2, 2), bool)
    fov[2] = False
    labels[3, 0], fov[3, 1] = IGNORE, False  # labelled where not seen, seen where not labelled
    sample = Sample("v", Image(np.zeros((1, 5, 2, 2))), labels=labels, fov=fov)
    plan = _volume_plan(mode="slices", slice_axis=0)
    assert [s.id for s in preprocess(sample, plan)] == ["v_000", "v_004"]
    assert len(preprocess(Sample("v", sample.image), plan)) == 5


@pytest.mark.parametrize(
    ("shape", "plan", "message"),
    [
        ((4, 4), _volume_plan(), "found a flat image; expected a volume"),
        ((4, 4), _volume_plan(mode="slices"), "found a flat image; expected a volume"),
        ((4, 4, 4), _plan(), "found a volume; expected a flat image"),
    ],
)
def test_images_of_other_axes_are_refused(shape: tuple[int, ...], plan: Plan, message: str) -> None:
    image = Image(np.zeros((1, *shape)))
    with pytest.raises(GeometryError, match=message):
        preprocess_image(image, plan)
    with pytest.raises(GeometryError, match=message):
        preprocess(Sample("a", image), plan)


def test_own_grid_is_neither_turned_nor_resampled_nor_cut() -> None:
    straight = _volume((3, 4, 5), (1.0, 1.0, 1.0)).image
    lying = _volume((3, 4, 5), direction=_direction((1, 0, 2), (1.0, 1.0, 1.0))).image
    assert has_own_grid(straight, _volume_plan())
    assert has_own_grid(straight, _volume_plan(spacing=(1.0, 1.0, 1.0)))
    assert not has_own_grid(straight, _volume_plan(spacing=(2.0, 1.0, 1.0)))
    assert not has_own_grid(straight, _volume_plan(mode="slices"))
    assert not has_own_grid(lying, _volume_plan())


def test_flat_images_are_brought_to_a_spacing_that_is_said() -> None:
    image = Image(np.zeros((1, 10, 20)), (0.5, 0.25), "um")
    plan = _plan(spacing=(0.25, 0.25), unit="um")
    prepared = preprocess_image(image, plan)
    assert prepared.shape == (1, 20, 20)
    assert restore(prepared, image, plan).shape == (1, 10, 20)
