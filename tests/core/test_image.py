"""The values that travel."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from pydantic import ValidationError

from seglet.core.errors import GeometryError
from seglet.core.image import IGNORE, MAX_CLASSES, Image, LabelClass, Labels, Sample

TWO = (LabelClass(name="background", value=0), LabelClass(name="vessel", value=255))


@pytest.mark.parametrize(
    ("shape", "n_channels", "spatial"), [((3, 5, 7), 3, (5, 7)), ((1, 4, 5, 7), 1, (4, 5, 7))]
)
def test_channels_come_first(shape: tuple[int, ...], n_channels: int, spatial: tuple[int, ...]) -> None:
    image = Image(np.zeros(shape, np.uint8))
    assert (image.n_channels, image.shape) == (n_channels, spatial)


@pytest.mark.parametrize("shape", [(), (5,), (5, 7), (1, 1, 4, 5, 7)])
def test_pixels_without_a_channel_axis_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(GeometryError, match="channel") as caught:
        Image(np.zeros(shape))
    assert str(shape) in caught.value.found


def test_image_cannot_be_changed() -> None:
    image = Image(np.zeros((1, 2, 2)))
    with pytest.raises(FrozenInstanceError):
        image.unit = "mm"  # type: ignore[misc]


def test_grid_is_unknown_unless_told() -> None:
    image = Image(np.zeros((1, 2, 2)))
    assert (image.spacing, image.unit, image.origin) == ((), "px", ())


def test_class_index_is_its_place() -> None:
    labels = Labels(classes=TWO)
    assert (labels.n_classes, labels.names) == (2, ("background", "vessel"))


def test_ignore_is_no_possible_class_index() -> None:
    assert IGNORE >= MAX_CLASSES
    assert np.iinfo(np.uint8).max == IGNORE


def test_labels_come_back_from_plain_values() -> None:
    red = LabelClass(name="red", value=(255, 0, 0))
    labels = Labels(encoding="colors", classes=(TWO[0], red), ignore=(0, 0, 1))
    assert Labels(**labels.model_dump(mode="json")) == labels


def test_unknown_encoding_is_refused() -> None:
    with pytest.raises(ValidationError, match="encoding"):
        Labels(encoding="shapes", classes=TWO)  # type: ignore[arg-type]


def test_sample_has_no_truth_unless_told() -> None:
    sample = Sample("a", Image(np.zeros((1, 2, 2))))
    assert sample.labels is sample.objects is sample.fov is sample.second is None
