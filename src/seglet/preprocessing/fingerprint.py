"""Look: the facts of a dataset that a plan is decided from."""

from collections.abc import Sequence
from statistics import mode

import numpy as np

from seglet.core.config import Config
from seglet.core.image import IGNORE, Image, Sample

COLOR_TOLERANCE = 0.02  # of the intensity range; JPEG turns equal channels slightly unequal


class Fingerprint(Config):
    """What a training set is like.

    Attributes
    ----------
    n_cases, n_classes : int
        Labelled images; classes with the background.
    smallest, median, largest : tuple of int
        Spatial shape of the image with the fewest, the middle and the most pixels.
    n_pixels : int
        Pixels of all images together.
    n_channels : int
        Channels of most images, 3 where gray and color images are mixed.
    is_color : bool
        Whether any three-channel image has channels that differ.
    dtypes : tuple of str
        Pixel types met.
    has_fov : bool
        Whether every case has a field of view.
    class_fractions : tuple of float
        Share of each class among the labelled pixels inside the field of view.
    """

    n_cases: int
    n_classes: int
    smallest: tuple[int, ...]
    median: tuple[int, ...]
    largest: tuple[int, ...]
    n_pixels: int
    n_channels: int
    is_color: bool
    dtypes: tuple[str, ...]
    has_fov: bool
    class_fractions: tuple[float, ...]


def make_fingerprint(samples: Sequence[Sample], n_classes: int) -> Fingerprint:
    """Look at every training sample once."""
    shapes = sorted((s.image.shape for s in samples), key=lambda shape: int(np.prod(shape)))
    counts = sum((_class_counts(s, n_classes) for s in samples), np.zeros(n_classes, np.int64))
    return Fingerprint(
        n_cases=len(samples),
        n_classes=n_classes,
        smallest=shapes[0],
        median=shapes[len(shapes) // 2],
        largest=shapes[-1],
        n_pixels=sum(int(np.prod(shape)) for shape in shapes),
        n_channels=_n_channels([s.image.n_channels for s in samples]),
        is_color=any(is_color(s.image) for s in samples),
        dtypes=tuple(sorted({str(s.image.pixels.dtype) for s in samples})),
        has_fov=all(s.fov is not None for s in samples),
        class_fractions=tuple(float(n) for n in counts / max(1, counts.sum())),
    )


def is_color(image: Image) -> bool:
    """Whether a three-channel image shows anything that its gray version would not."""
    if image.n_channels != 3:
        return False
    pixels = image.pixels[:, ::2, ::2].astype(np.float32)
    span = float(pixels.max() - pixels.min()) or 1.0
    spread = pixels.max(axis=0) - pixels.min(axis=0)
    return float(np.percentile(spread, 99)) > COLOR_TOLERANCE * span


def _n_channels(counts: list[int]) -> int:
    gray_or_color = [n for n in counts if n in (1, 3)]
    if 2 * len(gray_or_color) >= len(counts):
        return max(gray_or_color)
    return mode(n for n in counts if n not in (1, 3))


def _class_counts(sample: Sample, n_classes: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    if sample.labels is None:
        return np.zeros(n_classes, np.int64)
    labels = sample.labels if sample.fov is None else sample.labels[sample.fov]
    return np.bincount(labels[labels != IGNORE].ravel(), minlength=n_classes)[:n_classes]
