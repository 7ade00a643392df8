from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from seglet.core.errors import GeometryError, StorageError
from seglet.core.image import IGNORE, Image
from seglet.report.overlays import (
    CLASS_COLORS,
    CONFUSED,
    EXTRA,
    GUTTER,
    MISSED,
    class_color,
    css_color,
    draw_errors,
    draw_labels,
    draw_objects,
    panel,
    show_image,
    shrink,
    write_overlay,
)


def test_8_bit_rgb_is_shown_as_it_is():
    pixels = np.random.default_rng(0).integers(90, 110, (3, 5, 7), dtype=np.uint8)
    assert np.array_equal(show_image(Image(pixels)), np.moveaxis(pixels, 0, -1))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.float32])
def test_gray_is_stretched_to_the_full_range(dtype):
    pixels = np.linspace(10, 120, 100 * 100).reshape(1, 100, 100).astype(dtype)
    shown = show_image(Image(pixels))
    assert shown.dtype == np.uint8
    assert (shown.min(), shown.max()) == (0, 255)
    assert np.array_equal(shown[..., 0], shown[..., 1]) and np.array_equal(shown[..., 0], shown[..., 2])


def test_dark_gray_saved_as_rgb_is_stretched_too():
    gray = np.linspace(3, 40, 100 * 100).reshape(1, 100, 100).astype(np.uint8)
    assert np.array_equal(show_image(Image(np.repeat(gray, 3, axis=0))), show_image(Image(gray)))


def test_one_hot_pixel_does_not_darken_a_16_bit_image():
    pixels = np.random.default_rng(0).integers(100, 200, (1, 100, 100), dtype=np.uint16)
    pixels[0, 0, 0] = 65535
    assert show_image(Image(pixels)).mean() > 100


def test_a_sparse_mask_like_image_stays_visible():
    pixels = np.zeros((1, 100, 100), np.uint16)
    pixels[0, 50, 50] = 7
    shown = show_image(Image(pixels))
    assert shown[50, 50, 0] == 255 and shown[0, 0, 0] == 0


def test_constant_and_empty_values_are_shown():
    assert np.all(show_image(Image(np.full((1, 4, 4), 9, np.uint8))) == 128)
    assert np.all(show_image(Image(np.full((1, 4, 4), np.nan, np.float32))) == 0)


def test_pixels_that_are_not_finite_are_black():
    pixels = np.linspace(0, 1, 10_000, dtype=np.float32).reshape(1, 100, 100)
    pixels[0, 99, 99], pixels[0, 99, 98] = np.nan, np.inf
    shown = show_image(Image(pixels))
    assert shown[99, 99, 0] == 0 and shown[99, 98, 0] == 0 and shown[99, 97, 0] == 255


@pytest.mark.parametrize("n_channels", [1, 2, 3, 4, 6])
def test_any_number_of_channels_becomes_rgb(n_channels):
    pixels = np.random.default_rng(0).random((n_channels, 6, 8), dtype=np.float32)
    assert show_image(Image(pixels)).shape == (6, 8, 3)


def test_two_channels_are_green_and_magenta():
    pixels = np.zeros((2, 1, 2), np.float32)
    pixels[0, 0, 0] = pixels[1, 0, 1] = 1
    assert show_image(Image(pixels)).tolist() == [[[0, 255, 0], [255, 0, 255]]]


def test_a_volume_shows_its_middle_slice():
    pixels = np.zeros((1, 3, 4, 4), np.uint8)
    pixels[0, 1, 0, 0] = 1
    assert show_image(Image(pixels))[0, 0, 0] == 255


def test_labels_have_full_contours_and_translucent_insides():
    image = np.full((7, 7, 3), 100, np.uint8)
    labels = np.zeros((7, 7), np.uint8)
    labels[1:6, 1:6] = 1
    drawn = draw_labels(image, labels, alpha=0.5)
    assert drawn[0, 0].tolist() == [100, 100, 100]
    assert tuple(drawn[1, 1]) == CLASS_COLORS[0] == tuple(drawn[3, 5])
    assert drawn[3, 3].tolist() == [round((100 + c) / 2) for c in CLASS_COLORS[0]]
    assert np.all(image == 100)


def test_unlabelled_pixels_turn_gray_and_classes_differ():
    labels = np.array([[IGNORE, 1, 2]], np.uint8)
    drawn = draw_labels(np.zeros((1, 3, 3), np.uint8), labels)
    assert drawn[0, 0].tolist() == [64, 64, 64]
    assert tuple(drawn[0, 1]) == class_color(1) != class_color(2) == tuple(drawn[0, 2])


def test_class_colors_repeat():
    assert class_color(1 + len(CLASS_COLORS)) == class_color(1)


def test_a_page_writes_colors_in_hexadecimal():
    assert css_color((26, 212, 168)) == "#1ad4a8"
    assert css_color((0, 0, 255)) == "#0000ff"


def test_errors_have_their_colors():
    truth = np.array([[0, 1, 1, 0, 2, IGNORE, 1]], np.uint8)
    predicted = np.array([[0, 1, 0, 1, 1, 1, 0]], np.uint8)
    fov = np.array([[1, 1, 1, 1, 1, 1, 0]], bool)
    drawn = draw_errors(np.zeros((1, 7, 3), np.uint8), truth, predicted, fov).astype(int)[0]
    expected = {2: MISSED, 3: EXTRA, 4: CONFUSED}
    for place, color in expected.items():
        assert np.abs(drawn[place] - 0.95 * np.array(color)).max() <= 1
    assert drawn[1].min() > 100 and np.ptp(drawn[1]) == 0
    assert np.all(drawn[[0, 5, 6]] == 0)


def test_errors_dim_what_lies_outside_the_field_of_view():
    image = np.full((1, 2, 3), 200, np.uint8)
    empty = np.zeros((1, 2), np.uint8)
    drawn = draw_errors(image, empty, empty, np.array([[True, False]]))
    assert drawn[0, 0, 0] > drawn[0, 1, 0] > 0


def test_a_panel_is_four_pictures_with_white_gutters():
    image = np.zeros((5, 9, 3), np.uint8)
    labels = np.zeros((5, 9), np.uint8)
    joined = panel(image, labels, labels)
    assert joined.shape == (5, 4 * 9 + 3 * GUTTER, 3)
    assert np.all(joined[:, 9 : 9 + GUTTER] == 255) and np.all(joined[:, :9] == 0)


def test_labels_of_another_size_are_refused():
    image, labels = np.zeros((5, 9, 3), np.uint8), np.zeros((9, 5), np.uint8)
    with pytest.raises(GeometryError, match=r"\(9, 5\).*\(5, 9\)"):
        draw_labels(image, labels)
    with pytest.raises(GeometryError):
        draw_errors(image, labels.T, labels)
    with pytest.raises(GeometryError):
        draw_errors(image, labels.T, labels.T, np.ones((9, 5), bool))


def test_shrinking_keeps_proportions_and_never_enlarges():
    assert shrink(np.zeros((100, 400, 3), np.uint8), 200).shape == (50, 200, 3)
    assert shrink(np.zeros((10, 20, 3), np.uint8), 200).shape == (10, 20, 3)
    assert shrink(np.zeros((1, 4000, 3), np.uint8), 200).shape == (1, 200, 3)


def test_an_overlay_is_read_back_as_written(tmp_path: Path):
    picture = np.random.default_rng(0).integers(0, 255, (4, 6, 3), dtype=np.uint8)
    path = tmp_path / "new" / "x.png"
    write_overlay(path, picture)
    assert np.array_equal(np.asarray(PIL.Image.open(path)), picture)
    assert [p.name for p in path.parent.iterdir()] == ["x.png"]


def test_an_overlay_in_an_impossible_place_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        write_overlay(tmp_path / "file" / "x.png", np.zeros((4, 6, 3), np.uint8))


def test_objects_that_touch_have_contours_between_them() -> None:
    image = np.zeros((5, 9, 3), np.uint8)
    objects = np.zeros((5, 9), np.int32)
    objects[1:4, 1:4], objects[1:4, 4:8] = 1, 13  # of one color: they repeat after twelve
    drawn = draw_objects(image, objects)
    assert not drawn[objects == 0].any()
    assert tuple(drawn[2, 3]) == tuple(drawn[2, 4]) == CLASS_COLORS[0], "the line between them is opaque"
    assert tuple(drawn[2, 2]) == tuple(round(c / 2) for c in CLASS_COLORS[0])
    with pytest.raises(GeometryError):
        draw_objects(image, objects[:4])
