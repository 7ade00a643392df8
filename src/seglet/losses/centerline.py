"""Overlap with center lines, so that thin vessels stay connected."""

import torch
from torch import Tensor
from torch.nn import functional as F

from seglet.losses.region import SMOOTHING, foreground


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
    n_axes = mask.ndim - 2
    along = [[3 if axis == chosen else 1 for axis in range(n_axes)] for chosen in range(n_axes)]
    return -torch.stack([_greatest(-mask, window) for window in along]).amax(dim=0)


def _dilated(mask: Tensor) -> Tensor:
    """The greatest of each pixel and its neighbors, diagonal ones too."""
    return _greatest(mask, [3] * (mask.ndim - 2))


def _greatest(values: Tensor, window: list[int]) -> Tensor:
    """Maximum over a window of odd extents; beyond the border there is nothing."""
    pool = F.max_pool2d if len(window) == 2 else F.max_pool3d
    greatest: Tensor = pool(values, window, stride=1, padding=[extent // 2 for extent in window])
    return greatest
