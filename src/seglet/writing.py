"""Predictions as files, and files of any tool as predictions."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import DatasetError
from seglet.core.events import Event, Tell
from seglet.core.image import LabelClass, Labels, Sample
from seglet.data.cases import Case, Dataset, find_cases
from seglet.data.datasets import labels_of, open_dataset
from seglet.data.encodings import describe
from seglet.data.fitting import Frame, frame_of, read_fitting
from seglet.data.layouts import Layout, matches
from seglet.data.masks import MaskConfig, decode, decode_objects, encode, understand_masks
from seglet.data.samples import read_sample
from seglet.io.dicom_headers import SUFFIXES as DICOM
from seglet.io.files import SUFFIXES, open_mask, read_probabilities, write_mask, write_probabilities
from seglet.io.listing import as_file, list_files
from seglet.io.ome_zarr import SUFFIXES as ZARR
from seglet.io.sources import File, suffix_of
from seglet.metrics.evaluate import Prediction

KEPT = (".png", ".tif", ".tiff", ".nii", ".nii.gz", ".nrrd", ".mha", ".dcm")  # of masks as of images
CONTAINERS = (".h5", ".hdf5", ".hdf", ".zarr", ".ome.zarr", ".ome.tif", ".ome.tiff")
PROBABILITIES = "_probabilities"
OF_VOLUMES = {".nrrd": ".nrrd", ".mha": ".mha", **dict.fromkeys((".nii", ".nii.gz", ".dcm"), ".nii.gz")}


def mask_names(cases: Sequence[Case]) -> dict[str, str]:
    """File name of each case's mask, by the case's id.

    The image's own name; PNG where its format would smear the mask, TIFF where it is a container. The case's
    id in its place where a case is one page of a file or has a file per channel, or where two images (of two
    patients, say) have the same name.
    """
    counts = Counter(case.image.stem.lower() for case in cases)
    return {
        case.id: (case.image.stem if _has_own_name(case, counts) else case.id.replace("/", "_"))
        + _mask_suffix(case)
        for case in cases
    }


def _has_own_name(case: Case, counts: Counter[str]) -> bool:
    is_whole = case.page is None and not case.channels and len(case.images) == 1
    return is_whole and counts[case.image.stem.lower()] == 1


def _mask_suffix(case: Case) -> str:
    suffix = {".mhd": ".mha", ".nhdr": ".nrrd"}.get(case.image.suffix, case.image.suffix)  # one file, not two
    if suffix in DICOM:
        suffix = ".dcm"
    if suffix in CONTAINERS:
        return ".tif"
    is_page_of_volume = case.page is not None and suffix not in (".png", ".tif", ".tiff")
    return suffix if suffix in KEPT and not is_page_of_volume else ".png"


def mask_places(images: Sequence[Path | str], out: Path, channels: Layout | None = None) -> dict[Path, Case]:
    """Where the mask of each image goes.

    Parameters
    ----------
    images : sequence of Path
        Files, folders or zip archives; of a dataset only the images are taken.
    out : Path
        Folder for the masks.
    channels : Layout or None
        How the files of an image are named where each channel has its own.

    Raises
    ------
    DatasetError
        If a mask would overwrite another one or an image, or be taken for an image the next time.
    """
    places: dict[Path, Case] = {}
    for cases in (unlabelled(Path(path), channels) for path in images):
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


def write_prediction(
    path: Path, predicted: Prediction, labels: Labels, case: Case | None, *, probabilities: bool
) -> Path:
    """Write a mask with the values of the user's own masks, on the grid of its image.

    Parameters
    ----------
    path : Path
        As `mask_names` names it.
    predicted : Prediction
        Class indexes, and probabilities.
    labels : Labels
        How the training masks are written.
    case : Case or None
        Whose geometry the mask takes over, if any.
    probabilities : bool
        Whether ``<name>_probabilities.tif`` is written too; of volumes that have a place in the world as
        ``.nrrd``, ``.mha`` or ``.nii.gz``.
    """
    like = case.image if case is not None and case.page is None else None
    written = encode(predicted.labels, labels_in(path, labels))
    write_mask(path, written, like=like, names=labels.names)
    if probabilities and predicted.probabilities is not None:
        beside = _probabilities_beside(path, predicted.labels.ndim)
        write_probabilities(beside, predicted.probabilities, like=like)
    return path


def read_prediction(file: File, labels: Labels, frame: Frame) -> NDArray[np.uint8]:
    """Read a mask as `write_prediction` writes it: class indexes, ([z,] y, x), on the grid of its image.

    Raises
    ------
    FormatError
        If the file cannot be read or holds a value that stands for no class.
    GeometryError
        If its extent is not the image's.
    """
    values = read_fitting(file, frame, keep_colors=labels.encoding == "colors")
    return decode(values, labels_in(Path(file.name), labels), str(file))


def labels_in(mask: Path, labels: Labels) -> Labels:
    """How a mask is written: as the training masks; DICOM-SEG numbers classes, Zarr instead of colors."""
    suffix = suffix_of(mask.name)
    is_numbered = suffix in DICOM or (suffix in ZARR and labels.encoding == "colors")
    if not is_numbered:
        return labels
    return Labels(classes=tuple(LabelClass(name=name, value=k) for k, name in enumerate(labels.names)))


def _probabilities_beside(mask: Path, n_axes: int) -> Path:
    suffix = suffix_of(mask.name)
    written = OF_VOLUMES.get(suffix, ".tif") if n_axes == 3 else ".tif"
    return mask.with_name(f"{mask.name.removesuffix(suffix)}{PROBABILITIES}{written}")


def unlabelled(path: Path, channels: Layout | None) -> list[Case]:
    """The images at a path: those of a dataset, all of a folder, or one file."""
    is_single = path.is_file() and path.suffix.lower() not in (".zip", ".csv", ".h5", ".hdf5")
    if is_single or path.suffix.lower() == ".zarr":
        file = as_file(path)
        return [Case(id=file.stem, images=(file,))]
    dataset = open_dataset(path)
    if channels is not None and not dataset.channels and path.is_dir() and _has_any(path, channels):
        dataset = find_cases(path, channels)
    return [replace(case, labels=(), second=None, tracks=None) for case in dataset.cases]


def _has_any(folder: Path, layout: Layout) -> bool:
    return any(
        matches(layout.image, [file.shown_name for file in list_files(folder) if file.suffix in SUFFIXES])
    )


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
            indexes = read_prediction(file, self.predicted, frame)
            probabilities = self._probabilities(file, indexes.ndim)
            yield sample, Prediction(case.id, indexes, probabilities, self._objects(file, frame))

    def _objects(self, mask: File, frame: Frame) -> NDArray[np.int32] | None:
        """The predicted objects, where the masks tell them apart."""
        if self.predicted.encoding != "instances":
            return None
        return decode_objects(read_fitting(mask, frame), self.predicted)

    def _probabilities(self, mask: File, n_axes: int) -> NDArray[np.float32] | None:
        """What stands beside the mask as `write_prediction` writes it, if anything."""
        name = _probabilities_beside(Path(mask.name), n_axes).as_posix()
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
    tell(Event("matching", f"{len(files)} masks for {n_images} labelled images"))
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
    if found.n_classes > 2 and truth.encoding in ("instances", "objects"):
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
