"""Overlap with center lines, so that thin vessels stay connected."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from seglet.losses.region import SMOOTHING, foreground

View = Callable[[Tensor], Tensor]


def cl_dice_loss(logits: Tensor, labels: Tensor, weights: Tensor, iterations: int) -> Tensor:
    """1 - soft clDice over the batch, mean over the foreground classes.

    Alone it does not say how thick a vessel is: use it beside Dice or cross-entropy.

    Parameters
    ----------
    logits : (n, k, [z,] y, x) float tensor
        k = 1: the foreground's logit of two classes (sigmoid); else one per class (softmax).
    labels : (n, [z,] y, x) int64 tensor
        Class indexes.
    weights : (n, [z,] y, x) float tensor
        Pixels with weight 0 are left out; other weights do not matter here.
    iterations : int
        See `soft_skeleton`.

    Returns
    -------
    scalar tensor
        Between 0 and 1; 0 where no pixel counts, and for a class neither there nor predicted.

    References
    ----------
    .. [1] Shit et al., "clDice: a novel topology-preserving loss function for tubular structure
       segmentation", CVPR 2021, algorithm 2.
    """
    probabilities, truth = foreground(logits, labels, weights)
    precision = _share_inside(soft_skeleton(probabilities, iterations), truth)
    sensitivity = _share_inside(soft_skeleton(truth, iterations), probabilities)
    return 1 - torch.mean(2 * precision * sensitivity / (precision + sensitivity))


def soft_skeleton(mask: Tensor, iterations: int) -> Tensor:
    """Center lines of a soft mask: what opening takes away at each step of an erosion.

    Parameters
    ----------
    mask : (n, k, [z,] y, x) float tensor
        Between 0 and 1.
    iterations : int
        Erosions; at least the radius of the thickest vessel, in pixels.

    Returns
    -------
    (n, k, [z,] y, x) float tensor
        Between 0 and 1; nowhere above zero where the mask is even.

    References
    ----------
    .. [1] Shit et al., "clDice", CVPR 2021, algorithm 1; the neighbors are those of the authors' program:
       along the axes for erosions, diagonals too for dilations.
    """
    skeleton = torch.zeros_like(mask)
    for _ in range(iterations + 1):
        eroded = _eroded(mask)
        skeleton = skeleton + (1 - skeleton) * F.relu(mask - _dilated(eroded))
        mask = eroded
    return skeleton


def _share_inside(skeleton: Tensor, mask: Tensor) -> Tensor:
    """How much of each class's skeleton (k,) lies in the mask; 1 where there is no skeleton."""
    pixels = [axis for axis in range(mask.ndim) if axis != 1]
    inside = torch.sum(skeleton * mask, dim=pixels)
    return (inside + SMOOTHING) / (skeleton.sum(dim=pixels) + SMOOTHING)


def _eroded(mask: Tensor) -> Tensor:
    """The least of each pixel and its neighbors along the axes."""
    return -_greatest(-mask, tuple(range(2, mask.ndim)))


def _dilated(mask: Tensor) -> Tensor:
    """The greatest of each pixel and its neighbors, diagonal ones too."""
    for axis in range(2, mask.ndim):
        mask = _greatest(mask, (axis,))
    return mask


def _greatest(values: Tensor, axes: tuple[int, ...]) -> Tensor:
    """The greatest of each value and its neighbors along some axes; beyond the border there is nothing."""
    greatest: Tensor = _Greatest.apply(values, axes)  # type: ignore[no-untyped-call]
    return greatest


class _Greatest(torch.autograd.Function):
    """`_greatest`; of equal neighbors each gets the same part of the gradient.

    PyTorch's pooling says the same, but takes ten times as long on a CPU.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, axes: tuple[int, ...]) -> Tensor:
        greatest = values.clone()
        for here, there in _neighbors(axes):
            torch.maximum(here(greatest), there(values), out=here(greatest))
        ctx.save_for_backward(values, greatest)
        ctx.axes = axes
        return greatest

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        values, greatest = ctx.saved_tensors
        sides = _neighbors(ctx.axes)
        own = _equal(values, greatest)
        others = [_equal(there(values), here(greatest)) for here, there in sides]
        n_equal = own.clone()
        for (here, _), equal in zip(sides, others, strict=True):
            here(n_equal).add_(equal)
        share = gradient / n_equal
        total = own.mul_(share)
        for (here, there), equal in zip(sides, others, strict=True):
            there(total).addcmul_(here(share), equal)
        return total, None


def _equal(one: Tensor, other: Tensor) -> Tensor:
    """1 where they are equal, else 0: as numbers, which are multiplied faster than booleans."""
    return torch.eq(one, other, out=torch.empty_like(one))


def _neighbors(axes: tuple[int, ...]) -> list[tuple[View, View]]:
    """For each step along an axis: the part that has a neighbor there, and these neighbors."""

    def part(axis: int, start: int) -> View:
        return lambda values: values.narrow(axis, start, values.shape[axis] - 1)

    return [
        pair for axis in axes for pair in ((part(axis, 1), part(axis, 0)), (part(axis, 0), part(axis, 1)))
    ]
