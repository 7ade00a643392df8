"""Scores of partitions: by hand, and against the worked cases of the challenge's own implementation."""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis.extra.numpy import arrays
from PIL import Image as Picture
from scipy import ndimage

from seglet.core.errors import GeometryError
from seglet.metrics.partition import (
    PARTITION_METRICS,
    THRESHOLDS,
    PartitionTally,
    information_score,
    interior_class,
    pair_counts,
)
from seglet.metrics.thinning import thin_borders

EXPECTED = {
    "pixel_error": "pixel_error",
    "rand_error": "rand_error",
    "v_rand": "v_rand_thinned",
    "v_info": "v_info_thinned",
}


@pytest.fixture(scope="module")
def cases(data_folder: Path) -> list[Path]:
    """Folders of worked cases, beside the real images."""
    found = sorted((data_folder.parent / "oracles" / "isbi2012").glob("*/expected.json"))
    if not found:
        pytest.skip(f"no worked cases beside {data_folder}")
    return [path.parent for path in found]


def read(path: Path) -> np.ndarray:
    if path.suffix == ".tif":
        return tifffile.imread(path)
    with Picture.open(path) as picture:
        return np.asarray(picture)


def worked(cases: list[Path]) -> Iterator[tuple[dict[str, object], np.ndarray, np.ndarray, np.ndarray]]:
    """Each case with its truth, proposal and basins at 0.5, as (z, y, x)."""
    for folder in cases:
        case = json.loads((folder / "expected.json").read_text())
        shape = case["shape_slices_h_w"]
        names = [case["files"][key] for key in ("label", "proposal", "thinned_t05")]
        truth, proposal, basins = (read(folder / name).reshape(shape) for name in names)
        if proposal.dtype == np.uint8:
            proposal = (proposal * (1 / 255)).astype(np.float32)
        yield case, truth > 0, proposal, basins


def squares() -> np.ndarray:
    """Four cells of 4 x 4 parted by lines of one pixel."""
    inside = np.ones((9, 9), bool)
    inside[4], inside[:, 4] = False, False
    return inside


@pytest.mark.data
def test_every_worked_case_of_the_challenge_is_met(cases: list[Path]) -> None:
    assert len(cases) == 46
    for case, truth, proposal, _ in worked(cases):
        tally = PartitionTally()
        for number in range(len(truth)):
            tally.add(truth[number], proposal[number])
        found = tally.figures()
        for ours, theirs in EXPECTED.items():
            assert found[ours] == pytest.approx(case["expected"][theirs], abs=1e-9), (case["case"], ours)


@pytest.mark.data
def test_every_threshold_of_the_worked_cases_is_met(cases: list[Path]) -> None:
    for case, truth, proposal, _ in worked(cases):
        detail = case["detail"]
        assert tuple(detail["thresholds_0_to_1.0"]) == THRESHOLDS
        for threshold, row in zip(THRESHOLDS, detail["rand_error"]["per_threshold"], strict=True):
            cells, predicted = parts_of(truth), parts_of(proposal.astype(float) > threshold)
            counts = [pair_counts(*both) for both in zip(cells, predicted, strict=True)]
            if all(one.truth for one in counts):  # whole numbers, which the challenge's own code rounds
                assert sum(one.both for one in counts) == round(row["tp"])
                assert sum(one.predicted - one.both for one in counts) == round(row["fp"])
                assert sum(one.truth - one.both for one in counts) == round(row["fn"])


def parts_of(white: np.ndarray) -> list[np.ndarray]:
    return [ndimage.label(plane)[0] for plane in white]


@pytest.mark.data
def test_dams_of_the_worked_cases_are_met_pixel_by_pixel(cases: list[Path]) -> None:
    for case, _, proposal, basins in worked(cases):
        for values, expected in zip(proposal, basins, strict=True):
            thinned = thin_borders(values.astype(float) > 0.5)
            np.testing.assert_array_equal(thinned == 0, expected == 0, str(case["case"]))


def test_thresholds_are_added_up_as_in_the_challenge() -> None:
    assert len(THRESHOLDS) == 11
    assert THRESHOLDS[3] == 0.1 + 0.1 + 0.1 != 0.3
    assert THRESHOLDS[-1] < 1


def test_a_perfect_proposal_has_no_error() -> None:
    tally = PartitionTally()
    tally.add(squares(), squares().astype(np.float32))
    found = tally.figures()
    assert [found[name] for name in PARTITION_METRICS] == pytest.approx([0, 0, 1, 1])
    assert all(found[f"{name}_threshold"] in THRESHOLDS for name in PARTITION_METRICS)


def test_a_merge_counted_by_hand() -> None:
    cells = np.array([[1, 1, 0, 2, 2]])
    merged = np.array([[1, 1, 1, 1, 1]])
    counts = pair_counts(cells, merged)
    assert (counts.both, counts.truth, counts.predicted) == (8, 8, 16)  # 2² + 2², 4²
    assert counts.f_score == pytest.approx(2 * 0.5 * 1 / 1.5)
    assert information_score(cells, merged) == 0


def test_a_split_and_a_border_counted_by_hand() -> None:
    cells = np.array([[1, 1, 1, 1, 0, 2, 2]])
    split = np.array([[1, 0, 2, 2, 0, 3, 3]])
    counts = pair_counts(cells, split)
    assert (counts.both, counts.truth, counts.predicted) == (10, 20, 10)  # 1 + 1 (border alone) + 4 + 4
    assert counts.f_score == pytest.approx(2 * 0.5 / 1.5)
    shares = np.array([1, 1, 2, 2]) / 6
    guess, truth = -np.sum(shares * np.log(shares)), -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert information_score(cells, split) == pytest.approx(2 * (truth / guess) / (1 + truth / guess))


def test_slices_are_pooled_and_a_volume_is_its_slices() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((3, 12, 13)) < 0.7
    proposal = (0.5 * truth + 0.5 * rng.random(truth.shape)).astype(np.float32)
    whole, apart = PartitionTally(), PartitionTally()
    whole.add(truth, proposal)
    for plane, values in zip(truth, proposal, strict=True):
        apart.add(plane, values)
    assert whole.figures() == apart.figures()
    assert whole.n_slices == 3


def test_only_counted_pixels_count() -> None:
    truth, proposal = squares(), squares().astype(np.float32)
    proposal[:, 7:] = 0  # wrong, but outside
    counted = np.ones((9, 9), bool)
    counted[:, 7:] = False
    tally = PartitionTally()
    tally.add(truth, proposal, counted)
    found = tally.figures()
    assert (found["pixel_error"], found["rand_error"]) == pytest.approx((0, 0))


def test_a_slice_without_interior_scores_as_in_the_challenge() -> None:
    tally = PartitionTally()
    tally.add(squares(), squares().astype(np.float32))
    tally.add(np.zeros((9, 9), bool), np.zeros((9, 9), np.float32))
    found = tally.figures()
    assert found["rand_error"] == 1
    assert (found["v_rand"], found["v_info"]) == pytest.approx((0.5, 0.5))


def test_nothing_counted_is_nan() -> None:
    assert all(math.isnan(value) for value in PartitionTally().figures().values())


def test_shapes_must_be_the_same() -> None:
    with pytest.raises(GeometryError, match=r"\(9, 9\).*\(9, 8\)"):
        PartitionTally().add(squares(), np.zeros((9, 8), np.float32))


@given(arrays(np.bool_, (6, 7)), arrays(np.float32, (6, 7), elements={"min_value": 0, "max_value": 1}))
def test_figures_are_shares(truth: np.ndarray, proposal: np.ndarray) -> None:
    tally = PartitionTally()
    tally.add(truth, proposal)
    found = tally.figures()
    assert all(-1e-9 <= found[name] <= 1 + 1e-9 for name in PARTITION_METRICS)


@pytest.mark.parametrize(
    ("names", "inside"),
    [
        (("membrane", "interior"), 1),
        (("interior", "membrane"), 0),
        (("background", "foreground"), 1),
        (("background", "Membrane"), 0),
        (("background", "cell"), 1),
        (("cell", "gap"), 0),
    ],
)
def test_the_inside_is_known_by_its_name(names: tuple[str, str], inside: int) -> None:
    assert interior_class(names) == inside
