"""Loops over pixels, compiled to machine code."""

from collections.abc import Callable
from typing import TypeVar, cast

from numba import njit

_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """Compile a function at its first call, and keep that on disk where a folder for it can be written.

    Parameters
    ----------
    function : callable
        Of arrays and numbers; it may call other compiled functions.
    """
    try:
        return cast(_Function, njit(cache=True)(function))
    except RuntimeError:  # Numba's word for no folder: neither beside the file nor the user's own
        return cast(_Function, njit(function))
