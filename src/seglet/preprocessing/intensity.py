"""Intensities as pure functions: arrays in, float32 arrays out."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import GeometryError

Normalization = Literal["standardize", "rescale", "divide"]
Color = Literal["gray", "rgb", "as_is"]

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
CLIP_PERCENTILES = (0.5, 99.5)
MAX_LOOKED_AT = 200_000  # pixels a percentile is taken from; its error is far below the noise of an image


def to_color(pixels: NDArray[Any], color: Color, n_channels: int) -> NDArray[np.float32]:
    """Bring an image to the channels that the network expects.

    Parameters
    ----------
    pixels : (c, y, x) array
        Intensities in any dtype.
    color : str
        ``gray``: luma of RGB, or the only channel. ``rgb``: three channels, gray repeated. ``as_is``.
    n_channels : int
        Channels the network expects.

    Raises
    ------
    GeometryError
        If the image's channels cannot be brought to that number.
    """
    pixels = pixels.astype(np.float32)
    if color == "gray" and len(pixels) == 3:
        pixels = np.tensordot(np.asarray(LUMA, np.float32), pixels, axes=1)[None]
    if color == "rgb" and len(pixels) == 1:
        pixels = np.repeat(pixels, 3, axis=0)
    if len(pixels) != n_channels:
        raise GeometryError(
            "image",
            found=f"{len(pixels)} channels",
            expected=f"{n_channels} ({color})",
            remedy="Use images with the channels that the model was trained on.",
        )
    return pixels


def top_of(dtype: np.dtype[Any]) -> float:
    """The largest value of an integer type; 1 for bool and floats."""
    return float(np.iinfo(dtype).max) if np.issubdtype(dtype, np.integer) else 1.0


def normalize(pixels: NDArray[np.float32], kind: Normalization, top: float) -> NDArray[np.float32]:
    """Bring intensities to a common scale, image by image.

    Parameters
    ----------
    pixels : (c, y, x) float32 array
        Intensities.
    kind : str
        ``standardize``: clip at the 0.5th and 99.5th percentile, then mean 0 and standard deviation 1 per
        channel. ``rescale``: the same percentiles become 0 and 1. ``divide``: by `top`.
    top : float
        Largest value of the file's type, so that 8-bit images are divided by 255.

    Returns
    -------
    (c, y, x) float32 array
        A constant channel becomes 0, unless it is only divided. Values that are no finite number count
        as the channel's smallest.
    """
    if not np.isfinite(pixels).all():
        pixels = np.stack([_fill_gaps(channel) for channel in pixels])
    if kind == "divide":
        return pixels / np.float32(top)
    return np.stack([_normalize_channel(channel, kind) for channel in pixels])


def _fill_gaps(channel: NDArray[np.float32]) -> NDArray[np.float32]:
    finite = np.isfinite(channel)
    return np.where(finite, channel, np.min(channel, where=finite, initial=np.inf) if finite.any() else 0)


def _normalize_channel(channel: NDArray[np.float32], kind: Normalization) -> NDArray[np.float32]:
    looked_at = channel.ravel()[:: max(1, channel.size // MAX_LOOKED_AT)]
    low, high = (np.float32(v) for v in np.percentile(looked_at, CLIP_PERCENTILES))
    if not high > low:
        low, high = channel.min(), channel.max()
    if not high > low:
        return np.zeros_like(channel)
    clipped = np.clip(channel, low, high)
    if kind == "rescale":
        return (clipped - low) / (high - low)
    return np.asarray((clipped - clipped.mean()) / clipped.std(dtype=np.float64), np.float32)
