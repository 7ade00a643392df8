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
    return ConvBlock(
        3, 8, (3, 3), norm=norm, activation="relu", dropout=dropout, n_convolutions=n_convolutions
    )


def test_tables_hold_every_choice() -> None:
    assert set(NORMS) == set(get_args(Norm))
    assert set(ACTIVATIONS) == set(get_args(Activation))


@pytest.mark.parametrize(("norm", "activation"), list(product(get_args(Norm), get_args(Activation))))
@pytest.mark.parametrize("kernel", [(3, 3), (1, 3), (3, 3, 3), (1, 3, 3)])
def test_block_keeps_the_size(norm: Norm, activation: Activation, kernel: tuple[int, ...]) -> None:
    block = ConvBlock(3, 8, kernel, norm=norm, activation=activation, dropout=0.1, n_convolutions=2)
    size = (4, 5, 7)[-len(kernel) :]
    assert block(torch.zeros(2, 3, *size)).shape == (2, 8, *size)


def test_kernel_of_one_keeps_slices_apart() -> None:
    block = ConvBlock(1, 4, (1, 3, 3), norm="none", activation="relu", dropout=0, n_convolutions=2)
    volume = torch.randn(1, 1, 5, 8, 8)
    changed = volume.clone()
    changed[:, :, 2] += 1
    difference = (block(changed) - block(volume)).abs().sum(dim=(0, 1, 3, 4))
    assert difference[2] > 0
    assert not difference[[0, 1, 3, 4]].any()


@pytest.mark.parametrize("width", [1, 4, 8, 10, 12, 30, 64])
def test_groups_divide_any_width(width: int) -> None:
    norm = NORMS["group"](width, 2)
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
def test_up_enlarges_each_axis_by_its_stride(kind: Upsampling) -> None:
    assert Up(8, 4, (2, 2), kind)(torch.zeros(1, 8, 3, 5)).shape == (1, 4, 6, 10)
    assert Up(8, 4, (1, 2, 2), kind)(torch.zeros(1, 8, 3, 3, 5)).shape == (1, 4, 3, 6, 10)
    assert Up(8, 4, (2, 2, 2), kind)(torch.zeros(1, 8, 3, 3, 5)).shape == (1, 4, 6, 6, 10)


@pytest.mark.parametrize("stride", [(2, 2), (1, 2, 2)])
def test_interpolating_after_the_convolution_gives_the_same_as_before(stride: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    up = Up(8, 4, stride, "bilinear")
    assert isinstance(up.layers, nn.Sequential)
    convolution, enlarge = up.layers
    coarse = torch.randn(1, 8, 4, 3, 5)[:, :, *(slice(None) if i >= 3 - len(stride) else 0 for i in range(3))]
    torch.testing.assert_close(up(coarse), convolution(enlarge(coarse)))


@pytest.mark.parametrize(
    ("layer", "incoming"),
    [
        (nn.Conv2d(64, 32, 3), 64 * 9),
        (nn.Conv2d(128, 64, 1), 128),
        (nn.ConvTranspose2d(128, 64, 2, stride=2), 128),
        (nn.Conv3d(32, 32, (1, 3, 3)), 32 * 9),
        (nn.ConvTranspose3d(64, 32, 2, stride=2), 64),
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
