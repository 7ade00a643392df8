"""What is kept of the images seen so far."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seglet.core.image import IGNORE, Image, Sample
from seglet.metrics.prediction import Prediction
from seglet.metrics.protocols import PROTOCOLS, protocol_named
from seglet.metrics.scores import METRICS
from seglet.metrics.tally import Tally, class_figures, mean_dice

NAMES = ("background", "a", "b")
masks = arrays(np.uint8, (5, 6), elements=st.integers(0, 2))


def sample(labels: np.ndarray, **more: np.ndarray) -> Sample:
    return Sample("x", Image(np.zeros((1, *labels.shape), np.uint8)), labels, **more)


@given(st.lists(st.tuples(masks, masks), min_size=1, max_size=4))
def test_counts_are_of_all_images_whatever_their_order(pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    there, back = Tally(NAMES, protocol_named("pixels")), Tally(NAMES, protocol_named("pixels"))
    for truth, predicted in pairs:
        there.add(sample(truth), Prediction("x", predicted))
    for truth, predicted in reversed(pairs):
        back.add(sample(truth), Prediction("x", predicted))
    assert np.array_equal(there.counted, back.counted)
    assert np.array_equal(there.counted, sum(there.counted_of))
    assert there.counted.sum() == 30 * len(pairs) == sum(image.n_pixels for image in there.images)
    assert [image.mean_dice for image in there.images] == pytest.approx(
        [image.mean_dice for image in reversed(back.images)], nan_ok=True
    )


@given(masks)
def test_what_is_identical_is_perfect_by_every_protocol(truth: np.ndarray) -> None:
    for protocol in PROTOCOLS.values():
        found = Tally(NAMES, protocol)
        found.add(sample(truth), Prediction("x", truth))
        for index, name in enumerate(NAMES[1:], start=1):
            dice = found.images[0].classes[name]["dice"]
            is_absent = not (truth == index).any()
            assert math.isnan(dice) if is_absent and not protocol.is_absence_right else dice == 1


def test_pixels_are_counted_once_inside_outside_or_not_at_all() -> None:
    truth = np.zeros((4, 6), np.uint8)
    truth[0] = IGNORE
    fov = np.zeros((4, 6), bool)
    fov[:, :2] = True
    found = Tally(NAMES[:2], protocol_named("drive"))
    found.add(sample(truth, fov=fov, second=truth), Prediction("x", np.zeros_like(truth)))
    assert (found.counted.sum(), found.left_out.sum(), found.observed.sum()) == (3 * 2, 3 * 4, 3 * 2)
    assert found.has_fov and len(found.observer) == len(found.observed_of) == 1
    assert np.array_equal(found.observed_of[0], found.observed)


def test_tallies_of_their_kind_exist_where_they_are_asked_for() -> None:
    two, three = NAMES[:2], NAMES
    assert Tally(two, protocol_named("isbi2012")).partition is not None
    assert Tally(three, protocol_named("isbi2012")).partition is None
    assert Tally(two, protocol_named("pixels")).partition is None
    assert Tally(two, protocol_named("pixels")).calibration is not None
    assert Tally(three, protocol_named("pixels")).calibration is None


def test_every_class_has_every_figure() -> None:
    figures = class_figures(np.array([[5, 1, 0], [0, 2, 0], [0, 0, 0]]), [(0.9, 0.8), (0.7, 0.6)], NAMES)
    assert set(figures) == {"a", "b"}
    assert all(set(of_class) == set(METRICS) for of_class in figures.values())
    assert (figures["a"]["dice"], figures["a"]["roc_auc"], figures["b"]["pr_auc"]) == (0.8, 0.9, 0.6)
    assert math.isnan(figures["b"]["dice"])
    assert mean_dice(figures) == 0.8  # over the classes that are there
    assert math.isnan(mean_dice({"b": figures["b"]}))
