"""The U-Net with a deep residual encoder and a light decoder, for images and volumes."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from seglet.core.config import Config
from seglet.networks.blocks import (
    ACTIVATIONS,
    CONVOLUTIONS,
    NORMS,
    Activation,
    BlockStyle,
    ConvBlock,
    Head,
    Up,
    cut_to,
    decode,
    levels_of,
    logits_of,
    pad_to_step,
    start_weights,
)
from seglet.preprocessing.levels import total_stride

AVERAGE_POOLS: dict[int, type[nn.Module]] = {2: nn.AvgPool2d, 3: nn.AvgPool3d}


class ResidualUNetConfig(Config):
    """How the network's blocks are made; its widths and depth are the plan's.

    Attributes
    ----------
    norm : str
        Normalization after each convolution: ``batch``, ``instance`` or ``group``.
    activation : str
        After each normalization, and after each sum.
    n_blocks : tuple of int
        Residual blocks of each level, finest first; deeper levels have as many as the last.
    head : str
        Of two classes: ``sigmoid`` of one channel of logits, or ``softmax`` of two.
    deep_supervision : bool
        Whether coarser levels have logits of their own in training.
    """

    kind: Literal["residual_unet"] = "residual_unet"
    norm: Literal["batch", "instance", "group"] = "instance"
    activation: Activation = "leaky_relu"
    n_blocks: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (1, 3, 4, 6)
    head: Head = "sigmoid"
    deep_supervision: bool = False


class ResidualUNet(nn.Module):
    """U-Net with residual blocks on the way down and one convolution per level on the way up [1]_.

    Parameters
    ----------
    config : ResidualUNetConfig
        How blocks are made.
    n_in, n_out : int
        Channels of the image and of the logits.
    channels : tuple of int
        Width of each level, finest first.
    strides, kernels : tuple of tuple of int
        As for `seglet.networks.unet.UNet`.

    References
    ----------
    .. [1] Isensee et al., "nnU-Net Revisited", MICCAI 2024: the encoder of its ResEnc presets has 1, 3, 4, 6,
       6, ... blocks per level, and its decoder one convolution.
    """

    def __init__(
        self,
        config: ResidualUNetConfig,
        n_in: int,
        n_out: int,
        channels: tuple[int, ...],
        strides: tuple[tuple[int, ...], ...],
        kernels: tuple[tuple[int, ...], ...],
    ) -> None:
        super().__init__()
        style = BlockStyle(config.norm, config.activation, n_convolutions=1)
        n_axes = len(kernels[0])
        counts = [config.n_blocks[min(level, len(config.n_blocks) - 1)] for level in range(len(channels))]
        self.stem = ConvBlock(n_in, channels[0], kernels[0], style)
        widths, at_once = pairwise((channels[0], *channels)), (1,) * n_axes
        steps = zip(widths, kernels, (at_once, *strides), counts, strict=True)
        self.down = nn.ModuleList(
            nn.Sequential(
                ResidualBlock(a, b, kernel, stride, style),
                *(ResidualBlock(b, b, kernel, at_once, style) for _ in range(n - 1)),
            )
            for (a, b), kernel, stride, n in steps
        )
        upward = list(zip(pairwise(channels), strides, kernels[:-1], strict=True))[::-1]
        self.enlarge = nn.ModuleList(
            Up(b, a, stride, "transposed", config.activation) for (a, b), stride, _ in upward
        )
        self.up = nn.ModuleList(ConvBlock(2 * a, a, kernel, style) for (a, _), _, kernel in upward)
        self.head = CONVOLUTIONS[n_axes](channels[0], n_out, 1)
        self.side_heads = nn.ModuleList(
            CONVOLUTIONS[n_axes](width, n_out, 1) for width in channels[1:-1] if config.deep_supervision
        )
        self.step = total_stride(strides, n_axes)
        start_weights(self)
        _start_as_shortcuts(self)

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logits.

        Parameters
        ----------
        images : (n, c, [z,] y, x) float tensor
            Of any size; sides that cannot be halved often enough are padded by repeating their last pixels.

        Returns
        -------
        (n, k, [z,] y, x) float32 tensor
            Logits.
        """
        return cut_to(logits_of(self.head, self._decoded(images)[0]), images.shape[2:])

    def levels(self, images: Tensor) -> list[Tensor]:
        """Compute the logits of every level that has some, finest first; see `seglet.networks.unet.UNet`."""
        return levels_of((self.head, *self.side_heads), self._decoded(images), images.shape[2:])

    def _decoded(self, images: Tensor) -> list[Tensor]:
        features, skips = self.stem(pad_to_step(images, self.step)), []
        for stage in self.down:
            features = stage(features)
            skips.append(features)
        return decode(skips, self.enlarge, self.up)


class ResidualBlock(nn.Module):
    """Two convolutions whose result is added to their input [1]_.

    Where the block shortens an axis, its input is averaged over the stride, and where it widens, a 1x1
    convolution brings it to the new width [2]_.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    kernel, stride : tuple of int
        Of the first convolution, along each axis; the second has stride 1.
    style : BlockStyle
        Its normalization and activation.

    References
    ----------
    .. [1] He et al., "Deep Residual Learning for Image Recognition", CVPR 2016.
    .. [2] He et al., "Bag of Tricks for Image Classification", CVPR 2019, figure 2 (ResNet-D).
    """

    def __init__(
        self, n_in: int, n_out: int, kernel: tuple[int, ...], stride: tuple[int, ...], style: BlockStyle
    ) -> None:
        super().__init__()
        n_axes, around, has_bias = len(kernel), tuple(n // 2 for n in kernel), style.norm == "none"
        convolution = CONVOLUTIONS[n_axes]
        self.residual = nn.Sequential(
            convolution(n_in, n_out, kernel, stride, around, bias=has_bias),  # type: ignore[arg-type]
            NORMS[style.norm](n_out, n_axes),
            ACTIVATIONS[style.activation](),
            convolution(n_out, n_out, kernel, padding=around, bias=has_bias),  # type: ignore[arg-type]
            NORMS[style.norm](n_out, n_axes),
        )
        shortcut: list[nn.Module] = [AVERAGE_POOLS[n_axes](stride)] if max(stride) > 1 else []
        if n_in != n_out:
            shortcut += [convolution(n_in, n_out, 1, bias=has_bias), NORMS[style.norm](n_out, n_axes)]
        self.shortcut = nn.Sequential(*shortcut)
        self.activation = ACTIVATIONS[style.activation]()

    def forward(self, features: Tensor) -> Tensor:
        """(n, c, [z,] y, x) to (n, c', ...), each axis shortened by its stride."""
        summed: Tensor = self.activation(self.residual(features) + self.shortcut(features))
        return summed


def _start_as_shortcuts(network: nn.Module) -> None:
    """Let every block pass its input on at first. Goyal et al., "Large Minibatch SGD", 2017, section 5.1."""
    for block in network.modules():
        if isinstance(block, ResidualBlock):
            weight = getattr(block.residual[-1], "weight", None)
            if weight is not None:
                nn.init.zeros_(weight)
