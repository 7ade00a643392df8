"""The U-Net of retina-unet; see also tests/papers."""

import math

import pytest
import torch
from torch import nn

from seglet.networks.retina_patch import RetinaPatchConfig, RetinaPatchUNet


def _network(channels: tuple[int, ...] = (4, 6, 8), n_in: int = 1, n_out: int = 2) -> RetinaPatchUNet:
    torch.manual_seed(0)
    strides, kernels = ((2, 2),) * (len(channels) - 1), ((3, 3),) * len(channels)
    return RetinaPatchUNet(RetinaPatchConfig(), n_in, n_out, channels, strides, kernels).eval()


@pytest.mark.parametrize("size", [(48, 48), (37, 53), (1, 1), (5, 4)])
@pytest.mark.parametrize("channels", [(4,), (4, 6, 8)])
def test_logits_have_the_size_of_the_image(size: tuple[int, int], channels: tuple[int, ...]) -> None:
    logits = _network(channels, 3, 5)(torch.randn(2, 3, *size))
    assert logits.shape == (2, 5, *size)
    assert bool(torch.isfinite(logits).all())


def test_volumes_too() -> None:
    strides, kernels = ((1, 2, 2),), ((1, 3, 3), (3, 3, 3))
    network = RetinaPatchUNet(RetinaPatchConfig(), 1, 2, (4, 8), strides, kernels)
    assert network(torch.randn(1, 1, 3, 5, 6)).shape == (1, 2, 3, 5, 6)


def test_nothing_is_learned_between_enlarging_and_joining() -> None:
    network = _network()
    assert not list(network.enlarge.parameters())
    assert [block[0].in_channels for block in network.up] == [8 + 6, 6 + 4]


def test_dropout_of_a_fifth_stands_between_the_convolutions_of_each_level() -> None:
    kinds = [[type(m) for m in block] for block in (*_network().down, *_network().up)]
    activated = [nn.Conv2d, nn.Identity, nn.ReLU]
    assert kinds == [[*activated, nn.Dropout, *activated]] * 5
    assert {m.p for m in _network().modules() if isinstance(m, nn.Dropout)} == {0.2}


def test_weights_start_uniform_within_the_bounds_of_glorot() -> None:
    network = _network((32, 64))
    weight = network.down[1][0].weight.detach()  # 32 channels to 64 by 3x3
    bound = math.sqrt(6 / (32 * 9 + 64 * 9))
    assert float(weight.abs().max()) == pytest.approx(bound, rel=0.001)
    assert float(weight.std()) == pytest.approx(bound / math.sqrt(3), rel=0.02)
    assert not any(bool(p.any()) for p in network.parameters() if p.ndim == 1)


def test_it_trains() -> None:
    network = _network().train()
    network(torch.randn(2, 1, 12, 16)).square().mean().backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in network.parameters())


def test_logits_are_not_clipped() -> None:
    """Unlike the release's, which end in a ReLU."""
    assert bool((_network()(torch.randn(4, 1, 16, 16)) < 0).any())


def test_logits_are_float32_under_bfloat16() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert _network()(torch.randn(1, 1, 16, 16)).dtype == torch.float32
