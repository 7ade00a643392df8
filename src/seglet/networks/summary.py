"""What a network is before it is trained: its parameters, cost, receptive field and sizes."""

from collections.abc import Callable
from math import prod

import torch
from torch import Tensor, nn

from seglet.core.config import Config
from seglet.core.valid import ValidAxis
from seglet.networks.registry import NetworkConfig, make_network, n_parameters
from seglet.networks.unet2015 import UNet2015
from seglet.preprocessing.plan import Plan

Convolution = nn.Conv2d | nn.Conv3d
Hook = Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]
Transposed = nn.ConvTranspose2d | nn.ConvTranspose3d


class LayerSummary(Config):
    """One layer that has parameters.

    Attributes
    ----------
    name, kind : str
        Its place in the network, and its class.
    output : tuple of int
        (c, [z,] y, x) of what it makes of one image.
    parameters, macs : int
        Trained values; multiply-accumulates for one image, counted for convolutions.
    """

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    macs: int


class NetworkSummary(Config):
    """A network and what it makes of one image.

    Attributes
    ----------
    kind : str
        Of network.
    input, output : tuple of int
        (c, [z,] y, x) of the image and of its logits.
    parameters, macs : int
        Trained values; multiply-accumulates for the image.
    receptive_field : tuple of int
        Extent of the pixels that can change one logit; along each axis, where it is largest.
    step : tuple of int
        Along each axis: sizes that are halved without padding are so far apart.
    smallest : tuple of int
        The smallest image.
    is_padded : bool
        Whether images of any size can be put in; else only those `smallest` and any number of `step` larger.
    layers : tuple of LayerSummary
        In the order they are used.
    """

    kind: str
    input: tuple[int, ...]
    output: tuple[int, ...]
    parameters: int
    macs: int
    receptive_field: tuple[int, ...]
    step: tuple[int, ...]
    smallest: tuple[int, ...]
    is_padded: bool
    layers: tuple[LayerSummary, ...]


def summarize(config: NetworkConfig, plan: Plan, n_outputs: int, size: tuple[int, ...]) -> NetworkSummary:
    """Measure a network on one image, without computing anything.

    Parameters
    ----------
    config : NetworkConfig
        Its kind and blocks.
    plan : Plan
        Its widths, strides, kernels and channels.
    n_outputs : int
        Channels of the logits.
    size : (y, x) or (z, y, x)
        Of the image.

    Raises
    ------
    GeometryError
        If a network of unpadded convolutions cannot halve an image of that size; names the nearest it can.
    """
    with torch.device("meta"):
        network = make_network(config, plan, n_outputs, seed=0).eval()
        layers: list[LayerSummary] = []
        for name, layer in network.named_modules():
            if next(layer.parameters(recurse=False), None) is not None:
                layer.register_forward_hook(_recorder(name, layers))
        logits = network(torch.empty(1, plan.n_channels, *size))
    axes = plan.valid_axes
    is_padded = not isinstance(network, UNet2015)
    return NetworkSummary(
        kind=config.kind,
        input=(plan.n_channels, *size),
        output=tuple(logits.shape[1:]),
        parameters=n_parameters(network),
        macs=sum(layer.macs for layer in layers),
        receptive_field=receptive_field(config, plan),
        step=tuple(axis.step for axis in axes),
        smallest=tuple(1 if is_padded else axis.smallest for axis in axes),
        is_padded=is_padded,
        layers=tuple(layers),
    )


def receptive_field(config: NetworkConfig, plan: Plan) -> tuple[int, ...]:
    """Extent of the pixels that can change one logit, along each axis.

    Found by trying: a network of one channel whose weights are all 1 shows a single bright pixel wherever it
    can. Pixels at different places within a cell of the coarsest level see fields of different extent; this
    is the largest. Normalizations over the image, which see all of it, are left out of account.
    """
    return tuple(_field_along(config, plan, axis) for axis in range(len(plan.kernels[0])))


def _field_along(config: NetworkConfig, plan: Plan, axis: int) -> int:
    """The field along one axis, in lines of one pixel: strides and kernels of the others are 1."""
    sizes = plan.valid_axes[axis]
    network = _all_ones(config, plan, sizes)
    step, length = sizes.step, 4 * sizes.step
    while True:
        n = sizes.nearest(length)
        pixels = torch.arange(step) + n // 2 // step * step
        lines = torch.zeros(step, 1, n, 1, dtype=torch.float64)
        lines[torch.arange(step), 0, pixels, 0] = 1
        with torch.inference_mode():
            is_reached = network(lines)[:, 0, :, 0] != 0
        if not is_reached[:, [0, -1]].any():  # else the field may go on beyond the line
            return _largest_extent(is_reached, pixels, step)
        length *= 2


def _all_ones(config: NetworkConfig, plan: Plan, axis: ValidAxis) -> nn.Module:
    sizes = {
        "n_channels": 1,
        "channels": (1,) * len(axis.kernels),
        "strides": tuple((stride, 1) for stride in axis.strides),
        "kernels": tuple((kernel, 1) for kernel in axis.kernels),
    }
    plain = {"norm": "none"} if "norm" in type(config).model_fields else {}
    network = make_network(config.model_copy(update=plain), plan.model_copy(update=sizes), 1, seed=0)
    for parameter in network.parameters():
        nn.init.constant_(parameter, 1 if parameter.ndim > 1 else 0)
    return network.double().eval()


def _largest_extent(is_reached: Tensor, pixels: Tensor, step: int) -> int:
    """Of the pixels that reach a logit; logits one step apart see alike, so a step of pixels tells all."""
    which, logit = is_reached.nonzero(as_tuple=True)
    offset, phase = pixels[which] - logit, logit % step
    each = (offset[phase == p] for p in range(step))
    return max(int(seen.max() - seen.min()) + 1 for seen in each)


def _recorder(name: str, layers: list[LayerSummary]) -> Hook:
    """A hook that notes a layer when it is used."""

    def record(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        layers.append(
            LayerSummary(
                name=name,
                kind=type(layer).__name__,
                output=tuple(output.shape[1:]),
                parameters=sum(p.numel() for p in layer.parameters(recurse=False)),
                macs=_macs(layer, inputs[0], output),
            )
        )

    return record


def _macs(layer: nn.Module, features: Tensor, output: Tensor) -> int:
    """Multiply-accumulates of one image; those of normalizations are few and left out."""
    if isinstance(layer, Convolution):
        return output[0].numel() * layer.in_channels * prod(layer.kernel_size)
    if isinstance(layer, Transposed):
        return features[0].numel() * layer.out_channels * prod(layer.kernel_size)
    return 0
