"""Deciding how masks are written."""

from typing import Literal

import numpy as np
import pytest

from seglet.core.errors import ConfigError, DatasetError
from seglet.data.encodings import (
    choose_labels,
    labels_as_named,
    labels_as_told,
    labels_of_files,
    packed,
    shown,
    unpacked,
)
from seglet.data.survey import survey_mask


def blocks(values: list[int], side: int = 10) -> np.ndarray:
    """Write each value as a square of its own."""
    mask = np.zeros((side + 4, (side + 4) * len(values)), np.uint16)
    for k, value in enumerate(values):
        mask[2 : side + 2, (side + 4) * k + 2 : (side + 4) * k + side + 2] = value
    return mask


def chosen(*masks: np.ndarray):
    return choose_labels([survey_mask(mask) for mask in masks], "auto", None)


@pytest.mark.parametrize("pair", [(0, 1), (0, 255), (1, 2), (3, 200)])
def test_any_two_values_are_two_classes(pair: tuple[int, int]) -> None:
    labels = chosen(np.array([pair], np.uint8))
    assert [one.value for one in labels.classes] == list(pair)
    assert labels.names == ("background", "foreground")
    assert labels.threshold is None


def test_values_that_come_back_in_every_image_are_classes() -> None:
    labels = chosen(*[blocks([1, 2, 3])] * 4)
    assert labels.encoding == "values"
    assert labels.names == ("background", "class_1", "class_2", "class_3")


def test_numbered_objects_are_instances() -> None:
    assert chosen(blocks([1, 2, 3, 4]), blocks([1, 2])).encoding == "instances"
    assert chosen(blocks(list(range(1, 40)))).encoding == "instances"
    assert chosen(blocks([300, 900]), blocks([17, 4, 5]), blocks([20, 22, 31, 40])).encoding == "instances"


def test_values_that_only_part_touching_objects_are_instances() -> None:
    mask = blocks([1] * 12)
    mask[2:12, 12:16] = 2
    assert chosen(mask).encoding == "instances"
    mask[2:12, 12:16] = 0
    mask[2:12, -12:-2] = 2
    assert chosen(mask).encoding == "values"


def test_a_few_colors_are_classes_and_many_are_objects() -> None:
    colored = np.zeros((4, 4, 3), np.uint8)
    colored[0, 0], colored[1, 1] = (255, 0, 0), (0, 255, 0)
    labels = chosen(colored)
    assert labels.encoding == "colors"
    assert labels.classes[0].value == (0, 0, 0)
    assert {one.value for one in labels.classes[1:]} == {(255, 0, 0), (0, 255, 0)}
    mask = blocks(list(range(1, 60)))
    assert chosen(np.stack([mask % 7 * 30, mask, mask * 2], axis=-1)).encoding == "instances"


def test_colors_through_jpeg_are_refused() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (30, 30, 3), np.uint8)
    with pytest.raises(DatasetError, match="colors"):
        chosen(noise)


def test_red_masks_are_read_by_their_red() -> None:
    mask = np.zeros((4, 4, 3), np.uint8)
    mask[0, 0, 0] = 255
    assert [one.value for one in chosen(mask).classes] == [0, 255]


def test_without_masks_nothing_is_decided() -> None:
    with pytest.raises(DatasetError, match="no masks"):
        chosen()


def test_too_many_classes_are_refused() -> None:
    ramp = np.arange(400, dtype=np.uint16).repeat(2)[None]
    with pytest.raises(DatasetError, match="at most 255"):
        choose_labels([survey_mask(ramp)], "values", None)


def test_told_classes_must_go_with_the_encoding() -> None:
    labels = labels_as_told({"bg": 0, "vessel": 255}, "binary", None)
    assert labels.threshold == 127.5
    assert labels_as_told({"bg": (0, 0, 0), "x": (1, 2, 3)}, "auto", None).encoding == "colors"
    for classes, encoding in (
        ({"bg": 0, "a": 1, "b": 2}, "binary"),
        ({"bg": 0, "a": 1}, "colors"),
        ({"bg": (0, 0, 0), "a": (1, 1, 1)}, "values"),
        ({"bg": 255, "a": 0}, "binary"),
    ):
        with pytest.raises(ConfigError, match=r"masks\.classes"):
            labels_as_told(classes, encoding, None)


RED_AND_WHITE = np.zeros((4, 4, 3), np.uint8)
RED_AND_WHITE[0] = (255, 0, 0)
RED_AND_WHITE[1] = 255


def test_an_ignored_gray_level_is_a_color_among_colors() -> None:
    labels = choose_labels([survey_mask(RED_AND_WHITE)], "auto", 255)
    assert [one.value for one in labels.classes] == [(0, 0, 0), (255, 0, 0)]
    assert labels.ignore == (255, 255, 255)
    assert labels_as_told({"bg": (0, 0, 0), "x": (255, 0, 0)}, "auto", 255).ignore == (255, 255, 255)


def test_a_color_is_not_ignored_among_values() -> None:
    with pytest.raises(ConfigError, match=r"masks\.ignore: found color #0000ff; expected a value"):
        choose_labels([survey_mask(blocks([255]))], "auto", (0, 0, 255))
    with pytest.raises(ConfigError, match=r"masks\.ignore"):
        labels_as_told({"bg": 0, "x": 1}, "auto", (0, 0, 255))


def test_gray_masks_may_be_read_as_colors() -> None:
    labels = choose_labels([survey_mask(np.repeat(blocks([255])[..., None], 3, axis=-1))], "colors", None)
    assert [one.value for one in labels.classes] == [(0, 0, 0), (255, 255, 255)]


@pytest.mark.parametrize("encoding", ["binary", "values"])
def test_colors_are_not_read_as_values(encoding: Literal["binary", "values"]) -> None:
    with pytest.raises(DatasetError, match=r"found colors; expected one gray level.*masks\.encoding: colors"):
        choose_labels([survey_mask(RED_AND_WHITE)], encoding, None)


def test_colors_are_numbers_and_back() -> None:
    assert unpacked(packed((1, 2, 3))) == (1, 2, 3)
    assert shown((1, 2, 255)) == "#0102ff"


def test_each_file_a_class_gives_numbered_classes() -> None:
    labels = labels_of_files(["axon", "myelin"], (), None)
    assert labels.encoding == "files"
    assert [(one.name, one.value) for one in labels.classes] == [
        ("background", 0),
        ("axon", 1),
        ("myelin", 2),
    ]
    assert labels_of_files(["a", "b"], ("bg", "b", "a"), None).names == ("bg", "b", "a")
    with pytest.raises(ConfigError, match=r"masks\.classes: found bg, a; expected .* a, b"):
        labels_of_files(["a", "b"], ("bg", "a"), None)


def test_classes_as_the_dataset_names_them() -> None:
    labels = labels_as_named({"tumour": 2, "liver": 1, "ignore": 3}, None)
    assert [(one.name, one.value) for one in labels.classes] == [
        ("background", 0),
        ("liver", 1),
        ("tumour", 2),
    ]
    assert labels.ignore == 3
    assert labels_as_named({"air": 0, "liver": 1}, 9).ignore == 9
