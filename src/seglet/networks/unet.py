"""The U-Net with convolutions that keep the size, for images and volumes."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from seglet.core.config import Config
from seglet.core.errors import ConfigError
from seglet.networks.blocks import (
    CONVOLUTIONS,
    POOLS,
    Activation,
    BlockStyle,
    ConvBlock,
    DropoutPlace,
    Head,
    Norm,
    Up,
    Upsampling,
    cut_to,
    decode,
    levels_of,
    logits_of,
    pad_to_step,
    start_weights,
)
from seglet.preprocessing.levels import total_stride

Probability = Annotated[float, Field(ge=0, lt=1)]


class UNetConfig(Config):
    """How the network's blocks are made; its widths and depth are the plan's.

    Attributes
    ----------
    norm : str
        Normalization after each convolution: ``batch``, ``instance``, ``group`` or ``none``.
    activation : str
        After each normalization.
    dropout : float or tuple of float
        Probability in every block; or one for each in reading order: down, bottom, up.
    dropout_at : str
        ``between`` the convolutions of a block, after ``each`` of them, or at the ``end`` of the block.
    upsampling : str
        ``transposed`` convolution, ``bilinear`` (in volumes trilinear) or ``nearest`` interpolation, or
        ``upconv``: nearest interpolation followed by a 2x2 convolution.
    n_convolutions : int
        Convolutions in a block.
    head : str
        Of two classes: ``sigmoid`` of one channel of logits, or ``softmax`` of two.
    deep_supervision : bool
        Whether coarser levels have logits of their own in training.
    """

    kind: Literal["unet"] = "unet"
    norm: Norm = "batch"
    activation: Activation = "relu"
    dropout: Probability | tuple[Probability, ...] = 0.0
    dropout_at: DropoutPlace = "between"
    upsampling: Upsampling = "transposed"
    n_convolutions: Annotated[int, Field(ge=1)] = 2
    head: Head = "sigmoid"
    deep_supervision: bool = False


class UNet(nn.Module):
    """U-Net [1]_ [2]_ whose output has the size of its input, whatever that is.

    Parameters
    ----------
    config : UNetConfig
        How blocks are made.
    n_in, n_out : int
        Channels of the image and of the logits.
    channels : tuple of int
        Width of each level, finest first; its length is the depth.
    strides : tuple of tuple of int
        By what each step down shortens each axis; one step fewer than levels.
    kernels : tuple of tuple of int
        Odd extent of each level's convolutions along each axis; two axes make a network of images, three
        one of volumes.

    Raises
    ------
    ConfigError
        If there are neither one dropout nor as many as blocks.

    References
    ----------
    .. [1] Ronneberger, Fischer, Brox, "U-Net", MICCAI 2015.
    .. [2] Çiçek et al., "3D U-Net", MICCAI 2016.
    """

    def __init__(
        self,
        config: UNetConfig,
        n_in: int,
        n_out: int,
        channels: tuple[int, ...],
        strides: tuple[tuple[int, ...], ...],
        kernels: tuple[tuple[int, ...], ...],
    ) -> None:
        super().__init__()
        style = BlockStyle(config.norm, config.activation, config.dropout_at, config.n_convolutions)
        n_axes, n_levels = len(kernels[0]), len(channels)
        dropouts = _dropouts(config.dropout, n_levels)
        widths = (n_in, *channels)
        self.down = nn.ModuleList(
            ConvBlock(a, b, kernel, style, p)
            for (a, b), kernel, p in zip(pairwise(widths), kernels, dropouts[:n_levels], strict=True)
        )
        upward = list(zip(pairwise(channels), strides, kernels[:-1], strict=True))[::-1]
        self.enlarge = nn.ModuleList(
            Up(b, a, stride, config.upsampling, config.activation) for (a, b), stride, _ in upward
        )
        self.up = nn.ModuleList(
            ConvBlock(2 * a, a, kernel, style, p)
            for ((a, _), _, kernel), p in zip(upward, dropouts[n_levels:], strict=True)
        )
        self.head = CONVOLUTIONS[n_axes](channels[0], n_out, 1)
        self.side_heads = nn.ModuleList(
            CONVOLUTIONS[n_axes](width, n_out, 1) for width in channels[1:-1] if config.deep_supervision
        )
        self.strides = strides
        self.step = total_stride(strides, n_axes)
        start_weights(self)

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logits.

        Parameters
        ----------
        images : (n, c, [z,] y, x) float tensor
            Of any size; sides that cannot be halved often enough are padded by repeating their last pixels,
            and the logits cut back.

        Returns
        -------
        (n, k, [z,] y, x) float32 tensor
            Logits.
        """
        return cut_to(logits_of(self.head, self._decoded(images)[0]), images.shape[2:])

    def levels(self, images: Tensor) -> list[Tensor]:
        """Compute the logits of every level that has some, finest first: of the finest alone by default.

        Those of coarser levels are smaller by the strides, rounded up.
        """
        return levels_of((self.head, *self.side_heads), self._decoded(images), images.shape[2:])

    def _decoded(self, images: Tensor) -> list[Tensor]:
        skips = [self.down[0](pad_to_step(images, self.step))]
        for stride, block in zip(self.strides, list(self.down)[1:], strict=True):
            skips.append(block(POOLS[len(stride)](skips[-1], stride)))
        return decode(skips, self.enlarge, self.up)


def _dropouts(dropout: float | tuple[float, ...], n_levels: int) -> tuple[float, ...]:
    n_blocks = 2 * n_levels - 1
    if not isinstance(dropout, tuple):
        return (dropout,) * n_blocks
    if len(dropout) != n_blocks:
        raise ConfigError(
            "network.dropout",
            found=f"{len(dropout)} numbers",
            expected=f"one, or {n_blocks}: {n_levels} down to the bottom and {n_levels - 1} up",
            remedy="Give one number for each block, or change plan.channels.",
        )
    return dropout
