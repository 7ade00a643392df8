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
    return _weighted_mean(_surprise(logits, labels), weights)


def focal_loss(logits: Tensor, labels: Tensor, weights: Tensor, gamma: float) -> Tensor:
    """Weighted mean over pixels of the cross-entropy times ``(1 - p) ** gamma``, p the true class's share.

    Parameters
    ----------
    logits, labels, weights
        As of `cross_entropy`.
    gamma : float
        How much less a pixel counts that is already right; 0 is the cross-entropy.

    Returns
    -------
    scalar tensor
        In nats; 0 where no pixel counts.

    References
    ----------
    .. [1] Lin et al., "Focal loss for dense object detection", ICCV 2017, equation (4); divided here by the
       weights' sum instead of the number of anchors.
    """
    if logits.shape[1] == 1:
        logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
    true = F.one_hot(labels, logits.shape[1]).movedim(-1, 1).bool()
    others = logits.masked_fill(true, -torch.inf).logsumexp(dim=1)
    log_wrong = others - logits.logsumexp(dim=1)  # of 1 - p; as a power, its slope is infinite for gamma < 1
    return _weighted_mean(torch.exp(gamma * log_wrong) * _surprise(logits, labels), weights)


def distance_loss(logits: Tensor, distances: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean over pixels of the absolute difference between predicted and true distance.

    Parameters
    ----------
    logits : (n, [z,] y, x) float tensor
        Their sigmoid is the predicted distance.
    distances : (n, [z,] y, x) float tensor
        Distance to the object's border, 0..1 of the object's largest; 0 outside.
    weights : (n, [z,] y, x) float tensor
        Weight of each pixel; 0 leaves it out.

    Returns
    -------
    scalar tensor
        0..1; 0 where no pixel counts.
    """
    return _weighted_mean(torch.abs(torch.sigmoid(logits) - distances), weights)


def _surprise(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of each pixel, (n, [z,] y, x)."""
    if logits.shape[1] == 1:
        return F.binary_cross_entropy_with_logits(logits[:, 0], labels.float(), reduction="none")
    return F.cross_entropy(logits, labels, reduction="none")


def _weighted_mean(loss: Tensor, weights: Tensor) -> Tensor:
    return torch.sum(loss * weights) / weights.sum().clamp(min=1)
