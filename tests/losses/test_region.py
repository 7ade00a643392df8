"""Overlaps by hand and pixel by pixel, and silent where a pixel does not count."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from seglet.losses.region import SMOOTHING, dice_loss, foreground, jaccard_loss, tversky_loss


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


@pytest.mark.parametrize(("alpha", "beta"), [(0.3, 0.7), (0.9, 0.1)])
@pytest.mark.parametrize("k", [1, 2, 4])
def test_tversky_equals_the_paper_pixel_by_pixel(k: int, alpha: float, beta: float) -> None:
    logits, labels = _random(k)
    weights = torch.randint(0, 3, (2, 5, 6), generator=torch.Generator().manual_seed(1)).float()
    indexes = []
    for c in range(1, max(2, k)):
        hit = false_alarm = miss = 0.0
        for n, y, x in np.ndindex(2, 5, 6):
            if not weights[n, y, x]:
                continue
            here = logits[n, :, y, x].double().numpy()
            odds = np.exp([0, here[0]] if k == 1 else here)
            p, is_there = odds[c] / odds.sum(), int(labels[n, y, x]) == c
            hit += p * is_there
            false_alarm += p * (not is_there)
            miss += (1 - p) * is_there
        half = SMOOTHING / 2
        indexes.append((hit + half) / (hit + alpha * false_alarm + beta * miss + half))
    found = tversky_loss(logits, labels, weights, alpha, beta)
    assert float(found) == pytest.approx(1 - np.mean(indexes), rel=1e-5)


def test_misses_cost_what_beta_says() -> None:
    logits = torch.full((1, 1, 1, 100), -50.0)
    logits[..., :60] = 50
    labels = torch.zeros(1, 1, 100, dtype=torch.int64)
    labels[..., 20:] = 1  # 40 hits, 20 false alarms, 40 misses
    found = tversky_loss(logits, labels, torch.ones(1, 1, 100), alpha=0.3, beta=0.7)
    assert float(found) == pytest.approx(1 - 40.5 / (40.5 + 0.3 * 20 + 0.7 * 40))


def test_jaccard_by_hand() -> None:
    logits = torch.tensor([[[[0.0, math.log(3), -math.log(3)]]]])  # 1/2, 3/4, 1/4
    labels = torch.tensor([[[1, 1, 0]]])
    shared, union = 0.5 + 0.75, 1.5 + 2 - 1.25
    expected = 1 - (2 * shared + SMOOTHING) / (2 * union + SMOOTHING)
    assert float(jaccard_loss(logits, labels, torch.ones(1, 1, 3))) == pytest.approx(expected)


def test_foreground_of_three_classes_leaves_out_the_background_and_what_does_not_count() -> None:
    logits = torch.log(torch.tensor([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8], [0.3, 0.3, 0.4]])).T[None, :, None]
    labels = torch.tensor([[[1, 2, 0]]])
    probabilities, truth = foreground(logits, labels, torch.tensor([[[1.0, 5.0, 0.0]]]))
    torch.testing.assert_close(probabilities, torch.tensor([[[[0.5, 0.1, 0.0]], [[0.3, 0.8, 0.0]]]]))
    assert truth.tolist() == [[[[1, 0, 0]], [[0, 1, 0]]]]
