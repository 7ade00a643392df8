"""Numbers that masks and formats can hold."""

import numpy as np
import pytest

from seglet.core.errors import FormatError
from seglet.io.dtypes import smallest, storable, whole_numbers


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32, np.float64])
def test_whole_numbers_of_any_type_are_taken(dtype: type) -> None:
    assert whole_numbers(np.array([0, 3, 200], dtype), "x").tolist() == [0, 3, 200]


def test_rounding_by_slopes_is_undone() -> None:
    assert whole_numbers(np.array([0.9999, 2.0002]), "x").tolist() == [1, 2]


@pytest.mark.parametrize("values", [[0.5, 3.0], [np.nan, 1.0], [np.inf, 0.0], [1j, 0]])
def test_what_is_not_whole_is_refused(values: list[complex]) -> None:
    with pytest.raises(FormatError, match="x: found"):
        whole_numbers(np.array(values), "x")


@pytest.mark.parametrize(
    ("top", "dtype", "expected"),
    [
        (255, np.int64, np.uint8),
        (256, np.int64, np.uint16),
        (1, np.uint16, np.uint16),
        (65536, np.int64, np.uint32),
    ],
)
def test_masks_take_as_few_bytes_as_they_need(top: int, dtype: type, expected: type) -> None:
    assert smallest(np.array([0, top], dtype), 2**32 - 1, "x").dtype == expected


@pytest.mark.parametrize("values", [[-1, 0], [0, 256]])
def test_values_beyond_the_limit_are_refused(values: list[int]) -> None:
    with pytest.raises(FormatError, match="from 0 to 255"):
        smallest(np.array(values), 255, "x")


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [(bool, np.uint8), (np.float16, np.float32), (np.int64, np.int32), (np.int16, np.int16)],
)
def test_rare_types_become_common_ones(dtype: type, expected: type) -> None:
    stored = storable(np.array([0, 1], dtype))
    assert stored.dtype == expected
    assert stored.tolist() == [0, 1]


def test_large_integers_stay_as_they_are() -> None:
    assert storable(np.array([2**40])).dtype == np.int64


def test_interpolated_masks_become_gray_levels() -> None:
    levels = whole_numbers(np.array([0.0, 0.5, 1.0], np.float32), "x")
    assert levels.tolist() == [0, 128, 255]
    assert levels.dtype == np.uint8
