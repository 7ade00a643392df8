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
    BlockStyle,
    ConvBlock,
    DropoutPlace,
    Norm,
    Up,
    Upsampling,
    cut_to,
    decode,
    logits_of,
    pad_to_step,
    start_weights,
)


def _block(
    norm: Norm = "batch", dropout: float = 0.0, n_convolutions: int = 2, at: DropoutPlace = "between"
) -> ConvBlock:
    return ConvBlock(3, 8, (3, 3), BlockStyle(norm, "relu", at, n_convolutions), dropout)


def test_tables_hold_every_choice() -> None:
    assert set(NORMS) == set(get_args(Norm))
    assert set(ACTIVATIONS) == set(get_args(Activation))


@pytest.mark.parametrize(("norm", "activation"), list(product(get_args(Norm), get_args(Activation))))
@pytest.mark.parametrize("kernel", [(3, 3), (1, 3), (3, 3, 3), (1, 3, 3)])
def test_block_keeps_the_size(norm: Norm, activation: Activation, kernel: tuple[int, ...]) -> None:
    block = ConvBlock(3, 8, kernel, BlockStyle(norm, activation), 0.1)
    size = (4, 5, 7)[-len(kernel) :]
    assert block(torch.zeros(2, 3, *size)).shape == (2, 8, *size)


def test_kernel_of_one_keeps_slices_apart() -> None:
    block = ConvBlock(1, 4, (1, 3, 3), BlockStyle("none", "relu"))
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


@pytest.mark.parametrize(
    ("at", "expected"), [("between", "cadcadca"), ("each", "cadcadcad"), ("end", "cacacad")]
)
def test_dropout_stands_where_the_style_says(at: DropoutPlace, expected: str) -> None:
    """Of three convolutions c, each with its activation a; d is a dropout."""
    said = {nn.Conv2d: "c", nn.ReLU: "a", nn.Dropout: "d", nn.Identity: ""}
    block = _block("none", dropout=0.5, n_convolutions=3, at=at)
    assert "".join(said[type(layer)] for layer in block) == expected
    assert all(layer.p == 0.5 for layer in block if isinstance(layer, nn.Dropout))


def test_unpadded_convolutions_take_pixels() -> None:
    block = ConvBlock(3, 8, (1, 3, 3), BlockStyle("none", "relu"), is_padded=False)
    assert block(torch.zeros(2, 3, 5, 6, 9)).shape == (2, 8, 5, 2, 5)


def test_no_dropout_layer_where_none_is_wished() -> None:
    assert not any(isinstance(layer, nn.Dropout) for layer in _block())


@pytest.mark.parametrize(("norm", "has_bias"), [("none", True), ("batch", False), ("instance", False)])
def test_bias_only_where_no_norm_would_cancel_it(norm: Norm, has_bias: bool) -> None:
    convolutions = [layer for layer in _block(norm) if isinstance(layer, nn.Conv2d)]
    assert all((c.bias is not None) == has_bias for c in convolutions)


@pytest.mark.parametrize("kind", get_args(Upsampling))
def test_up_enlarges_each_axis_by_its_stride(kind: Upsampling) -> None:
    assert Up(8, 4, (2, 2), kind, "relu")(torch.zeros(1, 8, 3, 5)).shape == (1, 4, 6, 10)
    assert Up(8, 4, (1, 2, 2), kind, "relu")(torch.zeros(1, 8, 3, 3, 5)).shape == (1, 4, 3, 6, 10)
    assert Up(8, 4, (2, 2, 2), kind, "relu")(torch.zeros(1, 8, 3, 3, 5)).shape == (1, 4, 6, 6, 10)


@pytest.mark.parametrize("stride", [(2, 2), (1, 2, 2)])
def test_interpolating_after_the_convolution_gives_the_same_as_before(stride: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    up = Up(8, 4, stride, "bilinear", "relu")
    assert isinstance(up.layers, nn.Sequential)
    convolution, enlarge = up.layers
    coarse = torch.randn(1, 8, 4, 3, 5)[:, :, *(slice(None) if i >= 3 - len(stride) else 0 for i in range(3))]
    torch.testing.assert_close(up(coarse), convolution(enlarge(coarse)))


def test_convolution_after_enlarging_looks_right_and_down_as_in_keras() -> None:
    """Keras pads an even kernel behind the last pixel: a pixel sees itself and the next."""
    up = Up(1, 1, (1, 2), "upconv", "relu")
    for parameter in up.parameters():
        nn.init.ones_(parameter) if parameter.ndim > 1 else nn.init.zeros_(parameter)
    assert up(torch.tensor([[[[1.0, 10.0, 100.0]]]])).tolist() == [[[[2, 11, 20, 110, 200, 100]]]]
    assert not Up(1, 1, (2, 2), "upconv", "relu")(-torch.ones(1, 1, 2, 2)).lt(0).any()


def test_decoding_joins_each_level_with_what_came_up() -> None:
    sums = nn.ModuleList(_Sum() for _ in range(2))
    skips = [torch.full((1, 1, 4, 4), 1.0), torch.full((1, 1, 2, 2), 10.0), torch.full((1, 1, 1, 1), 100.0)]
    doubled = nn.ModuleList(nn.Upsample(scale_factor=2.0) for _ in range(2))
    finest, coarser = decode(skips, doubled, sums)
    assert finest.unique().tolist() == [111]
    assert coarser.unique().tolist() == [110]
    assert (finest.shape, coarser.shape) == ((1, 1, 4, 4), (1, 1, 2, 2))
    bottom = torch.zeros(1, 1, 3, 3)
    assert decode([bottom], nn.ModuleList(), nn.ModuleList()) == [bottom]


class _Sum(nn.Module):
    def forward(self, joined: torch.Tensor) -> torch.Tensor:
        return joined.sum(1, keepdim=True)


@pytest.mark.parametrize(
    ("shape", "step", "padded"),
    [((5, 7), (4, 2), (8, 8)), ((8, 4), (4, 4), (8, 4)), ((4, 4), (4, 4), (4, 8)), ((3, 1), (1, 1), (3, 1))],
)
def test_padding_repeats_the_last_pixels_and_is_cut_off_again(
    shape: tuple[int, int], step: tuple[int, int], padded: tuple[int, int]
) -> None:
    images = torch.randn(2, 1, *shape)
    wide = pad_to_step(images, step)
    assert wide.shape[2:] == padded
    assert torch.equal(cut_to(wide, images.shape[2:]), images)
    assert torch.equal(wide[..., -1, -1], images[..., -1, -1])


def test_last_layer_is_exact_under_bfloat16() -> None:
    head, features = nn.Conv2d(4, 2, 1), torch.randn(1, 4, 3, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, rounded = logits_of(head, features), head(features)
    assert torch.equal(found, head(features))
    assert rounded.dtype == torch.bfloat16


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
