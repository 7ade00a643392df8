"""The way to objects is the best that was tried, always the same, and simple where that is as good."""

import math

import numpy as np
import pytest

from noise_planes import cell_planes
from seglet.core.errors import ConfigError
from seglet.metrics.instances import dsb_score, overlaps
from seglet.postprocessing.decode import decode
from seglet.postprocessing.fitting import Example, Fitted, fit_decoding
from seglet.postprocessing.settings import DecodingConfig


def _dsb(truth: np.ndarray, found: np.ndarray, counted: np.ndarray | None) -> float:
    return dsb_score(overlaps(truth, found, counted))


def _examples(n_planes: int, n: int = 2, side: int = 96) -> list[Example]:
    return [Example(*cell_planes((side, side), n_planes, seed)) for seed in range(n)]


@pytest.fixture(scope="module")
def of_distances() -> Fitted:
    """Fitted to what tells touching cells apart."""
    return fit_decoding(_examples(2), DecodingConfig(), _dsb, "dsb")


def test_score_is_the_mean_of_what_was_chosen(of_distances: Fitted) -> None:
    scores = [_dsb(e.truth, decode(e.planes, of_distances.config), None) for e in _examples(2)]
    assert of_distances.score == pytest.approx(np.mean(scores))
    assert of_distances.score == max(of_distances.by_method.values())
    assert (of_distances.metric, of_distances.n_images) == ("dsb", 2)


def test_touching_cells_are_told_apart_by_their_distances(of_distances: Fitted) -> None:
    assert of_distances.config.method == "distance"
    assert set(of_distances.by_method) == {"components", "probability", "waist", "distance"}
    assert of_distances.score > of_distances.by_method["components"] + 0.2


def test_interior_is_tried_where_there_are_borders() -> None:
    found = fit_decoding(_examples(3), DecodingConfig(), _dsb)
    assert set(found.by_method) == {"components", "probability", "waist", "interior"}
    assert found.config.method == "interior"


def test_same_images_give_the_same(of_distances: Fitted) -> None:
    assert fit_decoding(_examples(2), DecodingConfig(), _dsb, "dsb") == of_distances


def test_cost_is_bounded(of_distances: Fitted) -> None:
    counted = 0

    def score(truth: np.ndarray, found: np.ndarray, _: np.ndarray | None) -> float:
        nonlocal counted
        counted += 1
        return float(np.random.default_rng(counted).random())

    found = fit_decoding(_examples(2, n=1, side=32), DecodingConfig(), score)
    assert counted == found.tried <= 64
    assert of_distances.tried <= 64


def test_of_equally_good_ways_the_simplest_and_nearest_is_taken() -> None:
    base = DecodingConfig(threshold=0.45, min_size=3, max_hole=2, edge="remove")
    found = fit_decoding(_examples(2, n=1), base, lambda *_: 0.5)
    assert found.config == base.model_copy(update={"method": "components"})


def test_said_method_and_rules_stay() -> None:
    base = DecodingConfig(method="depth", keep="largest", edge="remove")
    found = fit_decoding(_examples(2, n=1), base, _dsb)
    assert (found.config.method, found.config.keep, found.config.edge) == ("depth", "largest", "remove")
    assert set(found.by_method) == {"depth"}


def test_specks_are_removed_by_a_size_from_the_true_objects() -> None:
    planes, truth = cell_planes((96, 96), 1, 0)
    truth = decode((truth > 0).astype(np.float32)[None], DecodingConfig(min_size=40))
    planes = np.maximum((truth > 0).astype(np.float32), 0)[None]
    planes[0, ::7, ::7] = 1
    found = fit_decoding([Example(planes, truth)], DecodingConfig(), _dsb)
    assert found.config.min_size > 1
    assert found.score > 0.95


def test_only_counted_pixels_count() -> None:
    planes, truth = cell_planes((96, 96), 2, 0)
    counted = np.zeros(truth.shape, bool)
    counted[:, :48] = True
    spoiled = planes.copy()
    spoiled[:, :, 48:] = 0
    half = fit_decoding([Example(spoiled, truth, counted)], DecodingConfig(), _dsb)
    whole = fit_decoding([Example(spoiled, truth)], DecodingConfig(), _dsb)
    assert half.score > whole.score + 0.2


def test_images_that_score_nothing_are_left_out() -> None:
    empty = Example(np.zeros((1, 32, 32), np.float32), np.zeros((32, 32), np.int32))

    def score(truth: np.ndarray, found: np.ndarray, counted: np.ndarray | None) -> float:
        return _dsb(truth, found, counted) if truth.any() else math.nan

    alone = fit_decoding(_examples(1, n=1), DecodingConfig(), score)
    assert fit_decoding([*_examples(1, n=1), empty], DecodingConfig(), score).score == alone.score


def test_no_image_and_missing_planes_are_refused() -> None:
    with pytest.raises(ConfigError, match="no image"):
        fit_decoding([], DecodingConfig(), _dsb)
    with pytest.raises(ConfigError, match="interior"):
        fit_decoding(_examples(1, n=1, side=32), DecodingConfig(method="interior"), _dsb)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_without_time_the_best_so_far_is_taken(n: int, of_distances: Fitted) -> None:
    left = iter([True] * n)
    found = fit_decoding(_examples(2), DecodingConfig(), _dsb, "dsb", lambda: next(left, False))
    assert found.tried == n + 1, "the first is tried in any case"
    assert found.score <= of_distances.score
    scores = [_dsb(e.truth, decode(e.planes, found.config), None) for e in _examples(2)]
    assert found.score == pytest.approx(np.mean(scores))
