"""What patches are cut from: cases in memory, or anything else that can be read box by box."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seglet.core.grid import Region
from seglet.core.image import IGNORE
from seglet.patches.targets import (
    BorderWeightConfig,
    TargetConfig,
    border_classes,
    border_distances,
    border_weights,
    objects_of,
    separate,
)
from seglet.preprocessing.transform import Prepared

MAX_PLACES = 100_000  # pixels remembered per case and class
CHUNK = 2**22  # pixels whose places are listed at once: a list takes eight times its pixels' memory
PLAIN = TargetConfig()
Points = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Places:
    """Pixels that patches may be centered on.

    Attributes
    ----------
    anywhere : (n, d) int32 array
        Pixels that count in training.
    foreground : dict
        By class index, those of each foreground class; classes that are not seen are left out.
    """

    anywhere: Points
    foreground: dict[int, Points]


class PatchSource(Protocol):
    """A labelled case that patches are cut from; must bear to be read by several threads."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Extent of the spatial axes."""

    @property
    def n_channels(self) -> int:
        """Channels of the image."""

    @property
    def is_on_disk(self) -> bool:
        """Whether reading takes so long that it is better done in the background."""

    def read_image(self, region: Region) -> Tensor:
        """Normalized intensities of a region inside the shape, (c, [z,] y, x) float32."""

    def read_truth(self, region: Region) -> Tensor:
        """What is learned of a region inside the shape, (p, [z,] y, x) float32; planes of `make_truth`."""

    def find_places(self, rng: np.random.Generator) -> Places:
        """Look for pixels that patches may be centered on, at most `MAX_PLACES` of a kind."""


class InMemory:
    """A prepared case, kept on the training device.

    Parameters
    ----------
    case : Prepared
        On the plan's grid.
    border : BorderWeightConfig or None
        Extra weight between objects that nearly touch.
    device : torch.device
        Where it is kept.
    targets : TargetConfig
        What is learned of each pixel; made once, here.
    """

    is_on_disk = False

    def __init__(
        self,
        case: Prepared,
        border: BorderWeightConfig | None,
        device: torch.device,
        targets: TargetConfig = PLAIN,
    ) -> None:
        self.shape, self.n_channels = case.image.shape[1:], len(case.image)
        self._image = torch.from_numpy(np.ascontiguousarray(case.image)).to(device)
        self._truth = torch.from_numpy(make_truth(case, border, targets)).to(device)

    def read_image(self, region: Region) -> Tensor:
        """See `PatchSource`."""
        return self._image[(slice(None), *region.slices)]

    def read_truth(self, region: Region) -> Tensor:
        """See `PatchSource`."""
        return self._truth[(slice(None), *region.slices)]

    def find_places(self, rng: np.random.Generator) -> Places:
        """See `PatchSource`; every pixel is looked at."""
        labels, weights = self._truth[:2].cpu().numpy()
        return places_of(labels.astype(np.uint8), weights > 0, rng)


def places_of(
    labels: NDArray[np.uint8], counted: NDArray[np.bool_], rng: np.random.Generator, most: int | None = None
) -> Places:
    """All pixels that count, and those of each foreground class; a random choice where they are many."""
    most = most or MAX_PLACES
    classes = (int(c) for c in np.unique(labels) if c)
    each = {c: _choose((labels == c) & counted, rng, most) for c in classes}
    return Places(_choose(counted, rng, most), {c: points for c, points in each.items() if len(points)})


def thinned(places: Places, most: int, rng: np.random.Generator) -> Places:
    """A random choice of at most so many places of each kind."""

    def some(points: Points) -> Points:
        return points if len(points) <= most else rng.choice(points, most, replace=False, shuffle=False)

    return Places(some(places.anywhere), {c: some(points) for c, points in places.foreground.items()})


def kept_inside(places: Places, shape: tuple[int, ...], patch: tuple[int, ...]) -> Places:
    """The places whose patch lies inside an image; of a kind that has none, all, moved as little as needed.

    Parameters
    ----------
    places : Places
        Pixels of the image.
    shape : ([z,] y, x)
        Extent of the image; along axes where it is smaller than a patch, that is centered on it.
    patch : ([z,] y, x)
        Extent of the patch.
    """
    extent, side = np.asarray(shape), np.asarray(patch)
    first = side // 2 + np.minimum((extent - side) // 2, 0)
    last = np.maximum(first, extent - side + side // 2)

    def kept(points: Points) -> Points:
        moved = np.clip(points, first, last).astype(np.int32)
        fits = (moved == points).all(axis=1)
        return points[fits] if fits.any() else moved

    return Places(kept(places.anywhere), {c: kept(points) for c, points in places.foreground.items()})


def counted(case: Prepared) -> NDArray[np.bool_]:
    """Which pixels of a case count in training: labelled ones inside the field of view; ([z,] y, x)."""
    if case.labels is None:
        return np.zeros(case.image.shape[1:], bool)
    labelled: NDArray[np.bool_] = case.labels != IGNORE
    return labelled if case.fov is None else labelled & case.fov


def make_truth(
    case: Prepared, border: BorderWeightConfig | None, targets: TargetConfig = PLAIN
) -> NDArray[np.float32]:
    """Make what is learned of a case: planes in one array, so that one resampling moves them all.

    Parameters
    ----------
    case : Prepared
        On the plan's grid; all 0 where it has no labels.
    border : BorderWeightConfig or None
        Extra weight between objects that nearly touch.
    targets : TargetConfig
        What is learned of each pixel.

    Returns
    -------
    (p, [z,] y, x) float32 array
        Plane 0: class indexes, 0 where nothing counts. Plane 1: weights, 0 outside the field of view and
        where nobody labelled, else 1 plus the border term. Plane 2, of targets of ``distance`` alone:
        distance to the object's border, 0 to 1.
    """
    truth = np.zeros((3 if targets.kind == "distance" else 2, *case.image.shape[1:]), np.float32)
    if case.labels is None:
        return truth
    counts, labels = counted(case), case.labels
    truth[1] = counts
    border = border if border is not None and border.peak > 0 else None
    if border is not None or targets.needs_objects:
        whole = objects_of(labels, case.objects)
        objects = separate(whole, labels, targets.separation or 0)
        if border is not None:
            truth[1] *= 1 + border_weights(objects, border)
        if targets.kind == "distance":
            truth[2] = border_distances(objects)
        if targets.kind == "borders":
            labels = border_classes(objects, targets.border_width)
        else:
            labels = np.where(objects == whole, labels, 0)
    np.copyto(truth[0], labels, where=counts)
    return truth


def _choose(mask: NDArray[np.bool_], rng: np.random.Generator, most: int) -> Points:
    total = int(np.count_nonzero(mask))
    wished = np.sort(rng.choice(total, min(total, most), replace=False, shuffle=False))
    flat, found, before = mask.ravel(), [np.empty(0, np.intp)], 0
    for start in range(0, flat.size, CHUNK):
        here = np.flatnonzero(flat[start : start + CHUNK])
        first, last = np.searchsorted(wished, (before, before + len(here)))
        found.append(here[wished[first:last] - before] + start)
        before += len(here)
    return np.stack(np.unravel_index(np.concatenate(found), mask.shape), axis=-1).astype(np.int32)
