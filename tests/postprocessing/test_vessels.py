"""Networks of lines in numbers that can be counted by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from seglet.core.errors import GeometryError
from seglet.postprocessing.vessels import measure_vessels

Mask = NDArray[np.bool_]


@pytest.fixture
def canvas() -> Mask:
    return np.zeros((20, 30), bool)


def letter_y(canvas: Mask) -> Mask:
    """Two arms of 7 diagonal steps and a stem of 7 straight ones, which meet in one pixel."""
    for k in range(8):
        canvas[10 - k, 15 + k] = canvas[10 - k, 15 - k] = canvas[10 + k, 15] = True
    return canvas


def test_a_straight_line(canvas: Mask) -> None:
    canvas[10, 5:25] = True
    found = measure_vessels(canvas)
    assert found.figures == {
        "length_px": 19,
        "mean_width_px": 1,
        "median_width_px": 1,
        "area_px2": 20,
        "area_density": pytest.approx(20 / 600),
        "length_density_per_px": pytest.approx(19 / 600),
        "n_segments": 1,
        "n_branch_points": 0,
        "n_end_points": 2,
        "tortuosity": 1,
    }
    row = {name: column.item() for name, column in found.segments.items()}
    assert (row["length_px"], row["chord_px"], row["mean_width_px"]) == (19, 19, 1)
    ends = {(row["from_y_px"], row["from_x_px"]), (row["to_y_px"], row["to_x_px"])}
    assert ends == {(10, 5), (10, 24)}


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("transposed", [False, True])
def test_widths_are_exact_even_or_odd(width: int, transposed: bool) -> None:
    mask = np.zeros((30, 60), bool)
    mask[10 : 10 + width, 5:55] = True
    found = measure_vessels(mask.T if transposed else mask)
    assert found.figures["median_width_px"] == width


def test_a_diagonal_is_longer_by_the_root_of_two(canvas: Mask) -> None:
    canvas[np.arange(2, 12), np.arange(2, 12)] = True
    found = measure_vessels(canvas)
    assert found.figures["length_px"] == pytest.approx(9 * np.sqrt(2))
    assert found.figures["tortuosity"] == pytest.approx(1)


def test_an_angle_is_one_bent_segment(canvas: Mask) -> None:
    canvas[5, 5:15] = canvas[5:15, 5] = True
    found = measure_vessels(canvas)
    length = 8 + 8 + np.sqrt(2)  # thinning takes the corner away
    assert found.figures["length_px"] == pytest.approx(length)
    assert found.figures["n_segments"] == 1
    assert found.figures["n_branch_points"] == 0
    assert found.figures["tortuosity"] == pytest.approx(length / np.hypot(9, 9))


def test_a_fork_has_three_segments_and_one_branch_point(canvas: Mask) -> None:
    found = measure_vessels(letter_y(canvas))
    assert found.figures["n_segments"] == found.figures["n_end_points"] == 3
    assert found.figures["n_branch_points"] == 1
    assert found.figures["length_px"] == pytest.approx(14 * np.sqrt(2) + 7)
    assert sorted(np.asarray(found.segments["length_px"])) == pytest.approx(
        [7, 7 * np.sqrt(2), 7 * np.sqrt(2)]
    )
    assert found.figures["tortuosity"] == pytest.approx(1)


def test_pixels_that_are_not_square(canvas: Mask) -> None:
    found = measure_vessels(letter_y(canvas), (2.0, 0.5), "um")
    assert found.figures["length_um"] == pytest.approx(14 * np.hypot(2, 0.5) + 7 * 2)
    assert found.figures["area_um2"] == 22
    assert found.figures["length_density_per_um"] == pytest.approx(found.figures["length_um"] / 600)


def test_a_crossing_is_one_branch_point_even_of_several_pixels() -> None:
    mask = np.zeros((31, 31), bool)
    mask[14:17, 2:29] = mask[2:29, 14:17] = True
    found = measure_vessels(mask)
    assert found.figures["n_branch_points"] == 1
    assert found.figures["n_segments"] == found.figures["n_end_points"] == 4


def test_a_ring_has_no_ends(canvas: Mask) -> None:
    y, x = np.mgrid[-20:21, -20:21]
    radius = np.hypot(y, x)
    found = measure_vessels((radius < 16) & (radius > 12))
    assert found.figures["n_end_points"] == found.figures["n_branch_points"] == 0
    assert found.figures["n_segments"] == 1
    assert found.figures["length_px"] == pytest.approx(2 * np.pi * 14, rel=0.08)
    assert found.figures["mean_width_px"] == pytest.approx(3.6, abs=0.4)
    assert np.isnan(found.figures["tortuosity"])
    assert np.isnan(found.segments["chord_px"]).all()


def test_only_what_is_counted_is_looked_at(canvas: Mask) -> None:
    canvas[10, 5:25] = True
    counted = np.zeros_like(canvas)
    counted[:, :15] = True
    found = measure_vessels(canvas, counted=counted)
    assert found.figures["length_px"] == 9
    assert found.figures["area_density"] == pytest.approx(10 / 300)


def test_an_empty_mask_has_zeros_and_nan(canvas: Mask) -> None:
    found = measure_vessels(canvas)
    nan = {"mean_width_px", "median_width_px", "tortuosity"}
    assert {name for name, figure in found.figures.items() if np.isnan(figure)} == nan
    assert {figure for name, figure in found.figures.items() if name not in nan} == {0}
    assert {len(column) for column in found.segments.values()} == {0}


def test_a_mask_without_border_has_no_width(canvas: Mask) -> None:
    assert np.isnan(measure_vessels(~canvas).figures["mean_width_px"])


def test_a_lone_pixel_is_a_segment_of_no_length(canvas: Mask) -> None:
    canvas[3, 4] = True
    found = measure_vessels(canvas)
    assert (found.figures["length_px"], found.figures["n_segments"]) == (0, 1)
    assert [found.segments[name].item() for name in ("from_y_px", "from_x_px", "to_y_px", "to_x_px")] == [
        3,
        4,
        3,
        4,
    ]


@given(arrays(bool, st.tuples(st.integers(3, 14), st.integers(3, 14))))
def test_segments_make_up_the_network(mask: Mask) -> None:
    found = measure_vessels(mask)
    lengths = np.asarray(found.segments["length_px"], float)
    chords = np.asarray(found.segments["chord_px"], float)
    assert lengths.sum() <= found.figures["length_px"] + 1e-9  # the rest is within branch points
    known = np.isfinite(chords)
    assert (lengths[known] >= chords[known] - 1e-9).all()
    if found.figures["n_branch_points"] == 0:
        assert lengths.sum() == pytest.approx(found.figures["length_px"])
    assert not found.figures["tortuosity"] < 1 - 1e-9
    assert found.figures["n_segments"] == len(lengths)


@pytest.mark.parametrize(
    ("shape", "spacing", "counted"),
    [
        ((2, 3, 3), (), None),
        ((3, 3), (1.0, 1.0, 1.0), None),
        ((3, 3), (1.0, 0.0), None),
        ((3, 3), (), (3, 4)),
    ],
)
def test_what_does_not_fit_is_refused(
    shape: tuple[int, ...], spacing: tuple[float, ...], counted: tuple[int, ...] | None
) -> None:
    seen = None if counted is None else np.ones(counted, bool)
    with pytest.raises(GeometryError):
        measure_vessels(np.ones(shape, bool), spacing, counted=seen)
