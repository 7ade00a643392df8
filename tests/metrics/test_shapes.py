"""Figures of a class's shape, as protocols ask for them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seglet.core.image import Image
from seglet.metrics.centerline import CENTERLINE_METRICS
from seglet.metrics.protocols import PROTOCOLS, protocol_named
from seglet.metrics.shapes import SHAPE_METRICS, shape_figures, shape_metrics
from seglet.metrics.surface import SURFACE_METRICS, VOLUME_METRICS

LITS, DRIVE, PIXELS = (protocol_named(name) for name in ("lits", "drive", "pixels"))
volumes = arrays(np.bool_, (3, 4, 5))


def image(shape: tuple[int, ...], spacing: tuple[float, ...] = (), unit: str = "px") -> Image:
    return Image(np.zeros((1, *shape), np.uint8), spacing, unit)


def figures(truth: np.ndarray, predicted: np.ndarray, spacing: tuple[float, ...]) -> dict[str, float]:
    everywhere = np.ones(truth.shape, bool)
    return shape_figures(truth, predicted, everywhere, image(truth.shape, spacing, "mm"), LITS)


def test_every_protocol_gets_what_it_asks_for_and_nothing_else() -> None:
    mask = np.zeros((6, 7), bool)
    mask[2:4, 1:6] = True
    for protocol in PROTOCOLS.values():
        found = shape_figures(mask, mask, np.ones_like(mask), image(mask.shape), protocol)
        assert tuple(found) == shape_metrics(protocol)
        assert set(found) <= set(SHAPE_METRICS)
    assert shape_metrics(LITS) == (*VOLUME_METRICS, *SURFACE_METRICS)
    assert shape_metrics(DRIVE) == CENTERLINE_METRICS
    assert shape_metrics(PIXELS) == ()


@given(volumes, st.tuples(*[st.floats(0.5, 5)] * 3))
def test_what_is_identical_has_no_distance(mask: np.ndarray, spacing: tuple[float, ...]) -> None:
    found = figures(mask, mask, spacing)
    assert found["voe"] == 0
    assert found["truth_volume"] == found["predicted_volume"]
    assert all(found[name] == 0 if mask.any() else math.isnan(found[name]) for name in ("assd", "hd95"))
    assert math.isnan(found["surface_dice"]) if not mask.any() else found["surface_dice"] == 1


@given(volumes, volumes, st.floats(0.5, 5))
def test_distances_grow_with_the_spacing_and_volumes_with_its_cube(
    truth: np.ndarray, predicted: np.ndarray, step: float
) -> None:
    once, again = figures(truth, predicted, (1, 1, 1)), figures(truth, predicted, (step, step, step))
    for name in ("assd", "rmsd", "max_distance", "hd95"):
        assert again[name] == pytest.approx(step * once[name], nan_ok=True)
    assert again["truth_volume"] == pytest.approx(step**3 * once["truth_volume"])
    assert again["voe"] == pytest.approx(once["voe"])
    assert again["rvd"] == pytest.approx(once["rvd"], nan_ok=True)


@given(volumes, volumes)
def test_without_a_spacing_only_ratios_are_known(truth: np.ndarray, predicted: np.ndarray) -> None:
    everywhere = np.ones(truth.shape, bool)
    unknown = shape_figures(truth, predicted, everywhere, image(truth.shape), LITS)
    known = figures(truth, predicted, (1, 1, 1))
    for name, value in unknown.items():
        if name in ("voe", "rvd"):
            assert value == pytest.approx(known[name], nan_ok=True)
        else:
            assert math.isnan(value)
