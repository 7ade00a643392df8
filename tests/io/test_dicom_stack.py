"""The order of frames, their distances, their grid."""

from pathlib import Path

import numpy as np
import pytest

from dicom_series import write_enhanced, write_series
from seglet.core.errors import FormatError, GeometryError
from seglet.io.dicom_series import choose
from seglet.io.dicom_stack import grid, in_order, uneven

HU = np.arange(6 * 4 * 5).reshape(6, 4, 5)
TILTED = (1.0, 0.0, 0.0, 0.0, 0.8, 0.6)


def test_order_is_by_position_whatever_names_and_numbers_say(tmp_path: Path) -> None:
    paths = write_series(tmp_path, HU, names=list("fbdace"), InstanceNumber=1)
    frames = in_order(choose(tmp_path, "", "here"), "here")
    assert [frame.path for frame in frames] == paths


def test_order_is_by_instance_number_where_there_is_no_position(tmp_path: Path) -> None:
    paths = write_series(tmp_path, HU, names=list("fbdace"), ImageOrientationPatient=None)
    frames = in_order(choose(tmp_path, "", "here"), "here")
    assert [frame.path for frame in frames] == paths
    assert grid(frames).spacing == ()


def test_distance_between_slices_is_that_of_positions_not_their_thickness(tmp_path: Path) -> None:
    write_series(tmp_path, HU, spacing=(2.0, 0.7, 0.8), SliceThickness=5)
    made = grid(in_order(choose(tmp_path, "", "here"), "here"))
    assert made.spacing == (2.0, 0.7, 0.8)
    assert made.origin == (40.0, -90.0, -120.0)
    assert made.direction == (1, 0, 0, 0, 1, 0, 0, 0, 1)


def test_oblique_slices_keep_their_direction(tmp_path: Path) -> None:
    write_series(tmp_path, HU, orientation=TILTED)
    frames = in_order(choose(tmp_path, "", "here"), "here")
    made = grid(frames)
    axes = np.reshape(made.direction, (3, 3))
    assert made.spacing == (2.0, 0.7, 0.8)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-6)
    last = np.array(made.origin) + axes @ (np.array([5, 0, 0]) * made.spacing)
    np.testing.assert_allclose(last[::-1], frames[-1].position, atol=1e-5)


def test_slices_of_a_tilted_gantry_are_shifted_against_each_other(tmp_path: Path) -> None:
    for k in range(4):
        position = [0.0, -0.5 * k, 2.0 * k]
        write_series(
            tmp_path, HU[:1], names=[f"{k}.dcm"], SeriesInstanceUID="1.2", ImagePositionPatient=position
        )
    made = grid(in_order(choose(tmp_path, "", "here"), "here"))
    step = np.reshape(made.direction, (3, 3))[:, 0] * made.spacing[0]
    np.testing.assert_allclose(step, (2.0, -0.5, 0.0), atol=1e-5)


def test_frames_of_one_file_are_put_in_order(tmp_path: Path) -> None:
    path = write_enhanced(tmp_path / "ct.dcm", HU, (3, 1, 5, 0, 2, 4))
    frames = in_order(choose(path, "", "here"), "here")
    assert [frame.index for frame in frames] == [3, 1, 4, 0, 5, 2]


def test_a_missing_slice_is_told_with_its_neighbours(tmp_path: Path) -> None:
    paths = write_series(tmp_path, HU)
    assert uneven(in_order(choose(tmp_path, "", "here"), "here")) == []
    paths[3].unlink()
    (found,) = uneven(in_order(choose(tmp_path, "", "here"), "here"))
    assert found == "4 mm between slice_002.dcm and slice_004.dcm, 2 mm elsewhere: 1 missing"


def test_two_slices_at_one_place_are_both_named(tmp_path: Path) -> None:
    write_series(tmp_path, HU, SeriesInstanceUID="1.2")
    write_series(tmp_path, HU[:1], names=["copy.dcm"], SeriesInstanceUID="1.2")
    with pytest.raises(FormatError, match=r"same place: copy\.dcm and slice_000\.dcm"):
        in_order(choose(tmp_path, "", "here"), "here")


def test_a_series_over_time_is_told_as_such(tmp_path: Path) -> None:
    for time in "abc":
        names = [f"{time}{k}" for k in range(6)]
        write_series(tmp_path, HU, names=names, SeriesInstanceUID="1.2")
    with pytest.raises(FormatError, match=r"3 frames at each of 6 places .*over time"):
        in_order(choose(tmp_path, "", "here"), "here")


def test_a_slice_of_another_size_is_named(tmp_path: Path) -> None:
    write_series(tmp_path, HU, SeriesInstanceUID="1.2")
    write_series(tmp_path, np.zeros((1, 8, 8), int), names=["odd.dcm"], SeriesInstanceUID="1.2")
    with pytest.raises(GeometryError, match=r"6 of 5 x 4 .*1 of 8 x 8 .*odd\.dcm"):
        in_order(choose(tmp_path, "", "here"), "here")


def test_a_slice_that_faces_elsewhere_is_named(tmp_path: Path) -> None:
    write_series(tmp_path, HU, SeriesInstanceUID="1.2")
    write_series(tmp_path, HU[:1], names=["odd.dcm"], SeriesInstanceUID="1.2", orientation=TILTED)
    with pytest.raises(GeometryError, match=r"1 of 7 frames face elsewhere \(odd\.dcm\)"):
        in_order(choose(tmp_path, "", "here"), "here")
