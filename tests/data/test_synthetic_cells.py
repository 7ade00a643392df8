"""Synthetic cells: exact truth, and pictures that are neither trivial nor hopeless."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.filters import threshold_otsu

from seglet.data.synthetic_cells import make_cells, place_cells


@pytest.mark.parametrize("seed", range(4))
def test_cells_are_whole_numbered_without_gaps_and_some_touch(seed: int) -> None:
    _, objects = make_cells((200, 260), np.random.default_rng(seed))
    n_cells = int(objects.max())
    assert objects.shape == (200, 260)
    assert objects.dtype == np.int32
    assert set(np.unique(objects)) == set(range(n_cells + 1))
    assert all(ndimage.label(objects == number)[1] == 1 for number in range(1, n_cells + 1))
    assert np.bincount(objects.ravel()).min() >= 30
    assert ndimage.label(objects > 0)[1] < n_cells  # touching cells merge into one piece
    assert 0.08 < (objects > 0).mean() < 0.45


def test_the_truth_alone_is_that_of_the_picture() -> None:
    _, objects = make_cells((96, 128), np.random.default_rng(7))
    alone, depth = place_cells((96, 128), np.random.default_rng(7))
    np.testing.assert_array_equal(alone, objects)
    assert ((depth > 0) <= (objects > 0)).all()
    assert 0.9 < depth.max() <= 1


def test_a_global_threshold_finds_most_but_not_all() -> None:
    scores = []
    for seed in range(4):
        image, objects = make_cells((256, 256), np.random.default_rng(seed))
        predicted, truth = image > threshold_otsu(image), objects > 0
        scores.append(2 * (predicted & truth).sum() / (predicted.sum() + truth.sum()))
    assert min(scores) > 0.7
    assert np.mean(scores) < 0.985


def test_phase_contrast_cells_have_a_halo_and_no_plain_brightness() -> None:
    image, objects = make_cells((256, 256), np.random.default_rng(0), style="phase")
    inside = objects > 0
    halo = ndimage.binary_dilation(inside, iterations=3) & ~inside
    far = ~ndimage.binary_dilation(inside, iterations=12)
    assert image[halo].mean() > image[far].mean() + 3
    assert abs(image[inside].mean() - image[far].mean()) < 20


def test_sixteen_bit_image_uses_more_than_eight() -> None:
    image, _ = make_cells((128, 128), np.random.default_rng(0), bits=16)
    assert image.dtype == np.uint16
    assert 255 < image.max() <= 4095


def test_same_generator_state_draws_the_same() -> None:
    first, second = (make_cells((64, 80), np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])


def test_tiny_picture_is_drawn() -> None:
    image, objects = make_cells((8, 5), np.random.default_rng(0))
    assert image.shape == objects.shape == (8, 5)
