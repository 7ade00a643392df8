import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglet.core.errors import FormatError, GeometryError
from seglet.io.axes import (
    Axes,
    blocks,
    chunk_shape,
    chunks_of,
    find_axes,
    is_random,
    length_unit,
    pixel_dtype,
    read_box,
    stored_image,
    write_box,
)

VIGRA = json.dumps({"axes": [{"key": k, "typeFlags": 2} for k in "tzyxc"]})


@pytest.mark.parametrize(
    ("shape", "letters"),
    [
        ((30, 40), "yx"),
        ((3, 30, 40), "cyx"),
        ((30, 40, 3), "yxc"),
        ((20, 30, 40), "zyx"),
        ((2, 20, 30, 40), "czyx"),
        ((20, 30, 40, 2), "zyxc"),
        ((1, 2, 20, 30, 40), "tczyx"),
    ],
)
def test_axes_without_names_are_told_by_the_shape(shape: tuple[int, ...], letters: str) -> None:
    assert find_axes({}, shape, "a.h5").letters == letters


@pytest.mark.parametrize(
    ("attributes", "shape", "letters"),
    [
        ({"axes": "CZYX"}, (9, 9, 9, 9), "czyx"),
        ({"axes": b"zyx"}, (2, 9, 9), "zyx"),
        ({"axes": "z, y, x"}, (2, 9, 9), "zyx"),
        ({"axes": '["y", "x", "c"]'}, (9, 9, 9), "yxc"),
        ({"axes": ["depth", "height", "width"]}, (2, 9, 9), "zyx"),
        ({"axes": [{"name": "wave", "type": "channel"}, {"name": "y"}, {"name": "x"}]}, (9, 9, 9), "cyx"),
        ({"axistags": VIGRA}, (1, 9, 9, 9, 9), "tzyxc"),
        ({"DIMENSION_LABELS": np.array([b"z", b"y", b"x"])}, (2, 9, 9), "zyx"),
        ({"DIMENSION_LABELS": np.array([b"", b"", b""])}, (2, 9, 9), "cyx"),
        ({"_ARRAY_DIMENSIONS": ["z", "y", "x"]}, (2, 9, 9), "zyx"),
        ({"dimension_names": ("z", "y", "x")}, (2, 9, 9), "zyx"),
        ({"axes": "[no JSON"}, (2, 9, 9), "cyx"),
        ({"axes": 5}, (2, 9, 9), "cyx"),
    ],
)
def test_named_axes_are_believed(attributes: dict[str, object], shape: tuple[int, ...], letters: str) -> None:
    assert find_axes(attributes, shape, "a.h5").letters == letters


@pytest.mark.parametrize("names", ["zy", "zyy", "qyx", "zcx"])
def test_names_that_do_not_fit_are_an_error_that_names_the_file(names: str) -> None:
    with pytest.raises(GeometryError, match=r"a\.h5.*'axes'"):
        find_axes({"axes": names}, (5, 9, 9), "a.h5")


@pytest.mark.parametrize("shape", [(9,), (80, 90, 90, 80), (2, 2, 2, 2, 2, 2)])
def test_a_shape_that_does_not_tell_is_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(GeometryError, match="does not say what its axes are"):
        find_axes({}, shape, "a.h5")


def test_several_times_are_an_error_and_one_is_none() -> None:
    with pytest.raises(GeometryError, match="7 points in time"):
        find_axes({"axes": "tyx"}, (7, 9, 9), "a.zarr")
    assert find_axes({"axes": "tyx"}, (1, 8, 9), "a.zarr").extent == (1, 8, 9)


def test_an_empty_array_is_an_error() -> None:
    with pytest.raises(FormatError, match="empty"):
        find_axes({}, (0, 9), "a.h5")


def test_a_single_plane_is_flat() -> None:
    assert Axes("zyx", (1, 8, 9)).extent == (1, 8, 9)
    assert Axes("zyx", (2, 8, 9)).extent == (1, 2, 8, 9)
    assert Axes("tczyx", (1, 3, 1, 8, 9)).extent == (3, 8, 9)


def test_a_single_plane_with_a_direction_in_space_is_a_volume() -> None:
    attributes = {"axes": "czyx", "direction": [1, 0, 0, 0, 1, 0, 0, 0, 1]}
    assert find_axes(attributes, (2, 1, 4, 5), "x").extent == (2, 1, 4, 5)
    assert find_axes({"axes": "czyx", "direction": [1, 0, 0, 1]}, (2, 1, 4, 5), "x").extent == (2, 4, 5)


@given(letters=st.permutations("tczyx"), n_kept=st.integers(2, 5))
def test_a_box_is_read_as_it_was_written_in_any_order_of_axes(letters: list[str], n_kept: int) -> None:
    lengths = {"t": 1, "c": 2, "z": 3, "y": 4, "x": 5}
    own = [letter for letter in letters if letter in "yxczt"[:n_kept]]
    axes = Axes("".join(own), tuple(lengths[letter] for letter in own))
    array = np.zeros(axes.shape, np.int32)
    box = (slice(1, 3), slice(2, 4), slice(0, 5))[-len(axes.spatial) :]
    sides = tuple(part.stop - part.start for part in box)
    values = (
        np.arange(axes.extent[0] * int(np.prod(sides)), dtype=np.int32).reshape(axes.extent[0], *sides) + 1
    )
    write_box(array, axes, box, values)
    assert (read_box(array, axes, box) == values).all()
    assert np.count_nonzero(array) == values.size
    pixel = {"t": 0, "c": axes.extent[0] - 1, "z": 2, "y": 3, "x": 4}
    expected = values[(-1, *[-1] * (len(box) - 1), 4)]
    assert array[tuple(pixel[letter] for letter in own)] == expected


def test_labels_may_lack_the_channel_and_planes_the_depth() -> None:
    array = np.zeros((1, 4, 5), np.uint8)
    axes = Axes("zyx", (1, 4, 5))
    write_box(array, axes, (slice(0, 4), slice(0, 5)), np.ones((4, 5), np.uint8))
    write_box(array, axes, (slice(0, 1), slice(0, 2), slice(0, 2)), np.full((1, 2, 2), 7, np.uint8))
    assert (array[0, :2, :2] == 7).all()
    assert array.sum() == 4 * 7 + 16


def _image(attributes: dict[str, object], axes: Axes) -> tuple[tuple[float, ...], str, tuple[float, ...]]:
    image = stored_image(axes, np.dtype("u1"), lambda box: np.zeros(1), True, attributes)
    return image.spacing, image.unit, image.origin


@pytest.mark.parametrize(
    ("attributes", "axes", "expected"),
    [
        ({"element_size_um": [2, 0.5, 0.4]}, Axes("zyxc", (5, 9, 9, 2)), ((2.0, 0.5, 0.4), "um", ())),
        ({"element_size_um": [2, 0.5, 0.4]}, Axes("yxc", (9, 9, 2)), ((0.5, 0.4), "um", ())),
        ({"spacing": [1, 2, 3, 4], "unit": "mm"}, Axes("xyzc", (9, 9, 9, 2)), ((3.0, 2.0, 1.0), "mm", ())),
        ({"spacing": [3, 2], "unit": b"mm"}, Axes("cyx", (2, 9, 9)), ((3.0, 2.0), "mm", ())),
        ({"resolution": [40, 4, 4], "units": "nm"}, Axes("zyx", (9, 9, 9)), ((0.04, 0.004, 0.004), "um", ())),
        ({"resolution": [40, 4, 4]}, Axes("zyx", (9, 9, 9)), ((40.0, 4.0, 4.0), "px", ())),
        ({"spacing": 0.5, "unit": ["um", "um"]}, Axes("yx", (9, 9)), ((0.5, 0.5), "um", ())),
        ({"spacing": [0, 1], "unit": "um"}, Axes("yx", (9, 9)), ((), "px", ())),
        ({"spacing": ["a", "b"]}, Axes("yx", (9, 9)), ((), "px", ())),
        ({"spacing": [1, 1], "unit": "cm", "origin": [2, 3]}, Axes("yx", (9, 9)), ((10, 10), "mm", (20, 30))),
        ({}, Axes("yx", (9, 9)), ((), "px", ())),
    ],
)
def test_spacing_is_taken_from_attributes(
    attributes: dict[str, object], axes: Axes, expected: object
) -> None:
    spacing, unit, origin = _image(attributes, axes)
    assert (pytest.approx(spacing), unit, origin) == expected


def test_direction_is_kept_only_where_it_fits() -> None:
    turned = [0, 1, 0, 1, 0, 0, 0, 0, 1]
    volume, plane = Axes("zyx", (5, 9, 9)), Axes("zyx", (1, 9, 9))
    for axes, expected in ((volume, tuple(turned)), (plane, ())):
        image = stored_image(axes, np.dtype("u1"), lambda box: np.zeros(1), True, {"direction": turned})
        assert image.direction == expected


@pytest.mark.parametrize(
    ("name", "expected"), [("Nanometer", ("um", 1e-3)), ("µm", ("um", 1)), (None, ("px", 1)), (3, ("px", 1))]
)
def test_units_of_length_are_understood(name: object, expected: tuple[str, float]) -> None:
    assert length_unit(name) == expected


def test_pixels_come_in_the_machines_byte_order() -> None:
    assert pixel_dtype(np.dtype(">u2"), "a.h5") == np.dtype(np.uint16)
    assert pixel_dtype(np.dtype(bool), "a.h5") == np.uint8
    for dtype in (np.dtype("c8"), np.dtype("S3"), np.dtype([("a", "u1")])):
        with pytest.raises(FormatError, match=r"a\.h5: found values of type"):
            pixel_dtype(dtype, "a.h5")


def test_chunks_that_divide_only_the_channels_are_not_random() -> None:
    axes = Axes("cyx", (3, 100, 100))
    assert is_random(axes, None)
    assert is_random(axes, (3, 50, 100))
    assert not is_random(axes, (1, 100, 100))


def test_chunks_are_no_longer_than_the_image() -> None:
    assert chunk_shape((3, 20, 300, 90)) == (1, 20, 128, 90)
    assert chunk_shape((3, 20, 300, 90), side=64) == (1, 20, 64, 64)
    assert chunk_shape((1, 600, 90)) == (1, 512, 90)


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 4)), min_size=1, max_size=3))
def test_blocks_cover_every_pixel_once(sides: list[tuple[int, int]]) -> None:
    counts = np.zeros([length for length, _ in sides], int)
    for box in blocks(counts.shape, tuple(step for _, step in sides)):
        counts[box] += 1
        assert all(part.stop - part.start <= step for part, (_, step) in zip(box, sides, strict=True))
    assert (counts == 1).all()


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((slice(0, 1), slice(0, 1)), {(0, c, 0, 0) for c in (0, 1)}),
        ((slice(9, 21), slice(5, 6)), {(0, c, y, 0) for c in (0, 1) for y in (0, 1, 2)}),
        ((slice(20, 21), slice(None)), {(0, c, 2, x) for c in (0, 1) for x in (0, 1, 2)}),
        ((slice(0, 4), slice(10, 11), slice(10, 20)), {(0, c, 1, 1) for c in (0, 1)}),
    ],
)
def test_chunks_are_those_that_a_box_touches(box: tuple[slice, ...], expected: set[tuple[int, ...]]) -> None:
    assert set(chunks_of(Axes("tcyx", (1, 2, 21, 25)), (1, 1, 10, 10), box)) == expected
