"""Sizes of networks with unpadded convolutions."""

import pytest

from seglet.core.errors import GeometryError
from seglet.core.valid import ValidAxis

ORIGINAL = ValidAxis((2,) * 4, (3,) * 5)


def test_the_original_turns_572_into_388() -> None:
    assert ORIGINAL.output(572) == 388
    assert (ORIGINAL.margin, ORIGINAL.step) == (92, 16)


def test_an_axis_that_is_never_halved_loses_two_pixels_a_convolution() -> None:
    assert ValidAxis((1,), (3, 3)).lost == 3 * 2 * 2


def test_an_axis_that_no_convolution_looks_along_loses_nothing() -> None:
    flat = ValidAxis((1, 1), (1, 1, 1))
    assert (flat.lost, flat.smallest, flat.output(7)) == (0, 1, 7)


@pytest.mark.parametrize("axis", [ORIGINAL, ValidAxis((2,), (3, 3)), ValidAxis((1, 2), (1, 3, 3))])
def test_legal_sizes_are_those_that_halve_without_rest(axis: ValidAxis) -> None:
    """Against a walk through the levels."""

    def walked(size: int) -> int | None:
        for stride, kernel in zip(axis.strides, axis.kernels, strict=False):
            size -= 2 * (kernel - 1)
            if size <= 0 or size % stride:
                return None
            size //= stride
        size -= 2 * (axis.kernels[-1] - 1)
        for stride, kernel in zip(reversed(axis.strides), reversed(axis.kernels[:-1]), strict=True):
            size = stride * size - 2 * (kernel - 1)
        return size if size > 0 else None

    for size in range(1, 260):
        found = walked(size)
        assert axis.is_legal(size) == (found is not None), size
        if found is not None:
            assert axis.output(size) == found


def test_an_illegal_size_names_the_nearest_legal_ones() -> None:
    with pytest.raises(GeometryError, match=r"556 or 572"):
        ORIGINAL.output(560)


@pytest.mark.parametrize("size", [1, 188, 189, 572])
def test_nearest_is_legal_and_not_below(size: int) -> None:
    assert ORIGINAL.is_legal(ORIGINAL.nearest(size))
    assert ORIGINAL.nearest(size) >= size
