"""Losses that compare whole regions."""

import torch
from torch import Tensor
from torch.nn import functional as F

SMOOTHING = 1.0  # px; keeps the loss of an absent class finite and its gradient small


def dice_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """1 - soft Dice over the batch, mean over the foreground classes.

    Parameters
    ----------
    logits : (n, k, [z,] y, x) float tensor
        k = 1: the foreground's logit of two classes (sigmoid); else one per class (softmax).
    labels : (n, [z,] y, x) int64 tensor
        Class indexes.
    weights : (n, [z,] y, x) float tensor
        Pixels with weight 0 are left out; other weights do not matter here.

    Returns
    -------
    scalar tensor
        Between 0 and 1.

    References
    ----------
    .. [1] Milletari, Navab, Ahmadi, "V-Net", 3DV 2016.
    """
    counted = (weights > 0).float()[:, None]
    if logits.shape[1] == 1:
        probabilities, truth = torch.sigmoid(logits), labels[:, None].float()
    else:
        probabilities = torch.softmax(logits, dim=1)[:, 1:]
        truth = F.one_hot(labels, logits.shape[1]).movedim(-1, 1)[:, 1:].float()
    pixels = [axis for axis in range(logits.ndim) if axis != 1]
    overlap = torch.sum(probabilities * truth * counted, dim=pixels)
    size = torch.sum((probabilities + truth) * counted, dim=pixels)
    return 1 - torch.mean((2 * overlap + SMOOTHING) / (size + SMOOTHING))
