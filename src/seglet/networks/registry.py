"""The explicit list of architectures."""

import torch
from torch import nn

from seglet.networks.unet import UNet, UNetConfig

NetworkConfig = UNetConfig


def make_network(
    config: NetworkConfig, n_in: int, n_out: int, channels: tuple[int, ...], *, seed: int
) -> nn.Module:
    """Build a network with freshly drawn weights; the same seed gives the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return UNet(config, n_in, n_out, channels)


def n_parameters(network: nn.Module) -> int:
    """Number of trained values."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
