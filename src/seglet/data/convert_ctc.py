"""A dataset of objects as the Cell Tracking Challenge: numbered images in sequences."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import DatasetError
from seglet.core.events import Event, Tell
from seglet.core.image import IGNORE, Labels, Sample
from seglet.data.cases import Case, Dataset
from seglet.data.channels import open_case
from seglet.data.convert_files import describe_dataset, is_one_file, members, put_mask
from seglet.data.convert_masks import labels_as_written
from seglet.data.copying import copy_file
from seglet.data.dataset_json import Addition
from seglet.data.drawing import group_units
from seglet.data.fitting import frame_of, read_fitting
from seglet.data.samples import read_sample
from seglet.io.dtypes import smallest
from seglet.io.files import write_image
from seglet.io.sources import File

LARGEST = 2**16 - 1  # masks of the challenge have 16 bits


def write_ctc(dataset: Dataset, labels: Labels | None, out: Path, tell: Tell) -> None:
    """Write ``01/t000.tif``, ``01_GT/SEG/man_seg000.tif``, ``01_GT/TRA/man_track000.tif`` and so on.

    Every group is a sequence, and so is every case without one. Markers are those of the dataset, or else
    the objects themselves; objects are not followed from one frame to the next. Names and splits stand in
    ``dataset.json``. Fields of view and second observers have no place.

    Parameters
    ----------
    dataset : Dataset
        What is written.
    labels : Labels or None
        How its masks are written.
    out : Path
        The folder to fill.
    tell : callable
        Hears of progress.

    Raises
    ------
    DatasetError
        If its masks do not tell objects apart, or leave pixels unlabelled.
    """
    if labels is None or labels.encoding not in ("objects", "instances"):
        found = "images without masks" if labels is None else f"masks of classes: {', '.join(labels.names)}"
        raise DatasetError(
            dataset.root,
            found=found,
            expected="masks that tell objects apart, each with its own value or file",
            remedy="Convert to nnunet or pairs; if every value is an object, say masks.encoding: instances.",
        )
    if any(case.fov is not None or case.second is not None for case in dataset.cases):
        tell(Event("converting", "fields of view and the second observer's masks are left out"))
    images: dict[str, Path] = {}
    for number, cases in enumerate(group_units(dataset.cases), start=1):
        for time, case in enumerate(cases):
            tell(Event("converting", case.id, len(images), len(dataset.cases)))
            images[case.id] = _put_frame(case, labels, out / f"{number:02}", time)
    written = labels_as_written(dataset, labels).model_copy(update={"ignore": None})  # 16 bits
    addition = Addition(labels=written, cases=members(dataset, images, out))
    describe_dataset(out, {}, addition, dataset.channels)


def _put_frame(case: Case, labels: Labels, sequence: Path, time: int) -> Path:
    path = sequence / f"t{time:03}.tif"
    if is_one_file(case) and case.image.suffix in (".tif", ".tiff"):
        copy_file(case.image, path)
    else:
        write_image(path, open_case(case).load())
    if case.labels:
        sample = read_sample(case, labels)
        truth = sequence.with_name(f"{sequence.name}_GT")
        objects = _sixteen_bits(_outlined(case, sample), case)
        markers = objects if case.tracks is None else _sixteen_bits(_markers(case.tracks, sample, case), case)
        put_mask(truth / f"SEG/man_seg{time:03}.tif", objects, case, sample.image)
        put_mask(truth / f"TRA/man_track{time:03}.tif", markers, case, sample.image)
    return path


def _outlined(case: Case, sample: Sample) -> NDArray[np.integer]:
    if case.tracks is None and (np.asarray(sample.labels) == IGNORE).any():
        raise DatasetError(
            str(case.labels[0]),
            found="pixels that nobody labelled",
            expected="objects and background alone",
            remedy="Convert to pairs, which can leave pixels unlabelled.",
        )
    return np.asarray(sample.objects)


def _markers(tracks: File, sample: Sample, case: Case) -> NDArray[np.integer]:
    return read_fitting(tracks, frame_of(sample.image, case.image))


def _sixteen_bits(values: NDArray[np.integer], case: Case) -> NDArray[np.integer]:
    return smallest(values, LARGEST, str(case.image)).astype(np.uint16)
