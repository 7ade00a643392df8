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
from seglet.patches.sources import PLAIN, InMemory, PatchSource, Places, Points, kept_inside, thinned
from seglet.patches.stored import require_in_memory
from seglet.patches.targets import BorderWeightConfig, TargetConfig
from seglet.patches.warp import SpatialDraw, boxes_around, coordinates, mirrored_inside, places_in, warp
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
        Share of patches whose center is a pixel of a foreground class: any class as often as any other, of
        the images that show it any as often as any other, however little of it they show. All other patches
        are centered on any pixel that counts, which lies inside the field of view.
    inside : bool
        Whether patches lie inside their image, as far as it is large enough, before they are shifted, turned
        and bent; where not, what lies beyond is mirrored. A patch of the image's size is the image.
    augment : AugmentConfig
        How patches are changed.
    border_weight : BorderWeightConfig or None
        Extra weight between objects that nearly touch; of masks that tell only classes, between connected
        components. A peak of 0 gives none. Where None, that of the original U-Net for a truth that tells
        objects apart in flat images or slices, else none: in volumes it would take half a minute of each that
        holds a thousand objects.
    """

    foreground: Annotated[float, Field(ge=0, le=1)] = 0.33
    inside: bool = False
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
    distances : (n, [z,] y, x) float tensor or None
        Distance to the border of the pixel's object, 0 to 1, where it is learned. It is warped as the labels
        are, by the nearest pixel, so that it is 0 exactly outside of objects.
    """

    images: Tensor
    labels: Tensor
    weights: Tensor
    distances: Tensor | None = None


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
    targets : TargetConfig
        What is learned of each pixel.

    Raises
    ------
    DatasetError
        If no pixel of any case is labelled.
    ConfigError
        If cases on disk are to have their objects told apart.
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
        targets: TargetConfig = PLAIN,
    ) -> None:
        self.patch_size, self.batch_size, self.config = patch_size, batch_size, config
        self._augment = config.augment.settled(patch_size, is_oriented=False, spacing=spacing)
        self.seed, self.device, self.spacing = seed, device, spacing
        self._sources = _as_sources(cases, config.border_weight, targets, device)
        rng = np.random.default_rng(seed)
        most = max(PLACES // max(len(self._sources), 1), LEAST_PLACES)
        places = [thinned(self._places_of(source, rng), most, rng) for source in self._sources]
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
        sources = [self._sources[number] for number in draw.cases]
        places = coordinates(draw.spatial.to(self.device), self.patch_size)
        places = mirrored_inside(places, [source.shape for source in sources])
        boxes = boxes_around(places)
        there = places_in(boxes, places)
        cut = list(zip(sources, boxes, strict=True))
        images = warp(self._together([source.read_image(box) for source, box in cut]), there, "linear")
        truth = warp(self._together([source.read_truth(box) for source, box in cut]), there, "nearest")
        return _batch(apply_intensity(images, draw.intensity), truth)

    def batch(self, step: int) -> Batch:
        """The batch of a step."""
        return self.apply(self.draw(step))

    def _together(self, boxes: list[Tensor]) -> Tensor:
        """Boxes in one batch, each at the start of its place; 0 beyond."""
        extent = torch.tensor([box.shape for box in boxes]).amax(0).tolist()
        together = torch.zeros((len(boxes), *extent), device=self.device)
        for place, box in zip(together, boxes, strict=True):
            place[tuple(slice(n) for n in box.shape)] = box
        return together

    def _places_of(self, source: PatchSource, rng: np.random.Generator) -> Places:
        places = source.find_places(rng)
        return kept_inside(places, source.shape, self.patch_size) if self.config.inside else places

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


def fixed_windows(
    cases: Sequence[Prepared | PatchSource],
    window: tuple[int, ...],
    most: int,
    margin: tuple[int, ...] | None = None,
    targets: TargetConfig = PLAIN,
) -> list[Batch]:
    """Cut validation windows that are the same in every run: an even choice from a grid over all cases.

    Parameters
    ----------
    cases : sequence of Prepared or PatchSource
        Labelled cases.
    window : ([z,] y, x)
        Extent of a window.
    most : int
        How many windows at most.
    margin : ([z,] y, x) or None
        Pixels at either end that the network says nothing of: windows overlap by so much, and what it says of
        them lies side by side.
    targets : TargetConfig
        What is learned of each pixel.

    Returns
    -------
    list of Batch
        One window each, on the CPU; windows without a labelled pixel between their margins are left out.

    Raises
    ------
    ConfigError
        If cases on disk are to have their objects told apart.
    """
    margin = margin or (0,) * len(window)
    sources = _as_sources(cases, None, targets, torch.device("cpu"))
    core = tuple(side - 2 * lost for side, lost in zip(window, margin, strict=True))
    grids = [Cover(source.shape, core) for source in sources]
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
    return [_cut(source, region, margin) for source, region in evenly(labelled, most)]


def _as_sources(
    cases: Sequence[Prepared | PatchSource],
    border: BorderWeightConfig | None,
    targets: TargetConfig,
    device: torch.device,
) -> list[PatchSource]:
    if any(not isinstance(case, Prepared) and case.is_on_disk for case in cases):
        require_in_memory(border, targets)
    return [InMemory(case, border, device, targets) if isinstance(case, Prepared) else case for case in cases]


def evenly(items: Sequence[Item], most: int) -> list[Item]:
    """Choose at most so many items, the first and the last among them."""
    if not items:
        return []
    return [items[int(i)] for i in np.unique(np.linspace(0, len(items) - 1, most).astype(int))]


def _cut(source: PatchSource, core: Region, margin: tuple[int, ...]) -> Batch:
    start = tuple(a - lost for a, lost in zip(core.start, margin, strict=True))
    region = Region(start, tuple(b + lost for b, lost in zip(core.stop, margin, strict=True)))
    image, truth = (_read(each, region, source.shape) for each in (source.read_image, source.read_truth))
    return _batch(image[None], truth[None])


def _batch(images: Tensor, truth: Tensor) -> Batch:
    """Of (n, p, [z,] y, x) planes of truth; see `make_truth`."""
    return Batch(images, truth[:, 0].long(), truth[:, 1], truth[:, 2] if truth.shape[1] > 2 else None)


def _read(read: Callable[[Region], Tensor], region: Region, shape: tuple[int, ...]) -> Tensor:
    return torch.from_numpy(np.array(read_beyond(lambda inside: read(inside).numpy(), region, shape)))


def _pick(n: int, generator: Generator) -> int:
    return int(torch.randint(n, (1,), generator=generator))


def _mix(seed: int, step: int) -> int:
    """One well-mixed seed for each pair, so that neighboring steps share nothing."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> np.uint64(1))
