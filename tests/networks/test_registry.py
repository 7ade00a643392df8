"""Networks by their configuration."""

import pytest
import torch
from torch import nn

from seglet.networks.registry import make_network, n_parameters
from seglet.networks.unet import UNet, UNetConfig
from seglet.preprocessing.plan import Plan

PLAN = Plan(
    color="gray",
    normalization="standardize",
    resize=None,
    patch_size=(8, 8),
    batch_size=2,
    channels=(4, 8),
    strides=((2, 2),),
    kernels=((3, 3), (3, 3)),
    n_channels=1,
    n_classes=2,
    training_memory=1,
)


def _state(seed: int) -> dict[str, torch.Tensor]:
    return make_network(UNetConfig(), PLAN, 1, seed=seed).state_dict()


def test_unet_is_built() -> None:
    assert isinstance(make_network(UNetConfig(), PLAN, 2, seed=0), UNet)


def test_a_plan_of_volumes_gives_a_network_of_volumes() -> None:
    sizes = {"mode": "3d", "strides": ((1, 2, 2),), "kernels": ((1, 3, 3), (3, 3, 3)), "n_channels": 2}
    network = make_network(UNetConfig(), PLAN.model_copy(update=sizes), 3, seed=0)
    assert network(torch.zeros(1, 2, 5, 6, 8)).shape == (1, 3, 5, 6, 8)
    assert network.step == (1, 2, 2)


def test_same_seed_gives_the_same_weights() -> None:
    first, again, other = _state(5), _state(5), _state(6)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_building_leaves_the_global_randomness_alone() -> None:
    before = torch.get_rng_state()
    _state(5)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("frozen", "expected"), [(False, 3 * 2 + 2 + 2 * 2), (True, 2 * 2)])
def test_trained_values_are_counted(frozen: bool, expected: int) -> None:
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    network[0].requires_grad_(not frozen)
    assert n_parameters(network) == expected  # running statistics are not trained
