"""Scores of objects and partitions on real nuclei, against literal loops and other implementations."""

import math
from pathlib import Path

import numpy as np
import pytest
import tifffile
from ctc_metrics.metrics.technical.seg import seg
from ctc_metrics.utils.representations import match
from scipy import ndimage
from skimage.metrics import adapted_rand_error, variation_of_information

from seglet.core.image import LabelClass, Labels
from seglet.data.cases import find_cases
from seglet.data.run_lengths import objects_of, read_runs, write_runs
from seglet.data.samples import read_sample
from seglet.io.files import read_mask
from seglet.io.listing import as_file
from seglet.metrics.agreement import shared_pixels
from seglet.metrics.instances import (
    PRECISIONS,
    dsb_score,
    n_matched_at,
    overlaps,
    panoptic_quality,
    precision_at,
    seg_scores,
)
from seglet.metrics.objects import ObjectTally
from seglet.metrics.scores import plain_figure

pytestmark = pytest.mark.data

NUCLEI = Labels(
    encoding="objects",
    classes=(LabelClass(name="background", value=0), LabelClass(name="nucleus", value=255)),
)


@pytest.fixture(scope="module")
def nuclei(data_folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """True and predicted objects of 30 images of the Data Science Bowl."""
    cases = find_cases(data_folder / "dsb2018" / "stage1_train.zip").cases[::11][:30]
    objects = [read_sample(case, NUCLEI).objects for case in cases]
    return [(one, perturbed(one, seed)) for seed, one in enumerate(objects) if one is not None]


@pytest.fixture(scope="module")
def cells(data_folder: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """True and predicted objects of the last six images of BBBC039."""
    paths = sorted((data_folder / "bbbc039" / "masks").glob("*.png"))[-6:]
    masks = [np.asarray(read_mask(as_file(path))) for path in paths]
    planes = [(mask if mask.ndim == 2 else mask[..., 0]).astype(np.int32) for mask in masks]
    return [(one, perturbed(one, seed)) for seed, one in enumerate(planes)]


def perturbed(objects: np.ndarray, seed: int) -> np.ndarray:
    """Predict each object well, or grown, missed, merged with another, split, or moved; and a few more."""
    rng = np.random.default_rng(seed)
    found, n = np.zeros_like(objects), int(objects.max())
    for number in rng.permutation(np.arange(1, n + 1)):
        own = objects == number
        match rng.integers(6):
            case 0:
                found[ndimage.binary_dilation(own, iterations=int(rng.integers(1, 4)))] = number
            case 1:
                continue
            case 2:
                found[own] = rng.integers(1, n + 1)
            case 3:
                found[own & (np.arange(own.shape[1]) > np.median(np.nonzero(own)[1]))] = n + number
                found[own & (found != n + number)] = number
            case 4:
                found[np.roll(own, rng.integers(-4, 5, 2), (0, 1))] = number
            case _:
                found[own] = number
    for extra in range(3):
        y, x = (int(rng.integers(0, side - 8)) for side in objects.shape)
        found[y : y + 8, x : x + 8] = 2 * n + 1 + extra
    return found


def ious_by_two_loops(truth: np.ndarray, predicted: np.ndarray) -> list[list[tuple[int, int]]]:
    """Intersection and union of every true object (row) with every predicted one (column)."""
    columns = {number: np.count_nonzero(predicted == number) for number in np.unique(predicted) if number}
    table = []
    for number in np.unique(truth):
        if number:
            inside = predicted[truth == number]
            row = [(np.count_nonzero(inside == other), size) for other, size in columns.items()]
            table.append([(both, len(inside) + size - both) for both, size in row])
    return table


@pytest.mark.slow
def test_the_score_of_30_images_is_that_of_two_loops_over_masks(
    nuclei: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    assert len(nuclei) == 30
    tally = ObjectTally()
    pooled = np.zeros((10, 2), int)
    for number, (truth, predicted) in enumerate(nuclei):
        table = ious_by_two_loops(truth, predicted)
        n_both = len(table) + len(np.unique(predicted[predicted > 0]))
        # in whole numbers: intersection / union > k / 20
        matched = [
            sum(20 * both > k * either for row in table for both, either in row) for k in range(10, 20)
        ]
        expected = [n / (n_both - n) for n in matched]
        found = overlaps(truth, predicted)
        assert dsb_score(found) == pytest.approx(sum(expected) / 10, abs=1e-12)
        assert list(precision_at(found).values()) == pytest.approx(expected, abs=1e-12)
        assert n_matched_at(found).tolist() == matched
        fits = sum(both / either for row in table for both, either in row if 2 * both > either)
        assert panoptic_quality(found).pq == pytest.approx(2 * fits / n_both, abs=1e-12)
        pooled += [(n, n_both) for n in matched]
        tally.add(str(number), truth, predicted)
    figures = tally.summary()
    assert figures is not None
    for name, (n, n_both) in zip(PRECISIONS, pooled.tolist(), strict=True):
        assert plain_figure(figures[name]) == n / (n_both - n)


def test_seg_is_that_of_py_ctcmetrics(cells: list[tuple[np.ndarray, np.ndarray]], tmp_path: Path) -> None:
    labels, ious, ours = [], [], []
    for truth, predicted in cells:
        for name, objects in (("truth", truth), ("predicted", predicted)):
            tifffile.imwrite(tmp_path / f"{name}.tif", objects.astype(np.uint16))
        numbers, _, _, _, matched = match(str(tmp_path / "truth.tif"), str(tmp_path / "predicted.tif"))
        scores = seg_scores(overlaps(truth, predicted))
        assert scores.sum() == pytest.approx(sum(matched), abs=1e-12)
        assert len(scores) == len(numbers)
        labels.append(numbers)
        ious.append(matched)
        ours.append(scores)
    assert 0.3 < seg(labels, ious) < 0.9
    assert np.concatenate(ours).mean() == pytest.approx(seg(labels, ious), abs=1e-12)


def test_pairs_and_information_are_scikit_images_once_its_rules_are_set_to_ours(
    cells: list[tuple[np.ndarray, np.ndarray]],
) -> None:
    """A predicted border pixel is a cell by itself; a pixel makes a pair with itself."""
    for truth, predicted in cells:
        found = shared_pixels(truth, predicted)
        alone = predicted.copy()
        alone[predicted == 0] = predicted.max() + 1 + np.arange(np.count_nonzero(predicted == 0))
        inside = truth > 0
        n, sizes = np.count_nonzero(inside), found.pairs.truth + found.pairs.predicted
        error, _, _ = adapted_rand_error(truth, alone, ignore_labels=(0,))
        expected = ((1 - error) * (sizes - 2 * n) + 2 * n) / sizes
        assert found.pairs.f_score == pytest.approx(expected, abs=1e-9)
        of_truth, of_guess = entropy(truth[inside]), entropy(alone[inside])
        extra, missed = variation_of_information(truth[inside], alone[inside])
        shares = (of_truth - missed) / of_truth, (of_guess - extra) / of_guess
        assert found.information == pytest.approx(2 * math.prod(shares) / sum(shares), abs=1e-9)


def entropy(numbers: np.ndarray) -> float:
    """In bits, as scikit-image has it."""
    shares = np.unique(numbers, return_counts=True)[1] / numbers.size
    return float(-np.sum(shares * np.log2(shares)))


def test_real_nuclei_come_back_from_the_competitions_file(
    nuclei: list[tuple[np.ndarray, np.ndarray]], tmp_path: Path
) -> None:
    images = {str(number): truth for number, (truth, _) in enumerate(nuclei)}
    write_runs(tmp_path / "runs.csv", images)
    for name, runs in read_runs(tmp_path / "runs.csv").items():
        np.testing.assert_array_equal(objects_of(runs, images[name].shape, name), images[name])
