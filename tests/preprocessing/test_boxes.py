"""Boxes that stand for an image on disk."""

from dataclasses import replace

import numpy as np
import pytest

from seglet.core.image import StoredImage, everywhere
from seglet.preprocessing.boxes import BOX_PIXELS, N_BOXES, telling_boxes


def image(shape: tuple[int, ...], is_random: bool = True) -> StoredImage:
    return StoredImage((1, *shape), np.dtype(np.uint8), lambda box: np.zeros(0), is_random)


def test_small_image_is_one_box() -> None:
    assert telling_boxes(image((30, 40)), everywhere) == [(slice(0, 30), slice(0, 40))]


def test_what_cannot_be_read_in_part_is_one_box() -> None:
    assert telling_boxes(image((5000, 4000), is_random=False), everywhere) == [
        (slice(0, 5000), slice(0, 4000))
    ]


@pytest.mark.parametrize("shape", [(2000, 2000), (300, 400, 500), (50_000, 60_000), (5000, 5000, 5000)])
def test_of_a_large_image_small_boxes_tell(shape: tuple[int, ...]) -> None:
    boxes = telling_boxes(image(shape), everywhere)
    assert len(boxes) == N_BOXES
    assert all(np.prod([part.stop - part.start for part in box]) <= BOX_PIXELS for box in boxes)


def test_boxes_lie_where_something_was_written() -> None:
    corner = replace(image((2000, 2000, 2000)), is_written=lambda box: box[0].start < 200 > box[1].start)
    boxes = telling_boxes(corner, corner.is_written)
    assert len(boxes) == N_BOXES
    assert all(box[0].start < 200 > box[1].start for box in boxes)
    assert max(box[2].stop for box in boxes) > 1900
    assert telling_boxes(corner, lambda box: False) == telling_boxes(corner, everywhere)
