"""Temperature: recovered where it is known, against a fine search, in place and block by block."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import expit, softmax

from seglet.core.errors import ConfigError, GeometryError
from seglet.postprocessing import calibration
from seglet.postprocessing.calibration import HIGHEST, LOWEST, fit_temperature, tempered

planes = hnp.arrays(
    np.float32, st.tuples(st.just(1), *[st.integers(1, 5)] * 2), elements=st.floats(0, 1, width=32)
)
temperatures = st.floats(0.1, 10)


def of_two(temperature: float, n: int = 40_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, its logits, and probabilities that are too bold by the temperature."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1, 1.5, n)
    return rng.random(n) < expit(logits), logits, expit(logits * temperature).astype(np.float32)


def of_three(temperature: float, n: int = 40_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 1.5, (3, n))
    truth = (softmax(logits, axis=0).cumsum(axis=0) < rng.random(n)).sum(axis=0)
    return truth, logits, softmax(logits * temperature, axis=0).astype(np.float32)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
@pytest.mark.parametrize("make", [of_two, of_three])
def test_a_known_temperature_is_found(make, temperature: float) -> None:
    truth, _, probabilities = make(temperature)
    assert fit_temperature(truth, probabilities) == pytest.approx(temperature, rel=0.04)


def test_no_temperature_of_a_fine_search_is_more_likely() -> None:
    truth, logits, probabilities = of_two(1.8, n=3000)
    tried = np.geomspace(LOWEST, HIGHEST, 6000)
    signed = np.where(truth, 1, -1) * logits * 1.8
    likely = [np.logaddexp(0, -signed / one).mean() for one in tried]
    assert fit_temperature(truth, probabilities) == pytest.approx(tried[np.argmin(likely)], rel=2e-3)


def test_two_rows_of_softmax_are_as_one_of_sigmoid() -> None:
    truth, _, probabilities = of_two(1.7, n=5000)
    rows = np.stack([1 - probabilities, probabilities])
    assert fit_temperature(truth.astype(int), rows) == pytest.approx(fit_temperature(truth, probabilities))


def test_a_network_that_is_always_right_or_always_wrong_meets_the_bounds() -> None:
    truth = np.arange(100) % 2 == 0
    right = np.where(truth, 0.8, 0.2)
    assert fit_temperature(truth, right) == pytest.approx(LOWEST, rel=1e-2)
    assert fit_temperature(truth, 1 - right) == pytest.approx(HIGHEST, rel=1e-2)
    assert math.isfinite(fit_temperature(truth, truth.astype(np.float32)))
    assert fit_temperature(~truth, truth.astype(np.float32)) == pytest.approx(HIGHEST, rel=1e-2)


def test_where_no_temperature_is_better_it_is_one() -> None:
    assert fit_temperature(np.zeros(0, bool), np.zeros(0, np.float32)) == 1
    assert fit_temperature(np.zeros(0, int), np.zeros((3, 0), np.float32)) == 1
    assert fit_temperature(np.arange(10) % 2 == 0, np.full(10, 0.5)) == 1


def test_many_pixels_are_drawn_from_always_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, _, probabilities = of_two(2.0)
    whole = fit_temperature(truth, probabilities)
    monkeypatch.setattr(calibration, "_MOST_VALUES", 20_000)
    drawn = fit_temperature(truth, probabilities)
    assert drawn == fit_temperature(truth, probabilities) != whole
    assert drawn == pytest.approx(whole, rel=0.06)


@pytest.mark.parametrize(
    ("truth", "probabilities"),
    [
        (np.zeros(3, int), np.zeros(4)),
        (np.zeros(3, int), np.zeros((2, 4))),
        (np.full(3, 2), np.zeros((2, 3))),
        (np.zeros((2, 3), int), np.zeros((2, 3))),
    ],
)
def test_probabilities_of_other_pixels_are_refused(truth: np.ndarray, probabilities: np.ndarray) -> None:
    with pytest.raises(GeometryError, match="one per pixel"):
        fit_temperature(truth, probabilities)


@given(planes, temperatures)
def test_tempered_are_the_probabilities_of_divided_logits(
    probabilities: np.ndarray, temperature: float
) -> None:
    inner = np.clip(probabilities.astype(np.float64), 1e-6, 1 - 1e-6)
    expected = expit(np.log(inner / (1 - inner)) / temperature)
    np.testing.assert_allclose(tempered(inner.copy(), temperature), expected, rtol=1e-7)
    both = np.concatenate([1 - inner, inner])
    np.testing.assert_allclose(tempered(both, temperature)[1:], expected, rtol=1e-7)


def test_tempered_softmax_is_that_of_divided_logits() -> None:
    _, logits, probabilities = of_three(1.0, n=600)
    found = tempered(probabilities.reshape(3, 5, 10, 12), 1.6)
    np.testing.assert_allclose(found.reshape(3, -1), softmax(logits / 1.6, axis=0), rtol=1e-4)
    np.testing.assert_allclose(found.sum(axis=0), 1, rtol=1e-6)


@given(planes, temperatures)
def test_order_decision_and_certainty_stay(probabilities: np.ndarray, temperature: float) -> None:
    found = tempered(probabilities.copy(), temperature)
    assert found.min() >= 0 and found.max() <= 1
    order = np.argsort(probabilities, axis=None)
    assert np.all(np.diff(found.ravel()[order]) >= 0)
    clear = np.abs(probabilities - 0.5) > 1e-4
    np.testing.assert_array_equal((found > 0.5)[clear], (probabilities > 0.5)[clear])
    certain = (probabilities == 0) | (probabilities == 1)
    np.testing.assert_array_equal(found[certain], probabilities[certain])


@given(planes)
def test_one_leaves_every_bit(probabilities: np.ndarray) -> None:
    before = probabilities.tobytes()
    assert tempered(probabilities, 1.0) is probabilities
    assert probabilities.tobytes() == before


def test_blocks_are_as_one_and_views_are_changed_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, probabilities = of_three(1.0, n=6 * 70)
    whole = tempered(probabilities.reshape(3, 6, 7, 10).copy(), 0.7)
    monkeypatch.setattr(calibration, "_AT_ONCE", 500)
    turned = probabilities.reshape(3, 6, 7, 10).copy().transpose(0, 3, 2, 1)
    assert tempered(turned, 0.7) is turned
    np.testing.assert_array_equal(turned.transpose(0, 3, 2, 1), whole)


def test_a_large_volume_is_not_copied() -> None:
    volume = np.full((1, 60, 512, 512), 0.7, np.float32)
    tracemalloc.start()
    try:
        tempered(volume, 2.0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 0.9 * volume.nbytes
    assert volume[0, 0, 0, 0] == pytest.approx(expit(math.log(0.7 / 0.3) / 2))


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_an_impossible_temperature_is_refused(temperature: float) -> None:
    with pytest.raises(ConfigError, match="positive"):
        tempered(np.zeros((1, 2, 2), np.float32), temperature)


def test_what_blending_rounds_above_one_stays_a_probability() -> None:
    above = np.nextafter(np.float32(1), np.float32(2))
    found = tempered(np.full((1, 2, 3), above, np.float32), 1.7)
    np.testing.assert_array_equal(found, 1)
