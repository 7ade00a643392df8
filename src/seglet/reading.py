"""Whether images are kept in memory or stay on disk and are read by patches, and what memory that takes."""

from collections.abc import Iterable, Mapping, Sequence
from math import prod

import numpy as np
import psutil

from seglet.core.errors import ConfigError, DatasetError
from seglet.core.events import Event, Tell
from seglet.core.image import Labels, Sample, StoredImage, StoredSample
from seglet.core.orientation import upright
from seglet.core.sizes import gibibytes
from seglet.data.cases import Case
from seglet.data.channels import open_case
from seglet.data.crops import Crop, Piece, choose_crops
from seglet.data.looks import ImageLook
from seglet.data.samples import read_samples
from seglet.data.stored import bytes_kept, is_cheap_in_parts, open_sample
from seglet.networks.hardware import free_memory
from seglet.patches.prefetch import N_AHEAD, N_WORKERS
from seglet.patches.sources import PatchSource
from seglet.patches.stored import stored_sources
from seglet.preprocessing.fingerprint import CaseFacts, look_at
from seglet.preprocessing.levels import BYTES_PER_VALUE
from seglet.preprocessing.normalization import normalization_of
from seglet.preprocessing.plan import Plan
from seglet.preprocessing.settings import PlanConfig, Reading
from seglet.preprocessing.spacing import is_same_spacing
from seglet.preprocessing.transform import Prepared, preprocess

SHARE_OF_MEMORY = 0.5  # what images may take of the free memory before they stay on disk
LABELS_AND_WEIGHTS = 2  # values kept of a pixel beside its channels
N_CROPS = 64  # windows of all cases on disk together; one of each where there are more cases
CROP_SIDE = 512  # px of a window of flat images; of volumes it is a patch of the plan
CROP_SLICES = 8  # of a volume that is seen slice by slice

Samples = Mapping[str, Sample | StoredSample]


def choose_reading(
    said: PlanConfig, cases: Sequence[Case], labels: Labels, needed: int, left: int | None = None
) -> Reading:
    """Decide whether the images of labelled cases are kept in memory, unless it is said.

    Parameters
    ----------
    said : PlanConfig
        What the recipe says.
    cases : sequence of Case
        That are labelled.
    labels : Labels
        How their masks are written.
    needed : int
        Bytes that they take in memory, see `memory_of`.
    left : int or None
        Bytes that all may take, where that was said: then images are kept whenever they fit. Else they may
        take a share of the memory that is free.

    Raises
    ------
    DatasetError
        If they do not fit the memory, or are said to stay on disk, and cannot be read in part.
    """
    if said.reading == "memory":
        return "memory"
    free = min(free_memory(), int(psutil.virtual_memory().available)) if left is None else left
    share = SHARE_OF_MEMORY * free if left is None else left
    if said.reading is None and (said.resize is not None or needed <= share):
        return "memory"
    unfit = [str(case.image) for case in cases if not is_cheap_in_parts(open_case(case))]
    masks = {str(case.labels[0]): bytes_kept(case, labels) for case in cases}
    if sum(masks.values()) > share:
        unfit += [name for name, kept in masks.items() if kept]
    if not unfit:
        return "disk"
    if said.reading is None and needed < free:
        return "memory"
    listed = ", ".join(unfit[:5]) + (f" and {len(unfit) - 5} more" if len(unfit) > 5 else "")
    raise DatasetError(
        "images on disk",
        found=f"{len(unfit)} files that cannot be read patch by patch: {listed}",
        expected=f"formats of which parts can be read alone, or {gibibytes(needed)} of memory for all images "
        f"({gibibytes(free)} are {'free' if left is None else 'left'})",
        remedy="Convert them: seglet convert DATA OUT --to ome-zarr (or hdf5)."
        + ("" if left is None else " Or allow more memory."),
    )


def memory_of(images: Iterable[ImageLook | StoredImage]) -> int:
    """Bytes that images take in memory: as they are read, and prepared, with labels and weights."""
    total = 0
    for image in images:
        shape = image.place.shape if isinstance(image, ImageLook) else image.shape
        per_value = int(np.dtype(image.dtype).itemsize) + BYTES_PER_VALUE
        total += prod(shape) * (image.n_channels * per_value + 1 + LABELS_AND_WEIGHTS * BYTES_PER_VALUE)
    return total


def require_room(images: Iterable[ImageLook], left: int) -> None:
    """Refuse images that are said to be kept in memory and do not fit, before they are read.

    Raises
    ------
    ConfigError
        Says what they take as they are read.
    """
    needed = sum(
        prod(one.place.shape) * (one.n_channels * int(np.dtype(one.dtype).itemsize) + 1) for one in images
    )
    if needed > left:
        raise ConfigError(
            "max-ram",
            found=f"images that take {gibibytes(needed)} in memory",
            expected=f"at most the {gibibytes(max(left, 0))} that the limit leaves beside the program itself",
            remedy="Allow more memory, or leave plan.reading and plan.resize out.",
        )


def memory_of_patches(plan: Plan) -> int:
    """Bytes that patches take that are read ahead: finished batches, and those in the making."""
    values = prod(plan.patch_size) * (plan.n_channels + LABELS_AND_WEIGHTS)
    box = 1 << len(plan.patch_size)  # a turned patch needs up to so many times its own extent
    return BYTES_PER_VALUE * values * ((N_AHEAD + 1) * plan.batch_size + N_WORKERS * (1 + box))


def read_or_open(
    cases: Sequence[Case], labels: Labels | None, reading: Reading, tell: Tell
) -> dict[str, Sample | StoredSample]:
    """Read labelled cases, or open those that stay on disk; by their ids.

    Raises
    ------
    DatasetError
        If any of them cannot be read; lists every bad file.
    """
    if reading == "memory":
        return {sample.id: sample for sample in read_samples(cases, labels, tell)}
    assert labels is not None
    return {case.id: open_sample(case, labels) for case in cases}


def with_fitting_spacing(said: PlanConfig, facts: Sequence[CaseFacts]) -> PlanConfig:
    """Leave images on disk at their own spacing where it differs: they are not resampled patch by patch."""
    if said.spacing is not None or said.resize is not None:
        return said
    known = [spacing for one in facts for spacing in list(one.spacings.values())[:1]]
    if all(is_same_spacing(spacing, known[0]) for spacing in known):
        return said
    return said.model_copy(update={"spacing": "own"})


def look_at_stored(samples: Samples, n_classes: int, tell: Tell) -> dict[str, CaseFacts]:
    """Find the facts of all cases on disk, by their ids; they tell which classes each shows, too."""
    stored = _stored(samples)
    facts: dict[str, CaseFacts] = {}
    for number, sample in enumerate(stored, start=1):
        facts[sample.id] = look_at(sample, n_classes)
        tell(Event("looking", done=number, total=len(stored)))
    return facts


def crops_of(samples: Samples, plan: Plan, n_cases: int, tell: Tell) -> dict[str, tuple[Crop, ...]]:
    """Choose the windows of all cases on disk, by their ids; see `seglet.data.crops.choose_crops`.

    Parameters
    ----------
    samples : mapping
        Cases by id.
    plan : Plan
        Says how large windows are.
    n_cases : int
        Labelled cases of the dataset, which share `N_CROPS` windows.
    tell : callable
        Hears of progress.
    """
    stored = _stored(samples)
    crops: dict[str, tuple[Crop, ...]] = {}
    for number, sample in enumerate(stored, start=1):
        shape = _crop_shape(sample.image, plan)
        crops[sample.id] = choose_crops(sample, shape, max(1, N_CROPS // n_cases))
        tell(Event("windows", done=number, total=len(stored)))
    return crops


def pieces_of(samples: Iterable[Sample | StoredSample], crops: Mapping[str, tuple[Crop, ...]]) -> list[Piece]:
    """What is looked at of cases: all of those in memory, the windows of those on disk."""
    pieces: list[Piece] = []
    for sample in samples:
        pieces += [sample] if isinstance(sample, Sample) else crops[sample.id]
    return pieces


def sources_of(sample: StoredSample, plan: Plan) -> list[PatchSource]:
    """What a case on disk offers for training."""
    return stored_sources(sample, normalization_of(sample.image, plan), plan)


def prepare(piece: Piece, plan: Plan) -> tuple[Prepared, ...]:
    """Bring a piece to the plan's grid, a window by the intensities of all of its image."""
    if isinstance(piece, Sample):
        return preprocess(piece, plan)
    scales = normalization_of(piece.whole.image, plan).scales
    return preprocess(piece.read(), plan.model_copy(update={"intensity": scales}))


def reading_in_words(plan: Plan, needed: int) -> str:
    """Which way images are read that would take so many bytes of memory, and what it takes."""
    if plan.reading == "memory":
        return f"kept in memory: about {gibibytes(needed)}"
    read = gibibytes(memory_of_patches(plan))
    return f"read from disk by patches: about {read} instead of {gibibytes(needed)}"


def patches_in_words(plan: Plan) -> str:
    """What a step of training sees, and how much of it is predicted where that is less."""
    n, seen = plan.batch_size, _by(plan.patch_size)
    predicted = f" ({_by(plan.output_size)} predicted)" if plan.is_valid else ""
    return f"{n} {'patch' if n == 1 else 'patches'} of {seen}{predicted} a step"


def _by(sides: tuple[int, ...]) -> str:
    return "x".join(map(str, reversed(sides)))


def _stored(samples: Samples) -> list[StoredSample]:
    return [sample for sample in samples.values() if isinstance(sample, StoredSample)]


def _crop_shape(image: StoredImage, plan: Plan) -> tuple[int, ...]:
    """Extent of a window along the axes of the file."""
    match plan.mode:
        case "2d":
            return tuple(max(CROP_SIDE, side) for side in plan.patch_size)
        case "3d":
            sides = list(plan.patch_size)
        case "slices":
            sides = list(plan.patch_size)
            sides.insert(plan.slice_axis, CROP_SLICES)
    axes = upright(image.direction).permutation
    return tuple(sides[axes.index(axis)] for axis in range(3))
