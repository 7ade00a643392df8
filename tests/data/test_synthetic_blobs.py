"""Synthetic volumes: an organ, lesions in it, other tissue of its brightness outside."""

import numpy as np
import pytest
from scipy import ndimage

from seglet.data.synthetic_blobs import make_blobs


@pytest.mark.parametrize("seed", range(3))
def test_organ_is_one_piece_brighter_than_its_lesions(seed: int) -> None:
    image, labels = make_blobs((20, 64, 72), np.random.default_rng(seed))
    assert image.shape == labels.shape == (20, 64, 72)
    assert (image.dtype, labels.dtype) == (np.float32, np.uint8)
    assert set(np.unique(labels)) <= {0, 1, 2}
    assert ndimage.label(labels > 0)[1] == 1
    assert image[labels == 1].mean() > image[labels == 0].mean() + 0.5


def test_lesions_lie_in_the_organ_and_are_darker() -> None:
    image, labels = make_blobs((24, 96, 96), np.random.default_rng(0))
    assert (labels == 2).any()
    assert image[labels == 2].mean() < image[labels == 1].mean() - 0.15


def test_other_tissue_is_as_bright_as_the_organ() -> None:
    image, labels = make_blobs((24, 96, 96), np.random.default_rng(0))
    assert (image[labels == 0] > image[labels == 1].mean() - 0.2).mean() > 0.002
