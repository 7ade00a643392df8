import numpy as np
import pytest
import torch
from torch import Tensor

from seglet.prediction.engines.engine import NetworkEngine
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.engines.trial import LEAST_DICE, agreement, expect, try_engine


class Shifted(NetworkEngine):
    """Logits that are a constant off."""

    name = "shifted"

    def __init__(self, exact: TorchEngine, by: float, card) -> None:  # type: ignore[no-untyped-def]
        super().__init__(card)
        self._exact, self._by = exact, by

    def _logits(self, images: Tensor) -> Tensor:
        return torch.from_numpy(self._exact.logits(images.numpy())) + self._by


def test_tells_how_far_an_engine_is_off(make_model) -> None:  # type: ignore[no-untyped-def]
    model, windows = make_model(), np.random.default_rng(0).random((2, 1, 32, 32), np.float32)
    exact = TorchEngine(model, "fp32")
    expected = expect(exact, [window[None] for window in windows], model.card)
    own = try_engine(("torch", "fp32"), exact, expected, model.card)
    assert (own.largest_logit, own.largest_probability, own.dice) == (0, 0, 1)
    assert own.is_close
    assert own.milliseconds > 0
    off = try_engine(("onnx", "fp32"), Shifted(exact, 0.25, model.card), expected, model.card)
    assert off.largest_logit == pytest.approx(0.25, abs=1e-5)
    true, found = (exact.run(windows) > 0.5), 1 / (1 + np.exp(-exact.logits(windows) - 0.25)) > 0.5
    assert off.dice == pytest.approx(2 * (true & found).sum() / (true.sum() + found.sum()))
    assert off.is_close == (off.dice >= LEAST_DICE)


def test_agreement_is_that_of_the_worst_class(make_model) -> None:  # type: ignore[no-untyped-def]
    card = make_model(3).card
    labels = np.array([0, 1, 1, 2, 2, 2])
    other = np.array([0, 1, 1, 2, 2, 1])
    one, two = (np.eye(3, dtype=np.float32)[each].T[None, :, None] for each in (labels, other))
    assert agreement(two, one, card) == pytest.approx(0.8)


def test_nothing_anywhere_agrees(make_model) -> None:  # type: ignore[no-untyped-def]
    empty = np.zeros((1, 1, 4, 4), np.float32)
    assert agreement(empty, empty, make_model().card) == 1
