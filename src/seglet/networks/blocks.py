"""What U-Nets are built from; one code for images and volumes."""

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Norm = Literal["batch", "instance", "group", "none"]
Activation = Literal["relu", "leaky_relu", "elu", "gelu", "silu"]
DropoutPlace = Literal["between", "each", "end"]
Upsampling = Literal["transposed", "bilinear", "nearest", "upconv"]
Head = Literal["sigmoid", "softmax"]  # of two classes: one channel of logits, or two

GROUPS = 8  # of group normalization; Wu and He 2018 find 8 to 32 equally good

CONVOLUTIONS: dict[int, type[nn.Conv2d] | type[nn.Conv3d]] = {2: nn.Conv2d, 3: nn.Conv3d}  # by axes
TRANSPOSED: dict[int, type[nn.ConvTranspose2d] | type[nn.ConvTranspose3d]] = {
    2: nn.ConvTranspose2d,
    3: nn.ConvTranspose3d,
}
BATCH_NORMS: dict[int, type[nn.Module]] = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
INSTANCE_NORMS: dict[int, type[nn.Module]] = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
POOLS: dict[int, Callable[..., Tensor]] = {2: F.max_pool2d, 3: F.max_pool3d}
ZERO_PADS: dict[int, type[nn.Module]] = {2: nn.ZeroPad2d, 3: nn.ZeroPad3d}
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


@dataclass(frozen=True)
class BlockStyle:
    """How the convolutions of a block are made.

    Attributes
    ----------
    norm, activation : str
        After each convolution; see `NORMS` and `ACTIVATIONS`.
    dropout_at : str
        ``between`` the convolutions, after ``each`` of them, or at the ``end`` of the block.
    n_convolutions : int
        How many.
    """

    norm: Norm
    activation: Activation
    dropout_at: DropoutPlace = "between"
    n_convolutions: int = 2


class ConvBlock(nn.Sequential):
    """Convolutions, each with normalization, activation and perhaps dropout.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    kernel : tuple of int
        Odd extent of the convolutions along each axis; its length says images (2) or volumes (3).
    style : BlockStyle
        How they are made.
    dropout : float
        Probability.
    is_padded : bool
        Whether zeros around keep the size; else each convolution takes ``kernel - 1`` pixels.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        kernel: tuple[int, ...],
        style: BlockStyle,
        dropout: float = 0.0,
        *,
        is_padded: bool = True,
    ) -> None:
        convolution = CONVOLUTIONS[len(kernel)]
        around = tuple(n // 2 if is_padded else 0 for n in kernel)
        layers: list[nn.Module] = []
        for number in range(style.n_convolutions):
            layers += [
                convolution(
                    n_out if number else n_in,
                    n_out,
                    kernel,  # type: ignore[arg-type]  # as long as the convolution has axes
                    padding=around,  # type: ignore[arg-type]
                    bias=style.norm == "none",
                ),
                NORMS[style.norm](n_out, len(kernel)),
                ACTIVATIONS[style.activation](),
            ]
            is_last = number == style.n_convolutions - 1
            if dropout and {"between": not is_last, "each": True, "end": is_last}[style.dropout_at]:
                layers.append(nn.Dropout(dropout))
        super().__init__(*layers)


class Up(nn.Module):
    """Enlarge: by a transposed convolution without overlap, or by interpolation and a convolution.

    Parameters
    ----------
    n_in, n_out : int
        Channels.
    stride : tuple of int
        Factor along each axis.
    kind : str
        ``transposed``; ``bilinear`` or ``nearest`` interpolation after a 1x1 convolution; ``upconv``: nearest
        interpolation, then a convolution as wide as the stride (2x2) with an activation, as Keras tutorials
        have it: an even kernel is padded after the last pixels alone.
    activation : str
        Of ``upconv``; the others have none.
    """

    def __init__(
        self, n_in: int, n_out: int, stride: tuple[int, ...], kind: Upsampling, activation: Activation
    ) -> None:
        super().__init__()
        n_axes = len(stride)
        self.layers: nn.Module
        if kind == "transposed":
            self.layers = TRANSPOSED[n_axes](n_in, n_out, stride, stride=stride)  # type: ignore[arg-type]
            return
        mode = LINEAR[n_axes] if kind == "bilinear" else "nearest"
        enlarge = nn.Upsample(scale_factor=tuple(float(n) for n in stride), mode=mode)
        if kind == "upconv":
            after = ZERO_PADS[n_axes](_after(tuple(n - 1 for n in stride)))
            convolution = CONVOLUTIONS[n_axes](n_in, n_out, stride)  # type: ignore[arg-type]
            self.layers = nn.Sequential(enlarge, after, convolution, ACTIVATIONS[activation]())
        else:
            self.layers = nn.Sequential(
                CONVOLUTIONS[n_axes](n_in, n_out, 1), enlarge
            )  # cheaper than enlarging first, same result

    def forward(self, coarse: Tensor) -> Tensor:
        """(n, c, [z,] y, x) to (n, c', ...) with each axis as many times longer as its stride says."""
        enlarged: Tensor = self.layers(coarse)
        return enlarged


def decode(skips: list[Tensor], enlarge: nn.ModuleList, up: nn.ModuleList) -> list[Tensor]:
    """Go from the coarsest level up to the finest, joining what each level of the way down has seen.

    Parameters
    ----------
    skips : list of (n, c, [z,] y, x) tensor
        What each level saw, finest first; the last is the bottom. Emptied on the way, to free memory.
    enlarge, up : ModuleList
        One per step up, coarsest first: to the next level's size, and its block.

    Returns
    -------
    list of (n, c, [z,] y, x) tensor
        Features of each level above the bottom, finest first; the bottom where there is no other.
    """
    decoded = [skips.pop()]
    for grow, block in zip(enlarge, up, strict=True):
        decoded.append(block(torch.cat([skips.pop(), grow(decoded[-1])], dim=1)))
    return decoded[:0:-1] or decoded


def pad_to_step(images: Tensor, step: tuple[int, ...]) -> Tensor:
    """Repeat the last pixels of (n, c, [z,] y, x) images until each axis is a multiple of its step.

    Images of one step along all axes get another one, for normalizations need more than one value at the
    coarsest level.
    """
    shape = images.shape[2:]
    missing = [-n % multiple for n, multiple in zip(shape, step, strict=True)]
    if all(n <= multiple for n, multiple in zip(shape, step, strict=True)):
        missing[-1] += step[-1]
    return F.pad(images, _after(tuple(missing)), mode="replicate") if any(missing) else images


def cut_to(logits: Tensor, extent: Sequence[int]) -> Tensor:
    """Leave out what `pad_to_step` added to images of ([z,] y, x) `extent`."""
    return logits[(slice(None), slice(None), *(slice(n) for n in extent))]


def levels_of(heads: Iterable[nn.Module], decoded: list[Tensor], extent: Sequence[int]) -> list[Tensor]:
    """Apply one last layer each to as many levels, finest first.

    Parameters
    ----------
    heads : iterable of Module
        The last layers.
    decoded : list of (n, c, [z,] y, x) tensor
        As `decode` gives it, of images that `pad_to_step` has padded.
    extent : ([z,] y, x)
        Of the images before.

    Returns
    -------
    list of (n, k, [z,] y, x) float32 tensor
        Logits of the pixels of each level that show any of the image.
    """
    levels = []
    for head, features in zip(heads, decoded, strict=False):
        sides = zip(extent, decoded[0].shape[2:], features.shape[2:], strict=True)
        shown = [-(-n * coarse // fine) for n, fine, coarse in sides]
        levels.append(cut_to(logits_of(head, features), shown))
    return levels


def logits_of(head: nn.Module, features: Tensor) -> Tensor:
    """Apply the last layer in float32: bfloat16 logits would tie thousands of pixels."""
    exact = nullcontext() if features.is_meta else torch.autocast(features.device.type, enabled=False)
    with exact:
        logits: Tensor = head(features if features.dtype == torch.float64 else features.float())
    return logits


def _after(extra: tuple[int, ...]) -> tuple[int, ...]:
    """Padding behind each axis as PyTorch wants it: the last axis first, before and behind."""
    return tuple(n for behind in reversed(extra) for n in (0, behind))


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
