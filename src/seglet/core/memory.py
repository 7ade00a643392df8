"""Memory that is free inside the process, given back to the system."""

import ctypes
import sys


def give_back() -> None:
    """Give back what was taken and is free, so that the next stage does not come on top of the last.

    The C library keeps freed blocks of up to 32 MB for itself: after a training 200 MB, between which blocks
    of the next stage did not fit. Does nothing where that library is not GNU's.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
