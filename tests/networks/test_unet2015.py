"""The original U-Net: sizes, crops, dropout; see also tests/papers."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn

from seglet.core.errors import GeometryError
from seglet.networks.unet2015 import UNet2015, UNet2015Config

Levels = tuple[tuple[int, ...], ...]


def _network(
    channels: tuple[int, ...] = (4, 6, 8), n_in: int = 1, n_out: int = 2, **changed: object
) -> UNet2015:
    torch.manual_seed(0)
    strides, kernels = ((2, 2),) * (len(channels) - 1), ((3, 3),) * len(channels)
    config = UNet2015Config(**changed)  # type: ignore[arg-type]
    return UNet2015(config, n_in, n_out, channels, strides, kernels).eval()


@pytest.mark.parametrize(
    ("size", "output"),
    [((44, 44), (4, 4)), ((48, 60), (8, 20)), ((100, 44), (60, 4))],
)
def test_output_lacks_forty_pixels_of_three_levels(size: tuple[int, int], output: tuple[int, int]) -> None:
    """By hand: 44-42-40 | 20-18-16 | 8-6-4 | up 8-6-4 | up 8-6-4."""
    assert _network(n_in=3, n_out=5)(torch.zeros(2, 3, *size)).shape == (2, 5, *output)


@pytest.mark.parametrize("size", [(45, 44), (44, 46), (43, 44), (8, 8)])
def test_illegal_size_names_the_nearest_legal_ones(size: tuple[int, int]) -> None:
    with pytest.raises(GeometryError, match=r"Try 44"):
        _network()(torch.zeros(1, 1, *size))


@pytest.mark.parametrize("size", [571, 573, 587])
def test_nearest_sizes_lie_on_either_side(size: int) -> None:
    with pytest.raises(GeometryError, match=rf"Try {size // 4 * 4} or {size // 4 * 4 + 4}\."):
        _network()(torch.zeros(1, 1, size, 44))


def test_single_level_is_two_convolutions() -> None:
    assert _network((4,))(torch.zeros(1, 1, 7, 5)).shape == (1, 2, 3, 1)


@pytest.mark.parametrize(
    ("strides", "kernels", "size", "output"),
    [
        (((2, 2, 2),), ((3, 3, 3),) * 2, (20, 18, 22), (4, 2, 6)),
        (((1, 2, 2),), ((1, 3, 3), (3, 3, 3)), (7, 18, 18), (3, 2, 2)),
        (((1, 2, 2),), ((1, 3, 3),) * 2, (1, 18, 20), (1, 2, 4)),
    ],
)
def test_volumes_have_sizes_of_their_own_along_each_axis(
    strides: Levels, kernels: Levels, size: tuple[int, ...], output: tuple[int, ...]
) -> None:
    network = UNet2015(UNet2015Config(), 1, 2, (4, 8), strides, kernels).eval()
    assert network(torch.randn(1, 1, *size)).shape == (1, 2, *output)


def test_network_that_keeps_slices_apart_equals_the_one_of_images() -> None:
    flat = _network((4, 8))
    stacked = UNet2015(UNet2015Config(), 1, 2, (4, 8), ((1, 2, 2),), ((1, 3, 3),) * 2).eval()
    state = flat.state_dict()
    stacked.load_state_dict({name: v.unsqueeze(2) if v.ndim == 4 else v for name, v in state.items()})
    volume = torch.randn(1, 1, 3, 22, 20)
    slices = torch.stack([flat(volume[:, :, z]) for z in range(3)], dim=2)
    torch.testing.assert_close(stacked(volume), slices)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 9), st.integers(0, 9))
def test_a_window_says_the_same_as_the_whole_image(y: int, x: int) -> None:
    """No padding anywhere: windows whose place is a multiple of the step are exact."""
    network, step = _network(), 4
    image = torch.randn(1, 1, 80, 80, generator=torch.Generator().manual_seed(1))
    whole = network(image)
    window = network(image[..., y * step : y * step + 44, x * step : x * step + 44])
    expected = whole[..., y * step : y * step + 4, x * step : x * step + 4]
    torch.testing.assert_close(window, expected, rtol=0, atol=1e-5)


def test_output_is_the_middle_of_the_input() -> None:
    """A pixel lights up the logits around its own place: 20 pixels are lost on either side."""
    network = _network((2, 2, 2)).requires_grad_(False)
    for parameter in network.parameters():
        nn.init.constant_(parameter, 1 if parameter.ndim > 1 else 0)
    image = torch.zeros(1, 1, 84, 84)
    image[..., 42, 20] = 1
    seen = network(image)[0, 0].nonzero().float().mean(0)
    assert seen.tolist() == pytest.approx([42 - 20, 20 - 20], abs=22)
    light = network(image)[0, 0]
    assert (light[22, 0], light[0, 43]) == (light.max(), 0)


def test_dropout_stands_after_the_last_two_blocks_down() -> None:
    network = _network((4, 6, 8, 8), dropout=0.25)
    blocks = [*network.down, *network.up]
    found = [isinstance(block[-1], nn.Dropout) and block[-1].p for block in blocks]
    assert found == [False, False, 0.25, 0.25, False, False, False]
    assert sum(isinstance(m, nn.Dropout) for m in network.modules()) == 2


def test_dropout_works_in_training_alone() -> None:
    network, image = _network(), torch.randn(1, 1, 44, 44)
    assert torch.equal(network(image), network(image))
    network.train()
    assert not torch.equal(network(image), network(image))


def test_it_trains() -> None:
    network = _network().train()
    network(torch.randn(1, 1, 48, 44)).square().mean().backward()
    assert all(p.grad is not None and bool(torch.isfinite(p.grad).all()) for p in network.parameters())


def test_logits_are_float32_under_bfloat16() -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert _network()(torch.randn(1, 1, 44, 44)).dtype == torch.float32


def test_two_channels_by_softmax_are_the_default() -> None:
    assert UNet2015Config().head == "softmax"
    with pytest.raises(ValidationError):
        UNet2015Config(dropout=1.0)
