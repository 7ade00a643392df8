import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seglet.core.errors import GeometryError
from seglet.metrics.instances import PRECISIONS, overlaps, panoptic_quality, precision_at
from seglet.metrics.objects import COUNTS, IMAGE_METRICS, ObjectTally, image_figures
from seglet.metrics.statistics import Interval

THREE = np.array([[1, 1, 0, 2, 2, 0, 3]])
MERGED = np.array([[1, 1, 1, 1, 1, 0, 3]])
NOTHING = np.zeros((1, 7), int)
MAPS = arrays(np.int32, (5, 6), elements=st.integers(0, 4))
POOLED = (*PRECISIONS, "pq", "sq", "rq")


def mean_of(figure: Interval | float) -> float:
    assert isinstance(figure, Interval)
    return figure.mean


def test_figures_of_one_image_by_hand() -> None:
    found = image_figures(overlaps(THREE, MERGED))
    assert tuple(found) == (*IMAGE_METRICS, *COUNTS)
    assert found["n_truth"] == 3 and found["n_predicted"] == 2 and found["n_matched"] == 1
    assert found["ap_50"] == found["dsb"] == 1 / 4  # one of four objects, at every threshold
    assert found["f1_50"] == 2 / 5
    assert found["seg"] == pytest.approx((0.4 + 0.4 + 1) / 3)
    assert (found["merges"], found["splits"], found["missed"]) == (1, 0, 0)
    assert (found["pq"], found["sq"]) == (pytest.approx(2 / 5), 1)


@given(st.lists(st.tuples(MAPS, MAPS), min_size=1, max_size=4))
def test_pooled_figures_are_those_of_one_large_image(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    tally = ObjectTally()
    for number, (truth, predicted) in enumerate(pairs):
        tally.add(str(number), truth, predicted)
    found = tally.summary()
    assert found is not None
    apart = [
        np.concatenate([one + 5 * k * (one > 0) for k, one in enumerate(s)]) for s in zip(*pairs, strict=True)
    ]
    whole = overlaps(*apart)
    expected = {**precision_at(whole), **panoptic_quality(whole)._asdict()}
    if not whole.n_truth + whole.n_predicted:
        expected = dict.fromkeys(POOLED, math.nan)
    assert {name: mean_of(found[name]) for name in POOLED} == pytest.approx(expected, nan_ok=True)


@given(MAPS, MAPS, st.permutations(range(1, 5)))
def test_figures_keep_their_range_and_do_not_depend_on_numbers(
    truth: np.ndarray, predicted: np.ndarray, numbers: list[int]
) -> None:
    found = image_figures(overlaps(truth, predicted))
    renamed = image_figures(overlaps(np.array([0, *numbers])[truth], predicted))
    assert renamed == pytest.approx(found, nan_ok=True)
    assert all(math.isnan(found[name]) or 0 <= found[name] <= 1 for name in IMAGE_METRICS)
    perfect = image_figures(overlaps(truth, truth))
    assert all(math.isnan(perfect[name]) or perfect[name] == 1 for name in IMAGE_METRICS)


def test_images_are_averaged_objects_are_pooled() -> None:
    tally = ObjectTally()
    first = tally.add("a", THREE, MERGED)
    second = tally.add("b", np.where(THREE == 1, 1, 0), np.where(THREE == 1, 1, 0))
    found = tally.summary()
    assert found is not None
    assert mean_of(found["dsb"]) == pytest.approx((first["dsb"] + second["dsb"]) / 2)
    assert mean_of(found["f1_50"]) == pytest.approx((0.4 + 1) / 2)
    assert mean_of(found["seg"]) == pytest.approx((0.4 + 0.4 + 1 + 1) / 4)
    assert found["ap_50"] == Interval(
        mean=2 / 5, low=1 / 4, high=1, n=2, n_absent=0
    )  # of 4 true, 3 predicted
    assert {name: found[name] for name in COUNTS} == {
        "n_truth": 4,
        "n_predicted": 3,
        "n_matched": 2,
        "missed": 0,
        "merges": 1,
        "splits": 0,
    }
    assert mean_of(found["merges_per_object"]) == 1 / 4


def test_the_interval_of_seg_redraws_images_with_all_their_objects() -> None:
    tally = ObjectTally()
    tally.add("good", np.arange(1, 9)[None], np.arange(1, 9)[None])
    tally.add("bad", np.arange(1, 9)[None], np.zeros((1, 8), int))
    seg = (tally.summary() or {})["seg"]
    assert isinstance(seg, Interval)
    assert (seg.mean, seg.low, seg.high, seg.n) == (0.5, 0, 1, 16)


def test_windows_are_redrawn_with_their_image() -> None:
    tally = ObjectTally()
    for number in range(4):
        tally.add(f"w{number}", THREE, MERGED if number < 2 else THREE)
    one = tally.summary({f"w{n}": "a" for n in range(4)})
    two = tally.summary({f"w{n}": "ab"[n // 2] for n in range(4)})
    assert one is not None and two is not None
    first, second = one["dsb"], two["dsb"]
    assert isinstance(first, Interval) and isinstance(second, Interval)
    assert math.isnan(first.low)
    assert (second.low, second.high) == (0.25, 1)


def test_without_objects_and_without_images() -> None:
    assert ObjectTally().summary() is None
    tally = ObjectTally()
    figures = tally.add("empty", NOTHING, NOTHING)
    assert math.isnan(figures["seg"]) and figures["dsb"] == 1
    found = tally.summary()
    assert found is not None
    assert mean_of(found["dsb"]) == 1
    assert math.isnan(mean_of(found["seg"]))
    assert math.isnan(figures["pq"]) and math.isnan(figures["sq"])
    pooled = (*(found[name] for name in POOLED), found["merges_per_object"])
    assert all(math.isnan(mean_of(value)) for value in pooled)


def test_pixels_that_do_not_count_make_no_objects() -> None:
    counted = np.array([[1, 1, 1, 1, 1, 0, 0]], bool)
    assert ObjectTally().add("a", THREE, MERGED, counted)["n_truth"] == 2


def test_shapes_must_be_the_same() -> None:
    with pytest.raises(GeometryError):
        ObjectTally().add("a", THREE, MERGED[:, :3])
