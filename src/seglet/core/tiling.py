"""Along one axis: where windows lie, and how much each says at every pixel."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import GeometryError
from seglet.core.valid import ValidAxis


@dataclass(frozen=True, eq=False)
class Stripe:
    """One window's place along one axis, and how much it says at each pixel.

    Attributes
    ----------
    start, extent : int
        First pixel that is read (may be negative: mirrored) and number of pixels.
    weights : (extent - 2 * lost,) float32 array
        Share of this window in the blend; over all stripes they add up to 1 at every pixel of the axis.
    lost : int
        Pixels that are read at either end, and of which the window says nothing.
    """

    start: int
    extent: int
    weights: NDArray[np.float32]
    lost: int = 0

    def inside(self, n: int) -> tuple[slice, slice]:
        """Where it says something of an axis of `n` pixels: on the axis, and in the window's output."""
        first = self.start + self.lost
        start, stop = max(0, first), min(n, first + len(self.weights))
        return slice(start, stop), slice(start - first, stop - first)


def stripes(n: int, window: int, margin: int, multiple: int) -> list[Stripe]:
    """Cover an axis by equal windows that blend into each other over twice the margin.

    Parameters
    ----------
    n : int
        Pixels of the axis.
    window : int
        Wished extent; up to half a core longer or shorter, so that the windows share the axis evenly.
    margin : int
        Half of what neighbors share.
    multiple : int
        Extents are rounded up to a multiple of this, and so are the distances between windows: a network
        that halves its input then sees every pixel in the same phase, whatever the window.

    Returns
    -------
    list of Stripe
        From first to last; a short axis takes a single one.

    Raises
    ------
    GeometryError
        If nothing is left of a window between its margins.
    """
    if window <= 2 * margin:
        raise GeometryError(
            "tile",
            found=f"a window of {window} with a margin of {margin}",
            expected="a window larger than twice its margin",
            remedy=f"Use a window of at least {2 * margin + 1}.",
        )
    wished = 1 if n <= window else max(2, round(n / (window - 2 * margin)))
    step = multiple if wished > 1 else 1
    core = -(-n // (wished * step)) * step
    count = -(-n // core)
    around = margin if count > 1 else 0
    extent = -(-(core + 2 * around) // multiple) * multiple
    numbers = np.arange(count)[:, None]
    places = numbers * core - (extent - core) // 2 + np.arange(extent)
    width = max(1, 2 * around)
    rise = np.clip((places - numbers * core + 0.5) / width + 0.5, 0, 1)
    fall = np.clip(((numbers + 1) * core - places - 0.5) / width + 0.5, 0, 1)
    weights = np.where(numbers > 0, rise, 1) * np.where(numbers < count - 1, fall, 1)
    shares = _shares(weights, places, n)  # margins may be so wide that three windows meet
    return [Stripe(int(place[0]), extent, share) for place, share in zip(places, shares, strict=True)]


def valid_stripes(n: int, window: int, axis: ValidAxis) -> list[Stripe]:
    """Cover an axis by the outputs of a network of unpadded convolutions: overlap-tile [1]_.

    Windows stand apart by whole multiples of the network's step, the first one's output at pixel 0, so that
    pooling sees every pixel in the same phase; each pixel is taken from one window alone. What is put
    together so equals one pass, whatever the window.

    Parameters
    ----------
    n : int
        Pixels of the axis.
    window : int
        Wished extent of the input; the largest that is taken, once it is rounded up to a legal size whose
        output is at least one step long.
    axis : ValidAxis
        Legal sizes, and what is lost.

    Returns
    -------
    list of Stripe
        From first to last, as many as the wished window needs and none longer than they must be.

    References
    ----------
    .. [1] Ronneberger, Fischer, Brox, "U-Net", MICCAI 2015, figure 2.
    """
    largest = axis.output(axis.nearest(max(window, axis.lost + axis.step)))
    wished = 1 if n <= largest else -(-n // (largest // axis.step * axis.step))
    core = n if wished == 1 else -(-n // (wished * axis.step)) * axis.step
    extent = axis.nearest(core + axis.lost)
    said = np.arange(extent - axis.lost)
    return [
        Stripe(first - axis.margin, extent, (said < min(core, n - first)).astype(np.float32), axis.margin)
        for first in range(0, n, core)
    ]


def strided_stripes(n: int, window: int, stride: int) -> list[Stripe]:
    """Cover an axis by windows of one exact size, one every `stride` pixels, all of equal weight.

    Parameters
    ----------
    n : int
        Pixels of the axis.
    window : int
        Extent of every window.
    stride : int
        From one start to the next; at most `window`.

    Returns
    -------
    list of Stripe
        The first starts at pixel 0; the last may reach beyond the end. Weights are one over the number of
        windows that show a pixel.

    Raises
    ------
    GeometryError
        If there are gaps between windows.
    """
    if stride > window:
        raise GeometryError(
            "tile",
            found=f"a window of {window} every {stride} pixels",
            expected="windows without gaps",
            remedy=f"Use a stride of at most {window}.",
        )
    count = 1 + max(0, -(-(n - window) // stride))
    places = np.arange(count)[:, None] * stride + np.arange(window)
    shares = _shares(np.ones(places.shape), places, n)
    return [Stripe(int(place[0]), window, share) for place, share in zip(places, shares, strict=True)]


def _shares(weights: NDArray[np.float64], places: NDArray[np.integer], n: int) -> NDArray[np.float32]:
    """Windows' weights (one row each), 0 beyond the axis, so that they add up to 1 at each of its pixels."""
    weights = weights * ((places >= 0) & (places < n))
    at = np.clip(places, 0, n - 1)
    total = np.bincount(at.ravel(), weights.ravel(), n)
    return np.asarray(weights / total[at], np.float32)
