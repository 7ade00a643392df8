"""Less is kept for the backward pass, and nothing else is changed."""

from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import nn

from seglet.networks.residual_unet import ResidualUNet, ResidualUNetConfig
from seglet.networks.unet import UNet, UNetConfig
from seglet.training.recomputing import recomputing

CHANNELS, STRIDES, KERNELS = (4, 8, 8), ((2, 2), (2, 2)), ((3, 3),) * 3

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "unet": lambda: UNet(UNetConfig(dropout=0.3), 2, 3, CHANNELS, STRIDES, KERNELS),
    "residual": lambda: ResidualUNet(ResidualUNetConfig(norm="batch"), 2, 3, CHANNELS, STRIDES, KERNELS),
}


def trained_once(network: nn.Module, images: torch.Tensor, checkpointing: bool) -> nn.Module:
    """One forward and backward pass of a copy."""
    copy = deepcopy(network)
    torch.manual_seed(3)
    if checkpointing:
        with recomputing(copy):
            logits = copy(images)
    else:
        logits = copy(images)
    logits.square().mean().backward()
    return copy


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_and_statistics_are_those_of_a_network_that_keeps_everything(name: str) -> None:
    torch.manual_seed(0)
    network, images = NETWORKS[name](), torch.randn(2, 2, 16, 16)
    plain, again = (trained_once(network, images, checkpointing) for checkpointing in (False, True))
    for (which, expected), found in zip(plain.named_parameters(), again.parameters(), strict=True):
        assert expected.grad is not None, which
        torch.testing.assert_close(found.grad, expected.grad, rtol=1e-5, atol=1e-7)
    for expected, found in zip(plain.buffers(), again.buffers(), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def kept_bytes(network: nn.Module, images: torch.Tensor) -> int:
    """Bytes of all tensors that the forward pass keeps for the backward pass."""
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        network(images)
    return sum(kept.values())


@pytest.mark.parametrize("name", NETWORKS)
def test_much_less_is_kept(name: str) -> None:
    network, images = NETWORKS[name](), torch.randn(2, 2, 64, 64)
    plain = kept_bytes(network, images)
    with recomputing(network):
        assert kept_bytes(network, images) < 0.6 * plain


def test_the_network_is_as_before_in_the_end_even_after_an_error() -> None:
    network = NETWORKS["unet"]()
    with pytest.raises(RuntimeError, match="channels"), recomputing(network):
        network(torch.zeros(1, 5, 16, 16))
    assert not any("forward" in vars(block) for block in network.modules())
