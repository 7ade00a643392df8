"""Sizes, parameters and start of the published networks, worked out by hand."""

import math
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from seglet.networks.registry import NetworkConfig, make_network, n_parameters
from seglet.networks.retina_patch import RetinaPatchConfig
from seglet.networks.unet import UNetConfig
from seglet.networks.unet2015 import UNet2015Config
from seglet.preprocessing.plan import Plan

FULL = (64, 128, 256, 512, 1024)
NUCLEI = UNetConfig(
    norm="none",
    activation="elu",
    dropout=(0.1, 0.1, 0.2, 0.2, 0.3, 0.2, 0.2, 0.1, 0.1),
    upsampling="transposed",
)
LIVER_A = UNetConfig(
    norm="none", dropout=(0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0), dropout_at="end", upsampling="upconv"
)
LIVER_B = UNetConfig(norm="none", upsampling="transposed", head="softmax")


def _plan(channels: tuple[int, ...], n_channels: int = 1) -> Plan:
    return Plan(
        color="as_is",
        normalization="standardize",
        resize=None,
        patch_size=(16, 16),
        batch_size=1,
        channels=channels,
        strides=((2, 2),) * (len(channels) - 1),
        kernels=((3, 3),) * len(channels),
        n_channels=n_channels,
        n_classes=2,
        training_memory=1,
    )


def _network(config: NetworkConfig, plan: Plan, n_outputs: int) -> nn.Module:
    with torch.device("meta"):
        return make_network(config, plan, n_outputs, seed=0).eval()


@pytest.fixture(scope="module")
def original() -> nn.Module:
    return _network(UNet2015Config(), _plan(FULL), 2)


def _shapes(network: nn.Module, size: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """What each convolution makes of one square image, in the order they are used."""
    seen: list[tuple[str, tuple[int, ...]]] = []

    def record(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        seen.append((type(layer).__name__, tuple(output.shape[1:])))

    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            layer.register_forward_hook(record)
    network(torch.empty(1, 1, size, size, device="meta"))
    yield from seen


def test_original_has_23_convolutions(original: nn.Module) -> None:
    """Ronneberger 2015, section 2: 18 of 3x3, 4 up-convolutions of 2x2, 1 of 1x1."""
    kernels = [m.kernel_size for m in original.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    assert (kernels.count((3, 3)), kernels.count((2, 2)), kernels.count((1, 1))) == (18, 4, 1)
    assert len(kernels) == 23


def test_original_has_the_sizes_of_figure_1() -> None:
    """Ronneberger 2015, figure 1; an up-convolution doubles 28 to 56, 52 to 104, 100 to 200, 196 to 392."""
    down = [(64, 570), (64, 568), (128, 282), (128, 280), (256, 138), (256, 136), (512, 66), (512, 64)]
    bottom = [(1024, 30), (1024, 28)]
    up = [
        *((512, 56), (512, 54), (512, 52)),
        *((256, 104), (256, 102), (256, 100)),
        *((128, 200), (128, 198), (128, 196)),
        *((64, 392), (64, 390), (64, 388)),
    ]
    expected = [(c, n, n) for c, n in [*down, *bottom, *up, (2, 388)]]
    found = list(_shapes(_network(UNet2015Config(), _plan(FULL), 2), 572))
    assert [shape for _, shape in found] == expected
    kinds = [kind for kind, _ in found]
    assert [n for n, kind in enumerate(kinds) if kind == "ConvTranspose2d"] == [10, 13, 16, 19]


def test_original_has_31_030_658_parameters(original: nn.Module) -> None:
    down = (9 * 1 * 64 + 64) + (9 * 64 * 64 + 64)  # 37,568
    down += (9 * 64 * 128 + 128) + (9 * 128 * 128 + 128)  # 221,440
    down += (9 * 128 * 256 + 256) + (9 * 256 * 256 + 256)  # 885,248
    down += (9 * 256 * 512 + 512) + (9 * 512 * 512 + 512)  # 3,539,968
    bottom = (9 * 512 * 1024 + 1024) + (9 * 1024 * 1024 + 1024)  # 14,157,824
    up = (4 * 1024 * 512 + 512) + (9 * 1024 * 512 + 512) + (9 * 512 * 512 + 512)  # 9,177,600
    up += (4 * 512 * 256 + 256) + (9 * 512 * 256 + 256) + (9 * 256 * 256 + 256)  # 2,294,528
    up += (4 * 256 * 128 + 128) + (9 * 256 * 128 + 128) + (9 * 128 * 128 + 128)  # 573,824
    up += (4 * 128 * 64 + 64) + (9 * 128 * 64 + 64) + (9 * 64 * 64 + 64)  # 143,552
    head = 64 * 2 + 2  # 130
    assert down + bottom + up + head == 31_030_658
    assert n_parameters(original) == 31_030_658


def test_he_start_of_576_incoming_nodes() -> None:
    """Ronneberger 2015, section 3: N = 9 * 64 = 576 for a 3x3 convolution of 64 channels."""
    exact = math.sqrt(2 / 576)
    assert round(exact, 4) == 0.0589
    narrow = make_network(UNet2015Config(), _plan((64, 128)), 2, seed=0)
    layers = [m for m in narrow.modules() if isinstance(m, nn.Conv2d) and m.weight[0].numel() == 576]
    assert [(m.in_channels, m.out_channels) for m in layers] == [(64, 64), (64, 128), (64, 64)]
    for layer in layers:
        weight = layer.weight.detach()
        assert float(weight.mean()) == pytest.approx(0, abs=0.001)
        # 36,864 draws estimate their deviation to 1 part in sqrt(2 * 36,864) = 272
        assert float(weight.std()) == pytest.approx(exact, rel=4 / 272)
        inside = float((weight.abs() < exact).float().mean())
        assert inside == pytest.approx(0.6827, abs=0.01)  # of a Gaussian; 0.577 of a uniform draw


def test_nuclei_form_has_1_941_105_parameters() -> None:
    """16-32-64-128-256, three channels in, one out."""
    down = (9 * 3 * 16 + 16) + (9 * 16 * 16 + 16)
    down += (9 * 16 * 32 + 32) + (9 * 32 * 32 + 32)
    down += (9 * 32 * 64 + 64) + (9 * 64 * 64 + 64)
    down += (9 * 64 * 128 + 128) + (9 * 128 * 128 + 128)
    bottom = (9 * 128 * 256 + 256) + (9 * 256 * 256 + 256)
    up = (4 * 256 * 128 + 128) + (9 * 256 * 128 + 128) + (9 * 128 * 128 + 128)
    up += (4 * 128 * 64 + 64) + (9 * 128 * 64 + 64) + (9 * 64 * 64 + 64)
    up += (4 * 64 * 32 + 32) + (9 * 64 * 32 + 32) + (9 * 32 * 32 + 32)
    up += (4 * 32 * 16 + 16) + (9 * 32 * 16 + 16) + (9 * 16 * 16 + 16)
    head = 16 + 1
    assert down + bottom + up + head == 1_941_105
    assert n_parameters(_network(NUCLEI, _plan((16, 32, 64, 128, 256), 3), 1)) == 1_941_105


def test_nuclei_form_drops_out_between_the_convolutions() -> None:
    network = _network(NUCLEI, _plan((16, 32, 64, 128, 256), 3), 1)
    found = [m.p for m in network.modules() if isinstance(m, nn.Dropout)]
    assert found == [0.1, 0.1, 0.2, 0.2, 0.3, 0.2, 0.2, 0.1, 0.1]
    block = [type(m) for m in network.down[0] if not isinstance(m, nn.Identity)]  # type: ignore[index,union-attr]
    assert block == [nn.Conv2d, nn.ELU, nn.Dropout, nn.Conv2d, nn.ELU]


def test_described_variant_of_the_nuclei_form() -> None:
    """64-128-256-512, batch normalization and dropout after each convolution, which then need no bias.

    Keras keeps the biases that normalization cancels, 64 to 512 a convolution, and counts as parameters the
    running means and deviations.
    """
    config = UNetConfig(norm="batch", activation="elu", dropout=0.1, dropout_at="each")
    down = (9 * 3 * 64 + 2 * 64) + (9 * 64 * 64 + 2 * 64)
    down += (9 * 64 * 128 + 2 * 128) + (9 * 128 * 128 + 2 * 128)
    down += (9 * 128 * 256 + 2 * 256) + (9 * 256 * 256 + 2 * 256)
    bottom = (9 * 256 * 512 + 2 * 512) + (9 * 512 * 512 + 2 * 512)
    up = (4 * 512 * 256 + 256) + (9 * 512 * 256 + 2 * 256) + (9 * 256 * 256 + 2 * 256)
    up += (4 * 256 * 128 + 128) + (9 * 256 * 128 + 2 * 128) + (9 * 128 * 128 + 2 * 128)
    up += (4 * 128 * 64 + 64) + (9 * 128 * 64 + 2 * 64) + (9 * 64 * 64 + 2 * 64)
    head = 64 + 1
    network = _network(config, _plan(FULL[:4], 3), 1)
    assert n_parameters(network) == down + bottom + up + head
    block = [type(m) for m in network.down[0]]  # type: ignore[union-attr]
    assert block == [nn.Conv2d, nn.BatchNorm2d, nn.ELU, nn.Dropout] * 2


def test_liver_form_of_keras() -> None:
    """64-128-256-512; enlarged, then a 2x2 convolution; one channel in and out. 7,696,193 parameters."""
    down = (9 * 1 * 64 + 64) + (9 * 64 * 64 + 64)
    down += (9 * 64 * 128 + 128) + (9 * 128 * 128 + 128)
    down += (9 * 128 * 256 + 256) + (9 * 256 * 256 + 256)
    bottom = (9 * 256 * 512 + 512) + (9 * 512 * 512 + 512)
    up = (4 * 512 * 256 + 256) + (9 * 512 * 256 + 256) + (9 * 256 * 256 + 256)
    up += (4 * 256 * 128 + 128) + (9 * 256 * 128 + 128) + (9 * 128 * 128 + 128)
    up += (4 * 128 * 64 + 64) + (9 * 128 * 64 + 64) + (9 * 64 * 64 + 64)
    head = 64 + 1
    assert down + bottom + up + head == 7_696_193
    network = _network(LIVER_A, _plan(FULL[:4]), 1)
    assert n_parameters(network) == 7_696_193
    (dropout,) = [name for name, m in network.named_modules() if isinstance(m, nn.Dropout)]
    assert dropout.startswith("down.3.")  # the bottom


def test_liver_form_of_pytorch() -> None:
    """64-…-1024 with transposed convolutions: as many parameters as the original, whose sizes it changes."""
    network = _network(LIVER_B, _plan(FULL), 2)
    assert n_parameters(network) == 31_030_658
    assert network(torch.empty(1, 1, 256, 256, device="meta")).shape == (1, 2, 256, 256)


def test_retina_patch_form_has_471_010_parameters() -> None:
    """32-64-128; nothing learned between enlarging and joining, so that blocks up see 128+64 and 64+32."""
    down = (9 * 1 * 32 + 32) + (9 * 32 * 32 + 32)
    down += (9 * 32 * 64 + 64) + (9 * 64 * 64 + 64)
    bottom = (9 * 64 * 128 + 128) + (9 * 128 * 128 + 128)
    up = (9 * 192 * 64 + 64) + (9 * 64 * 64 + 64)
    up += (9 * 96 * 32 + 32) + (9 * 32 * 32 + 32)
    head = 32 * 2 + 2
    assert down + bottom + up + head == 471_010
    network = _network(RetinaPatchConfig(), _plan((32, 64, 128)), 2)
    assert n_parameters(network) == 471_010
    assert network(torch.empty(1, 1, 48, 48, device="meta")).shape == (1, 2, 48, 48)
