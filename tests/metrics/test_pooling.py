"""Pooled figures of images drawn anew: as if their pixels were put together one draw at a time."""

import math
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from seglet.metrics.pixel_lists import PixelList
from seglet.metrics.pixels import PIXEL_METRICS, class_scores, confusion_matrix
from seglet.metrics.pooling import AREAS, draw_figures, pooled_intervals, pooled_mean_dice_interval
from seglet.metrics.statistics import Interval, draws

NAMES = ("background", "vessel")
THREE = ("background", "artery", "vein")
N_DRAWS = 60

Eyes = list[tuple[np.ndarray, np.ndarray]]
matrices = st.lists(
    st.lists(st.integers(0, 1_000), min_size=9, max_size=9).map(lambda n: np.reshape(n, (3, 3))),
    min_size=1,
    max_size=6,
)


def eyes(n: int, n_pixels: int = 400, levels: int | None = None) -> Eyes:
    """Truth and scores of images that are not equally good; scores of few levels where said."""
    rng = np.random.default_rng(n)
    found = []
    for quality in rng.uniform(0.5, 2.5, n):
        truth = rng.random(n_pixels) < rng.uniform(0.1, 0.4)
        scores = 1 / (1 + np.exp(-quality * (2 * truth - 1) - rng.normal(0, 1.5, n_pixels)))
        rounded = scores if levels is None else np.round(scores * levels) / levels
        found.append((truth, rounded.astype(np.float32)))
    return found


def counts_of(images: Eyes) -> list[np.ndarray]:
    return [confusion_matrix(truth.astype(int), (p > 0.5).astype(int), 2) for truth, p in images]


def histograms_of(images: Eyes) -> dict[str, np.ndarray]:
    pixels = PixelList()
    for truth, scores in images:
        pixels.add(truth, scores)
    return {"vessel": pixels.histograms(pixels.curves())}


def names_of(n: int) -> list[str]:
    return [f"{number:03d}" for number in range(n)]


def drawn_of(images: Eyes, n_draws: int = N_DRAWS) -> dict[str, np.ndarray]:
    names = names_of(len(images))
    return draw_figures(counts_of(images), names, NAMES, histograms_of(images), n_draws)["vessel"]


def literally(images: Eyes, figure: Callable[[np.ndarray, np.ndarray], float]) -> list[float]:
    """The figure of all pixels put together, of the images as they are and of each draw."""
    chosen = [np.arange(len(images)), *np.concatenate(list(draws(len(images), n_draws=N_DRAWS)))]
    return [
        figure(np.concatenate([images[k][0] for k in of]), np.concatenate([images[k][1] for k in of]))
        for of in chosen
    ]


@pytest.mark.parametrize("levels", [None, 20])
def test_counts_of_every_draw_are_scikit_learns(levels: int | None) -> None:
    images = eyes(6, levels=levels)
    drawn = drawn_of(images)
    assert set(drawn) == {*PIXEL_METRICS, *AREAS}
    for metric, figure in (
        ("f1", sk.f1_score),
        ("accuracy", sk.accuracy_score),
        ("sensitivity", sk.recall_score),
        ("mcc", sk.matthews_corrcoef),
    ):
        expected = literally(images, lambda truth, p, figure=figure: figure(truth, p > 0.5))
        np.testing.assert_allclose(drawn[metric], expected, rtol=1e-12)


def test_areas_of_every_draw_are_exact_where_scores_are_few() -> None:
    images = eyes(6, levels=20)
    drawn = drawn_of(images)
    np.testing.assert_allclose(drawn["roc_auc"], literally(images, sk.roc_auc_score), rtol=1e-9)
    np.testing.assert_allclose(drawn["pr_auc"], literally(images, sk.average_precision_score), rtol=1e-9)


@pytest.mark.parametrize(
    ("metric", "figure"), [("roc_auc", sk.roc_auc_score), ("pr_auc", sk.average_precision_score)]
)
def test_intervals_of_areas_are_those_of_a_literal_bootstrap(
    metric: str, figure: Callable[[np.ndarray, np.ndarray], float]
) -> None:
    """Of scores that are all different, moved onto the exact figure, to a hundredth of their width."""
    images = eyes(8, n_pixels=3_000)
    exact = np.array(literally(images, figure))
    found = pooled_intervals({"vessel": {metric: exact[0]}}, {"vessel": drawn_of(images)}, 8)
    low, high = np.percentile(exact[1:], (2.5, 97.5))
    assert found["vessel"][metric].mean == exact[0]
    assert found["vessel"][metric].low == pytest.approx(low, abs=(high - low) / 100)
    assert found["vessel"][metric].high == pytest.approx(high, abs=(high - low) / 100)


@pytest.mark.parametrize("scale", [1e-6, 1e-3])
def test_scores_in_a_narrow_band_lose_nothing(scale: float) -> None:
    """Steps follow the scores, so that a model that says 0.3 everywhere is measured like any other."""
    wide = eyes(5, n_pixels=2_000)
    narrow = [(truth, (0.3 + scale * scores).astype(np.float32)) for truth, scores in wide]
    expected = literally(narrow, sk.roc_auc_score)
    np.testing.assert_allclose(drawn_of(narrow)["roc_auc"], expected, atol=2e-4)


@settings(max_examples=30)
@given(matrices)
def test_every_figure_lies_in_its_interval_and_in_its_range(found: list[np.ndarray]) -> None:
    total = sum(found)
    pooled = {name: class_scores(total, index) for index, name in enumerate(THREE[1:], start=1)}
    drawn = draw_figures(found, names_of(len(found)), THREE, {}, 50)
    for name, metrics in pooled_intervals(pooled, drawn, len(found)).items():
        for metric, interval in metrics.items():
            value = pooled[name][metric]
            assert interval.mean == value or math.isnan(value)
            if len(found) == 1 or math.isnan(value):
                assert math.isnan(interval.low) and math.isnan(interval.high)
            else:
                assert -(metric == "mcc") <= interval.low <= value <= interval.high <= 1


@settings(max_examples=30)
@given(matrices, st.randoms())
def test_order_and_names_of_images_change_nothing(found: list[np.ndarray], random: Random) -> None:
    names = names_of(len(found))
    expected = draw_figures(found, names, THREE, {}, 50)
    order = random.sample(range(len(found)), len(found))
    shuffled = draw_figures([found[k] for k in order], [names[k] for k in order], THREE, {}, 50)
    renamed = draw_figures(found, [f"eye {name}" for name in names], THREE, {}, 50)
    for other in (shuffled, renamed):
        for name, figures in expected.items():
            for metric, values in figures.items():
                np.testing.assert_array_equal(other[name][metric], values)


@settings(max_examples=30)
@given(matrices)
def test_classes_may_change_their_places(found: list[np.ndarray]) -> None:
    names = names_of(len(found))
    swapped = [matrix[[0, 2, 1]][:, [0, 2, 1]] for matrix in found]
    one, other = (draw_figures(of, names, THREE, {}, 50) for of in (found, swapped))
    np.testing.assert_array_equal(one["artery"]["dice"], other["vein"]["dice"])


def test_what_is_perfect_leaves_no_doubt() -> None:
    images = [(truth, truth.astype(np.float32)) for truth, _ in eyes(5)]
    pooled = {"vessel": dict.fromkeys((*PIXEL_METRICS, *AREAS), 1.0)}
    for interval in pooled_intervals(pooled, {"vessel": drawn_of(images)}, 5)["vessel"].values():
        assert (interval.mean, interval.low, interval.high, interval.n) == (1, 1, 1, 5)


def test_windows_of_one_image_are_drawn_together() -> None:
    images = eyes(4, levels=20)
    joined = [
        (np.concatenate([images[a][0], images[b][0]]), np.concatenate([images[a][1], images[b][1]]))
        for a, b in ((0, 2), (1, 3))
    ]
    windows = draw_figures(counts_of(images), ["a", "b", "a", "b"], NAMES, histograms_of(images), N_DRAWS)
    whole = draw_figures(counts_of(joined), ["a", "b"], NAMES, histograms_of(joined), N_DRAWS)
    for metric, values in whole["vessel"].items():
        np.testing.assert_allclose(windows["vessel"][metric], values, rtol=1e-12)


def test_draws_without_the_class_are_left_out() -> None:
    """One image has the only vessel: draws that miss it have no Dice and no area, only the others count."""
    truth = np.arange(50) < 10
    images = [(truth, truth.astype(np.float32)), *([(np.zeros(50, bool), np.zeros(50, np.float32))] * 2)]
    drawn = drawn_of(images)
    chosen = np.concatenate(list(draws(3, n_draws=N_DRAWS)))
    has_vessel = (chosen == 0).any(axis=1)
    assert 0 < has_vessel.sum() < N_DRAWS
    for metric in ("dice", *AREAS):
        np.testing.assert_array_equal(np.isnan(drawn[metric][1:]), ~has_vessel)
    found = pooled_intervals({"vessel": {"dice": 1.0}}, {"vessel": drawn}, 3)["vessel"]["dice"]
    assert (found.low, found.high) == (1, 1)


def test_one_image_and_figures_that_nobody_has_have_no_interval() -> None:
    lone = pooled_intervals({"vessel": {"dice": 0.5}}, {"vessel": drawn_of(eyes(1))}, 1)["vessel"]["dice"]
    assert lone.mean == 0.5 and math.isnan(lone.low) and math.isnan(lone.high)
    drawn = draw_figures(counts_of(eyes(3)), names_of(3), NAMES, {}, N_DRAWS)
    area = pooled_intervals({"vessel": {"roc_auc": math.nan}}, drawn, 3)["vessel"]["roc_auc"]
    assert math.isnan(area.mean) and math.isnan(area.low)


def test_the_mean_over_classes_is_drawn_as_a_whole() -> None:
    rng = np.random.default_rng(0)
    found = [rng.integers(1, 50, (3, 3)) + 60 * np.eye(3, dtype=int) for _ in range(6)]
    pooled = [class_scores(sum(found), index)["dice"] for index in (1, 2)]
    drawn = draw_figures(found, names_of(6), THREE, {}, N_DRAWS)
    expected = [
        np.mean([class_scores(sum(found[k] for k in of), index)["dice"] for index in (1, 2)])
        for of in np.concatenate(list(draws(6, n_draws=N_DRAWS)))
    ]
    interval = pooled_mean_dice_interval(float(np.mean(pooled)), drawn, 6)
    assert (interval.low, interval.high) == pytest.approx(tuple(np.percentile(expected, (2.5, 97.5))))
    empty = [np.diag([9, 0, 0])] * 2
    absent = pooled_mean_dice_interval(math.nan, draw_figures(empty, ["a", "b"], THREE, {}, 20), 2)
    assert isinstance(absent, Interval) and math.isnan(absent.mean) and math.isnan(absent.low)
