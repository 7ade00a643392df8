"""The U-Net with convolutions that keep the size."""

from itertools import pairwise
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from seglet.core.config import Config
from seglet.networks.blocks import Activation, ConvBlock, Norm, Up, Upsampling, start_weights


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
        ``transposed`` convolution, or ``bilinear`` or ``nearest`` interpolation.
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
    """U-Net [1]_ whose output has the size of its input, whatever that is.

    Parameters
    ----------
    config : UNetConfig
        How blocks are made.
    n_in, n_out : int
        Channels of the image and of the logits.
    channels : tuple of int
        Width of each level, finest first; its length is the depth.

    References
    ----------
    .. [1] Ronneberger, Fischer, Brox, "U-Net", MICCAI 2015.
    """

    def __init__(self, config: UNetConfig, n_in: int, n_out: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        style = config.model_dump(include={"norm", "activation", "dropout", "n_convolutions"})
        widths = (n_in, *channels)
        self.down = nn.ModuleList(ConvBlock(a, b, **style) for a, b in pairwise(widths))
        upward = list(pairwise(reversed(channels)))
        self.enlarge = nn.ModuleList(Up(a, b, config.upsampling) for a, b in upward)
        self.up = nn.ModuleList(ConvBlock(2 * b, b, **style) for _, b in upward)
        self.head = nn.Conv2d(channels[0], n_out, 1)
        self.step = 2 ** (len(channels) - 1)
        start_weights(self)

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logits.

        Parameters
        ----------
        images : (n, c, y, x) float tensor
            Any y and x; sides that cannot be halved often enough are padded by repeating their last
            pixels, and the logits cut back.

        Returns
        -------
        (n, k, y, x) float32 tensor
            Logits.
        """
        y, x = images.shape[-2:]
        features = self._pad(images)
        skips: list[Tensor] = []
        for block in self.down:
            if skips:
                features = F.max_pool2d(features, 2)
            features = block(features)
            skips.append(features)
        skips.pop()
        for enlarge, block in zip(self.enlarge, self.up, strict=True):
            features = block(torch.cat([skips.pop(), enlarge(features)], dim=1))
        with torch.autocast(
            features.device.type, enabled=False
        ):  # bfloat16 logits would tie thousands of pixels
            logits: Tensor = self.head(features.float())
        return logits[..., :y, :x]

    def _pad(self, images: Tensor) -> Tensor:
        y, x = images.shape[-2:]
        missing = [0, -x % self.step, 0, -y % self.step]
        if max(y, x) <= self.step:  # normalizations need more than one value at the coarsest level
            missing[1] += self.step
        return F.pad(images, missing, mode="replicate") if any(missing) else images
