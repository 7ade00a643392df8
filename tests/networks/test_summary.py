"""Cost and field of networks, against figures found by other means."""

from typing import Literal

import pytest
import torch

from seglet.core.errors import GeometryError
from seglet.networks.registry import NetworkConfig, make_network
from seglet.networks.residual_unet import ResidualUNetConfig
from seglet.networks.retina_patch import RetinaPatchConfig
from seglet.networks.summary import receptive_field, summarize
from seglet.networks.unet import UNetConfig
from seglet.networks.unet2015 import UNet2015Config
from seglet.preprocessing.plan import Plan

Levels = tuple[tuple[int, ...], ...]


def _plan(channels: tuple[int, ...], strides: Levels | None = None, kernels: Levels | None = None) -> Plan:
    return Plan(
        color="as_is",
        normalization="standardize",
        resize=None,
        patch_size=(16, 16),
        batch_size=1,
        channels=channels,
        strides=strides or ((2, 2),) * (len(channels) - 1),
        kernels=kernels or ((3, 3),) * len(channels),
        n_channels=1,
        n_classes=2,
        training_memory=1,
    )


def test_one_level_by_hand() -> None:
    found = summarize(UNetConfig(norm="none"), _plan((4,)), 3, (5, 6))
    assert (found.input, found.output) == ((1, 5, 6), (3, 5, 6))
    assert found.parameters == (9 * 4 + 4) + (9 * 4 * 4 + 4) + (4 * 3 + 3)
    assert found.macs == 30 * (9 * 4 + 9 * 4 * 4 + 4 * 3)
    assert found.receptive_field == (5, 5)
    assert (found.step, found.smallest, found.is_padded) == ((1, 1), (1, 1), True)
    assert [(layer.name, layer.output, layer.parameters, layer.macs) for layer in found.layers] == [
        ("down.0.0", (4, 5, 6), 40, 30 * 36),
        ("down.0.3", (4, 5, 6), 148, 30 * 144),
        ("head", (3, 5, 6), 15, 30 * 12),
    ]


def test_transposed_convolutions_cost_each_coarse_pixel_all_that_it_fills() -> None:
    found = summarize(UNetConfig(), _plan((4, 8)), 1, (8, 8))
    (layer,) = [layer for layer in found.layers if layer.kind == "ConvTranspose2d"]
    assert layer.macs == 16 * 8 * 4 * 4  # pixels, channels in and out, pixels filled


def test_normalizations_are_listed_at_no_cost() -> None:
    found = summarize(UNetConfig(), _plan((4,)), 1, (8, 8))
    norms = [layer for layer in found.layers if layer.kind == "BatchNorm2d"]
    assert [(layer.parameters, layer.macs) for layer in norms] == [(8, 0), (8, 0)]
    assert sum(layer.parameters for layer in found.layers) == found.parameters


@pytest.mark.parametrize(
    "config",
    [UNetConfig(), UNet2015Config(), RetinaPatchConfig(), ResidualUNetConfig()],
    ids=lambda c: c.kind,
)
def test_sizes_are_those_of_the_real_network(config: NetworkConfig) -> None:
    plan = _plan((4, 6, 8), ((1, 2, 2), (2, 2, 2)), ((1, 3, 3), (3, 3, 3), (3, 3, 3)))
    found = summarize(config, plan, 2, (20, 44, 48))
    network = make_network(config, plan, 2, seed=0).eval()
    assert found.output == network(torch.zeros(1, *found.input)).shape[1:]
    assert found.parameters == sum(p.numel() for p in network.parameters())
    assert found.kind == config.kind


def test_illegal_size_names_the_nearest() -> None:
    with pytest.raises(GeometryError, match="Try 44 or 48"):
        summarize(UNet2015Config(), _plan((4, 6, 8)), 2, (44, 47))


def test_legal_sizes_of_unpadded_convolutions() -> None:
    found = summarize(UNet2015Config(), _plan((4, 6, 8)), 2, (44, 48))
    assert (found.smallest, found.step, found.is_padded) == ((44, 44), (4, 4), False)


Way = Literal["transposed", "nearest", "upconv", "bilinear"]


def _field_by_intervals(n_levels: int, way: Way) -> int:
    """Follow the pixels that logits 0, 1, ... depend on, from the last layer back, as intervals."""

    def down(level: int, low: int, high: int) -> tuple[int, int]:
        low, high = low - 2, high + 2
        return (low, high) if level == 0 else down(level - 1, 2 * low, 2 * high + 1)

    def up(level: int, low: int, high: int) -> tuple[int, int]:
        if level == n_levels - 1:
            return down(level, low, high)
        low, high = low - 2, high + 2
        skip = down(level, low, high)
        before, after = {"upconv": (0, 1), "bilinear": (1, 1)}.get(way, (0, 0))
        coarse = up(level + 1, (low - before) // 2, (high + after) // 2)
        return min(skip[0], coarse[0]), max(skip[1], coarse[1])

    fields = [up(0, pixel, pixel) for pixel in range(2**n_levels)]
    return max(high - low + 1 for low, high in fields)


@pytest.mark.parametrize("way", ["transposed", "nearest", "upconv", "bilinear"])
@pytest.mark.parametrize("n_levels", [1, 2, 3, 5])
def test_field_is_that_of_intervals_followed_back(n_levels: int, way: Way) -> None:
    config = UNetConfig(upsampling=way, norm="instance", activation="gelu", dropout=0.5)
    side = _field_by_intervals(n_levels, way)
    assert receptive_field(config, _plan((3,) * n_levels)) == (side, side)


def test_field_does_not_depend_on_padding() -> None:
    padded = receptive_field(UNetConfig(), _plan((4,) * 4))
    assert padded == receptive_field(UNet2015Config(), _plan((4,) * 4)) == (100, 100)


def test_field_of_a_volume_follows_each_axis() -> None:
    plan = _plan((4, 4), ((1, 2, 2),), ((1, 3, 3), (3, 3, 3)))
    assert receptive_field(UNetConfig(), plan) == (5, 18, 18)  # two convolutions of 3 along z


def test_field_of_residual_blocks_by_hand() -> None:
    """One level, one block: a stem and two convolutions of 3."""
    assert receptive_field(ResidualUNetConfig(n_blocks=(1,)), _plan((4,))) == (7, 7)
    assert receptive_field(ResidualUNetConfig(n_blocks=(2,)), _plan((4,))) == (11, 11)


def test_measuring_leaves_the_global_randomness_alone() -> None:
    before = torch.get_rng_state()
    summarize(UNetConfig(), _plan((4, 8)), 1, (8, 8))
    assert torch.equal(torch.get_rng_state(), before)
