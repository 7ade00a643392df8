"""Losses that are a mean over pixels."""

import torch
from torch import Tensor
from torch.nn import functional as F


def cross_entropy(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean cross-entropy over pixels.

    Parameters
    ----------
    logits : (n, k, [z,] y, x) float tensor
        k = 1: the foreground's logit of two classes (sigmoid); else one per class (softmax).
    labels : (n, [z,] y, x) int64 tensor
        Class indexes.
    weights : (n, [z,] y, x) float tensor
        Weight of each pixel; 0 leaves it out.

    Returns
    -------
    scalar tensor
        In nats; 0 where no pixel counts.
    """
    if logits.shape[1] == 1:
        loss = F.binary_cross_entropy_with_logits(logits[:, 0], labels.float(), reduction="none")
    else:
        loss = F.cross_entropy(logits, labels, reduction="none")
    return torch.sum(loss * weights) / weights.sum().clamp(min=1)
