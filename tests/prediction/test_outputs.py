"""Channels of the logits, read by their meaning."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from seglet.model import Model, ModelCard
from seglet.patches.targets import TargetConfig
from seglet.prediction.outputs import class_probabilities, raw_planes

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


def test_probabilities_of_classes(card: Callable[[str], ModelCard]) -> None:
    raw = np.array([0.2, 0.5, 0.3], np.float32).reshape(3, 1, 1)
    assert class_probabilities(raw, card("classes")) is raw
    np.testing.assert_allclose(class_probabilities(raw, card("borders")).ravel(), [0.8])
    np.testing.assert_allclose(class_probabilities(raw, card("distance")).ravel(), [0.2, 0.5])
    np.testing.assert_allclose(class_probabilities(raw[1:], card("distance")).ravel(), [0.5])
