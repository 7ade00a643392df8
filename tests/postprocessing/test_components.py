import numpy as np

from seglet.postprocessing.components import components


def test_pixels_that_touch_at_a_corner_only_are_apart() -> None:
    found = components(np.array([[1, 0, 0], [0, 1, 1], [0, 0, 1]], bool))
    np.testing.assert_array_equal(found, [[1, 0, 0], [0, 2, 2], [0, 0, 2]])
    assert found.dtype == np.int32


def test_a_diagonal_line_of_one_pixel_separates() -> None:
    assert components(~np.eye(5, dtype=bool)).max() == 2


def test_voxels_belong_together_by_their_faces() -> None:
    volume = np.zeros((2, 2, 2), bool)
    volume[0, 0, 0] = volume[1, 0, 0] = volume[1, 1, 1] = True
    found = components(volume)
    assert found[0, 0, 0] == found[1, 0, 0] != found[1, 1, 1]
    assert found.max() == 2


def test_nothing_is_no_object() -> None:
    assert not components(np.zeros((3, 4), bool)).any()
    assert components(np.zeros((0, 4), bool)).shape == (0, 4)
