"""What is seen in the pixels of one image or mask: a few numbers and a thumbnail, whatever its size."""

import hashlib
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from seglet.core.image import Image, StoredImage
from seglet.data.survey import Survey, is_color, survey_mask
from seglet.io.sources import File

MOST_SAMPLES = 1 << 16  # pixels whose values are listed
MOST_COMPARED = 1 << 20  # pixels of image and mask that are compared
THUMBNAIL = {2: 32, 3: 12}  # sides, by number of axes
FULL_SCALES = (255, 1023, 4095, 16383, 65535)  # the largest values of 8- to 16-bit cameras


@dataclass(frozen=True)
class Place:
    """The grid of an image or mask, as `seglet.core.image.Image` says it."""

    shape: tuple[int, ...]
    spacing: tuple[float, ...] = ()
    unit: str = "px"
    origin: tuple[float, ...] = ()
    direction: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class ImageLook:
    """What was seen of one image file.

    Attributes
    ----------
    low, high : float
        Smallest and largest finite value.
    n_levels, step : int
        How many distinct values a sample of the first channel holds, and their greatest common divisor
        (1 for real numbers).
    is_constant, is_finite, is_gray : bool
        Whether every channel has one value; no value is undefined; there are three channels, all the same.
    at_top : float
        Share of pixels at the largest value that the camera can give, in all channels.
    digest : bytes
        Agrees exactly where pixels do.
    thumbnail : (n,) float32 array
        Means of boxes, flattened; empty where not all pixels were seen.
    """

    file: File
    place: Place
    n_channels: int
    dtype: str
    low: float
    high: float
    n_levels: int
    step: int
    is_constant: bool
    is_finite: bool
    is_gray: bool
    at_top: float
    digest: bytes
    thumbnail: NDArray[np.float32]

    @property
    def is_whole(self) -> bool:
        """Whether all pixels were seen, not only those of some boxes."""
        return self.thumbnail.size > 0


@dataclass(frozen=True, eq=False)
class MaskLook:
    """What was seen of one mask.

    Attributes
    ----------
    upper, upper_border : float
        Share of pixels, and of pixels at the border, above the middle of the mask's range; nan where the
        mask has one value, or is one of several of its image.
    contrast : float
        How much brighter the image is there than elsewhere, in its standard deviations; nan where unknown.
    """

    file: File
    place: Place
    survey: Survey
    digest: bytes
    upper: float
    upper_border: float
    contrast: float


def place_of(image: Image | StoredImage) -> Place:
    """Take the grid of an image."""
    return Place(image.shape, image.spacing, image.unit, image.origin, image.direction)


def look_at_image(file: File, pixels: NDArray[np.generic], place: Place, *, is_whole: bool) -> ImageLook:
    """Look at (c, [z,] y, x) pixels: all of an image, or boxes of it joined along the first spatial axis."""
    flat = pixels.reshape(len(pixels), -1)
    is_finite = pixels.dtype.kind != "f" or bool(np.isfinite(pixels).all())
    finite = flat if is_finite else np.nan_to_num(flat, nan=0.0, posinf=0.0, neginf=0.0)
    lows, highs = finite.min(axis=1), finite.max(axis=1)
    levels = np.unique(finite[0, :: max(flat.shape[1] // MOST_SAMPLES, 1)])
    return ImageLook(
        file,
        place,
        n_channels=len(pixels),
        dtype=str(pixels.dtype),
        low=float(lows.min()),
        high=float(highs.max()),
        n_levels=len(levels),
        step=int(np.gcd.reduce(levels.astype(np.int64))) if pixels.dtype.kind in "ui" else 1,
        is_constant=bool((lows == highs).all()),
        is_finite=is_finite,
        is_gray=len(pixels) == 3 and bool((flat[1:] == flat[:1]).all()),
        at_top=_share_at_top(flat, float(highs.max())),
        digest=digest(pixels),
        thumbnail=thumbnail(finite.reshape(pixels.shape)) if is_whole else np.zeros(0, np.float32),
    )


def look_at_mask(file: File, mask: NDArray[np.integer], place: Place, image: Image | None) -> MaskLook:
    """Look at a mask, ([z,] y, x) or (y, x, 3), and at what lies below it in its image, if one is given."""
    gray = mask.max(axis=-1) if is_color(mask) else mask
    planes = np.moveaxis(mask, -1, 0) if is_color(mask) else mask
    low, high = int(gray.min()), int(gray.max())
    upper, upper_border, contrast = float("nan"), float("nan"), float("nan")
    if high > low and image is not None:
        above = gray > (low + high) / 2
        upper, upper_border = float(above.mean()), _border_share(above)
        if image.shape == above.shape:
            contrast = _contrast(image.pixels, above)
    return MaskLook(file, place, survey_mask(mask), digest(planes), upper, upper_border, contrast)


def digest(pixels: NDArray[np.generic]) -> bytes:
    """Digest pixels with their type and extent; a single channel counts as none."""
    shape = tuple(n for n in pixels.shape if n > 1)
    summary = hashlib.blake2b(f"{shape} {pixels.dtype}".encode(), digest_size=16)
    summary.update(np.ascontiguousarray(pixels).data)
    return summary.digest()


def thumbnail(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """Average (c, [z,] y, x) pixels in boxes, the same number along each axis whatever the extent."""
    shape = pixels.shape[1:]
    side = THUMBNAIL[len(shape)]
    edges = [np.linspace(0, n, side + 1).astype(int) for n in shape]
    starts = [np.minimum(one[:-1], n - 1) for one, n in zip(edges, shape, strict=True)]
    ends = [np.maximum(one[1:], start + 1) for one, start in zip(edges, starts, strict=True)]
    rows = []
    for index in product(range(side), repeat=len(shape) - 1):
        box = tuple(slice(starts[axis][k], ends[axis][k]) for axis, k in enumerate(index))
        lines = pixels[(slice(None), *box)].mean(axis=tuple(range(len(shape))), dtype=np.float64)
        sums = np.concatenate(([0.0], np.cumsum(lines)))
        rows.append((sums[ends[-1]] - sums[starts[-1]]) / (ends[-1] - starts[-1]))
    return np.concatenate(rows).astype(np.float32)


def _share_at_top(flat: NDArray[np.generic], high: float) -> float:
    """Share of pixels with the largest value; 0 where that is none at which cameras end."""
    if flat.dtype.kind != "u" or high not in FULL_SCALES:
        return 0.0
    return float((flat == flat.dtype.type(high)).all(axis=0).mean())


def _border_share(above: NDArray[np.bool_]) -> float:
    faces = [above.take((0, -1), axis) for axis in range(above.ndim)]
    return float(np.concatenate([face.ravel() for face in faces]).mean())


def _contrast(pixels: NDArray[np.generic], above: NDArray[np.bool_]) -> float:
    stride = max(round((above.size / MOST_COMPARED) ** (1 / above.ndim)), 1)
    thinned = (slice(None, None, stride),) * above.ndim
    brightness = pixels[(slice(None), *thinned)].mean(axis=0, dtype=np.float64)
    inside = above[thinned]
    spread = float(brightness.std())
    if not (spread > 0 and inside.any() and not inside.all()):  # also where pixels are undefined
        return float("nan")
    return float(brightness[inside].mean() - brightness[~inside].mean()) / spread
