"""The U-Net of retina-unet, for small patches of fundus photographs."""

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from seglet.core.config import Config
from seglet.networks.blocks import (
    CONVOLUTIONS,
    POOLS,
    BlockStyle,
    ConvBlock,
    Head,
    cut_to,
    decode,
    logits_of,
    pad_to_step,
)
from seglet.preprocessing.levels import total_stride

STYLE = BlockStyle(norm="none", activation="relu", dropout_at="between")


class RetinaPatchConfig(Config):
    """What may be changed; widths and depth are the plan's, 32, 64 and 128 as published.

    Attributes
    ----------
    dropout : float
        Probability, between the two convolutions of each block.
    head : str
        Of two classes: ``softmax`` of two channels of logits, as published, or ``sigmoid`` of one.
    """

    kind: Literal["retina_patch"] = "retina_patch"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    head: Head = "softmax"


class RetinaPatchUNet(nn.Module):
    """U-Net that joins enlarged features without a convolution between [1]_.

    Two 3x3 convolutions with ReLU at each level, max pooling, nearest enlargement, a 1x1 convolution. The
    release has a ReLU after that last convolution too, before the softmax: logits below 0 are lost, and
    pixels where both are stop learning. It is left out here.

    The weights start as Keras starts them where nothing is said, and so did these: uniform within
    ±sqrt(6 / (incoming + outgoing nodes)), biases 0 [2]_.

    Parameters
    ----------
    config : RetinaPatchConfig
        What may be changed.
    n_in, n_out : int
        Channels of the image and of the logits.
    channels : tuple of int
        Width of each level, finest first.
    strides, kernels : tuple of tuple of int
        As for `seglet.networks.unet.UNet`.

    References
    ----------
    .. [1] Cortinovis, "Retina blood vessel segmentation with a convolutional neural network", 2016,
       https://github.com/orobix/retina-unet
    .. [2] Glorot, Bengio, "Understanding the difficulty of training deep feedforward neural networks",
       AISTATS 2010, equation (16).
    """

    def __init__(
        self,
        config: RetinaPatchConfig,
        n_in: int,
        n_out: int,
        channels: tuple[int, ...],
        strides: tuple[tuple[int, ...], ...],
        kernels: tuple[tuple[int, ...], ...],
    ) -> None:
        super().__init__()
        n_axes = len(kernels[0])
        self.down = nn.ModuleList(
            ConvBlock(a, b, kernel, STYLE, config.dropout)
            for (a, b), kernel in zip(pairwise((n_in, *channels)), kernels, strict=True)
        )
        upward = list(zip(pairwise(channels), strides, kernels[:-1], strict=True))[::-1]
        self.enlarge = nn.ModuleList(
            nn.Upsample(scale_factor=tuple(float(n) for n in stride)) for _, stride, _ in upward
        )
        self.up = nn.ModuleList(
            ConvBlock(a + b, a, kernel, STYLE, config.dropout) for (a, b), _, kernel in upward
        )
        self.head = CONVOLUTIONS[n_axes](channels[0], n_out, 1)
        self.strides = strides
        self.step = total_stride(strides, n_axes)
        _start_like_keras(self)

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
        skips = [self.down[0](pad_to_step(images, self.step))]
        for stride, block in zip(self.strides, list(self.down)[1:], strict=True):
            skips.append(block(POOLS[len(stride)](skips[-1], stride)))
        finest = decode(skips, self.enlarge, self.up)[0]
        return cut_to(logits_of(self.head, finest), images.shape[2:])


def _start_like_keras(network: nn.Module) -> None:
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Conv3d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
