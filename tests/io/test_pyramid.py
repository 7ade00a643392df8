import numpy as np
import pytest

from seglet.io.pyramid import fill_mean, fill_nearest, level_steps


class OnDisk:
    """A numpy array that has chunks, as arrays on disk have."""

    def __init__(self, values: np.ndarray, chunks: tuple[int, ...]) -> None:
        self.values, self.chunks, self.shape, self.dtype = values, chunks, values.shape, values.dtype
        self.largest_read = 0

    def __getitem__(self, box: tuple[slice, ...]) -> np.ndarray:
        self.largest_read = max(self.largest_read, self.values[box].size)
        return self.values[box]

    def __setitem__(self, box: tuple[slice, ...], values: np.ndarray) -> None:
        assert self.values[box].shape == values.shape
        self.values[box] = values


def test_levels_halve_until_one_chunk_holds_all() -> None:
    assert level_steps((2000, 900), (512, 512), ()) == [(1, 1), (2, 2), (4, 4)]
    assert level_steps((500, 500), (512, 512), ()) == [(1, 1)]


def test_thick_planes_are_halved_only_when_the_others_have_caught_up() -> None:
    steps = level_steps((200, 1000, 1000), (128, 128, 128), (2.0, 0.5, 0.5))
    assert steps == [(1, 1, 1), (1, 2, 2), (1, 4, 4), (2, 8, 8)]


def test_a_long_thin_image_is_not_halved_to_nothing() -> None:
    steps = level_steps((1, 100_000), (1, 512), ())
    assert len(steps) == 8
    assert all(step[0] == 1 for step in steps)


def test_nearest_takes_the_pixel_at_the_center() -> None:
    fine = OnDisk(np.arange(12).reshape(2, 6), (2, 6))
    coarse = OnDisk(np.zeros((2, 2), int), (1, 1))
    fill_nearest(fine, coarse)
    assert coarse.values.tolist() == [[1, 4], [7, 10]]


@pytest.mark.parametrize("chunks", [(1, 1), (2, 3), (4, 4)])
def test_mean_is_that_of_the_covered_pixels(chunks: tuple[int, int]) -> None:
    fine = OnDisk(np.arange(35, dtype=np.uint8).reshape(5, 7), (5, 7))
    coarse = OnDisk(np.zeros((3, 4), np.uint8), chunks)
    fill_mean(fine, coarse)
    padded = np.pad(fine.values, ((0, 1), (0, 1)), mode="edge").astype(float)
    expected = np.rint(padded.reshape(3, 2, 4, 2).mean(axis=(1, 3)))
    assert (coarse.values == expected).all()


def test_an_axis_of_equal_length_is_left_alone() -> None:
    fine = OnDisk(np.array([[1.0, 3.0], [5.0, 9.0]]), (2, 2))
    coarse = OnDisk(np.zeros((2, 1)), (2, 1))
    fill_mean(fine, coarse)
    assert coarse.values.tolist() == [[2.0], [7.0]]


def test_no_more_is_read_at_once_than_a_chunk_needs() -> None:
    fine = OnDisk(np.zeros((64, 64), np.uint8), (64, 64))
    for fill in (fill_mean, fill_nearest):
        fill(fine, OnDisk(np.zeros((32, 32), np.uint8), (8, 8)))
    assert fine.largest_read <= 16 * 16
