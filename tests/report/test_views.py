"""Slices of volumes, upright and side by side."""

import numpy as np

from seglet.core.image import Image
from seglet.report.views import COLUMNS, GAP, N_SLICES, choose_view, lay_out

UPRIGHT = (1.0, 0, 0, 0, 1, 0, 0, 0, 1)


def make_image(shape: tuple[int, ...], spacing: tuple[float, ...] = (1, 1, 1)) -> Image:
    return Image(np.zeros((1, *shape), np.int16), spacing, "mm", (0, 0, 0), UPRIGHT)


def test_slices_show_the_foreground_only() -> None:
    foreground = np.zeros((40, 30, 30), bool)
    foreground[10:20, 5:8, 5:8] = True
    view = choose_view(make_image((40, 30, 30)), foreground)
    assert len(view.places) == N_SLICES
    assert min(view.places) >= 10
    assert max(view.places) < 20


def test_a_volume_without_foreground_shows_slices_from_everywhere() -> None:
    view = choose_view(make_image((40, 30, 30)), np.zeros((40, 30, 30), bool))
    assert min(view.places) < 10 < 30 <= max(view.places)


def test_thick_slices_are_shown_as_they_were_cut() -> None:
    foreground = np.ones((30, 5, 30), bool)
    view = choose_view(make_image((30, 5, 30), (1, 4, 1)), foreground)
    assert view.axis == 1
    assert len(view.places) <= 5


def test_small_slices_are_enlarged_and_laid_out_in_rows() -> None:
    volume = np.zeros((8, 20, 10), np.uint8)
    volume[4, 0, 0] = 7
    view = choose_view(make_image((8, 20, 10)), np.ones((8, 20, 10), bool))
    picture = lay_out(volume, view)
    zoom = view.zoom[0]
    assert zoom == 10
    assert picture.shape == (2 * 20 * zoom + GAP, COLUMNS * 10 * zoom + (COLUMNS - 1) * GAP)
    assert np.count_nonzero(picture == 7) == zoom * zoom


def test_channels_stay_in_front_and_voxels_keep_their_proportions() -> None:
    view = choose_view(make_image((30, 100, 400), (1, 2, 1)), np.ones((30, 100, 400), bool))
    assert view.axis == 1
    colors = lay_out(np.zeros((3, 30, 100, 400), np.uint8), view)
    assert colors.shape[0] == 3


def test_the_head_is_up_in_slices_from_the_side() -> None:
    volume = np.zeros((30, 4, 30), np.uint8)
    volume[29] = 9  # the topmost slice of the body
    view = choose_view(make_image((30, 4, 30), (1, 5, 1)), np.ones((30, 4, 30), bool))
    picture = lay_out(volume, view)
    assert (picture[0, :10] == 9).all()
