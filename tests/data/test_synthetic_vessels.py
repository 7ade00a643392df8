"""Synthetic vessels: a connected dark tree in the field of view, seen by two observers."""

import numpy as np
import pytest
from scipy import ndimage

from seglet.data.synthetic_vessels import make_vessels


@pytest.mark.parametrize("seed", range(3))
def test_tree_hangs_together_and_stays_in_the_field(seed: int) -> None:
    drawn = make_vessels((256, 288), np.random.default_rng(seed))
    assert drawn.image.shape == (256, 288, 3)
    assert drawn.image.dtype == np.uint8
    assert not drawn.truth[~drawn.fov].any()
    assert not drawn.second[~drawn.fov].any()
    pieces, _ = ndimage.label(drawn.truth, np.ones((3, 3)))
    assert np.bincount(pieces.ravel())[1:].max() > 0.98 * drawn.truth.sum()
    assert 0.06 < drawn.truth[drawn.fov].mean() < 0.20  # DRIVE and CHASE_DB1: 0.10 to 0.13


@pytest.mark.parametrize("shape", [(32, 32), (40, 120), (120, 40)])
def test_small_and_oblong_pictures_have_vessels(shape: tuple[int, int]) -> None:
    for seed in range(10):
        drawn = make_vessels(shape, np.random.default_rng(seed))
        assert drawn.image.shape == (*shape, 3)
        assert drawn.truth.any()


def test_vessels_taper_from_wide_to_thin() -> None:
    truth = make_vessels((384, 384), np.random.default_rng(0)).truth
    wide = ndimage.binary_opening(truth, iterations=2)
    thin = truth & ~ndimage.binary_opening(truth, np.ones((2, 2)))
    assert wide.any()
    assert thin.any()


def test_second_observer_agrees_like_a_person() -> None:
    scores = []
    for seed in range(4):
        drawn = make_vessels((256, 256), np.random.default_rng(seed))
        scores.append(2 * (drawn.truth & drawn.second).sum() / (drawn.truth.sum() + drawn.second.sum()))
    assert min(scores) > 0.65
    assert 0.72 < np.mean(scores) < 0.93  # DRIVE: 0.789


def test_vessels_are_darker_than_the_tissue_beside_them_and_outside_is_black() -> None:
    drawn = make_vessels((256, 256), np.random.default_rng(1))
    beside = ndimage.binary_dilation(drawn.truth, iterations=4) & ~ndimage.binary_dilation(drawn.truth)
    green = drawn.image[..., 1].astype(float)
    assert green[drawn.truth].mean() < 0.85 * green[beside & drawn.fov].mean()
    assert drawn.image[~drawn.fov].max() < 20


def test_same_generator_state_draws_the_same() -> None:
    first, second = (make_vessels((64, 64), np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first.image, second.image)
    np.testing.assert_array_equal(first.second, second.second)
