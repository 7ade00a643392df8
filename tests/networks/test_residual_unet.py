"""The U-Net with a residual encoder: sizes, parameters by hand, shortcuts."""

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from seglet.networks.blocks import BlockStyle
from seglet.networks.residual_unet import ResidualBlock, ResidualUNet, ResidualUNetConfig

STYLE = BlockStyle("batch", "relu")


def _network(
    channels: tuple[int, ...] = (4, 6, 8), n_in: int = 1, n_out: int = 1, **changed: object
) -> ResidualUNet:
    torch.manual_seed(0)
    strides, kernels = ((2, 2),) * (len(channels) - 1), ((3, 3),) * len(channels)
    config = ResidualUNetConfig(**changed)  # type: ignore[arg-type]
    return ResidualUNet(config, n_in, n_out, channels, strides, kernels).eval()


@pytest.mark.parametrize("size", [(32, 48), (37, 53), (1, 1), (4, 4)])
@pytest.mark.parametrize("channels", [(4,), (4, 6), (4, 6, 8)])
def test_logits_have_the_size_of_the_image(size: tuple[int, int], channels: tuple[int, ...]) -> None:
    logits = _network(channels, 3, 5)(torch.randn(2, 3, *size))
    assert logits.shape == (2, 5, *size)
    assert bool(torch.isfinite(logits).all())


@pytest.mark.parametrize("norm", ["batch", "instance", "group"])
def test_volumes_train_with_every_norm(norm: str) -> None:
    config = ResidualUNetConfig(norm=norm, n_blocks=(1, 2))  # type: ignore[arg-type]
    network = ResidualUNet(config, 2, 3, (4, 8), ((1, 2, 2),), ((1, 3, 3), (3, 3, 3))).train()
    logits = network(torch.randn(2, 2, 3, 6, 7))
    assert logits.shape == (2, 3, 3, 6, 7)
    logits.square().mean().backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in network.parameters())


def test_parameters_by_hand() -> None:
    """Channels 4 and 8, one in and out, one block and two; every convolution with a norm of two values."""
    stem = 1 * 9 * 4 + 8
    first = 2 * (4 * 9 * 4 + 8)
    second = (4 * 9 * 8 + 16) + (8 * 9 * 8 + 16) + (4 * 8 + 16)  # and a 1x1 shortcut
    third = 2 * (8 * 9 * 8 + 16)
    enlarge = 8 * 4 * 4 + 4
    upward = 8 * 9 * 4 + 8
    head = 4 + 1
    total = stem + first + second + third + enlarge + upward + head
    assert sum(p.numel() for p in _network((4, 8), n_blocks=(1, 2)).parameters()) == total


@pytest.mark.parametrize(
    ("n_blocks", "expected"), [((1, 3, 4, 6), [1, 3, 4]), ((2,), [2, 2, 2]), ((1, 2), [1, 2, 2])]
)
def test_deeper_levels_have_as_many_blocks_as_the_last(
    n_blocks: tuple[int, ...], expected: list[int]
) -> None:
    assert [len(stage) for stage in _network(n_blocks=n_blocks).down] == expected


def test_published_blocks_are_the_default() -> None:
    assert ResidualUNetConfig().n_blocks == (1, 3, 4, 6)


@pytest.mark.parametrize("n_blocks", [(), (0,), (1, -1)])
def test_impossible_blocks_are_refused(n_blocks: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError, match="n_blocks"):
        ResidualUNetConfig(n_blocks=n_blocks)


def test_block_adds_its_input() -> None:
    block = ResidualBlock(3, 3, (3, 3), (1, 1), STYLE)
    for layer in block.residual:
        if isinstance(layer, nn.Conv2d):
            nn.init.zeros_(layer.weight)
    features = torch.rand(2, 3, 5, 5)
    assert torch.equal(block(features), features)


def test_shortcut_averages_over_the_stride() -> None:
    block = ResidualBlock(1, 1, (3, 3), (2, 1), STYLE).eval()
    nn.init.zeros_(block.residual[0].weight)
    features = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]])
    assert block(features).tolist() == [[[[2, 4]]]]


def test_blocks_pass_their_input_on_at_first() -> None:
    network = _network(norm="batch")
    features = torch.rand(2, 8, 4, 4)
    for block in list(network.down[2])[1:]:
        assert torch.equal(block(features), features)


def test_every_level_has_logits_under_deep_supervision() -> None:
    network, images = _network((4, 6, 8, 8), n_out=2, deep_supervision=True), torch.randn(1, 1, 16, 24)
    finest, *coarser = network.levels(images)
    assert torch.equal(finest, network(images))
    assert [tuple(level.shape) for level in coarser] == [(1, 2, 8, 12), (1, 2, 4, 6)]
    assert len(_network().levels(images)) == 1
    of_one_step = network.levels(torch.randn(1, 1, 8, 8))
    assert [tuple(level.shape[2:]) for level in of_one_step] == [(8, 8), (4, 4), (2, 2)]


def test_logits_are_float32_under_bfloat16() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert _network()(torch.randn(1, 1, 16, 16)).dtype == torch.float32
