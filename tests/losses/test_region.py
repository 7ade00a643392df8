"""Dice loss by hand, and silent where a pixel does not count."""

import math

import pytest
import torch
from torch import Tensor

from seglet.losses.region import SMOOTHING, dice_loss


def _random(k: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, k, 5, 6, generator=generator)
    return logits, torch.randint(0, max(2, k), (2, 5, 6), generator=generator)


def test_two_classes_by_hand() -> None:
    logits = torch.tensor([[[[0.0, math.log(3), -math.log(3)]]]])  # 1/2, 3/4, 1/4
    labels = torch.tensor([[[1, 1, 0]]])
    overlap, size = 0.5 + 0.75, 1.5 + 2
    expected = 1 - (2 * overlap + SMOOTHING) / (size + SMOOTHING)
    assert float(dice_loss(logits, labels, torch.ones(1, 1, 3))) == pytest.approx(expected)


def test_several_classes_are_a_mean_over_the_foreground() -> None:
    logits = torch.log(torch.tensor([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])).T[None, :, None]
    labels = torch.tensor([[[1, 2]]])
    one = (2 * 0.5 + SMOOTHING) / (0.6 + 1 + SMOOTHING)
    two = (2 * 0.8 + SMOOTHING) / (1.1 + 1 + SMOOTHING)
    found = dice_loss(logits, labels, torch.ones(1, 1, 2))
    assert float(found) == pytest.approx(1 - (one + two) / 2)


def test_dice_is_of_the_whole_batch() -> None:
    logits, labels = _random(1)
    weights = torch.ones(2, 5, 6)
    side_by_side = torch.cat([logits[:1], logits[1:]], dim=-1)
    together = dice_loss(side_by_side, torch.cat([labels[:1], labels[1:]], dim=-1), torch.ones(1, 5, 12))
    torch.testing.assert_close(dice_loss(logits, labels, weights), together)


@pytest.mark.parametrize("k", [1, 3])
def test_perfect_is_zero_and_opposite_nearly_one(k: int) -> None:
    labels = torch.arange(400).reshape(1, 20, 20) % max(2, k)
    one_hot = torch.nn.functional.one_hot(labels, max(2, k)).movedim(-1, 1).float()
    sure = 200 * ((one_hot[:, 1:] if k == 1 else one_hot) - 0.5)
    weights = torch.ones(1, 20, 20)
    assert float(dice_loss(sure, labels, weights)) == pytest.approx(0, abs=1e-5)
    assert 0.98 < float(dice_loss(sure, (labels + 1) % max(2, k), weights)) <= 1


def test_absent_class_that_is_not_predicted_costs_nothing() -> None:
    logits = torch.full((1, 1, 4, 4), -100.0)
    labels = torch.zeros(1, 4, 4, dtype=torch.int64)
    assert float(dice_loss(logits, labels, torch.ones(1, 4, 4))) == pytest.approx(0)


@pytest.mark.parametrize("k", [1, 3])
def test_pixel_of_weight_zero_changes_nothing(k: int) -> None:
    logits, labels = _random(k)
    weights = torch.ones(2, 5, 6)
    weights[1, :, 3:] = 0
    before = dice_loss(logits.requires_grad_(), labels, weights)
    (gradient,) = torch.autograd.grad(before, logits)
    assert not gradient[1, :, :, 3:].any()
    assert gradient[1, :, :, :3].any()
    with torch.no_grad():
        logits[1, :, :, 3:] = 50
    labels[1, :, 3:] = 0
    torch.testing.assert_close(dice_loss(logits, labels, weights), before)


def test_size_of_positive_weights_does_not_matter() -> None:
    logits, labels = _random(3)
    weights = 1 + 9 * torch.rand(2, 5, 6)
    torch.testing.assert_close(
        dice_loss(logits, labels, weights), dice_loss(logits, labels, torch.ones(2, 5, 6))
    )


def test_nothing_counted_has_no_gradient() -> None:
    logits, labels = _random(3)
    loss = dice_loss(logits.requires_grad_(), labels, torch.zeros(2, 5, 6))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.item() == 0
    assert not gradient.any()


@pytest.mark.parametrize("k", [1, 3])
def test_volume_costs_as_much_as_its_slices_side_by_side(k: int) -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, k, 4, 5, 6, generator=generator)
    labels = torch.randint(0, max(2, k), (2, 4, 5, 6), generator=generator)
    weights = torch.randint(0, 3, (2, 4, 5, 6), generator=generator).float()
    flat = dice_loss(logits.flatten(2, 3), labels.flatten(1, 2), weights.flatten(1, 2))
    torch.testing.assert_close(dice_loss(logits, labels, weights), flat)
