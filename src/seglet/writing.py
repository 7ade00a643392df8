"""Predictions as files, and files of any tool as predictions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import DatasetError
from seglet.core.events import Event, Tell
from seglet.core.image import Labels, Sample
from seglet.data.cases import Case, Dataset
from seglet.data.masks import MaskConfig, decode, encode, understand_masks
from seglet.data.samples import read_sample
from seglet.io.files import File, list_files, read_mask, write_mask, write_probabilities
from seglet.io.raster import SUFFIXES
from seglet.metrics.evaluate import Prediction

LOSSLESS = (".png", ".tif", ".tiff")
PROBABILITIES = "_probabilities.tif"


def mask_name(case: Case) -> str:
    """File name of a case's mask: the image's own; PNG where the image's format would smear it."""
    return case.image.stem + (case.image.suffix if case.image.suffix in LOSSLESS else ".png")


def write_prediction(
    folder: Path, case: Case, predicted: Prediction, labels: Labels, *, probabilities: bool
) -> Path:
    """Write a mask with the values of the user's own masks, and its probabilities if wished."""
    path = folder / mask_name(case)
    write_mask(path, encode(predicted.labels, labels))
    if probabilities and predicted.probabilities is not None:
        write_probabilities(folder / (case.image.stem + PROBABILITIES), predicted.probabilities)
    return path


@dataclass(frozen=True)
class Matched:
    """Predicted masks beside the cases they belong to; read one pair at a time."""

    pairs: tuple[tuple[Case, File], ...]
    truth: Labels
    predicted: Labels

    def __iter__(self) -> Iterator[tuple[Sample, Prediction]]:
        for case, file in self.pairs:
            yield read_sample(case, self.truth), Prediction(case.id, self._decode(file), None)

    def _decode(self, file: File) -> NDArray[np.uint8]:
        return decode(read_mask(file), self.predicted)


def match_predictions(folder: Path, dataset: Dataset, masks: MaskConfig, tell: Tell) -> Matched:
    """Match the masks in a folder to a dataset's cases by name.

    A mask belongs to the case whose id or image name is its own name without the suffix.

    Raises
    ------
    DatasetError
        If nothing matches, or some masks match no case; they are listed.
    """
    names = {name: case for case in dataset.cases if case.labels for name in (case.id, case.image.stem)}
    files = [f for f in list_files(folder) if f.suffix in SUFFIXES and not f.name.endswith(PROBABILITIES)]
    pairs = tuple((names[f.stem], f) for f in files if f.stem in names)
    strangers = [f for f in files if f.stem not in names]
    if strangers or not pairs:
        shown = ", ".join(f.name for f in strangers[:10]) or "no masks at all"
        raise DatasetError(
            folder,
            found=f"{len(strangers)} of {len(files)} masks named like no labelled image: {shown}",
            expected=f"names such as {', '.join(list(names)[:3]) or 'none: the truth has no masks'}",
            remedy="Name each mask like its image.",
        )
    tell(Event("matching", f"{len(pairs)} masks"))
    truth = understand_masks([case for case, _ in pairs], masks, tell)
    return Matched(pairs, truth, _understand(pairs, truth, tell))


def _understand(pairs: Sequence[tuple[Case, File]], truth: Labels, tell: Tell) -> Labels:
    """How the predicted masks are written: like the truth where that fits, else by themselves."""
    found = understand_masks([Case(id=c.id, image=f, labels=(f,)) for c, f in pairs], MaskConfig(), tell)
    known = {c.value for c in truth.classes}
    if (
        truth.encoding == found.encoding
        and {c.value for c in found.classes} <= known
        and found.threshold is None
    ):
        return truth
    return found


def as_truth(dataset: Dataset) -> Dataset:
    """A folder of masks alone, taken for the truth: each file is the mask of a case of its own name."""
    if any(case.labels for case in dataset.cases):
        return dataset
    cases = tuple(Case(id=c.id, image=c.image, labels=(c.image,)) for c in dataset.cases)
    return Dataset(dataset.root, dataset.layout, cases, dataset.orphans)
