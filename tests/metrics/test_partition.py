"""Scores of partitions: by hand, and against the worked cases of the challenge's own implementation."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from isbi2012_cases import FOLDERS, each_case, read_case
from seglet.core.errors import GeometryError
from seglet.metrics.partition import (
    N_WARPED,
    PARTITION_METRICS,
    THRESHOLDS,
    PartitionTally,
    interior_class,
)

EXPECTED = {
    "pixel_error": "pixel_error",
    "rand_error": "rand_error",
    "v_rand": "v_rand_thinned",
    "v_info": "v_info_thinned",
    "warping_error": "warping_error_min",
    "splits_mergers": "min_splits_mergers",
}


def squares() -> np.ndarray:
    """Four cells of 4 x 4 parted by lines of one pixel."""
    inside = np.ones((9, 9), bool)
    inside[4], inside[:, 4] = False, False
    return inside


@pytest.mark.data
def test_all_worked_cases_are_there(data_folder: Path) -> None:
    assert len(FOLDERS) == 46, data_folder


@each_case
@pytest.mark.data
def test_all_six_figures_of_the_worked_cases_are_met(folder: Path) -> None:
    case = read_case(folder)
    whole, by_slice = PartitionTally(), PartitionTally()
    whole.add(case.truth, case.proposal)
    for plane, values in zip(case.truth, case.proposal, strict=True):
        by_slice.add(plane, values)
    found = whole.figures()
    assert found == by_slice.figures()
    for ours, theirs in EXPECTED.items():
        assert found[ours] == pytest.approx(case.expected[theirs], abs=1e-9), ours


@each_case
@pytest.mark.data
def test_every_threshold_of_the_worked_cases_is_met(folder: Path) -> None:
    case = read_case(folder)
    detail = case.detail
    tally = PartitionTally()
    tally.add(case.truth, case.proposal)
    assert tuple(detail["thresholds_0_to_1.0"]) == THRESHOLDS
    assert tuple(detail["thresholds_0_to_0.9"]) == THRESHOLDS[:N_WARPED]
    expected = {
        "pixel_error": [1 - row["f"] for row in detail["pixel_error"]["per_threshold"]],
        "rand_error": [1 - row["f"] for row in detail["rand_error"]["per_threshold"]],
        "v_rand": detail["v_rand_thinned"]["per_threshold_macro_f"],
        "v_info": detail["v_info_thinned"]["per_threshold"],
        "warping_error": detail["warping_classic"]["per_threshold_0_to_1.0"][:N_WARPED],
        "splits_mergers": [
            (mergers + splits) / case.truth.size
            for mergers, splits, *_ in detail["splits_mergers"]["counts_r20_pixels"]
        ],
    }
    for name, found in tally.at_thresholds().items():
        if not case.is_degenerate:
            assert found == pytest.approx(expected[name], abs=1e-9), name
    assert tally.at_thresholds()["warping_error"][5] == pytest.approx(case.expected["warping_error_at_0_5"])


def test_thresholds_are_added_up_as_in_the_challenge() -> None:
    assert len(THRESHOLDS) == 11
    assert THRESHOLDS[3] == 0.1 + 0.1 + 0.1 != 0.3
    assert THRESHOLDS[-1] < 1


def test_a_perfect_proposal_has_no_error() -> None:
    tally = PartitionTally()
    tally.add(squares(), squares().astype(np.float32))
    found = tally.figures()
    assert [found[name] for name in PARTITION_METRICS] == pytest.approx([0, 0, 1, 1, 0, 0])
    assert all(found[f"{name}_threshold"] in THRESHOLDS for name in PARTITION_METRICS)


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
    names = ("pixel_error", "rand_error", "warping_error", "splits_mergers")
    assert [found[name] for name in names] == pytest.approx([0, 0, 0, 0])


def test_a_slice_without_interior_scores_as_in_the_challenge() -> None:
    tally = PartitionTally()
    tally.add(squares(), squares().astype(np.float32))
    tally.add(np.zeros((9, 9), bool), np.zeros((9, 9), np.float32))
    found = tally.figures()
    assert found["rand_error"] == 1
    assert (found["v_rand"], found["v_info"]) == pytest.approx((0.5, 0.5))


def test_an_all_black_proposal_has_no_splits_nor_mergers() -> None:
    tally = PartitionTally()
    tally.add(squares(), np.zeros((9, 9), np.float32))
    found = tally.figures()
    assert found["splits_mergers"] == 0
    assert found["warping_error"] == 4 / 81  # of each cell one pixel stays
    assert found["rand_error"] > 0.5


def test_a_merger_and_a_split_counted_by_hand() -> None:
    proposal = squares().astype(np.float32)
    proposal[2, 4] = 1  # a gap in a wall of the truth
    proposal[6, 5:] = 0  # a wall that the truth has not
    tally = PartitionTally()
    tally.add(squares(), proposal)
    found = tally.figures()
    assert found["splits_mergers"] == found["warping_error"] == 2 / 81


def test_warping_has_fewer_thresholds() -> None:
    assert PartitionTally().at_thresholds() == {}
    tally = PartitionTally()
    tally.add(squares(), squares().astype(np.float32))
    lengths = {name: len(values) for name, values in tally.at_thresholds().items()}
    assert lengths == dict.fromkeys(PARTITION_METRICS, 11) | {"warping_error": 10, "splits_mergers": 10}


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


def test_intervals_redraw_images_with_all_their_slices() -> None:
    rng = np.random.default_rng(0)
    images = []
    for _ in range(4):
        truth = rng.random((2, 12, 12)) < 0.7
        images.append((truth, np.where(rng.random(truth.shape) < 0.2, ~truth, truth).astype(np.float32)))
    together, alone = PartitionTally(), []
    for truth, proposal in images:
        together.add(truth, proposal)
        single = PartitionTally()
        single.add(truth, proposal)
        alone.append(single.figures())
    found, figures = together.intervals(), together.figures()
    for name in PARTITION_METRICS:
        each = [one[name] for one in alone]
        assert found[name].mean == figures[name]
        assert min(each) - 0.05 <= found[name].low <= figures[name] <= found[name].high <= max(each) + 0.05
        assert found[name].n == 4
    assert found["v_info"].low < found["v_info"].high


def test_one_image_has_no_interval() -> None:
    tally = PartitionTally()
    tally.add(np.ones((3, 5, 5), bool), np.ones((3, 5, 5), np.float32))
    assert all(math.isnan(one.low) and one.n == 1 for one in tally.intervals().values())
