"""Predictions as files, and files of any tool as predictions."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import DatasetError
from seglet.core.events import Event, Tell
from seglet.core.image import Labels, Sample
from seglet.data.cases import Case, Dataset, find_cases
from seglet.data.masks import MaskConfig, decode, describe, encode, understand_masks
from seglet.data.samples import check_size, read_sample
from seglet.io.files import (
    File,
    as_file,
    list_files,
    read_mask,
    read_probabilities,
    write_mask,
    write_probabilities,
)
from seglet.io.raster import SUFFIXES
from seglet.metrics.evaluate import Prediction

LOSSLESS = (".png", ".tif", ".tiff")
PROBABILITIES = "_probabilities.tif"


def mask_names(cases: Sequence[Case]) -> dict[str, str]:
    """File name of each case's mask, by the case's id.

    The image's own name, PNG where its format would smear the mask; where two images (of two patients, say)
    have the same name, the case's id in its place.
    """
    counts = Counter(case.image.stem.lower() for case in cases)
    return {
        case.id: (case.image.stem if counts[case.image.stem.lower()] == 1 else case.id)
        + (case.image.suffix if case.image.suffix in LOSSLESS else ".png")
        for case in cases
    }


def mask_places(images: Sequence[Path | str], out: Path) -> dict[Path, Case]:
    """Where the mask of each image goes.

    Parameters
    ----------
    images : sequence of Path
        Files, folders or zip archives; of a dataset only the images are taken.
    out : Path
        Folder for the masks.

    Raises
    ------
    DatasetError
        If a mask would overwrite another one or an image, or be taken for an image the next time.
    """
    places: dict[Path, Case] = {}
    for cases in (_unlabelled(Path(path)) for path in images):
        names = mask_names(cases)
        for case in cases:
            other = places.setdefault(out / names[case.id], case)
            if other.image != case.image:
                raise DatasetError(
                    str(case.image),
                    found=f"a mask of the same name as that of {other.image}",
                    expected="images whose masks can stand in one folder",
                    remedy="Predict them into different folders.",
                )
    sources = {Path(str(case.image)).resolve() for case in places.values()}
    overwritten = sorted(str(path) for path in places if path.resolve() in sources)
    if overwritten:
        raise DatasetError(
            out,
            found=f"the folder of the images themselves: {', '.join(overwritten[:5])}",
            expected="a folder where masks overwrite no image",
            remedy="Choose another output folder.",
        )
    for path in map(Path, images):
        if path.is_dir() and out.resolve().is_relative_to(path.resolve()):
            raise DatasetError(
                out,
                found=f"a folder inside {path}, whose images are predicted",
                expected="a folder where masks cannot be taken for images",
                remedy="Choose an output folder outside.",
            )
    return places


def write_prediction(path: Path, predicted: Prediction, labels: Labels, *, probabilities: bool) -> Path:
    """Write a mask with the values of the user's own masks, and its probabilities if wished."""
    write_mask(path, encode(predicted.labels, labels))
    if probabilities and predicted.probabilities is not None:
        write_probabilities(path.with_name(path.stem + PROBABILITIES), predicted.probabilities)
    return path


def _unlabelled(path: Path) -> list[Case]:
    """The images at a path: those of a dataset, all of a folder, or one file."""
    if path.is_file() and path.suffix.lower() != ".zip":
        file = as_file(path)
        return [Case(id=file.stem, image=file)]
    return [replace(case, labels=(), second=None) for case in find_cases(path).cases]


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
            yield sample, Prediction(case.id, self._decode(file, sample, case), self._probabilities(file))

    def _probabilities(self, mask: File) -> NDArray[np.float32] | None:
        """What stands beside the mask as `write_prediction` writes it, if anything."""
        beside = File(mask.root, mask.name.removesuffix(PurePosixPath(mask.name).suffix) + PROBABILITIES)
        return read_probabilities(beside) if beside in self.files else None

    def _decode(self, file: File, sample: Sample, case: Case) -> NDArray[np.uint8]:
        mask = read_mask(file, keep_colors=self.predicted.encoding == "colors")
        check_size(mask.shape, file, sample.image.shape, case.image)
        return decode(mask, self.predicted, str(file))


def match_predictions(folder: Path, dataset: Dataset, masks: MaskConfig, tell: Tell) -> Matched:
    """Match the masks in a folder to a dataset's cases by name.

    A mask belongs to the case whose id or image name is its own name without the suffix.

    Raises
    ------
    DatasetError
        If nothing matches, some masks match no case, or two match the same; they are listed.
    """
    names = _names([case for case in dataset.cases if case.labels])
    listed = list_files(folder)
    files = [f for f in listed if f.suffix in SUFFIXES and not f.name.endswith(PROBABILITIES)]
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
    _refuse_twice(folder, pairs)
    tell(Event("matching", f"{len(pairs)} masks for {len({c.id for c in names.values()})} labelled images"))
    truth = understand_masks([case for case, _ in pairs], masks, tell)
    predicted = _understand(pairs, truth, tell)
    if predicted.n_classes > truth.n_classes:
        raise DatasetError(
            folder,
            found=f"masks of {predicted.n_classes} classes ({describe(predicted)})",
            expected=f"{truth.n_classes} as in the truth ({describe(truth)})",
            remedy="Write the masks with the values of the true masks.",
        )
    return Matched(pairs, frozenset(listed), truth, predicted)


def _names(cases: Sequence[Case]) -> dict[str, Case]:
    """What a mask of each case may be called; an image name that several cases share says nothing."""
    counts = Counter(case.image.stem for case in cases)
    by_stem = {case.image.stem: case for case in cases if counts[case.image.stem] == 1}
    return by_stem | {case.id: case for case in cases}


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


def _understand(pairs: Sequence[tuple[Case, File]], truth: Labels, tell: Tell) -> Labels:
    """How the predicted masks are written: like the truth where that fits, else by themselves.

    Of more than two classes, only the truth's own values say which is which.
    """
    if truth.n_classes > 2:
        return truth
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
