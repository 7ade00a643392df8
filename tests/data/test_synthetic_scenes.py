"""What a synthetic picture holds, and how it is saved."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from seglet.data.synthetic_scenes import Scene, black_and_white, present, save


def test_truth_is_where_any_object_is() -> None:
    scene = Scene(0, np.zeros((1, 3)), np.array([[0, 2, 1]], np.int32))
    assert scene.truth.tolist() == [[False, True, True]]
    assert black_and_white(scene.truth).tolist() == [[0, 255, 255]]


def test_a_retina_layout_needs_a_field_of_view() -> None:
    assert present(np.ones((2, 2), bool)).all()
    with pytest.raises(ValueError, match="field of view"):
        present(None)


def test_pictures_are_saved_by_their_suffix(tmp_path: Path) -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    for name in ("a/x.png", "a/x.tif", "a/x.jpg"):
        save(tmp_path / name, pixels)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a/x.tif"), pixels)
    with Picture.open(tmp_path / "a/x.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), pixels)
    with Picture.open(tmp_path / "a/x.jpg") as picture:
        assert (picture.format, picture.size) == ("JPEG", (8, 8))
