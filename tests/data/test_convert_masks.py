"""How masks are written anew."""

from pathlib import Path

import numpy as np
import pytest

from seglet.core.image import IGNORE, Image, LabelClass, Labels, Sample
from seglet.data.cases import Case, Dataset
from seglet.data.convert_masks import (
    UNLABELLED,
    labels_as_indexes,
    labels_as_written,
    mask_values,
    masks_of,
)
from seglet.data.layouts import Layout
from seglet.data.masks import decode, decode_objects
from seglet.io.sources import File

FILE = File(Path("d"), "a.png")
PLAIN = Dataset(Path("d"), Layout(image="{id}.*"), (Case("a", (FILE,), (FILE,)),))
TRACKED = Dataset(Path("d"), Layout(image="{id}.*"), (Case("a", (FILE,), (FILE,), tracks=FILE),))
INDEXES = np.array([[0, 1], [2, IGNORE]], np.uint8)
OBJECTS = np.array([[0, 7], [3, 0]], np.int32)


def make_labels(values: tuple[object, ...], **rest: object) -> Labels:
    classes = tuple(LabelClass(name=f"n{k}", value=value) for k, value in enumerate(values))
    return Labels(classes=classes, **rest)


def sample_of(labels: np.ndarray, **rest: np.ndarray) -> Sample:
    return Sample("a", Image(np.zeros((1, *labels.shape), np.uint8)), labels, **rest)


@pytest.mark.parametrize(
    "labels",
    [
        make_labels((0, 100, 2035), ignore=7),
        make_labels((0, 255, 3), ignore=70_000),
        make_labels((10, 0, 255), ignore=(1, 2, 3)),
        make_labels(((0, 0, 0), (255, 0, 0), (0, 9, 0)), encoding="colors", ignore=(1, 1, 1)),
        make_labels((0, 1, 2), encoding="files", ignore=5),
        make_labels((-1000, 1, 2), ignore=5),
        make_labels((0, 1, 70_000), ignore=5),
    ],
)
def test_classes_are_read_back_as_they_were(labels: Labels) -> None:
    for written in (labels_as_written(PLAIN, labels), labels_as_indexes(PLAIN, labels)):
        values = mask_values(sample_of(INDEXES), written)
        assert values.ndim == 2
        assert np.array_equal(decode(values, written), INDEXES)
        assert written.names == labels.names


def test_values_of_the_source_are_kept_where_they_can_be() -> None:
    labels = make_labels((0, 100, 2035), ignore=7)
    assert mask_values(sample_of(INDEXES), labels_as_written(PLAIN, labels)).tolist() == [[0, 100], [2035, 7]]
    assert mask_values(sample_of(INDEXES), labels_as_indexes(PLAIN, labels)).tolist() == [[0, 1], [2, 3]]


def test_colors_stay_where_they_may() -> None:
    labels = make_labels(((0, 0, 0), (255, 0, 0), (0, 9, 0)), encoding="colors", ignore=(1, 1, 1))
    written = labels_as_written(PLAIN, labels, keep_colors=True)
    values = mask_values(sample_of(INDEXES), written)
    assert values[0, 1].tolist() == [255, 0, 0]
    assert np.array_equal(decode(values, written), INDEXES)


def test_gray_levels_between_two_classes_are_gone() -> None:
    written = labels_as_written(PLAIN, make_labels((0, 255), threshold=127.5))
    assert (written.threshold, [one.value for one in written.classes]) == (None, [0, 255])


@pytest.mark.parametrize("encoding", ["objects", "instances"])
def test_objects_keep_their_numbers_however_many_pieces_they_have(encoding: str) -> None:
    labels = make_labels((5, 255), encoding=encoding, ignore=1)
    pieces = np.array([[4, 0, 4, 0, 4], [0, 0, 0, 0, 0], [4, 0, 0, 0, 9]], np.int32)
    indexes = np.where(pieces == 9, IGNORE, pieces > 0).astype(np.uint8)
    pieces[2, 4] = 0
    written = labels_as_written(PLAIN, labels)
    values = mask_values(sample_of(indexes, objects=pieces), written)
    assert values[2, 4] == UNLABELLED
    assert np.array_equal(decode_objects(values, written), pieces)
    assert np.array_equal(decode(values, written), indexes)


def test_only_what_may_be_unlabelled_gets_a_value() -> None:
    labels = make_labels((0, 255))
    assert labels_as_written(PLAIN, labels).ignore is None
    assert labels_as_indexes(PLAIN, labels).ignore is None
    assert labels_as_written(TRACKED, labels).ignore == 0 + 1, "255 and 0 are taken"
    assert labels_as_indexes(TRACKED, labels).ignore == 2


def test_all_masks_of_a_sample_are_given() -> None:
    labels = make_labels((0, 50, 90), ignore=3)
    fov = np.array([[True, False], [True, True]])
    sample = sample_of(INDEXES, second=INDEXES[::-1], fov=fov)
    found = masks_of(sample, labels_as_written(PLAIN, labels))
    assert found["labels"].tolist() == [[0, 50], [90, 3]]
    assert found["second"].tolist() == [[90, 3], [0, 50]]
    assert found["fov"].tolist() == [[255, 0], [255, 255]]
    assert list(masks_of(sample, None)) == ["fov"]
    of_objects = labels_as_written(PLAIN, make_labels((0, 255), encoding="instances", ignore=9))
    ones = np.minimum(INDEXES, 1)
    found = masks_of(sample_of(ones, objects=OBJECTS, second=ones), of_objects)
    assert np.array_equal(decode(found["second"], of_objects), ones)
