"""Published rules for weights of classes; the figures are computed by hand."""

import pytest
import torch

from seglet.losses.balance import balanced, enet, inverse_frequency
from seglet.losses.combined import CombinedLoss, LossConfig


def test_enet_weights() -> None:
    """Paszke et al. 2016: 1 / ln(1.02 + p).

    ln 1.02 = 0.0198026, ln 1.12 = 0.1133287, ln 1.52 = 0.4187103, ln 1.92 = 0.6523252, ln 2.02 = 0.7030975.
    """
    expected = (50.49835, 8.823891, 2.388286, 1.532978, 1.422278)
    assert enet((0, 0.1, 0.5, 0.9, 1)) == pytest.approx(expected, rel=1e-5)


def test_inverse_frequency_weights() -> None:
    """Vessels on one pixel in ten: 1 / (2 * 0.9) and 1 / (2 * 0.1); the mean is 0.9 * 5/9 + 0.1 * 5 = 1."""
    assert inverse_frequency((0.9, 0.1)) == pytest.approx((5 / 9, 5))
    assert inverse_frequency((0.5, 0.25, 0.25)) == pytest.approx((2 / 3, 4 / 3, 4 / 3))


def test_weight_of_the_unet_paper_is_a_sum() -> None:
    """Ronneberger et al. 2015, equation (2): w = w_c + border.

    Background, background between cells with a border term of 9, two cells. With w_c = 1/2 and 1 the weights
    are 1/2, 1/2 + 9, 1, 1. The second pixel is right by 3/4, a loss of ln(4/3) = 0.2876821; the others have
    even odds, ln 2 each. The mean is (2.5 * 0.6931472 + 9.5 * 0.2876821) / 12 = 0.3721540.
    """
    logits = torch.tensor([[[[0.0, -1.0986123, 0.0, 0.0]]]])
    labels = torch.tensor([[[0, 0, 1, 1]]])
    weights = torch.tensor([[[1.0, 10.0, 1.0, 1.0]]])
    loss = CombinedLoss(LossConfig(dice=0, class_weights=(0.5, 1)))
    assert float(loss(logits, labels, weights)) == pytest.approx(0.3721540, rel=1e-5)


def test_enet_balance_reaches_the_loss() -> None:
    """Nine of ten pixels background, all of even odds but the cell, whose loss is ln 4 = 1.3862944.

    (9 * 1.532978 * 0.6931472 + 8.823891 * 1.3862944) / (9 * 1.532978 + 8.823891) = 21.79573 / 22.62069.
    """
    logits = torch.zeros(1, 1, 1, 10)
    logits[..., 0] = -1.0986123
    labels = torch.zeros(1, 1, 10, dtype=torch.int64)
    labels[..., 0] = 1
    config = balanced(LossConfig(dice=0, class_balance="enet"), (0.9, 0.1))
    found = CombinedLoss(config)(logits, labels, torch.ones(1, 1, 10))
    assert float(found) == pytest.approx(0.9635304, rel=1e-5)
