"""The explicit list of architectures."""

import torch
from torch import nn

from seglet.networks.unet import UNet, UNetConfig
from seglet.preprocessing.plan import Plan

NetworkConfig = UNetConfig


def make_network(config: NetworkConfig, plan: Plan, n_outputs: int, *, seed: int) -> nn.Module:
    """Build a network of the plan's sizes with freshly drawn weights; the same seed, the same weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return UNet(config, plan.n_channels, n_outputs, plan.channels, plan.strides, plan.kernels)


def n_parameters(network: nn.Module) -> int:
    """Number of trained values."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
