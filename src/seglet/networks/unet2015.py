"""The U-Net as it was published: unpadded convolutions, whose output is smaller than their input."""

from itertools import pairwise
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from seglet.core.config import Config
from seglet.networks.blocks import (
    CONVOLUTIONS,
    POOLS,
    TRANSPOSED,
    BlockStyle,
    ConvBlock,
    Head,
    logits_of,
    start_weights,
)
from seglet.preprocessing.sizes import valid_axes

STYLE = BlockStyle(norm="none", activation="relu", dropout_at="end")
N_DROPPED = 2  # blocks with dropout: the release has it at its levels of 512 and 1024 channels


class UNet2015Config(Config):
    """What the publication leaves open; widths and depth are the plan's.

    Attributes
    ----------
    dropout : float
        Probability at the end of the contracting path, after its last two blocks. Published without a number
        (section 3.1); 0.5 in the authors' release (phseg_v5).
    head : str
        Of two classes: ``softmax`` of two channels of logits, as published, or ``sigmoid`` of one.
    """

    kind: Literal["unet2015"] = "unet2015"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5
    head: Head = "softmax"


class UNet2015(nn.Module):
    """The original U-Net [1]_, for images as published and for volumes.

    With five levels of 64 to 1024 channels it has 23 convolutions, and makes 388x388 logits of 572x572
    pixels. Two 3x3 convolutions with ReLU at each level, max pooling, transposed convolutions without ReLU,
    and skips cut to their middle before they are joined. The authors' release differs from the paper: it has
    a ReLU after each transposed convolution, and the last of them keeps 128 channels.

    Parameters
    ----------
    config : UNet2015Config
        What the publication leaves open.
    n_in, n_out : int
        Channels of the image and of the logits.
    channels : tuple of int
        Width of each level, finest first.
    strides, kernels : tuple of tuple of int
        As for `seglet.networks.unet.UNet`.

    References
    ----------
    .. [1] Ronneberger, Fischer, Brox, "U-Net", MICCAI 2015, figure 1 and section 3.
    """

    def __init__(
        self,
        config: UNet2015Config,
        n_in: int,
        n_out: int,
        channels: tuple[int, ...],
        strides: tuple[tuple[int, ...], ...],
        kernels: tuple[tuple[int, ...], ...],
    ) -> None:
        super().__init__()
        n_axes, n_levels = len(kernels[0]), len(channels)
        dropped = [config.dropout if level >= n_levels - N_DROPPED else 0.0 for level in range(n_levels)]
        self.down = nn.ModuleList(
            ConvBlock(a, b, kernel, STYLE, p, is_padded=False)
            for (a, b), kernel, p in zip(pairwise((n_in, *channels)), kernels, dropped, strict=True)
        )
        upward = list(zip(pairwise(channels), strides, kernels[:-1], strict=True))[::-1]
        self.enlarge = nn.ModuleList(
            TRANSPOSED[n_axes](b, a, stride, stride=stride)  # type: ignore[arg-type]
            for (a, b), stride, _ in upward
        )
        self.up = nn.ModuleList(
            ConvBlock(2 * a, a, kernel, STYLE, is_padded=False) for (a, _), _, kernel in upward
        )
        self.head = CONVOLUTIONS[n_axes](channels[0], n_out, 1)
        self.strides = strides
        self.axes = valid_axes(strides, kernels)
        start_weights(self)

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logits of the middle of images.

        Parameters
        ----------
        images : (n, c, [z,] y, x) float tensor
            Of a size that every level can halve, see `seglet.core.valid.ValidAxis`.

        Returns
        -------
        (n, k, [z,] y', x') float32 tensor
            Logits; each side is shorter than the image's by twice the axis' margin.

        Raises
        ------
        GeometryError
            If a level cannot be halved or nothing would come out; names the nearest sizes that can.
        """
        for axis, size in zip(self.axes, images.shape[2:], strict=True):
            axis.output(size)
        skips = [self.down[0](images)]
        for stride, block in zip(self.strides, list(self.down)[1:], strict=True):
            skips.append(block(POOLS[len(stride)](skips[-1], stride)))
        features = skips.pop()
        for enlarge, block in zip(self.enlarge, self.up, strict=True):
            grown = enlarge(features)
            features = block(torch.cat([_middle(skips.pop(), grown.shape), grown], dim=1))
        return logits_of(self.head, features)


def _middle(skip: Tensor, shape: torch.Size) -> Tensor:
    """The middle of a skip, of the (n, c, [z,] y, x) shape that came up."""
    for axis in range(2, len(shape)):
        skip = skip.narrow(axis, (skip.shape[axis] - shape[axis]) // 2, shape[axis])
    return skip
