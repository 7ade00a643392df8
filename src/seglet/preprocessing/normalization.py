"""Apply the plan's channels and intensities, to an image in memory or to parts of one on disk."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import GeometryError
from seglet.core.image import Image, StoredImage
from seglet.preprocessing.boxes import telling_boxes
from seglet.preprocessing.contrast import equalize
from seglet.preprocessing.intensity import Color, IntensityScale, measure, scale, to_color, top_of
from seglet.preprocessing.plan import Plan
from seglet.preprocessing.spacing import turn_of


@dataclass(frozen=True)
class NormalizationRecord:
    """What is done to the intensities of one image, wherever in it they are.

    Attributes
    ----------
    color, n_channels
        See `seglet.preprocessing.intensity.to_color`.
    scales : tuple of IntensityScale
        One per channel.
    """

    color: Color
    n_channels: int
    scales: tuple[IntensityScale, ...]


def normalize_image(image: Image, plan: Plan) -> NDArray[np.float32]:
    """Normalize all of an image in memory, (c, [z,] y, x).

    In ``slices`` mode ``zscore`` and ``clahe`` see each slice by itself, as if it were an image.
    """
    pixels, dtype = to_color(image.pixels, plan.color, plan.n_channels), image.pixels.dtype
    if not plan.needs_whole:
        return scale(pixels, _measured(image.pixels, plan))
    if plan.mode != "slices":
        return _normalize(pixels, plan, dtype)
    axis = 1 + turn_of(image).permutation[plan.slice_axis]
    return np.stack([_normalize(one, plan, dtype) for one in np.moveaxis(pixels, axis, 0)], axis)


def measure_image(image: Image, plan: Plan) -> NormalizationRecord:
    """Measure an image in memory that is normalized part by part, then by `normalize_part`.

    Raises
    ------
    GeometryError
        If the image's channels do not fit the plan, or it normalizes images or slices as a whole.
    """
    require_parts(plan)
    return NormalizationRecord(plan.color, plan.n_channels, _measured(image.pixels, plan))


@lru_cache(maxsize=256)
def normalization_of(stored: StoredImage, plan: Plan) -> NormalizationRecord:
    """Measure an image on disk: all of it where it is small or cannot be read in part, else boxes of it.

    It is measured once: the same opened image is remembered.

    Raises
    ------
    GeometryError
        If the image's channels do not fit the plan, or it normalizes images or slices as a whole.
    """
    require_parts(plan)
    boxes = telling_boxes(stored, stored.is_written)
    read = [stored.read(box).reshape(stored.n_channels, -1) for box in boxes]
    return NormalizationRecord(plan.color, plan.n_channels, _measured(np.concatenate(read, axis=1), plan))


def require_channels(n_channels: int, plan: Plan) -> None:
    """Refuse images of so many channels if they cannot be brought to the plan's.

    Raises
    ------
    GeometryError
        As `seglet.preprocessing.intensity.to_color`.
    """
    to_color(np.zeros((n_channels, 1)), plan.color, plan.n_channels)


def require_parts(plan: Plan) -> None:
    """Refuse images that are read part by part if the plan cannot normalize them so.

    Raises
    ------
    GeometryError
        If it normalizes images or slices as a whole.
    """
    if plan.needs_whole:
        raise GeometryError(
            "image",
            found=f"a plan that normalizes whole {'slices' if plan.mode == 'slices' else 'images'} "
            f"({plan.normalization})",
            expected="standardize, rescale, divide or ct for an image that is read part by part",
            remedy="Use images that fit the memory, or train with another plan.normalization.",
        )


def normalize_part(pixels: NDArray[Any], record: NormalizationRecord) -> NDArray[np.float32]:
    """Normalize a part of the image that `record` was measured on.

    Parameters
    ----------
    pixels : (c, [z,] y, x) array
        As `StoredImage.read` gives it.
    record : NormalizationRecord
        From `normalization_of`.

    Returns
    -------
    (n_channels, [z,] y, x) float32 array
    """
    return scale(to_color(pixels, record.color, record.n_channels), record.scales)


def _normalize(pixels: NDArray[np.float32], plan: Plan, dtype: np.dtype[Any]) -> NDArray[np.float32]:
    if plan.normalization == "clahe":
        return equalize(pixels)
    return scale(pixels, _scales(pixels, plan, dtype))


def _measured(pixels: NDArray[Any], plan: Plan) -> tuple[IntensityScale, ...]:
    """The scales of an image by pixels as they stand in its file."""
    is_repeated = plan.color == "rgb" and len(pixels) == 1
    if plan.intensity is None and is_repeated:
        return _scales(pixels, plan, pixels.dtype) * plan.n_channels
    shown = pixels
    if len(pixels) != plan.n_channels:
        is_looked_at = plan.intensity is None and plan.normalization != "divide"
        shown = to_color(pixels if is_looked_at else pixels[:, :1], plan.color, plan.n_channels)
    return _scales(shown, plan, pixels.dtype)


def _scales(pixels: NDArray[np.float32], plan: Plan, dtype: np.dtype[Any]) -> tuple[IntensityScale, ...]:
    if plan.intensity is not None:
        return plan.intensity
    return measure(pixels, plan.normalization, top_of(dtype))
