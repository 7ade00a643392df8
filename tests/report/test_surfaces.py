"""Pictures of surfaces from three sides."""

import numpy as np
import pytest
from numpy.typing import NDArray

from seglet.core.errors import GeometryError
from seglet.core.image import IGNORE
from seglet.postprocessing.mesh import extract_mesh
from seglet.report.overlays import Picture, class_color
from seglet.report.surfaces import (
    FILLED,
    PAPER,
    SIDE,
    draw_surfaces,
    joined,
    surface_pictures,
)

ISOTROPIC = (1.0, 1.0, 1.0)
NAMES = ("background", "liver", "tumor")


def balls(*balls: tuple[int, int, int, int, int]) -> NDArray[np.uint8]:
    """Classes of balls, each (z, y, x, radius, class), in 40 voxels cubed."""
    labels = np.zeros((40, 40, 40), np.uint8)
    for z, y, x, radius, index in balls:
        places = np.indices(labels.shape) - np.reshape((z, y, x), (3, 1, 1, 1))
        labels[(places**2).sum(axis=0) <= radius**2] = index
    return labels


def painted(picture: Picture) -> NDArray[np.bool_]:
    return (np.abs(picture.astype(int) - int(PAPER)) > 4).any(axis=-1)


def test_a_ball_is_a_disk_of_the_right_size_from_every_side() -> None:
    pictures = surface_pictures(balls((20, 20, 20, 12, 1)), ISOTROPIC, NAMES)
    assert [one.side for one in pictures] == ["front", "left", "above"]
    for one in pictures:
        assert one.picture.shape == (SIDE, SIDE, 3)
        assert one.picture.dtype == np.uint8
        assert painted(one.picture).sum() == pytest.approx(np.pi * (FILLED * SIDE / 2) ** 2, rel=0.03)
        hue = one.picture[painted(one.picture)].mean(axis=0)
        assert np.argsort(hue).tolist() == np.argsort(class_color(1)).tolist()
    assert pictures[0].alt == "liver from the front"
    assert pictures[2].alt == "liver from above"


def test_light_falls_from_the_upper_left() -> None:
    picture = surface_pictures(balls((20, 20, 20, 12, 1)), ISOTROPIC, NAMES)[0].picture.astype(int)
    assert picture[SIDE // 3, SIDE // 3].sum() > picture[2 * SIDE // 3, 2 * SIDE // 3].sum() + 100


def test_each_side_shows_left_back_and_head_where_they_belong() -> None:
    labels = balls((8, 20, 20, 6, 1), (30, 28, 33, 6, 2))  # the second: to the head, the back and the left
    pictures = {one.side: one.picture.astype(int) for one in surface_pictures(labels, ISOTROPIC, NAMES)}

    def is_tumor(side: str) -> NDArray[np.bool_]:
        found = pictures[side]
        return (found[..., 0] > found[..., 1] + 30) & painted(pictures[side].astype(np.uint8))

    rows, columns = (axis.mean() / SIDE for axis in np.nonzero(is_tumor("front")))
    assert rows < 0.5 < columns  # up; and the patient's left is to the right
    rows, columns = (axis.mean() / SIDE for axis in np.nonzero(is_tumor("left")))
    assert rows < 0.5 < columns  # up; and the back is to the right
    rows, columns = (axis.mean() / SIDE for axis in np.nonzero(is_tumor("above")))
    assert columns < 0.5 < rows  # the back is below; seen from above, left is to the left


def test_a_mirrored_file_is_shown_as_the_patient_lies() -> None:
    labels = balls((8, 20, 20, 6, 1), (30, 28, 33, 4, 1))
    mirrored = (1.0, 0, 0, 0, -1.0, 0, 0, 0, -1.0)
    plain = surface_pictures(labels, ISOTROPIC, NAMES)
    turned = surface_pictures(labels[:, ::-1, ::-1], ISOTROPIC, NAMES, mirrored)
    for one, other in zip(plain, turned, strict=True):
        assert np.abs(one.picture.astype(int) - other.picture).mean() < 1


def test_the_nearer_of_two_hides_the_other() -> None:
    labels = balls((20, 8, 20, 6, 1), (20, 30, 20, 6, 2))  # the first is in front
    front, left, _ = (one.picture.astype(int) for one in surface_pictures(labels, ISOTROPIC, NAMES))
    assert not (front[..., 0] > front[..., 1] + 30).any()
    assert (left[..., 0] > left[..., 1] + 30).any()


def test_what_is_inside_shines_through() -> None:
    alone = surface_pictures(balls((20, 20, 20, 15, 1)), ISOTROPIC, NAMES)[0].picture.astype(int)
    both = surface_pictures(balls((20, 20, 20, 15, 1), (20, 20, 20, 6, 2)), ISOTROPIC, NAMES)[0].picture
    assert np.abs(alone[SIDE // 2, SIDE // 2] - both[SIDE // 2, SIDE // 2]).max() > 40


def test_thick_slices_keep_proportions() -> None:
    labels = np.zeros((10, 40, 40), np.uint8)
    labels[2:8, 10:30, 10:30] = 1  # 24 mm high, 20 mm wide
    rows, columns = np.nonzero(painted(surface_pictures(labels, (4.0, 1.0, 1.0), NAMES)[0].picture))
    assert np.ptp(rows) / np.ptp(columns) == pytest.approx(1.2, rel=0.1)


def test_nothing_to_see_gives_no_pictures() -> None:
    labels = np.full((5, 5, 5), IGNORE, np.uint8)
    assert surface_pictures(labels, ISOTROPIC, NAMES) == []
    assert draw_surfaces({}) == []


def test_an_absent_class_is_left_out() -> None:
    (front, *_) = surface_pictures(balls((20, 20, 20, 8, 2)), ISOTROPIC, NAMES)
    assert front.alt == "tumor from the front"


def test_an_unknown_spacing_is_refused() -> None:
    with pytest.raises(GeometryError):
        surface_pictures(balls((20, 20, 20, 8, 1)), (), NAMES)


def test_few_large_triangles_leave_no_gaps() -> None:
    mesh = extract_mesh(np.ones((8, 8, 8), bool), ISOTROPIC, smoothing=0, reduction=0.9)
    for one in draw_surfaces({"box": (mesh, (200, 60, 60))}, side=200):
        shown = painted(one.picture)
        rows, columns = np.nonzero(shown)
        inner = shown[rows.min() + 12 : rows.max() - 11, columns.min() + 12 : columns.max() - 11]
        assert inner.all()


def test_pictures_are_joined_side_by_side() -> None:
    pictures = surface_pictures(balls((20, 20, 20, 8, 1)), ISOTROPIC, NAMES)
    whole = joined(pictures)
    assert whole.shape == (SIDE, 3 * SIDE, 3)
    assert (whole[:, SIDE : 2 * SIDE] == pictures[1].picture).all()
