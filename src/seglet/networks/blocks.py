"""What U-Nets are built from."""

import math
from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

Norm = Literal["batch", "instance", "group", "none"]
Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu"]
Upsampling = Literal["transposed", "bilinear", "nearest"]

GROUPS = 8  # of group normalization; Wu and He 2018 find 8 to 32 equally good

NORMS: dict[Norm, Callable[[int], nn.Module]] = {
    "batch": lambda width: nn.BatchNorm2d(width),
    "instance": lambda width: nn.InstanceNorm2d(width, affine=True),
    "group": lambda width: nn.GroupNorm(math.gcd(GROUPS, width), width),
    "none": lambda width: nn.Identity(),
}
ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky_relu": lambda: nn.LeakyReLU(0.01, inplace=True),
    "elu": lambda: nn.ELU(inplace=True),
    "gelu": lambda: nn.GELU(),
    "silu": lambda: nn.SiLU(inplace=True),
}


class ConvBlock(nn.Sequential):
    """3x3 convolutions that keep the size, each with normalization and activation, dropout between.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    norm, activation : str
        See `NORMS` and `ACTIVATIONS`.
    dropout : float
        Probability, between the convolutions.
    n_convolutions : int
        How many.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        norm: Norm,
        activation: Activation,
        dropout: float,
        n_convolutions: int,
    ) -> None:
        layers: list[nn.Module] = []
        for number in range(n_convolutions):
            if number and dropout:
                layers.append(nn.Dropout(dropout))
            layers += [
                nn.Conv2d(n_out if number else n_in, n_out, 3, padding=1, bias=norm == "none"),
                NORMS[norm](n_out),
                ACTIVATIONS[activation](),
            ]
        super().__init__(*layers)


class Up(nn.Module):
    """Double the size: a 2x2 transposed convolution, or interpolation followed by a 1x1 convolution."""

    def __init__(self, n_in: int, n_out: int, kind: Upsampling) -> None:
        super().__init__()
        self.layers: nn.Module
        if kind == "transposed":
            self.layers = nn.ConvTranspose2d(n_in, n_out, 2, stride=2)
        else:
            enlarge = nn.Upsample(scale_factor=2, mode=kind)
            self.layers = nn.Sequential(
                nn.Conv2d(n_in, n_out, 1), enlarge
            )  # cheaper than enlarging first, same result

    def forward(self, coarse: Tensor) -> Tensor:
        """(n, c, y, x) to (n, c', 2y, 2x)."""
        doubled: Tensor = self.layers(coarse)
        return doubled


def start_weights(network: nn.Module) -> None:
    """He start: Gaussian with standard deviation sqrt(2 / incoming nodes); biases 0. He et al. 2015."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            incoming = (
                layer.in_channels
            )  # a transposed convolution adds up one value per channel at each pixel
            if isinstance(layer, nn.Conv2d):
                incoming *= math.prod(layer.kernel_size)
            nn.init.normal_(layer.weight, std=math.sqrt(2 / incoming))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
