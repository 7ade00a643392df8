"""The U-Net: sizes, parameters by hand, arithmetic."""

from math import ceil
from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from seglet.core.errors import ConfigError
from seglet.networks.blocks import Activation, Norm, Upsampling
from seglet.networks.unet import UNet, UNetConfig

TINY = (4, 8)


def _network(n_in: int = 1, n_out: int = 1, channels: tuple[int, ...] = TINY, **changed: object) -> UNet:
    torch.manual_seed(0)
    strides, kernels = ((2, 2),) * (len(channels) - 1), ((3, 3),) * len(channels)
    return UNet(UNetConfig(**changed), n_in, n_out, channels, strides, kernels).eval()  # type: ignore[arg-type]


def _volume_network(
    n_in: int = 1,
    n_out: int = 1,
    strides: tuple[tuple[int, ...], ...] = ((1, 2, 2), (2, 2, 2)),
    kernels: tuple[tuple[int, ...], ...] = ((1, 3, 3), (3, 3, 3), (3, 3, 3)),
    **changed: object,
) -> UNet:
    torch.manual_seed(0)
    return UNet(UNetConfig(**changed), n_in, n_out, (4, 8, 8), strides, kernels).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(37, 53), (1, 1), (5, 70), (32, 32), (33, 8)])
@pytest.mark.parametrize("channels", [(4,), (4, 8), (4, 8, 8, 8)])
def test_logits_have_the_size_of_the_image(size: tuple[int, int], channels: tuple[int, ...]) -> None:
    logits = _network(3, 5, channels)(torch.zeros(2, 3, *size))
    assert logits.shape == (2, 5, *size)


@pytest.mark.parametrize("norm", get_args(Norm))
@pytest.mark.parametrize("size", [(1, 1), (4, 3), (8, 8)])
def test_image_smaller_than_the_network_is_deep_can_be_predicted(norm: Norm, size: tuple[int, int]) -> None:
    logits = _network(channels=(4, 8, 8, 8), norm=norm)(torch.randn(1, 1, *size))
    assert logits.shape == (1, 1, *size)
    assert bool(torch.isfinite(logits).all())


@pytest.mark.parametrize("norm", get_args(Norm))
@pytest.mark.parametrize("upsampling", get_args(Upsampling))
def test_every_norm_and_upsampling_trains(norm: Norm, upsampling: Upsampling) -> None:
    network = _network(2, 3, norm=norm, upsampling=upsampling).train()
    network(torch.randn(2, 2, 9, 12)).square().mean().backward()
    gradients = [p.grad for p in network.parameters()]
    assert all(g is not None and bool(torch.isfinite(g).all()) for g in gradients)


@pytest.mark.parametrize("activation", get_args(Activation))
def test_every_activation_trains(activation: Activation) -> None:
    network = _network(activation=activation).train()
    network(torch.randn(2, 1, 8, 8)).square().mean().backward()
    assert all(p.grad is not None for p in network.parameters())


@pytest.mark.parametrize("size", [(1, 1, 1), (5, 9, 7), (2, 4, 4), (16, 3, 8)])
@pytest.mark.parametrize("strides", [((1, 2, 2), (2, 2, 2)), ((2, 2, 2), (2, 2, 2))])
def test_logits_have_the_size_of_the_volume(
    size: tuple[int, ...], strides: tuple[tuple[int, ...], ...]
) -> None:
    logits = _volume_network(2, 3, strides)(torch.randn(1, 2, *size))
    assert logits.shape == (1, 3, *size)
    assert bool(torch.isfinite(logits).all())


@pytest.mark.parametrize("norm", get_args(Norm))
@pytest.mark.parametrize("upsampling", get_args(Upsampling))
def test_volumes_train_with_every_norm_and_upsampling(norm: Norm, upsampling: Upsampling) -> None:
    network = _volume_network(norm=norm, upsampling=upsampling).train()
    network(torch.randn(2, 1, 6, 8, 8)).square().mean().backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in network.parameters())


def test_network_of_volumes_learns_a_small_one() -> None:
    generator = torch.Generator().manual_seed(0)
    z, y, x = torch.meshgrid(torch.arange(8), torch.arange(12), torch.arange(12), indexing="ij")
    truth = ((z - 4) ** 2 + (y - 6) ** 2 + (x - 5) ** 2 < 12).float()[None, None]
    volume = 2 * truth + 0.5 * torch.randn(truth.shape, generator=generator)
    network = _volume_network().train()
    optimizer = torch.optim.Adam(network.parameters(), 0.02)
    for _ in range(40):
        loss = nn.functional.binary_cross_entropy_with_logits(network(volume), truth)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert float(((network(volume) > 0) == (truth > 0)).float().mean()) > 0.99


def test_network_that_keeps_slices_apart_equals_the_one_of_images() -> None:
    """With kernels and strides of 1 across slices, a volume is a stack of images."""
    flat = _network()
    stacked = UNet(UNetConfig(), 1, 1, TINY, ((1, 2, 2),), ((1, 3, 3),) * 2).eval()
    state = flat.state_dict()
    stacked.load_state_dict(
        {name: value.unsqueeze(2) if value.ndim == 4 else value for name, value in state.items()}
    )
    volume = torch.randn(2, 1, 5, 13, 18)
    slices = torch.stack([flat(volume[:, :, z]) for z in range(5)], dim=2)
    torch.testing.assert_close(stacked(volume), slices)


def test_parameters_by_hand() -> None:
    """Channels 4 and 8, one gray channel in, three logits out, batch normalization."""
    first = (1 * 9 * 4 + 8) + (4 * 9 * 4 + 8)
    second = (4 * 9 * 8 + 16) + (8 * 9 * 8 + 16)
    enlarge = 8 * 4 * 4 + 4
    upward = (8 * 9 * 4 + 8) + (4 * 9 * 4 + 8)
    head = 4 * 3 + 3
    total = first + second + enlarge + upward + head
    assert sum(p.numel() for p in _network(1, 3).parameters()) == total


def test_depth_is_the_number_of_widths() -> None:
    network = _network(channels=(4, 8, 8))
    assert network.step == (4, 4)
    assert len(network.down) == 3
    assert len(network.up) == len(network.enlarge) == 2


def test_each_block_has_its_own_dropout_in_reading_order() -> None:
    said = (0.1, 0.0, 0.3, 0.2, 0.4)
    network = _network(channels=(4, 8, 8), dropout=said)
    found = [[m.p for m in block if isinstance(m, nn.Dropout)] for block in [*network.down, *network.up]]
    assert found == [[0.1], [], [0.3], [0.2], [0.4]]


@pytest.mark.parametrize("said", [(), (0.1,), (0.1, 0.2), (0.1, 0.2, 0.3, 0.4)])
def test_dropouts_must_be_as_many_as_blocks(said: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match=rf"network.dropout: found {len(said)} numbers; expected one, or 3"):
        _network(dropout=said)


@pytest.mark.parametrize("size", [(16, 24), (9, 13), (8, 8), (12, 20)])
@pytest.mark.parametrize("channels", [(4, 8, 6, 8), (4, 8), (4,)])
def test_every_level_has_logits_under_deep_supervision(
    size: tuple[int, int], channels: tuple[int, ...]
) -> None:
    network, images = _network(2, 3, channels, deep_supervision=True), torch.randn(2, 2, *size)
    finest, *coarser = network.levels(images)
    assert torch.equal(finest, network(images))
    assert len(coarser) == max(0, len(channels) - 2)
    for level, logits in enumerate(coarser, start=1):
        assert logits.shape == (2, 3, *(ceil(n / 2**level) for n in size)), "of the image, not what pads it"


def test_without_deep_supervision_there_are_the_finest_logits_alone() -> None:
    network, images = _network(channels=(4, 8, 8)), torch.randn(1, 1, 8, 8)
    (logits,) = network.levels(images)
    assert torch.equal(logits, network(images))
    assert not any("side" in name for name in network.state_dict())


def test_plain_forward_does_not_compute_the_coarser_logits() -> None:
    network = _network(channels=(4, 8, 8), deep_supervision=True)
    for head in network.side_heads:
        head.register_forward_hook(lambda *_: pytest.fail("computed in vain"))
    network(torch.zeros(1, 1, 8, 8))


def test_coarser_logits_are_trained() -> None:
    network = _network(channels=(4, 8, 8, 8), deep_supervision=True).train()
    sum(level.square().mean() for level in network.levels(torch.randn(2, 1, 16, 16))).backward()  # type: ignore[union-attr]
    assert all(p.grad is not None and bool(p.grad.any()) for p in network.side_heads.parameters())


def test_convolutions_in_a_block_are_counted() -> None:
    for n in (1, 3):
        network = _network(n_convolutions=n)
        assert sum(isinstance(m, nn.Conv2d) for m in network.modules()) == 3 * n + 1


def test_skips_carry_the_fine_detail() -> None:
    """A one-pixel line is seen at its own pixel even when the coarse path is silenced."""
    network = _network().requires_grad_(False)
    for layer in network.enlarge:
        nn.init.zeros_(layer.layers.weight)
    image = torch.zeros(1, 1, 16, 16)
    blank = network(image)
    image[..., 7] = 1
    difference = (network(image) - blank).abs().sum(dim=(0, 1, 2))
    assert float(difference[7]) > 0
    assert not difference[12:].any()


def test_padding_does_not_change_what_is_far_from_it() -> None:
    network = _network(norm="none")
    image = torch.randn(1, 1, 64, 63)
    whole = network(torch.cat([image, image[..., -1:]], dim=-1))
    torch.testing.assert_close(network(image), whole[..., :63])


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 3), st.integers(0, 3))
def test_logits_move_with_the_image(y: int, x: int) -> None:
    network = _network(norm="none")
    image = torch.zeros(1, 1, 48, 48)
    image[..., 20:24, 18:25] = 1
    moved = torch.roll(image, (2 * y, 2 * x), dims=(2, 3))
    expected = torch.roll(network(image), (2 * y, 2 * x), dims=(2, 3))
    torch.testing.assert_close(network(moved)[..., 10:-10, 10:-10], expected[..., 10:-10, 10:-10])


def test_logits_are_float32_under_bfloat16() -> None:
    network, image = _network(), torch.randn(1, 1, 16, 16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = network(image)
    assert logits.dtype == torch.float32
    assert not torch.equal(logits, logits.bfloat16().float())  # not merely bfloat16 numbers in float32
    torch.testing.assert_close(logits, network(image), rtol=0.1, atol=0.1)


def test_dropout_works_in_training_alone() -> None:
    network, image = _network(norm="none", dropout=0.5), torch.randn(1, 1, 8, 8)
    assert torch.equal(network(image), network(image))
    network.train()
    assert not torch.equal(network(image), network(image))


@pytest.mark.parametrize(
    "setting",
    [
        {"norm": "layer"},
        {"dropout": 1.0},
        {"dropout": -0.1},
        {"n_convolutions": 0},
        {"upsampling": "cubic"},
        {"dropout": (0.1, 1.0)},
        {"dropout_at": "start"},
        {"head": "relu"},
    ],
)
def test_impossible_setting_is_refused(setting: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(setting))):
        UNetConfig(**setting)  # type: ignore[arg-type]
