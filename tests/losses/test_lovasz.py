"""The Lovász extension against its definition, and the intersection over union where predictions are hard."""

import itertools

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from seglet.losses.lovasz import lovasz_loss


def _random(k: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, k, 5, 6, generator=generator)
    labels = torch.randint(0, max(2, k), (2, 5, 6), generator=generator)
    return logits, labels, torch.randint(0, 3, (2, 5, 6), generator=generator).float()


def _extension(errors: NDArray[np.float64], truth: NDArray[np.bool_]) -> float:
    """Sum over levels of the errors: the Jaccard loss of the pixels at least that wrong, times the step."""
    levels = np.unique(np.append(errors, 0))
    return sum(
        float(high - low) * _jaccard_loss(errors >= high, truth) for low, high in itertools.pairwise(levels)
    )


def _jaccard_loss(wrong: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    predicted = truth ^ wrong
    return 1 - float((predicted & truth).sum() / (predicted | truth).sum())


def _hard(labels: Tensor, k: int) -> Tensor:
    one_hot = torch.nn.functional.one_hot(labels, max(2, k)).movedim(-1, 1).float()
    return 200 * ((one_hot[:, 1:] if k == 1 else one_hot) - 0.5)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_equals_the_extension_by_definition(k: int) -> None:
    logits, labels, weights = _random(k)
    shares = torch.softmax(torch.cat([torch.zeros_like(logits), logits], 1) if k == 1 else logits, dim=1)
    counted = weights.numpy() > 0
    losses = []
    for c in range(1, max(2, k)):
        truth = labels.numpy()[counted] == c
        losses.append(_extension(np.abs(truth - shares[:, c].double().numpy()[counted]), truth))
    assert float(lovasz_loss(logits, labels, weights)) == pytest.approx(np.mean(losses), rel=1e-5)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_hard_predictions_cost_their_jaccard_loss(k: int) -> None:
    _, labels, weights = _random(k)
    _, predicted, _ = _random(max(2, k) + 1)
    predicted = predicted % max(2, k)
    counted = weights > 0
    losses = []
    for c in range(1, max(2, k)):
        there, said = (labels == c) & counted, (predicted == c) & counted
        losses.append(1 - float((there & said).sum() / (there | said).sum()))
    found = lovasz_loss(_hard(predicted, k), labels, weights)
    assert 0 < float(found) == pytest.approx(np.mean(losses), rel=1e-6)


def test_by_hand() -> None:
    """Errors 0.8 (a miss), 0.4 (a false alarm), 0.1 (right) of two pixels of the class and one beside it."""
    logits = torch.logit(torch.tensor([[[[0.2, 0.4, 0.9]]]]))
    labels = torch.tensor([[[1, 0, 1]]])
    # Jaccard losses when the worst one, two and three pixels are wrong: 1/2, 2/3, 1
    expected = 0.8 * 1 / 2 + 0.4 * (2 / 3 - 1 / 2) + 0.1 * (1 - 2 / 3)
    assert float(lovasz_loss(logits, labels, torch.ones(1, 1, 3))) == pytest.approx(expected)


def test_absent_class_does_not_count() -> None:
    logits, labels, _ = _random(3)
    labels = labels.clamp(max=1)
    weights = torch.ones(2, 5, 6)
    shares = torch.softmax(logits, dim=1)[:, 1].double().numpy().ravel()
    truth = labels.numpy().ravel() == 1
    expected = _extension(np.abs(truth - shares), truth)
    assert float(lovasz_loss(logits, labels, weights)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("k", [1, 3])
def test_pixel_of_weight_zero_changes_nothing(k: int) -> None:
    logits, labels, weights = _random(k)
    out = (weights == 0)[:, None].expand_as(logits)
    before = lovasz_loss(logits.requires_grad_(), labels, weights)
    (gradient,) = torch.autograd.grad(before, logits)
    assert not gradient[out].any()
    assert gradient[~out].any()
    changed = torch.where(out, 50.0, logits.detach())
    torch.testing.assert_close(lovasz_loss(changed, labels * (weights > 0), weights), before)


def test_many_pixels_lose_no_precision() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 1, 1000, 1000, generator=generator)
    labels = (torch.rand(1, 1000, 1000, generator=generator) < 0.01).long()
    single = lovasz_loss(logits, labels, torch.ones(1, 1000, 1000))
    double = lovasz_loss(logits.double(), labels, torch.ones(1, 1000, 1000))
    assert float(single) == pytest.approx(float(double), rel=1e-5)


def test_volume_costs_as_much_as_its_slices_side_by_side() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 4, 5, 6, generator=generator)
    labels = torch.randint(0, 3, (2, 4, 5, 6), generator=generator)
    weights = torch.randint(0, 3, (2, 4, 5, 6), generator=generator).float()
    flat = lovasz_loss(logits.flatten(2, 3), labels.flatten(1, 2), weights.flatten(1, 2))
    torch.testing.assert_close(lovasz_loss(logits, labels, weights), flat)
