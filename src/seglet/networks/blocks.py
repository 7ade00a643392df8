"""What U-Nets are built from; one code for images and volumes."""

import math
from collections.abc import Callable
from typing import Literal

from torch import Tensor, nn

Norm = Literal["batch", "instance", "group", "none"]
Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu"]
Upsampling = Literal["transposed", "bilinear", "nearest"]

GROUPS = 8  # of group normalization; Wu and He 2018 find 8 to 32 equally good

CONVOLUTIONS: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}  # by axes
TRANSPOSED: dict[int, type[nn.ConvTranspose2d] | type[nn.ConvTranspose3d]] = {
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
BATCH_NORMS: dict[int, type[nn.Module]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
INSTANCE_NORMS: dict[int, type[nn.Module]] = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
LINEAR = {2: "bilinear", 3: "trilinear"}  # PyTorch has a name of its own for each number of axes

NORMS: dict[Norm, Callable[[int, int], nn.Module]] = {
    "batch": lambda width, n_axes: BATCH_NORMS[n_axes](width),
    "instance": lambda width, n_axes: INSTANCE_NORMS[n_axes](width, affine=True),
    "group": lambda width, n_axes: nn.GroupNorm(math.gcd(GROUPS, width), width),
    "none": lambda width, n_axes: nn.Identity(),
}
ACTIVATIONS: dict[Activation, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "leaky_relu": lambda: nn.LeakyReLU(0.01, inplace=True),
    "elu": lambda: nn.ELU(inplace=True),
    "gelu": lambda: nn.GELU(),
    "silu": lambda: nn.SiLU(inplace=True),
}


class ConvBlock(nn.Sequential):
    """Convolutions that keep the size, each with normalization and activation, dropout between.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    kernel : tuple of int
        Odd extent of the convolutions along each axis; its length says images (2) or volumes (3).
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
        kernel: tuple[int, ...],
        *,
        norm: Norm,
        activation: Activation,
        dropout: float,
        n_convolutions: int,
    ) -> None:
        convolution, around = CONVOLUTIONS[len(kernel)], tuple(n // 2 for n in kernel)
        layers: list[nn.Module] = []
        for number in range(n_convolutions):
            if number and dropout:
                layers.append(nn.Dropout(dropout))
            layers += [
                convolution(
                    n_out if number else n_in,
                    n_out,
                    kernel,  # type: ignore[arg-type]  # as long as the convolution has axes
                    padding=around,  # type: ignore[arg-type]
                    bias=norm == "none",
                ),
                NORMS[norm](n_out, len(kernel)),
                ACTIVATIONS[activation](),
            ]
        super().__init__(*layers)


class Up(nn.Module):
    """Enlarge: a transposed convolution without overlap, or interpolation followed by a 1x1 convolution.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    stride : tuple of int
        Factor along each axis.
    kind : str
        ``transposed``; ``bilinear`` or ``nearest`` interpolation.
    """

    def __init__(self, n_in: int, n_out: int, stride: tuple[int, ...], kind: Upsampling) -> None:
        super().__init__()
        n_axes = len(stride)
        self.layers: nn.Module
        if kind == "transposed":
            self.layers = TRANSPOSED[n_axes](n_in, n_out, stride, stride=stride)  # type: ignore[arg-type]
        else:
            mode = LINEAR[n_axes] if kind == "bilinear" else kind
            enlarge = nn.Upsample(scale_factor=tuple(float(n) for n in stride), mode=mode)
            self.layers = nn.Sequential(
                CONVOLUTIONS[n_axes](n_in, n_out, 1), enlarge
            )  # cheaper than enlarging first, same result

    def forward(self, coarse: Tensor) -> Tensor:
        """(n, c, [z,] y, x) to (n, c', ...) with each axis as many times longer as its stride says."""
        enlarged: Tensor = self.layers(coarse)
        return enlarged


def start_weights(network: nn.Module) -> None:
    """He start: Gaussian with standard deviation sqrt(2 / incoming nodes); biases 0. He et al. 2015."""
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.ConvTranspose3d):
            incoming = (
                layer.in_channels
            )  # a transposed convolution adds up one value per channel at each pixel
            if isinstance(layer, nn.Conv2d | nn.Conv3d):
                incoming *= math.prod(layer.kernel_size)
            nn.init.normal_(layer.weight, std=math.sqrt(2 / incoming))
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
