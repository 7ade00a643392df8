"""Means over pixels against torch, numpy and by hand, and silent where a pixel does not count."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from seglet.losses.pixelwise import cross_entropy, distance_loss, focal_loss


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


@pytest.mark.parametrize("gamma", [0, 0.5, 2, 5])
@pytest.mark.parametrize("k", [1, 2, 4])
def test_focal_equals_the_paper_pixel_by_pixel(k: int, gamma: float) -> None:
    logits, labels = _random(k)
    weights = torch.randint(0, 3, (2, 5, 6), generator=torch.Generator().manual_seed(1)).float()
    total = 0.0
    for n, y, x in np.ndindex(2, 5, 6):
        here = logits[n, :, y, x].double().numpy()
        odds = np.exp([0, here[0]] if k == 1 else here)
        p = odds[labels[n, y, x]] / odds.sum()
        total -= float(weights[n, y, x]) * (1 - p) ** gamma * math.log(p)
    found = focal_loss(logits, labels, weights, gamma)
    assert float(found) == pytest.approx(total / float(weights.sum()), rel=1e-5)


def test_focal_by_hand() -> None:
    logits = torch.tensor([[[[0.0, math.log(3)]]]])  # probabilities 1/2 and 3/4
    labels = torch.tensor([[[1, 0]]])
    weights = torch.tensor([[[3.0, 1.0]]])
    expected = (3 * math.log(2) / 4 + math.log(4) * 9 / 16) / 4
    assert float(focal_loss(logits, labels, weights, gamma=2)) == pytest.approx(expected)


def test_focal_without_gamma_is_cross_entropy() -> None:
    logits, labels = _random(3)
    weights = torch.rand(2, 5, 6)
    torch.testing.assert_close(
        focal_loss(logits, labels, weights, gamma=0), cross_entropy(logits, labels, weights)
    )


@pytest.mark.parametrize("gamma", [0.5, 1, 2])
def test_focal_slope_is_finite_where_a_pixel_is_certain(gamma: float) -> None:
    logits = torch.tensor([[[[-90.0, 90.0, -90.0, 90.0]]]], requires_grad=True)
    labels = torch.tensor([[[0, 1, 1, 0]]])
    (gradient,) = torch.autograd.grad(focal_loss(logits, labels, torch.ones(1, 1, 4), gamma), logits)
    torch.testing.assert_close(gradient, torch.tensor([[[[0.0, 0.0, -0.25, 0.25]]]]))


def test_distance_by_hand() -> None:
    logits = torch.tensor([[[0.0, math.log(3), 7.0]]])  # distances 1/2 and 3/4; the last does not count
    distances = torch.tensor([[[0.0, 1.0, 0.0]]])
    weights = torch.tensor([[[1.0, 3.0, 0.0]]])
    assert float(distance_loss(logits, distances, weights)) == pytest.approx((0.5 + 3 * 0.25) / 4)


def test_distance_without_a_counted_pixel_is_zero() -> None:
    logits = torch.ones(1, 2, 2, requires_grad=True)
    loss = distance_loss(logits, torch.zeros(1, 2, 2), torch.zeros(1, 2, 2))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.item() == 0
    assert not gradient.any()
