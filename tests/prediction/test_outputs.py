"""Channels of the logits, read by their meaning."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from seglet.model import Model, ModelCard, n_outputs
from seglet.networks.unet import UNetConfig
from seglet.patches.targets import TargetConfig
from seglet.postprocessing.settings import DecodingConfig
from seglet.prediction.outputs import answer, calibrated, class_probabilities, n_planes, raw_planes

MakeModel = Callable[..., Model]
LOGITS = torch.tensor([0.5, -1.0, 2.0, 0.3]).reshape(1, 4, 1, 1)
E = np.exp


@pytest.fixture
def card(make_model: MakeModel) -> Callable[[str], ModelCard]:
    plain = make_model().card
    return lambda kind: plain.model_copy(update={"targets": TargetConfig(kind=kind)})  # type: ignore[arg-type]


def planes(n: int, card: ModelCard) -> list[float]:
    return raw_planes(LOGITS[:, :n], card).flatten().tolist()


def test_classes_by_hand(card: Callable[[str], ModelCard]) -> None:
    assert planes(1, card("classes")) == pytest.approx([1 / (1 + E(-0.5))])
    assert planes(2, card("classes")) == pytest.approx([E(-1.0) / (E(-1.0) + E(0.5))]), "the second class"
    total = E(0.5) + E(-1.0) + E(2.0)
    assert planes(3, card("classes")) == pytest.approx([E(0.5) / total, E(-1.0) / total, E(2.0) / total])


def test_background_interior_and_border_add_up_to_one(card: Callable[[str], ModelCard]) -> None:
    found = planes(3, card("borders"))
    assert found == pytest.approx(planes(3, card("classes")))
    assert sum(found) == pytest.approx(1)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_the_distance_is_the_last_plane(card: Callable[[str], ModelCard], n: int) -> None:
    found = planes(n, card("distance"))
    assert found[:-1] == pytest.approx(planes(n - 1, card("classes")))
    assert found[-1] == pytest.approx(1 / (1 + E(-float(LOGITS[0, n - 1, 0, 0]))))


@pytest.mark.parametrize("kind", ["classes", "borders", "distance"])
@pytest.mark.parametrize("head", ["sigmoid", "softmax"])
def test_planes_are_counted_as_they_are_given(kind: Any, head: Any, make_model: MakeModel) -> None:
    changed = {"targets": TargetConfig(kind=kind), "network": UNetConfig(head=head)}
    card = make_model().card.model_copy(update=changed)
    assert raw_planes(torch.zeros(1, n_outputs(card), 2, 2), card).shape[1] == n_planes(card)


def test_probabilities_of_classes(card: Callable[[str], ModelCard]) -> None:
    raw = np.array([0.2, 0.5, 0.3], np.float32).reshape(3, 1, 1)
    assert class_probabilities(raw, card("classes")) is raw
    np.testing.assert_allclose(class_probabilities(raw, card("borders")).ravel(), [0.8])
    np.testing.assert_allclose(class_probabilities(raw, card("distance")).ravel(), [0.2, 0.5])
    np.testing.assert_allclose(class_probabilities(raw[1:], card("distance")).ravel(), [0.5])


def test_what_the_recipe_says_is_removed_of_each_class(card: Callable[[str], ModelCard]) -> None:
    raw = np.zeros((3, 6, 12), np.float32)
    raw[0] = 0.2
    raw[1, 1:4, 1:5] = raw[1, 5, 8] = raw[2, 1:3, 8:11] = 0.8
    ruled = card("classes").model_copy(update={"rules": DecodingConfig(keep="largest")})
    plan = ruled.plan.model_copy(update={"n_classes": 3})
    labels, probabilities, objects = answer(raw, ruled.model_copy(update={"plan": plan}))
    assert (labels == 1).sum() == 12
    assert (labels == 2).sum() == 6
    assert labels[5, 8] == 0
    assert probabilities is raw
    assert objects is None


def test_objects_and_foreground_are_the_same_pixels(card: Callable[[str], ModelCard]) -> None:
    raw = np.zeros((1, 6, 12), np.float32)
    raw[0, 1:4, 1:5] = raw[0, 5, 8] = 0.8
    apart = card("classes").model_copy(update={"decoding": DecodingConfig(method="components", min_size=2)})
    labels, _, objects = answer(raw, apart)
    assert objects is not None
    assert objects.max() == 1
    np.testing.assert_array_equal(labels, objects > 0)
    assert labels.sum() == 12


def test_a_temperature_leaves_distances_as_they_are(card: Callable[[str], ModelCard]) -> None:
    raw = np.array([[[0.8]], [[0.8]]], np.float32)
    warm = card("distance").model_copy(update={"temperature": 2.0})
    found = calibrated(raw, warm)
    assert found is raw
    odds = (0.8 / 0.2) ** 0.5
    np.testing.assert_allclose(found.ravel(), [odds / (1 + odds), 0.8], rtol=1e-6)
