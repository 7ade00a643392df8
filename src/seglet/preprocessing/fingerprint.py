"""Look: the facts of a dataset that a plan is decided from."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median, mode

import numpy as np
from numpy.typing import NDArray

from seglet.core.config import Config
from seglet.core.errors import DatasetError
from seglet.core.image import IGNORE, Image, Sample, StoredSample
from seglet.core.orientation import turned_spacing
from seglet.preprocessing.boxes import telling_boxes
from seglet.preprocessing.elongation import elongation
from seglet.preprocessing.intensity import IntensityScale, measure_ct
from seglet.preprocessing.spacing import MICROMETERS, turn_of, upright_spacing

COLOR_TOLERANCE = 0.02  # of the intensity range; JPEG turns equal channels slightly unequal
AIR_HU = -500  # below it lies air, in and around every body; other modalities rarely go that far below 0
MAX_FOREGROUND = 20_000  # intensities remembered per case, so that each case has about the same say


class Fingerprint(Config):
    """What a training set is like.

    Attributes
    ----------
    n_cases, n_classes : int
        Labelled images; classes with the background.
    n_axes : int
        2 for images, 3 for volumes; whose axes are the upright ones, see `seglet.core.orientation`.
    smallest, median, largest : tuple of int
        Spatial shape of the image with the fewest, the middle and the most pixels.
    n_pixels : int
        Pixels of all images together.
    spacing : tuple of float or None
        Median distance of neighboring pixels along each axis, in `unit`; None where most are unknown.
    unit : str
        Unit of `spacing`, ``"px"`` where unknown.
    size : tuple of float
        Median size of the images along each axis, in `unit`.
    n_channels : int
        Channels of most images, 3 where gray and color images are mixed.
    is_color : bool
        Whether any three-channel image has channels that differ.
    is_oriented : bool
        Whether most images are volumes that say which way is up.
    is_ct : bool
        Whether most images reach as far below 0 as only computed tomography does, in Hounsfield units.
    intensity : tuple of IntensityScale or None
        Of the foreground of all images, per channel; None where their channels differ in number.
    dtypes : tuple of str
        Pixel types met.
    has_fov : bool
        Whether every case has a field of view; of cases on disk it is not told from what nobody labelled.
    class_fractions : tuple of float
        Share of each class among the labelled pixels inside the field of view.
    elongations : tuple of float
        How long and thin each class is, see `seglet.preprocessing.elongation`: the median of the images that
        show it, 0 where none does. Empty of volumes.
    """

    n_cases: int
    n_classes: int
    n_axes: int
    smallest: tuple[int, ...]
    median: tuple[int, ...]
    largest: tuple[int, ...]
    n_pixels: int
    spacing: tuple[float, ...] | None
    unit: str
    size: tuple[float, ...]
    n_channels: int
    is_color: bool
    is_oriented: bool = False
    is_ct: bool
    intensity: tuple[IntensityScale, ...] | None
    dtypes: tuple[str, ...]
    has_fov: bool
    class_fractions: tuple[float, ...]
    elongations: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class CaseFacts:
    """What one case adds to the fingerprint.

    Attributes
    ----------
    id : str
        Name of the case.
    shape : tuple of int
        Spatial, along the upright axes.
    spacings : dict
        Spacing along the upright axes by unit; empty where unknown.
    unit : str
        The image's own unit.
    n_channels, is_color, is_oriented, dtype, has_fov
        Of the image.
    lowest : float
        Smallest intensity of the channel whose smallest is largest.
    foreground : (c, n) float32 array
        Intensities of foreground pixels, evenly picked.
    class_counts : (k,) int64 array
        Labelled pixels of each class inside the field of view.
    elongations : tuple of float
        Of each class; empty of volumes.
    """

    id: str
    shape: tuple[int, ...]
    spacings: dict[str, tuple[float, ...]]
    unit: str
    n_channels: int
    is_color: bool
    is_oriented: bool
    dtype: str
    has_fov: bool
    lowest: float
    foreground: NDArray[np.float32]
    class_counts: NDArray[np.int64]
    elongations: tuple[float, ...]


def make_fingerprint(samples: Sequence[Sample | StoredSample], n_classes: int) -> Fingerprint:
    """Look at every training sample once; at boxes of those on disk, so that their shares are estimates.

    Raises
    ------
    DatasetError
        If some are images and some are volumes.
    """
    return pool_facts([look_at(sample, n_classes) for sample in samples])


def look_at(sample: Sample | StoredSample, n_classes: int) -> CaseFacts:
    """Find the facts of one case."""
    seen = _boxes_of(sample) if isinstance(sample, StoredSample) else sample
    image = seen.image
    spacings = {unit: upright_spacing(image, unit) for unit in MICROMETERS}
    return CaseFacts(
        id=sample.id,
        shape=turned_spacing(sample.image.shape, turn_of(image)),
        spacings={unit: spacing for unit, spacing in spacings.items() if spacing is not None},
        unit=image.unit,
        n_channels=image.n_channels,
        is_color=is_color(image),
        is_oriented=len(sample.image.direction) == 9,
        dtype=str(image.pixels.dtype),
        has_fov=seen.fov is not None,
        lowest=float(max(channel.min() for channel in image.pixels)),
        foreground=_foreground(seen),
        class_counts=_class_counts(seen, n_classes),
        elongations=_elongations(seen, n_classes),
    )


def pool_facts(facts: Sequence[CaseFacts]) -> Fingerprint:
    """Pool the facts of all training cases.

    Raises
    ------
    DatasetError
        If some are images and some are volumes.
    """
    _require_same_axes(facts)
    shapes = sorted((f.shape for f in facts), key=lambda shape: int(np.prod(shape)))
    counts = np.sum([f.class_counts for f in facts], axis=0)
    spacing, unit, size = _typical_grid(facts)
    return Fingerprint(
        n_cases=len(facts),
        n_classes=len(counts),
        n_axes=len(shapes[0]),
        smallest=shapes[0],
        median=shapes[len(shapes) // 2],
        largest=shapes[-1],
        n_pixels=sum(int(np.prod(shape)) for shape in shapes),
        spacing=spacing,
        unit=unit,
        size=size,
        n_channels=_n_channels([f.n_channels for f in facts]),
        is_color=any(f.is_color for f in facts),
        is_oriented=2 * sum(f.is_oriented for f in facts) > len(facts),
        is_ct=2 * sum(f.lowest < AIR_HU for f in facts) > len(facts),
        intensity=_foreground_scales(facts),
        dtypes=tuple(sorted({f.dtype for f in facts})),
        has_fov=all(f.has_fov for f in facts),
        class_fractions=tuple(float(n) for n in counts / max(1, counts.sum())),
        elongations=_typical_elongations(facts),
    )


def is_color(image: Image) -> bool:
    """Whether a three-channel image shows anything that its gray version would not; volumes never do."""
    if image.n_channels != 3 or len(image.shape) != 2:
        return False
    pixels = image.pixels[:, ::2, ::2].astype(np.float32)
    span = float(pixels.max() - pixels.min()) or 1.0
    spread = pixels.max(axis=0) - pixels.min(axis=0)
    return float(np.percentile(spread, 99)) > COLOR_TOLERANCE * span


def _boxes_of(stored: StoredSample) -> Sample:
    """Boxes of a case on disk, joined along their first axis: of all of it, and of what has a mask."""
    image = stored.image
    boxes = telling_boxes(image, image.is_written)
    boxes += [box for box in telling_boxes(image, stored.is_written) if box not in boxes]
    pixels = np.concatenate([image.read(box) for box in boxes], axis=1)
    seen = Image(pixels, image.spacing, image.unit, image.origin, image.direction)
    return Sample(stored.id, seen, np.concatenate([stored.read_labels(box) for box in boxes]))


def _require_same_axes(facts: Sequence[CaseFacts]) -> None:
    volumes = [f.id for f in facts if len(f.shape) == 3]
    if 0 < len(volumes) < len(facts):
        flat = next(f.id for f in facts if len(f.shape) == 2)
        raise DatasetError(
            "training images",
            found=f"{len(volumes)} volumes (such as {volumes[0]}) and {len(facts) - len(volumes)} flat images"
            f" (such as {flat})",
            expected="either volumes or flat images",
            remedy="Take one kind out, or train on each by itself.",
        )


def _typical_grid(
    facts: Sequence[CaseFacts],
) -> tuple[tuple[float, ...] | None, str, tuple[float, ...]]:
    """Median spacing, its unit and the median size along each axis."""
    known = [f for f in facts if f.spacings]
    if 2 * len(known) <= len(facts):
        return None, "px", tuple(float(n) for n in np.median([f.shape for f in facts], axis=0))
    unit = mode(f.unit for f in known)
    spacings = np.array([f.spacings[unit] for f in known])
    sizes = spacings * np.array([f.shape for f in known])
    return (
        tuple(float(s) for s in np.median(spacings, axis=0)),
        unit,
        tuple(float(s) for s in np.median(sizes, axis=0)),
    )


def _n_channels(counts: list[int]) -> int:
    gray_or_color = [n for n in counts if n in (1, 3)]
    if 2 * len(gray_or_color) >= len(counts):
        return max(gray_or_color)
    return mode(n for n in counts if n not in (1, 3))


def _class_counts(sample: Sample, n_classes: int) -> NDArray[np.int64]:
    if sample.labels is None:
        return np.zeros(n_classes, np.int64)
    labels = sample.labels if sample.fov is None else sample.labels[sample.fov]
    return np.array([np.count_nonzero(labels == index) for index in range(n_classes)], np.int64)


def _elongations(sample: Sample, n_classes: int) -> tuple[float, ...]:
    if sample.labels is None or sample.labels.ndim != 2:
        return ()
    return tuple(elongation(sample.labels == index) for index in range(n_classes))


def _typical_elongations(facts: Sequence[CaseFacts]) -> tuple[float, ...]:
    """The median of each class over the images that show it."""
    shown = [
        [one for one in of_class if one] for of_class in zip(*(f.elongations for f in facts), strict=False)
    ]
    return tuple(median(each) if each else 0.0 for each in shown)


def _foreground(sample: Sample) -> NDArray[np.float32]:
    n_channels = sample.image.n_channels
    if sample.labels is None:
        return np.zeros((n_channels, 0), np.float32)
    inside = (sample.labels > 0) & (sample.labels != IGNORE)
    if sample.fov is not None:
        inside &= sample.fov
    places = np.flatnonzero(inside)
    places = places[:: max(1, len(places) // MAX_FOREGROUND)]
    picked = sample.image.pixels.reshape(n_channels, -1)[:, places].astype(np.float32)
    return picked[:, np.isfinite(picked).all(axis=0)]


def _foreground_scales(facts: Sequence[CaseFacts]) -> tuple[IntensityScale, ...] | None:
    if len({f.n_channels for f in facts}) > 1:
        return None
    pooled = np.concatenate([f.foreground for f in facts], axis=1)
    return measure_ct(pooled) if pooled.size else None
