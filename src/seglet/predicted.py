"""Masks of any tool, taken for predictions."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import DatasetError
from seglet.core.events import Event, Tell
from seglet.core.image import Labels, Sample
from seglet.data.cases import Case, Dataset
from seglet.data.datasets import labels_of
from seglet.data.encodings import describe
from seglet.data.fitting import frame_of
from seglet.data.masks import MaskConfig, understand_masks
from seglet.data.samples import read_sample
from seglet.io.files import SUFFIXES, open_mask, read_probabilities
from seglet.io.listing import list_files
from seglet.io.sources import File
from seglet.metrics.evaluate import Prediction
from seglet.writing import PROBABILITIES, labels_in, probabilities_beside, read_as


@dataclass(frozen=True)
class Matched:
    """Predicted masks beside the cases they belong to; read one pair at a time.

    Attributes
    ----------
    pairs : tuple of (Case, File)
        Each case and its mask.
    files : frozenset of File
        Everything that stands where the masks stand; probabilities are looked for among it.
    truth, predicted : Labels
        How the true and the predicted masks are written.
    """

    pairs: tuple[tuple[Case, File], ...]
    files: frozenset[File]
    truth: Labels
    predicted: Labels

    def __iter__(self) -> Iterator[tuple[Sample, Prediction]]:
        for case, file in self.pairs:
            sample = read_sample(case, self.truth)
            frame = frame_of(sample.image, case.image, case.page)
            indexes, objects = read_as(file, labels_in(Path(file.name), self.predicted), frame)
            yield sample, Prediction(case.id, indexes, self._probabilities(file, indexes.ndim), objects)

    def _probabilities(self, mask: File, n_axes: int) -> NDArray[np.float32] | None:
        """What stands beside the mask as `write_prediction` writes it, if anything."""
        name = probabilities_beside(Path(mask.name), n_axes).as_posix()
        beside = File(mask.root, name)
        return read_probabilities(beside) if beside in self.files else None


def match_predictions(folder: Path, dataset: Dataset, masks: MaskConfig, tell: Tell) -> Matched:
    """Match the masks in a folder to a dataset's cases by name.

    A mask belongs to the case whose id or image name is its own name without the suffix; where the pages of
    a stack are cases, a stack of masks of its name belongs to all of them, page by page.

    Raises
    ------
    DatasetError
        If nothing matches, some masks match no case, or two match the same; they are listed.
    """
    names = _names([case for case in dataset.cases if case.labels])
    listed = list_files(folder)
    files = [f for f in listed if f.suffix in SUFFIXES and not f.stem.endswith(PROBABILITIES)]
    pairs = tuple((case, f) for f in files for case in names.get(f.stem, ()))
    strangers = [f for f in files if f.stem not in names]
    if strangers or not pairs:
        shown = ", ".join(f.name for f in strangers[:10]) or "no masks at all"
        raise DatasetError(
            folder,
            found=f"{len(strangers)} of {len(files)} masks named like no labelled image: {shown}",
            expected=f"names such as {', '.join(list(names)[:3]) or 'none: the truth has no masks'}",
            remedy="Name each mask like its image.",
        )
    _refuse_twice(folder, pairs)
    _refuse_flat(pairs)
    n_images = len({case.id for cases in names.values() for case in cases})
    counted = "1 mask" if len(files) == 1 else f"{len(files)} masks"
    tell(Event("matching", f"{counted} for {n_images} labelled images"))
    truth = labels_of(dataset, [case for case, _ in pairs], masks, tell)
    predicted = _understand(pairs, truth, tell)
    if predicted.n_classes > truth.n_classes:
        raise DatasetError(
            folder,
            found=f"masks of {predicted.n_classes} classes ({describe(predicted)})",
            expected=f"{truth.n_classes} as in the truth ({describe(truth)})",
            remedy="Write the masks with the values of the true masks.",
        )
    return Matched(pairs, frozenset(listed), truth, predicted)


def _names(cases: Sequence[Case]) -> dict[str, tuple[Case, ...]]:
    """What a mask of each case may be called; an image name that several files share says nothing."""
    by_stem: dict[str, list[Case]] = {}
    for case in cases:
        by_stem.setdefault(case.image.stem, []).append(case)
    stacks = {stem: tuple(found) for stem, found in by_stem.items() if len({c.image for c in found}) == 1}
    return stacks | {case.id: (case,) for case in cases}


def _refuse_twice(folder: Path, pairs: Sequence[tuple[Case, File]]) -> None:
    seen: dict[str, File] = {}
    for case, file in pairs:
        other = seen.setdefault(case.id, file)
        if other != file:
            raise DatasetError(
                folder,
                found=f"two masks of {case.id}: {other.name}, {file.name}",
                expected="one mask for each image",
                remedy="Take one of them out.",
            )


def _refuse_flat(pairs: Sequence[tuple[Case, File]]) -> None:
    """Refuse one flat mask for all the pages of a stack."""
    n_cases = Counter(file for _, file in pairs)
    for case, file in pairs:
        if n_cases[file] > 1 and len(open_mask(file).shape) == 2:
            raise DatasetError(
                str(file),
                found="one mask",
                expected=f"a stack of masks for {case.image}, or masks named like its pages: {case.id}",
                remedy="Name each mask like its page.",
            )


def _understand(pairs: Sequence[tuple[Case, File]], truth: Labels, tell: Tell) -> Labels:
    """How the predicted masks are written: like the truth where that fits, else by themselves.

    Of more than two classes, only the truth's own values say which is which. Where the truth tells objects
    apart, several values are objects.
    """
    if truth.n_classes > 2:
        return truth
    masks = [Case(id=c.id, images=(f,), labels=(f,), page=c.page) for c, f in pairs]
    found = understand_masks(masks, MaskConfig(), tell)
    if truth.tell_objects_apart and (found.n_classes > 2 or found.encoding == "instances"):
        return understand_masks(masks, MaskConfig(encoding="instances"), tell)
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
    cases = tuple(Case(id=c.id, images=c.images, labels=(c.image,), page=c.page) for c in dataset.cases)
    return Dataset(dataset.root, dataset.layout, cases, dataset.orphans)
