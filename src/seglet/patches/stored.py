"""Cases that stay on disk: their patches are read box by box."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seglet.core.errors import ConfigError, GeometryError
from seglet.core.grid import Cover, Region, spread_windows
from seglet.core.image import IGNORE, Box, StoredSample, everywhere
from seglet.core.orientation import UNTURNED, turn, turned_spacing, upright
from seglet.patches.sources import MAX_PLACES, PatchSource, Places, Points, places_of
from seglet.patches.targets import BorderWeightConfig, TargetConfig
from seglet.preprocessing.normalization import NormalizationRecord, normalize_part
from seglet.preprocessing.plan import Plan
from seglet.preprocessing.spacing import is_same_spacing, upright_spacing

N_BOXES = 128  # of a case that are looked at for its classes; some 30 million pixels, read in seconds
MAX_IN_BOX = MAX_PLACES // 8  # of the places of one box, so that all boxes together take little memory
FEW_BOXES = 8  # with a labelled pixel, of those spread over the image: a small part of it is labelled
SIDES = {2: 512, 3: 64}  # px of such a box, by axes
N_SLICES = 32  # of a volume that a network of slices is trained on


@dataclass(frozen=True)
class SliceOf:
    """Which slice of an upright volume is looked at: its axis and its number there."""

    axis: int
    number: int


class OnDisk:
    """A labelled case on disk, upright, or one slice of it.

    Parameters
    ----------
    sample : StoredSample
        Where it is.
    record : NormalizationRecord
        How its intensities are normalized.
    at : SliceOf or None
        The slice; all of the image where None.
    n_boxes : int
        How many boxes are looked at for classes.
    """

    is_on_disk = True

    def __init__(
        self,
        sample: StoredSample,
        record: NormalizationRecord,
        at: SliceOf | None = None,
        n_boxes: int = N_BOXES,
    ) -> None:
        self._sample, self._record, self._at, self._n_boxes = sample, record, at, n_boxes
        self._how = upright(sample.image.direction)
        self._whole = turned_spacing(sample.image.shape, self._how)
        self.n_channels = record.n_channels
        self.shape = tuple(n for axis, n in enumerate(self._whole) if at is None or axis != at.axis)

    def read_image(self, region: Region) -> Tensor:
        """See `PatchSource`."""
        return torch.from_numpy(normalize_part(self._read(self._sample.image.read, region), self._record))

    def read_truth(self, region: Region) -> Tensor:
        """See `PatchSource`; objects are not told apart."""
        labels = self._read(self._sample.read_labels, region)
        counted = labels != IGNORE
        return torch.from_numpy(np.stack([labels * counted, counted]).astype(np.float32))

    def find_places(self, rng: np.random.Generator) -> Places:
        """See `PatchSource`; boxes spread over the case are looked at, the same in every run.

        Where all of them were written and labelled, patches may lie anywhere, else only in these boxes: those
        of the image, and where hardly any of them are labelled, those in which the mask holds anything; or,
        where it cannot tell, the first labelled ones of all.
        """
        of_image = self._boxes(self._sample.image.is_written)
        of_mask = [box for box in self._boxes(self._sample.is_written) if box not in of_image]
        seen = {box: self._look(box, rng) for box in (*of_image, *of_mask)}
        is_all_labelled = of_image == self._boxes(everywhere) and all(whole for _, whole in seen.values())
        labelled = [box for box in of_image if len(seen[box][0].anywhere)]
        if len(labelled) < min(FEW_BOXES, len(of_image)):
            labelled = [box for box, (places, _) in seen.items() if len(places.anywhere)]
        if not labelled:
            seen = dict(islice(self._labelled(rng), self._n_boxes))
            labelled = list(seen)
        if not labelled:
            return Places(np.empty((0, len(self.shape)), np.int32), {})
        classes = sorted({c for places, _ in seen.values() for c in places.foreground})
        foreground = {
            c: _join([places.foreground[c] for places, _ in seen.values() if c in places.foreground], rng)
            for c in classes
        }
        if is_all_labelled:
            return Places(rng.integers(0, self.shape, (MAX_PLACES, len(self.shape)), np.int32), foreground)
        return Places(_join([seen[box][0].anywhere for box in labelled], rng), foreground)

    def _labelled(self, rng: np.random.Generator) -> Iterator[tuple[Region, tuple[Places, bool]]]:
        """Those of all boxes, side by side, that hold a labelled pixel, and their places."""
        for cover in Cover(self.shape, self._box_sides):
            box = cover.within(self.shape)
            if not self._sample.image.is_written(self._box(box)):
                continue
            places, is_whole = self._look(box, rng)
            if len(places.anywhere):
                yield box, (places, is_whole)

    @property
    def _box_sides(self) -> tuple[int, ...]:
        return (SIDES[len(self.shape)],) * len(self.shape)

    def _boxes(self, is_written: Callable[[Box], bool]) -> list[Region]:
        """Boxes of this case spread over those in which the file holds anything."""
        return spread_windows(
            self.shape, self._box_sides, self._n_boxes, lambda region: is_written(self._box(region))
        )

    def _look(self, box: Region, rng: np.random.Generator) -> tuple[Places, bool]:
        """The places of one box, and whether all its pixels are labelled."""
        labels = self._read(self._sample.read_labels, box)
        counted = labels != IGNORE
        places = places_of(labels, counted, rng, MAX_IN_BOX)
        offset = np.asarray(box.start, np.int32)
        foreground = {c: points + offset for c, points in places.foreground.items()}
        return Places(places.anywhere + offset, foreground), bool(counted.all())

    def _box(self, region: Region) -> Box:
        """A region of the upright image, or of its slice, in the file, whose axes may lie otherwise."""
        sides = list(zip(region.start, region.stop, strict=True))
        if self._at is not None:
            sides.insert(self._at.axis, (self._at.number, self._at.number + 1))
        box = [slice(*side) for side in sides]
        if self._how != UNTURNED:
            for axis, side in enumerate(sides):
                n = self._whole[axis]
                start, stop = (n - side[1], n - side[0]) if self._how.flips[axis] else side
                box[self._how.permutation[axis]] = slice(start, stop)
        return tuple(box)

    def _read(self, read: Callable[[Box], NDArray[Any]], region: Region) -> NDArray[Any]:
        pixels = turn(read(self._box(region)), self._how)
        if self._at is not None:
            pixels = pixels.take(0, axis=self._at.axis - len(self._whole))
        return np.ascontiguousarray(pixels)


def stored_sources(sample: StoredSample, record: NormalizationRecord, plan: Plan) -> list[PatchSource]:
    """What a case on disk offers for training: itself, or for a plan of ``slices`` an even choice of them.

    Raises
    ------
    GeometryError
        If the plan would resample it: that is not done patch by patch.
    """
    own = upright_spacing(sample.image, plan.unit)
    if plan.mode == "slices" and own is not None:
        own = tuple(s for axis, s in enumerate(own) if axis != plan.slice_axis)
    wished = plan.spacing
    if plan.resize is not None or (wished and own and not is_same_spacing(own, wished)):
        raise GeometryError(
            sample.id,
            found=f"a spacing of {own or 'unknown'}, read from disk patch by patch",
            expected=f"{wished or plan.resize}, as the plan resamples images to",
            remedy="Set plan.spacing=own, or store the image at the spacing of the others.",
        )
    if plan.mode != "slices":
        return [OnDisk(sample, record)]
    n = turned_spacing(sample.image.shape, upright(sample.image.direction))[plan.slice_axis]
    numbers = np.unique(np.linspace(0, n - 1, N_SLICES).round().astype(int))
    each = max(1, N_BOXES // len(numbers))
    return [OnDisk(sample, record, SliceOf(plan.slice_axis, int(number)), each) for number in numbers]


def require_in_memory(border: BorderWeightConfig | None, targets: TargetConfig) -> None:
    """Refuse, for images on disk, what needs objects told apart: they are read patch by patch.

    Raises
    ------
    ConfigError
        If a border weight, a separation or other targets than classes are wished.
    """
    wished = {
        "patches.border_weight": border is not None and border.peak > 0,
        f"targets.kind={targets.kind}": targets.kind != "classes",
        "targets.separation": bool(targets.separation),
    }
    if asked := [name for name, is_wished in wished.items() if is_wished]:
        raise ConfigError(
            ", ".join(asked),
            found="images read from disk patch by patch, whose objects are not told apart",
            expected="images kept in memory",
            remedy="Set plan.reading=memory, or leave the setting out.",
        )


def _join(each: list[Points], rng: np.random.Generator) -> Points:
    points = np.concatenate(each)
    return points if len(points) <= MAX_PLACES else rng.choice(points, MAX_PLACES, replace=False)
