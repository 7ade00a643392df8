"""Boxes that stand for an image."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglet.preprocessing.boxes import BOX_PIXELS, N_BOXES, spread_boxes


def test_small_image_is_one_box() -> None:
    assert spread_boxes((30, 40)) == [(slice(0, 30), slice(0, 40))]


@pytest.mark.parametrize("shape", [(2000, 2000), (300, 400, 500)])
def test_boxes_reach_both_ends_of_every_axis(shape: tuple[int, ...]) -> None:
    boxes = spread_boxes(shape)
    assert len(boxes) == N_BOXES
    for axis, n in enumerate(shape):
        assert min(box[axis].start for box in boxes) == 0
        assert max(box[axis].stop for box in boxes) == n


@given(
    st.one_of(st.tuples(*[st.integers(1, 10**6)] * 2), st.tuples(*[st.integers(1, 10**4)] * 3)).filter(
        lambda shape: np.prod(shape) > N_BOXES * BOX_PIXELS
    )
)
def test_boxes_are_few_small_apart_and_inside(shape: tuple[int, ...]) -> None:
    boxes = spread_boxes(shape)
    assert 1 <= len(boxes) <= N_BOXES
    for box in boxes:
        assert all(0 <= s.start < s.stop <= n for s, n in zip(box, shape, strict=True))
        assert np.prod([s.stop - s.start for s in box]) <= BOX_PIXELS
    for axis in range(len(shape)):
        stretches = sorted({(box[axis].start, box[axis].stop) for box in boxes})
        assert all(a[1] <= b[0] for a, b in pairwise(stretches))
