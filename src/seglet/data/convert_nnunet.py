"""A dataset as nnU-Net wants it: raw data of its second version."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from seglet.core.errors import DatasetError
from seglet.core.events import Event, Tell
from seglet.core.image import IGNORE, Labels, Sample, StoredImage
from seglet.data.cases import Case, Dataset
from seglet.data.channels import open_case
from seglet.data.convert_files import (
    describe_dataset,
    grid_of,
    is_one_file,
    members,
    names_of_files,
    put_mask,
    suffix_for,
)
from seglet.data.convert_masks import labels_as_indexes, mask_values
from seglet.data.copying import copy_file
from seglet.data.dataset_json import SPLITS_NAME, Addition
from seglet.data.samples import read_sample
from seglet.io.files import write_image

COLORS = ("R", "G", "B")
REMEDY = "Convert them apart; seglet check says which images differ, and --fix mends what it can."


@dataclass(frozen=True)
class _Form:
    """What all images of a dataset have in common: suffix, number of channels, whether one file has them."""

    suffix: str
    n_channels: int
    is_joined: bool


def write_nnunet(dataset: Dataset, labels: Labels | None, out: Path, tell: Tell) -> None:
    """Write ``imagesTr``, ``labelsTr``, ``imagesTs``, ``labelsTs``, ``dataset.json`` and the split.

    Classes get the values 0, 1, 2 …; what nobody labelled, and what is outside of a field of view, becomes
    the label ``ignore``. Objects are not told apart, and second observers are left out: nnU-Net knows
    neither. Test cases and those without a mask stand in ``imagesTs``.

    Parameters
    ----------
    dataset : Dataset
        What is written.
    labels : Labels or None
        How its masks are written; None where there are none.
    out : Path
        The folder to fill.
    tell : callable
        Hears of progress.

    Raises
    ------
    DatasetError
        If images differ in their axes or channels.
    """
    form = _common_form(dataset)
    _tell_losses(dataset, labels, tell)
    written = None if labels is None else labels_as_indexes(dataset, labels)
    names = names_of_files(dataset.cases)
    images: dict[str, Path] = {}
    for done, case in enumerate(dataset.cases):
        tell(Event("converting", case.id, done, len(dataset.cases)))
        part = "Tr" if case.labels and case.split != "test" else "Ts"
        images[case.id] = _put_channels(case, form, out / f"images{part}" / names[case.id])
        if written is not None and case.labels:
            sample = read_sample(case, labels)
            values = mask_values(_without_outside(sample), written)
            put_mask(out / f"labels{part}" / f"{names[case.id]}{form.suffix}", values, case, sample.image)
    addition = Addition(
        labels=written,
        cases=members(dataset, images, out),
        values={} if labels is None else {one.name: one.value for one in labels.classes},
    )
    describe_dataset(out, _said(dataset, form, written), addition, _channel_names(dataset, form))
    _write_split(dataset, names, out)


def _tell_losses(dataset: Dataset, labels: Labels | None, tell: Tell) -> None:
    if labels is not None and labels.encoding in ("objects", "instances"):
        tell(Event("converting", f"nnU-Net does not tell objects apart: all become {labels.names[1]}"))
    if any(case.fov is not None for case in dataset.cases):
        tell(Event("converting", "what is outside of the field of view becomes the label ignore"))
    if any(case.second is not None for case in dataset.cases):
        tell(Event("converting", "the second observer's masks are left out"))


def _common_form(dataset: Dataset) -> _Form:
    """Look at all images: nnU-Net wants one format for all, and as many channels in each."""
    seen: list[tuple[int, int, str, bool]] = []
    for case in dataset.cases:
        one = open_case(case)
        seen.append((one.n_channels, len(one.shape), suffix_for(one), _is_color(one)))
        if seen[-1][:2] != seen[0][:2]:
            raise DatasetError(
                str(case.image),
                found=f"{one.n_channels} channels of {len(one.shape)} axes",
                expected=f"{seen[0][0]} channels of {seen[0][1]} axes as in {dataset.cases[0].image}",
                remedy=REMEDY,
            )
    n_channels, n_axes = seen[0][:2]
    suffix = ".nii.gz" if n_axes == 3 else ".png" if {one[2] for one in seen} == {".png"} else ".tif"
    return _Form(suffix, n_channels, n_axes == 2 and all(one[3] for one in seen))


def _is_color(stored: StoredImage) -> bool:
    return stored.n_channels == len(COLORS) and stored.dtype in (np.uint8, np.uint16)


def _put_channels(case: Case, form: _Form, place: Path) -> Path:
    """Write a file for each channel, or one in color; gives the first."""
    if is_one_file(case) and case.image.suffix == form.suffix == ".nii.gz" and form.n_channels == 1:
        first = place.with_name(f"{place.name}_0000{form.suffix}")
        copy_file(case.image, first)
        return first
    image = open_case(case).load()
    paths = []
    for number in range(1 if form.is_joined else form.n_channels):
        channels = slice(None) if form.is_joined else slice(number, number + 1)
        paths.append(place.with_name(f"{place.name}_{number:04}{form.suffix}"))
        write_image(paths[-1], replace(image, pixels=image.pixels[channels]), like=grid_of(case))
    return paths[0]


def _without_outside(sample: Sample) -> Sample:
    """Take away the truth outside of the field of view."""
    if sample.fov is None or sample.labels is None:
        return sample
    return replace(sample, labels=np.where(sample.fov, sample.labels, np.uint8(IGNORE)), fov=None)


def _said(dataset: Dataset, form: _Form, written: Labels | None) -> dict[str, object]:
    n_training = sum(bool(case.labels) and case.split != "test" for case in dataset.cases)
    return {
        "labels": {} if written is None else _named_values(written),
        "numTraining": n_training,
        "file_ending": form.suffix,
    }


def _named_values(written: Labels) -> dict[str, object]:
    """Name the values as nnU-Net wants it: 0 is the background, unlabelled pixels have the highest."""
    named: dict[str, object] = {"background": 0}
    for one in written.classes[1:]:
        is_taken = one.name in (*named, "ignore")
        named[f"{one.name}_{one.value}" if is_taken else one.name] = one.value
    return named if written.ignore is None else {**named, "ignore": written.ignore}


def _channel_names(dataset: Dataset, form: _Form) -> tuple[str, ...]:
    if len(dataset.channels) == form.n_channels:
        return dataset.channels
    return COLORS if form.is_joined else tuple(f"channel {number}" for number in range(form.n_channels))


def _write_split(dataset: Dataset, names: dict[str, str], out: Path) -> None:
    """Write who validates, as a single fold; nnU-Net draws its own folds where nobody is said to."""
    ids = {
        role: [names[case.id] for case in dataset.cases if case.labels and case.split == role]
        for role in ("train", "validation")
    }
    if ids["train"] and ids["validation"]:
        folds = [{"train": ids["train"], "val": ids["validation"]}]
        (out / SPLITS_NAME).write_text(json.dumps(folds, indent=2), encoding="utf-8")
