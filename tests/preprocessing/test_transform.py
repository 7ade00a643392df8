"""Applying a plan and undoing it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seglet.core.errors import GeometryError
from seglet.core.image import IGNORE, Image, Sample
from seglet.preprocessing.intensity import normalize
from seglet.preprocessing.plan import Plan
from seglet.preprocessing.transform import preprocess, preprocess_image, restore

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
    prepared = preprocess(sample, _plan())
    assert prepared.id == "case"
    assert prepared.image.dtype == np.float32
    pixels = sample.image.pixels.astype(np.float32)
    np.testing.assert_array_equal(prepared.image, normalize(pixels, "standardize", 255))
    assert prepared.labels is sample.labels
    assert prepared.objects is sample.objects
    assert prepared.fov is sample.fov


def test_absent_truth_stays_absent() -> None:
    prepared = preprocess(Sample("a", Image(np.zeros((1, 4, 4)))), _plan(resize=(6, 6)))
    assert prepared.labels is prepared.objects is prepared.fov is None


@QUICK
@given(Size, Size)
def test_resizing_invents_no_label(shape: tuple[int, int], size: tuple[int, int]) -> None:
    sample = _sample(shape)
    prepared = preprocess(sample, _plan(resize=size))
    assert prepared.image.shape == (1, *size)
    for name in ("labels", "objects", "fov"):
        before, after = getattr(sample, name), getattr(prepared, name)
        assert after.shape == size
        assert after.dtype == before.dtype
        assert set(np.unique(after)) <= set(np.unique(before))


@QUICK
@given(Size, Size)
def test_restored_probabilities_have_the_original_size(shape: tuple[int, int], size: tuple[int, int]) -> None:
    image = preprocess_image(_sample(shape).image, _plan(resize=size))
    first = np.random.default_rng(0).random(image.shape, np.float32)
    restored = restore(np.concatenate([first, 1 - first]), shape)
    assert restored.dtype == np.float32
    assert restored.shape == (2, *shape)
    assert restored.min() >= 0
    np.testing.assert_allclose(restored.sum(axis=0), 1, atol=1e-5)


def test_restore_without_resizing_is_the_identity() -> None:
    probabilities = np.random.default_rng(0).random((2, 5, 7), np.float32)
    assert restore(probabilities, (5, 7)) is probabilities


def test_halves_stay_where_they_are() -> None:
    """Image and labels move together, there and back."""
    pixels = np.zeros((1, 16, 24), np.uint8)
    pixels[:, :, 12:] = 200
    sample = Sample("a", Image(pixels), labels=(pixels[0] > 0).astype(np.uint8))
    prepared = preprocess(sample, _plan(resize=(32, 96), normalization="divide"))
    assert prepared.labels is not None
    assert (prepared.labels[:, :48] == 0).all()
    assert (prepared.labels[:, 48:] == 1).all()
    np.testing.assert_array_equal(prepared.image[0] > 100 / 255, prepared.labels == 1)
    back = restore(prepared.labels[None].astype(np.float32), (16, 24))
    np.testing.assert_array_equal(back[0] > 0.5, sample.labels == 1)


def test_shrinking_averages_instead_of_skipping() -> None:
    pixels = np.zeros((1, 64, 64), np.uint8)
    pixels[:, ::4] = 200  # lines that picking every fourth row would keep or lose whole
    image = preprocess_image(Image(pixels), _plan(resize=(16, 16), normalization="divide"))
    np.testing.assert_allclose(image[0, 4:-4, 4:-4], 50 / 255, atol=0.05)


def test_field_of_view_does_not_change_intensities() -> None:
    sample = _sample((6, 6))
    without = Sample("a", sample.image)
    np.testing.assert_array_equal(preprocess(sample, _plan()).image, preprocess(without, _plan()).image)


def test_division_uses_the_type_of_the_file() -> None:
    image = Image(np.full((1, 2, 2), 65535, np.uint16))
    assert (preprocess_image(image, _plan(normalization="divide")) == 1).all()


def test_wrong_channels_are_refused() -> None:
    with pytest.raises(GeometryError, match="2 channels"):
        preprocess_image(Image(np.zeros((2, 4, 4))), _plan())
