"""Objects in numbers."""

from collections.abc import Sequence
from math import pi

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label as pieces_of
from skimage.measure import regionprops_table

from seglet.core.errors import GeometryError
from seglet.postprocessing.measure import measure_objects, size_column, summarize

maps = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: arrays(np.int64, shape, elements=st.integers(0, 3))
)


def ball(radius: float, spacing: Sequence[float], shift: float = 0.3) -> NDArray[np.int32]:
    """Pixels whose center is in a ball, or a disk, that is nowhere near the edge."""
    sides = [2 * int(radius / step) + 7 for step in spacing]
    axes = np.ogrid[tuple(slice(0, side) for side in sides)]
    distance = sum(
        ((axis - side // 2 - shift) * step) ** 2
        for axis, side, step in zip(axes, sides, spacing, strict=True)
    )
    return (distance <= radius**2).astype(np.int32)


@pytest.fixture(scope="module")
def blobs() -> NDArray[np.int32]:
    noise = np.random.default_rng(0).random((300, 300))
    return pieces_of(ndimage.gaussian_filter(noise, 3) > 0.51).astype(np.int32)


def test_a_rectangle_is_what_one_counts() -> None:
    objects = np.zeros((6, 9), int)
    objects[1:3, 4:8] = 3
    table = measure_objects(objects, spacing=(0.5, 2.0), unit="um")
    row = {name: column.item() for name, column in table.items()}
    assert (row["number"], row["n_pixels"], row["area_um2"]) == (3, 8, 8.0)
    assert (row["centroid_y_px"], row["centroid_x_px"]) == (1.5, 5.5)
    assert (row["centroid_y_um"], row["centroid_x_um"]) == (0.75, 11.0)
    box = ("bbox_y_from", "bbox_y_to", "bbox_x_from", "bbox_x_to")
    assert [row[name] for name in box] == [1, 3, 4, 8]
    assert row["solidity"] == 1.0
    assert not row["touches_edge"]


@pytest.mark.parametrize("at", [(0, 1), (1, 0), (3, 2), (2, 3)])
def test_objects_at_any_side_touch_the_edge(at: tuple[int, int]) -> None:
    objects = np.zeros((4, 4), int)
    objects[at] = 1
    assert measure_objects(objects)["touches_edge"].tolist() == [True]


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 1.0, 1.0), (3.0, 0.7, 0.7), (1.0, 0.5, 2.0)])
def test_a_ball_has_its_volume_and_surface_within_two_percent(spacing: tuple[float, ...]) -> None:
    table = measure_objects(ball(20, spacing), None, spacing, "mm")
    assert table["volume_mm3"].item() == pytest.approx(4 / 3 * pi * 20**3, rel=0.02)
    assert table["surface_mm2"].item() == pytest.approx(4 * pi * 20**2, rel=0.02)
    for name in ("equivalent_diameter_mm", "major_axis_mm", "minor_axis_mm"):
        assert table[name].item() == pytest.approx(40, rel=0.02)


@pytest.mark.parametrize("spacing", [(1.0, 1.0), (2.0, 1.0), (0.65, 0.3)])
def test_a_disk_has_its_area_and_perimeter_within_two_percent(spacing: tuple[float, ...]) -> None:
    table = measure_objects(ball(25, spacing), None, spacing, "um")
    assert table["area_um2"].item() == pytest.approx(pi * 25**2, rel=0.02)
    assert table["perimeter_um"].item() == pytest.approx(2 * pi * 25, rel=0.02)
    assert table["eccentricity"].item() < 0.2
    assert table["solidity"].item() > 0.9


def test_an_ellipse_has_its_axes() -> None:
    y, x = np.mgrid[-40:41, -40:41]
    table = measure_objects(((y / 30) ** 2 + (x / 12) ** 2 <= 1).astype(int))
    assert table["major_axis_px"].item() == pytest.approx(60, rel=0.01)
    assert table["minor_axis_px"].item() == pytest.approx(24, rel=0.02)
    assert table["eccentricity"].item() == pytest.approx(np.sqrt(1 - (12 / 30) ** 2), rel=0.01)


def test_shapes_are_those_of_scikit_image(blobs: NDArray[np.int32]) -> None:
    image = np.random.default_rng(1).random((300, 300))
    table = measure_objects(blobs, image[None])
    names = {
        "number": "label",
        "area_px2": "area",
        "perimeter_px": "perimeter_crofton",
        "major_axis_px": "axis_major_length",
        "minor_axis_px": "axis_minor_length",
        "equivalent_diameter_px": "equivalent_diameter_area",
        "intensity_mean": "intensity_mean",
        "intensity_std": "intensity_std",
        "intensity_min": "intensity_min",
        "intensity_max": "intensity_max",
        "centroid_y_px": "centroid-0",
        "bbox_x_to": "bbox-3",
    }
    wanted = [
        "centroid" if n.startswith("centroid") else "bbox" if n.startswith("bbox") else n
        for n in names.values()
    ]
    expected = regionprops_table(blobs, image, properties=wanted)
    for own, theirs in names.items():
        np.testing.assert_allclose(table[own], expected[theirs], rtol=1e-7, atol=1e-6, err_msg=own)


def test_shapes_on_flat_pixels_are_those_of_scikit_image(blobs: NDArray[np.int32]) -> None:
    table = measure_objects(blobs, spacing=(2.0, 0.5), unit="um")
    expected = regionprops_table(blobs, properties=["axis_major_length", "centroid"], spacing=(2.0, 0.5))
    np.testing.assert_allclose(table["major_axis_um"], expected["axis_major_length"], rtol=1e-6)
    np.testing.assert_allclose(table["centroid_x_um"], expected["centroid-1"], rtol=1e-6)


def test_axes_of_volumes_are_those_of_scikit_image() -> None:
    noise = np.random.default_rng(2).random((30, 40, 40))
    objects = pieces_of(ndimage.gaussian_filter(noise, 3) > 0.51).astype(np.int32)
    objects = np.where(np.bincount(objects.ravel())[objects] > 50, objects, 0)
    table = measure_objects(objects)
    expected = regionprops_table(objects, properties=["axis_major_length", "axis_minor_length"])
    np.testing.assert_allclose(table["major_axis_px"], expected["axis_major_length"], rtol=1e-6)
    np.testing.assert_allclose(table["minor_axis_px"], expected["axis_minor_length"], rtol=1e-6)


def test_channels_are_numbered_where_there_are_several() -> None:
    objects = np.array([[1, 1, 2]])
    table = measure_objects(objects, np.array([[[1, 3, 7]], [[0, 0, 9]]], np.uint8))
    assert table["intensity_1_mean"].tolist() == [2.0, 7.0]
    assert table["intensity_1_std"].tolist() == [1.0, 0.0]
    assert table["intensity_2_max"].tolist() == [0.0, 9.0]


@given(maps)
def test_counts_are_those_of_the_numbers_and_solidity_a_share(objects: NDArray[np.int64]) -> None:
    table = measure_objects(objects, objects[None])
    numbers, counts = np.unique(objects[objects > 0], return_counts=True)
    assert table["number"].tolist() == numbers.tolist()
    assert table["n_pixels"].tolist() == table["area_px2"].tolist() == counts.tolist()
    assert table["intensity_mean"].tolist() == table["intensity_max"].tolist() == numbers.tolist()
    solidity = np.asarray(table["solidity"], float)
    assert ((solidity > 0) & (solidity <= 1 + 1e-9)).all()
    assert all(len(column) == len(numbers) for column in table.values())


@given(maps, st.permutations([1, 2, 300_000]))
def test_numbers_do_not_matter(objects: NDArray[np.int64], numbers: list[int]) -> None:
    other = np.array([0, *numbers])[objects]
    first, second = measure_objects(objects), measure_objects(other)
    order = np.argsort([[0, *numbers][number] for number in first["number"]])
    for name in first.keys() - {"number"}:
        np.testing.assert_allclose(first[name][order], second[name], err_msg=name)


@given(maps, st.sampled_from([0.25, 3.0]))
def test_sizes_grow_as_the_pixels_do(objects: NDArray[np.int64], step: float) -> None:
    plain, scaled = measure_objects(objects), measure_objects(objects, None, (step, step), "mm")
    np.testing.assert_allclose(scaled["area_mm2"], np.asarray(plain["area_px2"], float) * step**2)
    for name in ("perimeter", "major_axis", "equivalent_diameter"):
        lengths = np.asarray(plain[f"{name}_px"], float)
        np.testing.assert_allclose(scaled[f"{name}_mm"], lengths * step, atol=1e-9)


def test_no_objects_no_rows() -> None:
    flat = measure_objects(np.zeros((4, 4), int), np.zeros((2, 4, 4)))
    deep = measure_objects(np.zeros((2, 4, 4), int))
    assert {len(column) for table in (flat, deep) for column in table.values()} == {0}
    figures = summarize(flat, 16)
    assert (figures["n_objects"], figures["share"], figures["total_area_px2"]) == (0, 0, 0)
    assert np.isnan(figures["mean_area_px2"])


def test_an_image_is_summed_up() -> None:
    objects = np.array([[1, 1, 1, 0, 2]])
    figures = summarize(measure_objects(objects, spacing=(1.0, 0.5), unit="mm"), objects.size)
    assert figures == {
        "n_objects": 2,
        "share": 0.8,
        "total_area_mm2": 2.0,
        "mean_area_mm2": 1.0,
        "median_area_mm2": 1.0,
        "std_area_mm2": 0.5,
    }


def test_the_size_is_an_area_or_a_volume() -> None:
    assert size_column(measure_objects(np.ones((2, 2), int))) == "area_px2"
    assert size_column(measure_objects(np.ones((2, 2, 2), int), None, (1, 1, 1), "mm")) == "volume_mm3"


@pytest.mark.parametrize(
    ("objects", "image", "spacing", "found"),
    [
        (np.ones(3, int), None, (), r"\(3,\)"),
        (np.ones((3, 3), int), np.ones((3, 3)), (), r"\(3, 3\)"),
        (np.ones((3, 3), int), None, (1.0, 1.0, 1.0), "1.0, 1.0, 1.0"),
        (np.ones((3, 3), int), None, (1.0, -1.0), "-1.0"),
    ],
)
def test_what_does_not_fit_is_refused(
    objects: NDArray[np.int64], image: NDArray[np.float64] | None, spacing: tuple[float, ...], found: str
) -> None:
    with pytest.raises(GeometryError, match=found):
        measure_objects(objects, image, spacing)
