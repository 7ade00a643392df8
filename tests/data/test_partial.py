"""Marked but unoutlined objects are left out."""

import numpy as np

from seglet.core.image import IGNORE
from seglet.data.partial import RADIUS, ignore_unoutlined

YS, XS = np.ogrid[:100, :100]


def disc(y: int, x: int, radius: float) -> np.ndarray:
    return (YS - y) ** 2 + (XS - x) ** 2 <= radius**2


def test_background_near_a_lost_marker_is_ignored_as_far_as_objects_reach() -> None:
    objects = disc(20, 20, 8).astype(np.int32)
    markers = np.zeros((100, 100), np.uint16)
    markers[20, 20], markers[60, 60] = 7, 9
    ignored = ignore_unoutlined((objects > 0).astype(np.uint8), objects, markers)
    assert ignored[20, 20] == 1
    reach = 1.5 * np.sqrt((objects > 0).sum() / np.pi)
    np.testing.assert_array_equal(ignored == IGNORE, disc(60, 60, reach))


def test_outlined_pixels_are_never_ignored_and_ignored_ones_stay() -> None:
    indexes = disc(50, 50, 8).astype(np.uint8)
    indexes[0] = IGNORE
    markers = np.zeros((100, 100), np.uint16)
    markers[50, 50], markers[50, 62] = 1, 2
    ignored = ignore_unoutlined(indexes, indexes.astype(np.int32) % IGNORE, markers)
    assert (ignored[disc(50, 50, 8)] == 1).all()
    assert (ignored[0] == IGNORE).all()
    assert ignored[50, 64] == IGNORE


def test_where_every_marker_has_its_mask_nothing_changes() -> None:
    indexes = disc(50, 50, 8).astype(np.uint8)
    markers = np.where(disc(55, 50, 5), 3, 0)  # reaches out of the mask, but lies on it
    assert ignore_unoutlined(indexes, None, markers) is indexes


def test_without_any_outline_a_usual_radius_is_taken() -> None:
    markers = np.zeros((100, 100), np.uint16)
    markers[50, 50] = 1
    ignored = ignore_unoutlined(np.zeros((100, 100), np.uint8), None, markers)
    assert (ignored == IGNORE).sum() == disc(50, 50, RADIUS).sum()


def test_in_volumes_the_reach_follows_the_spacing() -> None:
    indexes = np.zeros((9, 40, 40), np.uint8)
    markers = np.zeros(indexes.shape, np.uint16)
    markers[4, 20, 20] = 1
    ignored = ignore_unoutlined(indexes, None, markers, (10.0, 1.0, 1.0))
    assert np.flatnonzero((ignored == IGNORE).any(axis=(1, 2))).tolist() == [2, 3, 4, 5, 6]
