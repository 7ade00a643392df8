"""Polygons that are the objects, pixel by pixel, in the formats of other programs."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import roifile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.path import Path as Curve
from numpy.typing import NDArray

from seglet.core.errors import GeometryError
from seglet.postprocessing.outlines import annotate_coco, to_coco, to_geojson, trace_outlines, write_imagej

Objects = NDArray[np.int64]

maps = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: arrays(np.int64, shape, elements=st.integers(0, 3))
)


def filled(rings: list[NDArray[np.floating]], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Pixels whose center lies in an odd number of rings, by matplotlib."""
    y, x = np.indices(shape)
    centers = np.column_stack([x.ravel(), y.ravel()]) + 0.5
    inside = np.zeros(len(centers), int)
    for ring in rings:
        inside += Curve(ring).contains_points(centers)
    return (inside % 2 == 1).reshape(shape)


def sign(ring: NDArray[np.integer]) -> float:
    return np.sign(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise([*ring.tolist(), ring[0].tolist()])))


def test_a_pixel_is_a_square() -> None:
    objects = np.zeros((3, 4), int)
    objects[1, 2] = 7
    (outline,) = trace_outlines(objects)
    assert outline.number == 7
    assert [[ring.tolist() for ring in polygon] for polygon in outline.polygons] == [
        [[[2, 1], [3, 1], [3, 2], [2, 2]]]
    ]


def test_only_corners_are_kept() -> None:
    (outline,) = trace_outlines(np.ones((5, 9), int))
    assert outline.polygons[0][0].tolist() == [[0, 0], [9, 0], [9, 5], [0, 5]]


def test_a_hole_is_a_ring_of_its_own_that_turns_the_other_way() -> None:
    objects = np.ones((3, 3), int)
    objects[1, 1] = 0
    ((border, hole),) = trace_outlines(objects)[0].polygons
    assert (sign(border), sign(hole)) == (1, -1)
    assert sorted(hole.tolist()) == [[1, 1], [1, 2], [2, 1], [2, 2]]


def test_pixels_that_touch_at_a_corner_are_two_polygons() -> None:
    (outline,) = trace_outlines(np.eye(2, dtype=int))
    assert [len(polygon) for polygon in outline.polygons] == [1, 1]


def test_a_hole_that_touches_the_outside_at_a_corner_is_a_hole() -> None:
    objects = np.ones((3, 3), int)
    objects[1, 1] = objects[0, 0] = 0
    (polygon,) = trace_outlines(objects)[0].polygons
    assert [sign(ring) for ring in polygon] == [1, -1]


@given(maps)
def test_polygons_filled_again_are_the_objects(objects: Objects) -> None:
    again = np.zeros_like(objects)
    for outline in trace_outlines(objects):
        for polygon in outline.polygons:
            inside = filled(list(polygon), objects.shape)
            assert not again[inside].any()
            again[inside] = outline.number
    np.testing.assert_array_equal(again, objects)


@given(maps)
def test_rings_are_simple_and_areas_those_of_the_objects(objects: Objects) -> None:
    for outline in trace_outlines(objects):
        for border, *holes in outline.polygons:
            assert sign(border) == 1
            assert all(sign(hole) == -1 for hole in holes)
            for ring in (border, *holes):
                assert len(np.unique(ring, axis=0)) == len(ring)
                steps = np.diff(ring, axis=0, append=ring[:1])
                assert (np.count_nonzero(steps, axis=1) == 1).all()  # along edges, and turning at each corner
                assert (np.roll(steps, 1, axis=0) * steps == 0).all()


def test_no_objects_no_outlines(tmp_path: Path) -> None:
    empty = np.zeros((3, 3), int)
    assert trace_outlines(empty) == []
    assert json.loads(to_geojson([], {}, "x"))["features"] == []
    write_imagej(tmp_path / "x.zip", [])
    assert ZipFile(tmp_path / "x.zip").namelist() == []


def test_volumes_are_refused() -> None:
    with pytest.raises(GeometryError, match="make a mesh"):
        trace_outlines(np.zeros((2, 3, 3), int))


@pytest.fixture
def objects() -> Objects:
    """A plain object, one with a hole, one in two pieces."""
    drawn = np.zeros((12, 20), np.int64)
    drawn[1:4, 1:5] = 1
    drawn[1:8, 7:14] = 2
    drawn[3:5, 9:11] = 0
    drawn[9:11, 2:4] = drawn[9:11, 6:8] = 5
    return drawn


def test_geojson_has_closed_rings_and_measurements(objects: Objects) -> None:
    measured: dict[int, dict[str, Any]] = {
        1: {"area_um2": 12.5, "tortuosity": np.nan},
        2: {"class": "tumor"},
    }
    document = json.loads(to_geojson(trace_outlines(objects), measured, "x.png"))
    assert document["type"] == "FeatureCollection"
    geometries = [feature["geometry"] for feature in document["features"]]
    assert [one["type"] for one in geometries] == ["Polygon", "Polygon", "MultiPolygon"]
    assert [len(one["coordinates"]) for one in geometries] == [1, 2, 2]
    assert all(ring[0] == ring[-1] for one in geometries[:2] for ring in one["coordinates"])
    assert np.array_equal(filled([np.array(r) for r in geometries[1]["coordinates"]], (12, 20)), objects == 2)
    properties = [feature["properties"] for feature in document["features"]]
    assert properties[0]["measurements"] == {"area_um2": 12.5}
    assert properties[1]["classification"] == {"name": "tumor"}
    assert {one["objectType"] for one in properties} == {"detection"}
    assert len({feature["id"] for feature in document["features"]}) == 3


def test_coco_has_boxes_areas_and_masks(objects: Objects) -> None:
    annotations = annotate_coco(trace_outlines(objects), objects, {2: 2})
    text = to_coco([("a.png", (3, 3), []), ("b.png", objects.shape, annotations)], ["cell", "tumor"])
    document = json.loads(text)
    assert document["images"][1] == {"id": 2, "file_name": "b.png", "height": 12, "width": 20}
    assert document["categories"] == [{"id": 1, "name": "cell"}, {"id": 2, "name": "tumor"}]
    found = document["annotations"]
    assert [(one["id"], one["image_id"], one["category_id"]) for one in found] == [
        (1, 2, 1),
        (2, 2, 2),
        (3, 2, 1),
    ]
    assert [one["area"] for one in found] == [12, 45, 8]
    assert found[0]["bbox"] == [1, 1, 4, 3]
    rings = [np.reshape(ring, (-1, 2)) for ring in found[2]["segmentation"]]
    assert np.array_equal(filled(rings, (12, 20)), objects == 5)
    runs = found[1]["segmentation"]
    assert runs["size"] == [12, 20]
    on = np.arange(len(runs["counts"])) % 2 == 1
    assert np.array_equal(np.repeat(on, runs["counts"]).reshape(20, 12).T, objects == 2)


def test_imagej_reads_polygons_and_composites(objects: Objects, tmp_path: Path) -> None:
    write_imagej(tmp_path / "x.zip", trace_outlines(objects))
    regions = roifile.roiread(tmp_path / "x.zip")
    assert [region.name for region in regions] == ["0001", "0002", "0005"]
    assert [region.composite for region in regions] == [False, True, True]
    for region, number in zip(regions, (1, 2, 5), strict=True):
        rings = region.coordinates(multi=True)
        rings = rings if isinstance(rings, list) else [rings]
        assert np.array_equal(filled(rings, objects.shape), objects == number)
        assert (region.left, region.top) == tuple(np.concatenate(rings).min(axis=0))
