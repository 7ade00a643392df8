"""Batches of random patches from cases that are kept in memory on the training device."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Generator, Tensor

from seglet.core.config import Config
from seglet.core.errors import DatasetError
from seglet.core.grid import Region, cover, read_mirrored
from seglet.core.image import IGNORE
from seglet.patches.augment import AugmentConfig, IntensityDraw, apply_intensity, draw_intensity, draw_spatial
from seglet.patches.targets import BorderWeightConfig, border_weights
from seglet.patches.warp import SpatialDraw, coordinates, warp
from seglet.preprocessing.transform import Prepared

MAX_PLACES = 100_000  # foreground pixels remembered per case and class


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
    images : (n, c, y, x) float tensor
        Input.
    labels : (n, y, x) int64 tensor
        Class indexes; 0 where `weights` is 0.
    weights : (n, y, x) float tensor
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
    """Draws batches from prepared cases; the batch of a step depends on the seed and the step alone.

    Parameters
    ----------
    cases : sequence of Prepared
        Labelled cases on the plan's grid.
    patch_size : (y, x)
        Extent of a patch.
    batch_size : int
        Patches in a batch.
    config : PatchConfig
        Which patches, and what is done to them.
    seed : int
        Of all randomness.
    device : torch.device
        Where images are kept and patches are made.

    Raises
    ------
    DatasetError
        If no pixel of any case is labelled.
    """

    def __init__(
        self,
        cases: Sequence[Prepared],
        patch_size: tuple[int, int],
        batch_size: int,
        config: PatchConfig,
        *,
        seed: int,
        device: torch.device,
    ) -> None:
        self.patch_size, self.batch_size, self.config = patch_size, batch_size, config
        self.seed, self.device = seed, device
        truths = [_truth(case, config.border_weight) for case in cases]
        self._images = [torch.from_numpy(case.image).to(device) for case in cases]
        self._truths = [torch.from_numpy(truth).to(device) for truth in truths]
        rng = np.random.default_rng(seed)
        self._anywhere = [_places(truth[1] > 0, rng) for truth in truths]
        self._foreground = _foreground_places(truths, rng)
        self._usable = [number for number, places in enumerate(self._anywhere) if len(places)]
        if not self._usable:
            raise DatasetError(
                "training images",
                found="no labelled pixel inside any field of view",
                expected="at least one",
                remedy="Check the masks and fields of view with `seglet check`.",
            )

    def draw(self, step: int) -> PatchDraw:
        """Draw everything random about the batch of a step."""
        generator = Generator().manual_seed(_mix(self.seed, step))
        cases, centers = zip(*(self._draw_place(generator) for _ in range(self.batch_size)), strict=True)
        half = torch.tensor([(n - 1) / 2 - n // 2 for n in self.patch_size])  # puts even patches onto pixels
        middles = torch.tensor(np.stack(centers)).float() + half
        spatial = draw_spatial(middles, self.config.augment, generator)
        n_channels = self._images[0].shape[0]
        intensity = draw_intensity(self.batch_size, n_channels, self.config.augment, generator)
        return PatchDraw(tuple(cases), spatial, intensity)

    def apply(self, draw: PatchDraw) -> Batch:
        """Cut and change the patches as drawn."""
        places = coordinates(draw.spatial, self.patch_size).to(self.device)
        images = torch.stack(
            [warp(self._images[c], p, "bilinear") for c, p in zip(draw.cases, places, strict=True)]
        )
        truths = torch.stack(
            [warp(self._truths[c], p, "nearest") for c, p in zip(draw.cases, places, strict=True)]
        )
        return Batch(
            apply_intensity(images, draw.intensity.to(self.device)), truths[:, 0].long(), truths[:, 1]
        )

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


def fixed_windows(cases: Sequence[Prepared], window: tuple[int, int], most: int) -> list[Batch]:
    """Cut validation windows that are the same in every run: an even choice from a grid over all cases.

    Parameters
    ----------
    cases : sequence of Prepared
        Labelled cases.
    window : (y, x)
        Extent of a window.
    most : int
        How many windows at most.

    Returns
    -------
    list of Batch
        One window each, on the CPU; windows without a labelled pixel are left out.
    """
    windows = [(case, region) for case in cases for region in cover(case.image.shape[1:], window)]
    truths = {case.id: _truth(case, None) for case in cases}
    windows = [(c, r) for c, r in windows if (truths[c.id][1][r.within(c.image.shape[1:]).slices] > 0).any()]
    chosen = (
        [windows[i] for i in np.unique(np.linspace(0, len(windows) - 1, most).astype(int))] if windows else []
    )
    return [_cut(case, truths[case.id], region) for case, region in chosen]


def _cut(case: Prepared, truth: NDArray[np.float32], region: Region) -> Batch:
    image = torch.from_numpy(np.ascontiguousarray(read_mirrored(case.image, region)))
    labels, weights = torch.from_numpy(np.ascontiguousarray(read_mirrored(truth, region)))
    return Batch(image[None], labels[None].long(), weights[None])


def pixel_weights(case: Prepared, border: BorderWeightConfig | None) -> NDArray[np.float32]:
    """How much each pixel of a case counts in training.

    Returns
    -------
    (y, x) float32 array
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
    """Labels and weights as one (2, y, x) array, so that one resampling moves both."""
    labels = np.zeros(case.image.shape[1:]) if case.labels is None else case.labels
    weights = pixel_weights(case, border)
    return np.stack([np.where(weights > 0, labels, 0).astype(np.float32), weights])


def _foreground_places(
    truths: list[NDArray[np.float32]], rng: np.random.Generator
) -> list[dict[int, NDArray[np.int32]]]:
    """For each foreground class the cases that show it, and where."""
    classes = sorted({int(c) for truth in truths for c in np.unique(truth[0])} - {0})
    per_class = [
        {number: _places((truth[0] == c) & (truth[1] > 0), rng) for number, truth in enumerate(truths)}
        for c in classes
    ]
    return [{n: places for n, places in of_class.items() if len(places)} for of_class in per_class]


def _places(mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int32]:
    places = np.flatnonzero(mask)
    if len(places) > MAX_PLACES:
        places = rng.choice(places, MAX_PLACES, replace=False)
    return np.stack(np.unravel_index(places, mask.shape), axis=-1).astype(np.int32)


def _pick(n: int, generator: Generator) -> int:
    return int(torch.randint(n, (1,), generator=generator))


def _mix(seed: int, step: int) -> int:
    """One well-mixed seed for each pair, so that neighboring steps share nothing."""
    return int(np.random.SeedSequence([seed, step]).generate_state(1, np.uint64)[0] >> np.uint64(1))
