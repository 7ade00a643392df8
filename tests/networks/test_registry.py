"""Networks by their configuration."""

from typing import Any

import pytest
import torch
from pydantic import BaseModel, TypeAdapter, ValidationError
from torch import nn

from seglet.networks.registry import NETWORKS, NetworkConfig, make_network, n_parameters
from seglet.networks.residual_unet import ResidualUNetConfig
from seglet.networks.retina_patch import RetinaPatchConfig
from seglet.networks.unet import UNet, UNetConfig
from seglet.networks.unet2015 import UNet2015Config
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


READ: TypeAdapter[Any] = TypeAdapter(NetworkConfig)
EACH: tuple[NetworkConfig, ...] = (UNetConfig(), UNet2015Config(), RetinaPatchConfig(), ResidualUNetConfig())


def test_every_kind_is_listed_once() -> None:
    assert [config.kind for config in EACH] == list(NETWORKS)


@pytest.mark.parametrize("config", EACH, ids=lambda config: config.kind)
def test_every_kind_is_read_built_and_applied(config: NetworkConfig) -> None:
    assert READ.validate_python(config.model_dump(mode="json")) == config
    assert READ.validate_python({"kind": config.kind}) == config
    network = make_network(config, PLAN, 2, seed=0).eval()
    assert isinstance(network, NETWORKS[config.kind])  # type: ignore[arg-type]
    assert network(torch.zeros(1, 1, 18, 18)).shape[:2] == (1, 2)


@pytest.mark.parametrize("config", EACH, ids=lambda config: config.kind)
def test_every_kind_starts_alike_from_the_same_seed(config: NetworkConfig) -> None:
    first, again = (make_network(config, PLAN, 2, seed=3).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_without_a_kind_it_is_the_unet() -> None:
    assert READ.validate_python({"norm": "group"}) == UNetConfig(norm="group")


@pytest.mark.parametrize("value", [{"kind": "vnet"}, "unet2016", 3, None, {"kind": None}, {"kind": ["unet"]}])
def test_unknown_kind_names_those_there_are(value: object) -> None:
    with pytest.raises(ValidationError, match="one of unet, unet2015, retina_patch, residual_unet"):
        READ.validate_python(value)


def test_a_kind_refuses_the_keys_of_another() -> None:
    with pytest.raises(ValidationError, match="norm"):
        READ.validate_python({"kind": "unet2015", "norm": "batch"})


def test_a_kind_is_kept_through_json_inside_other_settings() -> None:
    class Holder(BaseModel):
        network: NetworkConfig = UNetConfig()

    for config in EACH:
        assert Holder.model_validate_json(Holder(network=config).model_dump_json()).network == config


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
