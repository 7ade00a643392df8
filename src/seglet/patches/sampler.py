"""Batches of random patches, from cases in memory or on disk; one code for images and volumes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Generator, Tensor

from seglet.core.config import Config
from seglet.core.errors import DatasetError
from seglet.core.grid import Cover, Region, read_beyond
from seglet.patches.augment import AugmentConfig, IntensityDraw, apply_intensity, draw_intensity, draw_spatial
from seglet.patches.sources import InMemory, PatchSource, Points, thinned
from seglet.patches.targets import BorderWeightConfig
from seglet.patches.warp import SpatialDraw, box_around, coordinates, mirrored_inside, warp
from seglet.preprocessing.transform import Prepared

Item = TypeVar("Item")

PLACES = 4_000_000  # remembered of a kind in all cases: thousands of slices would take more than their pixels
LEAST_PLACES = 1000  # of a case and class; more than its patches in most trainings
MOST_LOOKED_AT = 4  # windows on disk looked at for each that is wished: some hold no labelled pixel


class PatchConfig(Config):
    """Which patches are drawn, and what is done to them.

    Attributes
    ----------
    foreground : float
        Share of patches whose center is a pixel of a foreground class, the classes taking turns.
    augment : AugmentConfig
        How patches are changed.
    border_weight : BorderWeightConfig or None
        Extra weight between objects that nearly touch; needs a truth that tells objects apart.
    """

    foreground: Annotated[float, Field(ge=0, le=1)] = 0.33
    augment: AugmentConfig = AugmentConfig()
    border_weight: BorderWeightConfig | None = None


@dataclass(frozen=True, eq=False)
class Batch:
    """Patches that a training step sees.

    Attributes
    ----------
    images : (n, c, [z,] y, x) float tensor
        Input.
    labels : (n, [z,] y, x) int64 tensor
        Class indexes; 0 where `weights` is 0.
    weights : (n, [z,] y, x) float tensor
        Weight of each pixel: 0 outside the field of view and where nobody labelled, else 1 or more.
    """

    images: Tensor
    labels: Tensor
    weights: Tensor


@dataclass(frozen=True, eq=False)
class PatchDraw:
    """Everything random about one batch: which case, which shape, which intensities."""

    cases: tuple[int, ...]
    spatial: SpatialDraw
    intensity: IntensityDraw


class PatchSampler:
    """Draws batches from labelled cases; the batch of a step depends on the seed and the step alone.

    Parameters
    ----------
    cases : sequence of Prepared or PatchSource
        Labelled cases on the plan's grid, in memory or on disk.
    patch_size : ([z,] y, x)
        Extent of a patch.
    batch_size : int
        Patches in a batch.
    config : PatchConfig
        Which patches, and what is done to them.
    seed : int
        Of all randomness.
    device : torch.device
        Where images are kept and patches are made.
    spacing : tuple of float or None
        Distance between pixels along each axis, so that volumes are turned and bent as bodies are; equal
        where None.

    Raises
    ------
    DatasetError
        If no pixel of any case is labelled.
    """

    def __init__(
        self,
        cases: Sequence[Prepared | PatchSource],
        patch_size: tuple[int, ...],
        batch_size: int,
        config: PatchConfig,
        *,
        seed: int,
        device: torch.device,
        spacing: tuple[float, ...] | None = None,
    ) -> None:
        self.patch_size, self.batch_size, self.config = patch_size, batch_size, config
        self._augment = config.augment.settled(patch_size, is_oriented=False, spacing=spacing)
        self.seed, self.device, self.spacing = seed, device, spacing
        self._sources = _as_sources(cases, config.border_weight, device)
        rng = np.random.default_rng(seed)
        most = max(PLACES // max(len(self._sources), 1), LEAST_PLACES)
        places = [thinned(source.find_places(rng), most, rng) for source in self._sources]
        self._anywhere = [each.anywhere for each in places]
        classes = sorted({c for each in places for c in each.foreground})
        self._foreground: list[dict[int, Points]] = [
            {number: each.foreground[c] for number, each in enumerate(places) if c in each.foreground}
            for c in classes
        ]
        self._usable = [number for number, points in enumerate(self._anywhere) if len(points)]
        if not self._usable:
            raise DatasetError(
                "training images",
                found="no labelled pixel inside any field of view",
                expected="at least one",
                remedy="Check the masks and fields of view with `seglet check`.",
            )

    @property
    def is_on_disk(self) -> bool:
        """Whether patches are read from disk, and better made in the background."""
        return any(source.is_on_disk for source in self._sources)

    def draw(self, step: int) -> PatchDraw:
        """Draw everything random about the batch of a step."""
        generator = Generator().manual_seed(_mix(self.seed, step))
        cases, centers = zip(*(self._draw_place(generator) for _ in range(self.batch_size)), strict=True)
        half = torch.tensor([(n - 1) / 2 - n // 2 for n in self.patch_size])  # puts even patches onto pixels
        middles = torch.tensor(np.stack(centers)).float() + half
        spatial = draw_spatial(middles, self._augment, generator, self.spacing)
        n_channels = self._sources[0].n_channels
        intensity = draw_intensity(self.batch_size, n_channels, self._augment, generator)
        return PatchDraw(tuple(cases), spatial, intensity)

    def apply(self, draw: PatchDraw) -> Batch:
        """Cut and change the patches as drawn; no more is read of a case than its patch shows."""
        images, truths = [], []
        for number, places in zip(draw.cases, coordinates(draw.spatial, self.patch_size), strict=True):
            source = self._sources[number]
            inside = mirrored_inside(places, source.shape)
            box = box_around(inside)
            there = (inside - torch.tensor(box.start)).to(self.device)
            images.append(warp(source.read_image(box).to(self.device), there, "linear"))
            truths.append(warp(source.read_truth(box).to(self.device), there, "nearest"))
        truth = torch.stack(truths)
        changed = apply_intensity(torch.stack(images), draw.intensity.to(self.device))
        return Batch(changed, truth[:, 0].long(), truth[:, 1])

    def batch(self, step: int) -> Batch:
        """The batch of a step."""
        return self.apply(self.draw(step))

    def _draw_place(self, generator: Generator) -> tuple[int, NDArray[np.int32]]:
        """Pick a case and a pixel of it: a pixel of a foreground class in the wished share, else any."""
        wants_foreground = float(torch.rand(1, generator=generator)) < self.config.foreground
        if wants_foreground and self._foreground:
            of_class = self._foreground[_pick(len(self._foreground), generator)]
            case = list(of_class)[_pick(len(of_class), generator)]
            places = of_class[case]
        else:
            case = self._usable[_pick(len(self._usable), generator)]
            places = self._anywhere[case]
        return case, places[_pick(len(places), generator)]


def fixed_windows(cases: Sequence[Prepared | PatchSource], window: tuple[int, ...], most: int) -> list[Batch]:
    """Cut validation windows that are the same in every run: an even choice from a grid over all cases.

    Parameters
    ----------
    cases : sequence of Prepared or PatchSource
        Labelled cases.
    window : ([z,] y, x)
        Extent of a window.
    most : int
        How many windows at most.

    Returns
    -------
    list of Batch
        One window each, on the CPU; windows without a labelled pixel are left out.
    """
    sources = _as_sources(cases, None, torch.device("cpu"))
    grids = [Cover(source.shape, window) for source in sources]
    ends = np.cumsum([len(grid) for grid in grids])
    numbers: Sequence[int] = range(int(ends[-1])) if sources else ()
    if any(source.is_on_disk for source in sources):
        numbers = evenly(numbers, MOST_LOOKED_AT * most)
    labelled = []
    for number in numbers:
        which = int(np.searchsorted(ends, number, side="right"))
        source, region = sources[which], grids[which][number - int(ends[which])]  # counted from the end
        if bool((source.read_truth(region.within(source.shape))[1] > 0).any()):
            labelled.append((source, region))
    return [_cut(source, region) for source, region in evenly(labelled, most)]


def _as_sources(
    cases: Sequence[Prepared | PatchSource], border: BorderWeightConfig | None, device: torch.device
) -> list[PatchSource]:
    return [InMemory(case, border, device) if isinstance(case, Prepared) else case for case in cases]


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """Choose at most so many items, the first and the last among them."""
    if not items:
        return []
    return [items[int(i)] for i in np.unique(np.linspace(0, len(items) - 1, most).astype(int))]


def _cut(source: PatchSource, region: Region) -> Batch:
    image, truth = (_read(each, region, source.shape) for each in (source.read_image, source.read_truth))
    return Batch(image[None], truth[None, 0].long(), truth[None, 1])


def _read(read: Callable[[Region], Tensor], region: Region, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(np.array(read_beyond(lambda inside: read(inside).numpy(), region, shape)))


def _pick(n: int, generator: Generator) -> int:
    return int(torch.randint(n, (1,), generator=generator))


def _mix(seed: int, step: int) -> int:
    """One well-mixed seed for each pair, so that neighboring steps share nothing."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> np.uint64(1))
