"""Agreement of two partitions: by hand, and against scikit-image and scikit-learn."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.metrics import adapted_rand_error
from sklearn.metrics import homogeneity_completeness_v_measure

from seglet.metrics.agreement import f_score, shared_pixels

numbers = arrays(np.int32, (6, 7), elements=st.integers(0, 4))


def alone_on_borders(cells: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both maps inside true cells; each pixel of a predicted border has a number of its own."""
    own = np.arange(predicted.size).reshape(predicted.shape) + 1000
    inside = cells > 0
    return cells[inside], np.where(predicted > 0, predicted, own)[inside]


def test_a_merge_counted_by_hand() -> None:
    found = shared_pixels(np.array([[1, 1, 0, 2, 2]]), np.array([[1, 1, 1, 1, 1]]))
    counts = found.pairs
    assert (counts.both, counts.truth, counts.predicted) == (8, 8, 16)  # 2² + 2², 4²
    assert counts.f_score == pytest.approx(2 * 0.5 * 1 / 1.5)
    assert found.information == 0


def test_a_split_and_a_border_counted_by_hand() -> None:
    found = shared_pixels(np.array([[1, 1, 1, 1, 0, 2, 2]]), np.array([[1, 0, 2, 2, 0, 3, 3]]))
    counts = found.pairs
    assert (counts.both, counts.truth, counts.predicted) == (10, 20, 10)  # 1 + 1 (border alone) + 4 + 4
    assert counts.f_score == pytest.approx(2 * 0.5 / 1.5)
    shares = np.array([1, 1, 2, 2]) / 6
    guess, truth = -np.sum(shares * np.log(shares)), -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert found.information == pytest.approx(2 * (truth / guess) / (1 + truth / guess))


@given(numbers, numbers)
def test_pairs_are_those_of_scikit_image_which_leaves_a_pixel_with_itself_out(
    cells: np.ndarray, predicted: np.ndarray
) -> None:
    true, guess = alone_on_borders(cells, predicted)
    counts, n = shared_pixels(cells, predicted).pairs, true.size
    assume(counts.truth > n and counts.predicted > n)  # else it divides by 0
    theirs = 1 - adapted_rand_error(true, guess, ignore_labels=())[0]
    total = counts.truth + counts.predicted
    assert counts.f_score == pytest.approx((theirs * (total - 2 * n) + 2 * n) / total)


@given(numbers, numbers)
def test_information_is_the_v_measure_of_scikit_learn(cells: np.ndarray, predicted: np.ndarray) -> None:
    true, guess = alone_on_borders(cells, predicted)
    found = shared_pixels(cells, predicted).information
    if len(np.unique(true)) < 2 or len(np.unique(guess)) < 2:
        assert found == 0  # where scikit-learn says 1 of one of the shares
    else:
        assert found == pytest.approx(homogeneity_completeness_v_measure(true, guess)[2], abs=1e-12)


@given(numbers, numbers, st.permutations(range(1, 5)), st.permutations(range(1, 5)))
def test_numbers_of_cells_do_not_matter(
    cells: np.ndarray, predicted: np.ndarray, first: list[int], second: list[int]
) -> None:
    found = shared_pixels(cells, predicted)
    renumbered = shared_pixels(np.array([0, *first])[cells], np.array([0, *second])[predicted])
    assert renumbered.pairs == found.pairs
    assert renumbered.information == pytest.approx(found.information, abs=1e-12)


@given(
    arrays(np.int32, (6, 7), elements=st.integers(1, 4)), arrays(np.int32, (6, 7), elements=st.integers(1, 4))
)
def test_both_sides_are_alike_where_there_is_no_border(cells: np.ndarray, predicted: np.ndarray) -> None:
    found, turned = shared_pixels(cells, predicted), shared_pixels(predicted, cells)
    assert found.pairs.f_score == pytest.approx(turned.pairs.f_score)
    assert found.information == pytest.approx(turned.information, abs=1e-12)


@given(numbers)
def test_the_same_partition_is_perfect(cells: np.ndarray) -> None:
    found = shared_pixels(cells, cells)
    assert found.pairs.f_score == float(cells.any())
    n_cells = len(set(cells.ravel().tolist()) - {0})
    assert found.information == pytest.approx(float(n_cells > 1))


@given(numbers, numbers)
def test_scores_are_shares(cells: np.ndarray, predicted: np.ndarray) -> None:
    found = shared_pixels(cells, predicted)
    assert 0 <= found.pairs.f_score <= 1
    assert -1e-12 <= found.information <= 1 + 1e-12


def test_without_a_cell_scores_are_0() -> None:
    found = shared_pixels(np.zeros((3, 4), int), np.ones((3, 4), int))
    assert (found.pairs.f_score, found.information) == (0, 0)


@pytest.mark.parametrize(
    ("counts", "score"), [((4, 2, 2), 2 / 3), ((0, 0, 0), 1), ((0, 3, 0), 0), ((0, 0, 3), 0)]
)
def test_f_score_where_nothing_is_extra_or_missed(counts: tuple[float, float, float], score: float) -> None:
    assert f_score(*counts) == pytest.approx(score)
