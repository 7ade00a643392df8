"""Types of numbers: whole ones out of any file, narrow ones for masks, and those that every format has."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import FormatError
from seglet.io.pixels import unreadable

NEAR = 1e-3  # how far from a whole number scaling by slopes and intercepts may have led


def whole_numbers(pixels: NDArray[np.generic], where: str) -> NDArray[np.integer]:
    """Take pixels as whole numbers.

    Real ones that miss them by rounding become int16 or int64. Fractions between 0 and 1, as interpolation
    leaves them in masks of one class, become gray levels from 0 to 255.

    Raises
    ------
    FormatError
        If there are other fractions, or values that are no numbers.
    """
    if pixels.dtype.kind == "f":
        numbers = cast(NDArray[np.floating], pixels)
        low, high = float(numbers.min(initial=0)), float(numbers.max(initial=0))
        if (
            np.isfinite(low)
            and np.isfinite(high)
            and bool((np.abs(numbers - np.round(numbers)) < NEAR).all())
        ):
            return np.round(numbers).astype(np.int16 if low >= -32768 and high <= 32767 else np.int64)
        if not 0 <= low <= high <= 1:
            raise unreadable(where, "fractions", "a mask of whole numbers, one per class or object")
        return np.round(numbers * 255).astype(np.uint8)
    if pixels.dtype.kind not in "ui":
        raise unreadable(where, f"values of type {pixels.dtype}", "a mask of whole numbers")
    return cast(NDArray[np.integer], pixels)


def smallest(values: NDArray[np.integer], limit: int, where: str) -> NDArray[np.integer]:
    """Take the narrowest of uint8, uint16 and uint32 that holds the values; 16 bits stay 16.

    Raises
    ------
    FormatError
        If values are below 0 or above `limit`.
    """
    top = int(values.max(initial=0))
    if top > limit or int(values.min(initial=0)) < 0:
        remedy = "Number the objects from 1 on, without gaps."
        expected = f"values from 0 to {limit}"
        raise FormatError(where, found=f"values up to {top}", expected=expected, remedy=remedy)
    narrow = np.uint8 if top < 256 and values.dtype != np.uint16 else np.uint16 if top < 65536 else np.uint32
    return values.astype(narrow, copy=False)


def storable(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """Replace types that some formats lack.

    Truth values become uint8, half floats float32, and 64-bit integers int32 where all of them fit.
    """
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8)
    if pixels.dtype == np.float16:
        return pixels.astype(np.float32)
    if pixels.dtype in (np.int64, np.uint64) and pixels.size:
        numbers = cast(NDArray[np.integer], pixels)
        if int(numbers.min()) >= -(2**31) and int(numbers.max()) < 2**31:
            return pixels.astype(np.int32)
    return pixels
