"""Cross-entropy against torch, by hand, and silent where a pixel does not count."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seglet.losses.pixelwise import cross_entropy


def _random(k: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, k, 5, 6, generator=generator)
    return logits, torch.randint(0, max(2, k), (2, 5, 6), generator=generator)


def test_equals_torch_for_several_classes() -> None:
    logits, labels = _random(4)
    found = cross_entropy(logits, labels, torch.ones(2, 5, 6))
    torch.testing.assert_close(found, F.cross_entropy(logits, labels))


def test_equals_torch_for_two_classes() -> None:
    logits, labels = _random(1)
    found = cross_entropy(logits, labels, torch.ones(2, 5, 6))
    torch.testing.assert_close(found, F.binary_cross_entropy_with_logits(logits[:, 0], labels.float()))


def test_one_logit_equals_two_whose_first_is_zero() -> None:
    logits, labels = _random(1)
    weights = torch.rand(2, 5, 6)
    two = torch.cat([torch.zeros_like(logits), logits], dim=1)
    torch.testing.assert_close(cross_entropy(logits, labels, weights), cross_entropy(two, labels, weights))


def test_weighted_mean_by_hand() -> None:
    logits = torch.tensor([[[[0.0, math.log(3)]]]])  # probabilities 1/2 and 3/4
    labels = torch.tensor([[[1, 0]]])
    weights = torch.tensor([[[3.0, 1.0]]])
    expected = (3 * math.log(2) + 1 * math.log(4)) / 4
    assert float(cross_entropy(logits, labels, weights)) == pytest.approx(expected)


@pytest.mark.parametrize("k", [1, 3])
def test_pixel_of_weight_zero_changes_nothing(k: int) -> None:
    logits, labels = _random(k)
    weights = torch.ones(2, 5, 6)
    weights[0, 2:] = 0
    before = cross_entropy(logits.requires_grad_(), labels, weights)
    (gradient,) = torch.autograd.grad(before, logits)
    assert not gradient[0, :, 2:].any()
    assert gradient[0, :, :2].all()
    with torch.no_grad():
        logits[0, :, 2:] = 50
    labels[0, 2:] = 0
    torch.testing.assert_close(cross_entropy(logits, labels, weights), before)


def test_nothing_counted_is_zero_with_a_finite_gradient() -> None:
    logits, labels = _random(3)
    loss = cross_entropy(logits.requires_grad_(), labels, torch.zeros(2, 5, 6))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.item() == 0
    assert not gradient.any()


@pytest.mark.parametrize("k", [1, 2])
def test_certain_and_wrong_stays_finite(k: int) -> None:
    logits = torch.full((1, k, 1, 1), -1000.0)
    logits[:, 0] = 1000
    labels = torch.full((1, 1, 1), 1 if k == 2 else 0)
    assert math.isfinite(float(cross_entropy(logits, labels, torch.ones(1, 1, 1))))


@pytest.mark.parametrize("k", [1, 3])
def test_volume_costs_as_much_as_its_slices_side_by_side(k: int) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, k, 4, 5, 6, generator=generator)
    labels = torch.randint(0, max(2, k), (2, 4, 5, 6), generator=generator)
    weights = torch.rand(2, 4, 5, 6, generator=generator)
    flat = cross_entropy(logits.flatten(2, 3), labels.flatten(1, 2), weights.flatten(1, 2))
    torch.testing.assert_close(cross_entropy(logits, labels, weights), flat)
