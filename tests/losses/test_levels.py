"""The truth of a coarser output, and what that output counts."""

import pytest
import torch

from seglet.core.errors import GeometryError
from seglet.losses.levels import at_size, level_factors


@pytest.mark.parametrize(
    ("n", "expected"),
    [(1, (1,)), (2, (2 / 3, 1 / 3)), (3, (4 / 7, 2 / 7, 1 / 7))],
    ids=["one", "two", "three"],
)
def test_each_level_counts_half_of_the_finer_one(n: int, expected: tuple[float, ...]) -> None:
    assert level_factors(n) == pytest.approx(expected)


def test_own_size_is_the_same_pixels() -> None:
    values = torch.arange(24).reshape(2, 3, 4)
    assert torch.equal(at_size(values, (3, 4)), values)


def test_middle_pixel_of_each_cell_by_hand() -> None:
    values = torch.arange(36).reshape(1, 6, 6)
    assert at_size(values, (2, 2)).tolist() == [[[7, 10], [25, 28]]]
    assert at_size(values, (3, 3)).tolist() == [[[0, 2, 4], [12, 14, 16], [24, 26, 28]]]


def test_axes_may_shrink_by_different_factors() -> None:
    values = torch.arange(2 * 4 * 8).reshape(1, 2, 4, 8)
    assert at_size(values, (2, 2, 2)).tolist() == [[[[1, 5], [17, 21]], [[33, 37], [49, 53]]]]


@pytest.mark.parametrize("size", [(4, 6), (12, 6), (6,)], ids=["uneven", "finer", "axis missing"])
def test_size_that_does_not_divide_is_refused(size: tuple[int, ...]) -> None:
    with pytest.raises(GeometryError, match="divide"):
        at_size(torch.zeros(1, 6, 6), size)
