"""Intensities: brought to the network's channels and to a common scale."""

from collections.abc import Sequence
from math import gcd
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from seglet.core.config import Config
from seglet.core.errors import GeometryError

Normalization = Literal["standardize", "zscore", "rescale", "divide", "ct", "clahe"]
Color = Literal["gray", "rgb", "as_is"]

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
CLIP_PERCENTILES = (0.5, 99.5)
MAX_LOOKED_AT = 200_000  # pixels a percentile is taken from; its error is far below the noise of an image
COUNTED = ("uint8", "uint16")  # types of so few levels that pixels are counted, not summed
AT_ONCE = 2**18  # pixels that are counted at once
FAINTEST = 1e-30  # range of intensities that float32 still tells from none, and its deviation too
WINDOW_SPAN = 4  # of a window's intensities after scaling: from -2 to 2, as wide as standardized ones


class IntensityScale(Config):
    """What is done to the intensities of one channel: clipped, then (intensity - zero) / unit.

    Attributes
    ----------
    low, high : float
        Ends that intensities are clipped at; infinite where they are not.
    zero : float
        Intensity that becomes 0.
    unit : float
        Difference of intensities that becomes 1.
    """

    low: float
    high: float
    zero: float
    unit: float


def to_color(pixels: NDArray[Any], color: Color, n_channels: int) -> NDArray[np.float32]:
    """Bring an image to the channels that the network expects.

    Parameters
    ----------
    pixels : (c, [z,] y, x) array
        Intensities in any dtype.
    color : str
        ``gray``: luma of RGB, or the only channel. ``rgb``: three channels, gray repeated. ``as_is``.
    n_channels : int
        Channels the network expects.

    Returns
    -------
    (n_channels, [z,] y, x) float32 array
        Never `pixels` itself.

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


def measure(pixels: NDArray[Any], kind: Normalization, top: float) -> tuple[IntensityScale, ...]:
    """Find the scale of each channel of one image.

    An image is measured whole: what counts as its object is not known before it is segmented, and a
    background of zeros is the same in training and prediction.

    Parameters
    ----------
    pixels : (c, ...) array
        Intensities in any dtype; those of 8 and 16 bits are measured faster. Values that are no finite number
        are left out.
    kind : str
        ``standardize``: clip at the 0.5th and 99.5th percentile, then mean 0 and standard deviation 1.
        ``zscore``: the same, nothing clipped. ``rescale``: the same percentiles become 0 and 1. ``divide``:
        by `top`. (``ct`` is not measured on one image, see `measure_ct`; ``clahe`` is more than a scale, see
        `seglet.preprocessing.contrast`.)
    top : float
        Largest value of the file's type, so that 8-bit images are divided by 255.

    Returns
    -------
    tuple of IntensityScale
        One per channel. By its own scale a constant channel becomes 0, unless it is only divided.
    """
    if kind == "divide":
        return (IntensityScale(low=-np.inf, high=np.inf, zero=0, unit=top),) * len(pixels)
    return tuple(_measure_all(one) if kind == "zscore" else _measure_within(one, kind) for one in pixels)


def measure_ct(intensities: NDArray[np.floating]) -> tuple[IntensityScale, ...]:
    """The scale of computed tomography, one for all images: its intensities have a meaning of their own.

    Parameters
    ----------
    intensities : (c, n) array
        Of the foreground of all training images: clipped at its 0.5th and 99.5th percentile, it gets mean 0
        and standard deviation 1.
    """
    return measure(intensities.astype(np.float32), "standardize", 1)


def window_scale(low: float, high: float) -> IntensityScale:
    """The scale of a window: clipped at its ends, which become -2 and 2."""
    return IntensityScale(low=low, high=high, zero=(low + high) / 2, unit=(high - low) / WINDOW_SPAN)


def measure_range(channel: NDArray[np.float32]) -> tuple[float, float]:
    """The smallest and the largest finite intensity; twice the same where float32 cannot tell them apart."""
    finite = np.isfinite(channel)
    low = float(np.min(channel, where=finite, initial=np.inf))
    high = float(np.max(channel, where=finite, initial=-np.inf))
    if not np.isfinite(low):
        return 0.0, 0.0
    return (low, high) if high - low > FAINTEST else (low, low)


def scale(pixels: NDArray[np.float32], scales: Sequence[IntensityScale]) -> NDArray[np.float32]:
    """Apply scales that were measured on this image, a part of it, or on others.

    Parameters
    ----------
    pixels : (c, ...) float32 array
        Intensities. Values that are no finite number count as the lower end; where there is none, as what
        becomes 0.
    scales : sequence of IntensityScale
        One per channel.

    Returns
    -------
    (c, ...) float32 array
        A new array.
    """
    scaled = np.empty_like(pixels)
    for channel, measured, result in zip(pixels, scales, scaled, strict=True):
        if not np.isfinite(channel).all():
            filling = measured.low if np.isfinite(measured.low) else measured.zero
            channel = np.where(np.isfinite(channel), channel, np.float32(filling))
        np.clip(channel, np.float32(measured.low), np.float32(measured.high), out=result)
        result -= np.float32(measured.zero)
        result /= np.float32(measured.unit)
    return scaled


def _measure_all(channel: NDArray[Any]) -> IntensityScale:
    """The scale by mean and standard deviation alone."""
    channel = np.asarray(channel, np.float32)
    low, high = measure_range(channel)
    seen = channel[np.isfinite(channel)]
    mean, deviation = _moments(seen, low, high) if high > low else (low, 1.0)
    return IntensityScale(low=-np.inf, high=np.inf, zero=mean, unit=deviation)


def _measure_within(channel: NDArray[Any], kind: Normalization) -> IntensityScale:
    """The scale between two percentiles, beyond which intensities are clipped."""
    is_counted = channel.dtype in COUNTED
    if not is_counted:
        channel = np.asarray(channel, np.float32)
        if not (finite := np.isfinite(channel)).any():
            return IntensityScale(low=0, high=0, zero=0, unit=1)
        if not finite.all():
            channel = np.where(finite, channel, np.min(channel, where=finite, initial=np.inf))
    looked_at = channel.ravel()[:: _stride(channel.size)].astype(np.float32)
    low, high = (float(np.float32(v)) for v in np.percentile(looked_at, CLIP_PERCENTILES))
    if not high > low:
        low, high = float(channel.min()), float(channel.max())
    if not high - low > FAINTEST:
        return IntensityScale(low=low, high=low, zero=low, unit=1)
    if kind == "rescale":
        return IntensityScale(low=low, high=high, zero=low, unit=high - low)
    mean, deviation = (_counted_moments if is_counted else _moments)(channel, low, high)
    return IntensityScale(low=low, high=high, zero=mean, unit=deviation)


def _stride(n: int) -> int:
    """Step that takes about `MAX_LOOKED_AT` of n pixels; one that divided a row would see few columns."""
    step = max(1, n // MAX_LOOKED_AT)
    while gcd(step, n) > 1:
        step += 1
    return step


def _moments(channel: NDArray[np.float32], low: float, high: float) -> tuple[float, float]:
    """Mean and standard deviation between the ends, summed in float64 without a copy in float64."""
    shares = np.clip(channel, np.float32(low), np.float32(high))
    shares -= np.float32(low)
    shares /= np.float32(high - low)  # the squares of faint intensities are below float32's range
    mean = float(shares.mean(dtype=np.float64))
    shares -= np.float32(mean)
    deviation = float(np.square(shares, out=shares).mean(dtype=np.float64)) ** 0.5
    return low + mean * (high - low), deviation * (high - low)


def _counts(channel: NDArray[np.unsignedinteger]) -> NDArray[np.int64]:
    """How many pixels have each level."""
    if channel.dtype == np.uint8:  # Pillow takes a fifth of NumPy's time
        return np.array(Picture.fromarray(channel.reshape(-1, channel.shape[-1])).histogram())
    flat, counts = channel.ravel(), np.zeros(np.iinfo(channel.dtype).max + 1, np.int64)
    for start in range(0, flat.size, AT_ONCE):
        counts += np.bincount(flat[start : start + AT_ONCE], minlength=counts.size)
    return counts


def _counted_moments(channel: NDArray[np.unsignedinteger], low: float, high: float) -> tuple[float, float]:
    """The same of few levels: from how many pixels have each."""
    counts = _counts(channel)
    levels = np.clip(np.arange(counts.size), low, high)
    mean = float(np.average(levels, weights=counts))
    return mean, float(np.average((levels - mean) ** 2, weights=counts)) ** 0.5
