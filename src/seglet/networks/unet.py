"""The U-Net with convolutions that keep the size, for images and volumes."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from seglet.core.config import Config
from seglet.networks.blocks import (
    CONVOLUTIONS,
    Activation,
    ConvBlock,
    Norm,
    Up,
    Upsampling,
    start_weights,
)

POOLS: dict[int, Callable[..., Tensor]] = {2: F.max_pool2d, 3: F.max_pool3d}  # by axes


class UNetConfig(Config):
    """How the network's blocks are made; its widths and depth are the plan's.

    Attributes
    ----------
    norm : str
        Normalization after each convolution: ``batch``, ``instance``, ``group`` or ``none``.
    activation : str
        After each normalization.
    dropout : float
        Probability, between the convolutions of a block.
    upsampling : str
        ``transposed`` convolution, or ``bilinear`` (in volumes trilinear) or ``nearest`` interpolation.
    n_convolutions : int
        Convolutions in a block.
    """

    kind: Literal["unet"] = "unet"
    norm: Norm = "batch"
    activation: Activation = "relu"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    upsampling: Upsampling = "transposed"
    n_convolutions: Annotated[int, Field(ge=1)] = 2


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
        style = config.model_dump(include={"norm", "activation", "dropout", "n_convolutions"})
        levels = list(zip(pairwise((n_in, *channels)), kernels, strict=True))
        self.down = nn.ModuleList(ConvBlock(a, b, kernel, **style) for (a, b), kernel in levels)
        upward = list(zip(reversed(levels[1:]), reversed(strides), reversed(kernels[:-1]), strict=True))
        self.enlarge = nn.ModuleList(Up(b, a, s, config.upsampling) for ((a, b), _), s, _ in upward)
        self.up = nn.ModuleList(ConvBlock(2 * a, a, kernel, **style) for ((a, _), _), _, kernel in upward)
        self.head = CONVOLUTIONS[len(kernels[0])](channels[0], n_out, 1)
        self.strides = strides
        self.step = tuple(math.prod(along) for along in zip(*strides, strict=True)) or (1,) * len(kernels[0])
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
        skips = [self.down[0](self._pad(images))]
        for stride, block in zip(self.strides, list(self.down)[1:], strict=True):
            skips.append(block(POOLS[len(stride)](skips[-1], stride)))
        features = skips.pop()
        for enlarge, block in zip(self.enlarge, self.up, strict=True):
            features = block(torch.cat([skips.pop(), enlarge(features)], dim=1))
        with torch.autocast(
            features.device.type, enabled=False
        ):  # bfloat16 logits would tie thousands of pixels
            logits: Tensor = self.head(features.float())
        inside = tuple(slice(n) for n in images.shape)
        return logits[(slice(None), slice(None), *inside[2:])]

    def _pad(self, images: Tensor) -> Tensor:
        shape = images.shape[2:]
        missing = [-n % step for n, step in zip(shape, self.step, strict=True)]
        if all(n <= step for n, step in zip(shape, self.step, strict=True)):
            missing[-1] += self.step[-1]  # normalizations need more than one value at the coarsest level
        around = [n for after in reversed(missing) for n in (0, after)]
        return F.pad(images, around, mode="replicate") if any(missing) else images
