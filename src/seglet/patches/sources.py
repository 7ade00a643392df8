"""What patches are cut from: cases in memory, or anything else that can be read box by box."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seglet.core.grid import Region
from seglet.core.image import IGNORE
from seglet.patches.targets import BorderWeightConfig, border_weights
from seglet.preprocessing.transform import Prepared

MAX_PLACES = 100_000  # pixels remembered per case and class
CHUNK = 2**22  # pixels whose places are listed at once: a list takes eight times its pixels' memory
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
        """Class indexes and weights of a region inside the shape, (2, [z,] y, x) float32."""

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
    """

    is_on_disk = False

    def __init__(self, case: Prepared, border: BorderWeightConfig | None, device: torch.device) -> None:
        self.shape, self.n_channels = case.image.shape[1:], len(case.image)
        self._image = torch.from_numpy(np.ascontiguousarray(case.image)).to(device)
        self._truth = torch.from_numpy(_truth(case, border)).to(device)

    def read_image(self, region: Region) -> Tensor:
        """See `PatchSource`."""
        return self._image[(slice(None), *region.slices)]

    def read_truth(self, region: Region) -> Tensor:
        """See `PatchSource`."""
        return self._truth[(slice(None), *region.slices)]

    def find_places(self, rng: np.random.Generator) -> Places:
        """See `PatchSource`; every pixel is looked at."""
        labels, weights = self._truth.cpu().numpy()
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


def pixel_weights(case: Prepared, border: BorderWeightConfig | None) -> NDArray[np.float32]:
    """How much each pixel of a case counts in training.

    Returns
    -------
    ([z,] y, x) float32 array
        0 outside the field of view and where nobody labelled, else 1 plus the border term.
    """
    weights = np.ones(case.image.shape[1:], np.float32)
    if case.labels is None:
        return 0 * weights
    weights[case.labels == IGNORE] = 0
    if case.fov is not None:
        weights *= case.fov
    if border is not None and case.objects is not None:
        weights *= 1 + border_weights(case.objects, border)
    return weights


def _truth(case: Prepared, border: BorderWeightConfig | None) -> NDArray[np.float32]:
    """Labels and weights as one (2, [z,] y, x) array, so that one resampling moves both."""
    truth = np.zeros((2, *case.image.shape[1:]), np.float32)
    truth[1] = pixel_weights(case, border)
    if case.labels is not None:
        np.copyto(truth[0], case.labels, where=truth[1] > 0)
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
