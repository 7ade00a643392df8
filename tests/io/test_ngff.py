import numpy as np
import pytest

from seglet.core.errors import GeometryError
from seglet.core.image import Image
from seglet.io.ngff import (
    axis_letters,
    grid_attributes,
    image_metadata,
    labels_metadata,
    level_grids,
    level_paths,
    multiscale_of,
    version_of,
)

SCALE = {"type": "scale", "scale": [1.0, 1.0, 400.0, 0.5, 0.5]}
SHIFT = {"type": "translation", "translation": [0.0, 0.0, 800.0, 3.0, 4.0]}
AXES = [
    {"name": "t", "type": "time", "unit": "second"},
    {"name": "ch", "type": "channel"},
    {"name": "z", "type": "space", "unit": "nanometer"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]
FOREIGN = {"axes": AXES, "datasets": [{"path": "s0", "coordinateTransformations": [SCALE, SHIFT]}]}


def test_units_that_differ_are_brought_to_one() -> None:
    grid = grid_attributes(FOREIGN, 0, 5, {})
    assert axis_letters(FOREIGN, 5) == "tczyx"
    assert grid["unit"] == "um"
    assert grid["spacing"][2:] == pytest.approx([0.4, 0.5, 0.5])
    assert grid["origin"][2:] == pytest.approx([0.8, 3.0, 4.0])


def test_transformations_of_all_levels_come_after_a_levels_own() -> None:
    doubled = {**FOREIGN, "coordinateTransformations": [{"type": "scale", "scale": [1, 1, 1, 2, 2]}]}
    grid = grid_attributes(doubled, 0, 5, {})
    assert grid["spacing"][3:] == [1.0, 1.0]
    assert grid["origin"][3:] == [6.0, 8.0]


def test_a_scale_of_one_without_unit_is_no_spacing() -> None:
    plain = {"axes": ["y", "x"], "datasets": [{"path": "0"}]}
    assert "spacing" not in grid_attributes(plain, 0, 2, {})
    scaled = {**plain, "datasets": [{"path": "0", "coordinateTransformations": [{"scale": [2, 2]}]}]}
    assert grid_attributes(scaled, 0, 2, {})["unit"] == "px"


def test_old_versions_name_no_axes() -> None:
    old = {"datasets": [{"path": "0"}]}
    assert axis_letters(old, 5) == "tczyx"
    with pytest.raises(GeometryError):
        axis_letters(FOREIGN, 3)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_what_is_written_is_read(version: str) -> None:
    like = Image(np.zeros((2, 8, 8)), (3.0, 0.5), "mm", (1.0, 2.0))
    metadata = image_metadata("cyx", "mm", level_grids(like, [(1, 1), (1, 2)]), "a", version)
    assert version_of(metadata) == version
    multiscale = multiscale_of(metadata)
    assert multiscale is not None
    assert level_paths(multiscale) == ["0", "1"]
    grid = grid_attributes(multiscale, 1, 3, {})
    assert grid["spacing"][1:] == [3.0, 1.0]
    assert grid["origin"][1:] == [1.0, 2.25]  # amid two pixels 0.5 apart
    assert grid["unit"] == "mm"


def test_labels_have_the_images_axes_but_the_channels() -> None:
    attributes = {"ome": {"version": "0.5", "multiscales": [FOREIGN]}}
    labels = labels_metadata(attributes, "nuclei", {1: "nucleus"})
    multiscale = multiscale_of(labels)
    assert multiscale is not None
    assert axis_letters(multiscale, 4) == "tzyx"
    assert multiscale["datasets"][0]["coordinateTransformations"][0]["scale"] == [1.0, 400.0, 0.5, 0.5]
    assert labels["ome"]["image-label"]["source"] == {"image": "../../"}
    assert labels["ome"]["image-label"]["properties"] == [{"label-value": 1, "class": "nucleus"}]


def test_no_image_is_told() -> None:
    assert multiscale_of({}) is None
    assert multiscale_of({"ome": {"labels": ["a"]}}) is None
