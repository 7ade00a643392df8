"""What U-Nets are built from."""

import math
from itertools import product
from typing import get_args

import pytest
import torch
from torch import nn

from seglet.networks.blocks import (
    ACTIVATIONS,
    NORMS,
    Activation,
    ConvBlock,
    Norm,
    Up,
    Upsampling,
    start_weights,
)


def _block(norm: Norm = "batch", dropout: float = 0.0, n_convolutions: int = 2) -> ConvBlock:
    return ConvBlock(3, 8, norm=norm, activation="relu", dropout=dropout, n_convolutions=n_convolutions)


def test_tables_hold_every_choice() -> None:
    assert set(NORMS) == set(get_args(Norm))
    assert set(ACTIVATIONS) == set(get_args(Activation))


@pytest.mark.parametrize(("norm", "activation"), list(product(get_args(Norm), get_args(Activation))))
def test_block_keeps_the_size(norm: Norm, activation: Activation) -> None:
    block = ConvBlock(3, 8, norm=norm, activation=activation, dropout=0.1, n_convolutions=2)
    assert block(torch.zeros(2, 3, 5, 7)).shape == (2, 8, 5, 7)


@pytest.mark.parametrize("width", [1, 4, 8, 10, 12, 30, 64])
def test_groups_divide_any_width(width: int) -> None:
    norm = NORMS["group"](width)
    assert isinstance(norm, nn.GroupNorm)
    assert width % norm.num_groups == 0
    assert norm(torch.zeros(2, width, 3, 3)).shape == (2, width, 3, 3)


@pytest.mark.parametrize("n_convolutions", [1, 2, 3])
def test_dropout_stands_between_the_convolutions_only(n_convolutions: int) -> None:
    kinds = [type(layer) for layer in _block(dropout=0.5, n_convolutions=n_convolutions)]
    assert kinds.count(nn.Conv2d) == n_convolutions
    assert kinds.count(nn.Dropout) == n_convolutions - 1
    assert kinds[0] is nn.Conv2d
    assert kinds[-1] is nn.ReLU


def test_no_dropout_layer_where_none_is_wished() -> None:
    assert not any(isinstance(layer, nn.Dropout) for layer in _block())


@pytest.mark.parametrize(("norm", "has_bias"), [("none", True), ("batch", False), ("instance", False)])
def test_bias_only_where_no_norm_would_cancel_it(norm: Norm, has_bias: bool) -> None:
    convolutions = [layer for layer in _block(norm) if isinstance(layer, nn.Conv2d)]
    assert all((c.bias is not None) == has_bias for c in convolutions)


@pytest.mark.parametrize("kind", get_args(Upsampling))
def test_up_doubles_the_size(kind: Upsampling) -> None:
    assert Up(8, 4, kind)(torch.zeros(1, 8, 3, 5)).shape == (1, 4, 6, 10)


def test_interpolating_after_the_convolution_gives_the_same_as_before() -> None:
    torch.manual_seed(0)
    up = Up(8, 4, "bilinear")
    assert isinstance(up.layers, nn.Sequential)
    convolution, enlarge = up.layers
    coarse = torch.randn(1, 8, 3, 5)
    torch.testing.assert_close(up(coarse), convolution(enlarge(coarse)))


@pytest.mark.parametrize(
    ("layer", "incoming"),
    [
        (nn.Conv2d(64, 32, 3), 64 * 9),
        (nn.Conv2d(128, 64, 1), 128),
        (nn.ConvTranspose2d(128, 64, 2, stride=2), 128),
    ],
)
def test_start_has_the_deviation_of_he(layer: nn.Conv2d | nn.ConvTranspose2d, incoming: int) -> None:
    torch.manual_seed(0)
    start_weights(nn.Sequential(layer))
    assert float(layer.weight.detach().std()) == pytest.approx(math.sqrt(2 / incoming), rel=0.03)
    assert float(layer.weight.detach().mean()) == pytest.approx(0, abs=0.05 * math.sqrt(2 / incoming))
    assert layer.bias is not None
    assert not layer.bias.any()


def test_start_leaves_normalizations_alone() -> None:
    norm = nn.BatchNorm2d(4)
    start_weights(nn.Sequential(norm))
    assert (norm.weight == 1).all()
    assert not norm.bias.any()
