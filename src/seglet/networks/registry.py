"""The explicit list of architectures."""

from collections.abc import Callable
from typing import Annotated, Any

import torch
from pydantic import Discriminator, Tag
from torch import nn

from seglet.networks.residual_unet import ResidualUNet, ResidualUNetConfig
from seglet.networks.retina_patch import RetinaPatchConfig, RetinaPatchUNet
from seglet.networks.unet import UNet, UNetConfig
from seglet.networks.unet2015 import UNet2015, UNet2015Config
from seglet.preprocessing.plan import Plan

NETWORKS: dict[str, Callable[..., nn.Module]] = {  # by kind
    "unet": UNet,
    "unet2015": UNet2015,
    "retina_patch": RetinaPatchUNet,
    "residual_unet": ResidualUNet,
}

UNPADDED = ("unet2015",)  # kinds whose output is smaller than their input


def _kind(value: Any) -> str:
    """The kind that is said, by default the first."""
    if isinstance(value, dict):
        return str(value.get("kind", "unet"))
    return str(getattr(value, "kind", value))


NetworkConfig = Annotated[
    Annotated[UNetConfig, Tag("unet")]
    | Annotated[UNet2015Config, Tag("unet2015")]
    | Annotated[RetinaPatchConfig, Tag("retina_patch")]
    | Annotated[ResidualUNetConfig, Tag("residual_unet")],
    Discriminator(
        _kind,
        custom_error_type="network_kind",
        custom_error_message=f"one of {', '.join(NETWORKS)}",
    ),
]


def make_network(config: NetworkConfig, plan: Plan, n_outputs: int, *, seed: int) -> nn.Module:
    """Build a network of the plan's sizes with freshly drawn weights; the same seed, the same weights."""
    build = NETWORKS[config.kind]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(config, plan.n_channels, n_outputs, plan.channels, plan.strides, plan.kernels)


def n_parameters(network: nn.Module) -> int:
    """Number of trained values."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
