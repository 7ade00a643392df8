"""The sum of the terms, and the weights of the classes."""

import math

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional as F

from seglet.losses.combined import CombinedLoss, LossConfig
from seglet.losses.pixelwise import cross_entropy
from seglet.losses.region import dice_loss


def _random(k: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, k, 5, 6, generator=generator)
    labels = torch.randint(0, max(2, k), (2, 5, 6), generator=generator)
    return logits, labels, 0.5 + torch.rand(2, 5, 6, generator=generator)


def _loss(**changed: object) -> CombinedLoss:
    return CombinedLoss(LossConfig(**({"cross_entropy": 1, "dice": 1} | changed)))  # type: ignore[arg-type]


@pytest.mark.parametrize(("a", "b"), [(1, 1), (2, 0.5), (0, 1), (1, 0), (0, 0)])
def test_terms_are_added_with_their_factors(a: float, b: float) -> None:
    batch = _random()
    expected = a * cross_entropy(*batch) + b * dice_loss(*batch)
    torch.testing.assert_close(_loss(cross_entropy=a, dice=b)(*batch), expected)


def test_class_weights_equal_those_of_torch() -> None:
    logits, labels, _ = _random()
    factors = (0.5, 2.0, 5.0)
    found = _loss(dice=0, class_weights=factors)(logits, labels, torch.ones(2, 5, 6))
    torch.testing.assert_close(found, F.cross_entropy(logits, labels, weight=torch.tensor(factors)))


def test_class_weights_by_hand_for_two_classes() -> None:
    logits = torch.tensor([[[[0.0, math.log(3)]]]])  # probabilities 1/2 and 3/4
    labels = torch.tensor([[[1, 0]]])
    found = _loss(dice=0, class_weights=(1, 3))(logits, labels, torch.ones(1, 1, 2))
    assert float(found) == pytest.approx((3 * math.log(2) + math.log(4)) / 4)


def test_class_weights_leave_dice_alone() -> None:
    batch = _random()
    plain = _loss(cross_entropy=0)(*batch)
    torch.testing.assert_close(_loss(cross_entropy=0, class_weights=(0, 1, 9))(*batch), plain)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("class_weights", [None, (1.0, 4.0, 2.0)])
def test_pixel_of_weight_zero_reaches_no_gradient(k: int, class_weights: tuple[float, ...] | None) -> None:
    logits, labels, weights = _random(k)
    weights[:, 3] = 0
    loss = _loss(class_weights=class_weights)(logits.requires_grad_(), labels, weights)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert not gradient[:, :, 3].any()
    assert gradient[:, :, :3].any()


def test_descent_lowers_the_loss() -> None:
    logits, labels, weights = _random()
    loss = _loss()
    first = loss(logits.requires_grad_(), labels, weights)
    (gradient,) = torch.autograd.grad(first, logits)
    assert loss(logits - gradient, labels, weights).item() < first.item()


def test_class_weights_are_no_part_of_a_checkpoint() -> None:
    assert not _loss(class_weights=(1, 2, 3)).state_dict()


@pytest.mark.parametrize("setting", [{"dice": -1}, {"cross_entropy": -1}, {"class_weights": (1, -1)}])
def test_impossible_setting_is_refused(setting: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(setting))):
        LossConfig(**setting)  # type: ignore[arg-type]
