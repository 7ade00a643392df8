"""Losses that compare whole regions by what they share."""

import torch
from torch import Tensor
from torch.nn import functional as F

SMOOTHING = 1.0  # px; keeps the loss of an absent class finite and its gradient small


def tversky_loss(logits: Tensor, labels: Tensor, weights: Tensor, alpha: float, beta: float) -> Tensor:
    """1 - soft Tversky index over the batch, mean over the foreground classes.

    The index is ``TP / (TP + alpha FP + beta FN)``: with 0.5 and 0.5 Dice, with 1 and 1 the intersection over
    union. `SMOOTHING` is added to the twofold of both sides.

    Parameters
    ----------
    logits : (n, k, [z,] y, x) float tensor
        k = 1: the foreground's logit of two classes (sigmoid); else one per class (softmax).
    labels : (n, [z,] y, x) int64 tensor
        Class indexes.
    weights : (n, [z,] y, x) float tensor
        Pixels with weight 0 are left out; other weights do not matter here.
    alpha, beta : float
        What a false positive and a false negative pixel costs.

    Returns
    -------
    scalar tensor
        Between 0 and 1; 0 where no pixel counts, and for a class neither there nor predicted.

    References
    ----------
    .. [1] Salehi, Erdogmus, Gholipour, "Tversky loss function for image segmentation using 3D fully
       convolutional deep networks", MLMI 2017.
    """
    probabilities, truth = foreground(logits, labels, weights)
    pixels = [axis for axis in range(logits.ndim) if axis != 1]
    hit = torch.sum(probabilities * truth, dim=pixels)
    false_alarm = torch.sum(probabilities, dim=pixels) - hit
    miss = torch.sum(truth, dim=pixels) - hit
    right = 2 * hit + SMOOTHING
    return 1 - torch.mean(right / (right + 2 * alpha * false_alarm + 2 * beta * miss))


def dice_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """1 - soft Dice over the batch, mean over the foreground classes.

    Parameters and value are those of `tversky_loss`.

    References
    ----------
    .. [1] Milletari, Navab, Ahmadi, "V-Net", 3DV 2016.
    """
    return tversky_loss(logits, labels, weights, alpha=0.5, beta=0.5)


def jaccard_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """1 - soft intersection over union over the batch, mean over the foreground classes.

    Parameters and value are those of `tversky_loss`.

    References
    ----------
    .. [1] Rahman, Wang, "Optimizing intersection-over-union in deep neural networks for image segmentation",
       ISVC 2016.
    """
    return tversky_loss(logits, labels, weights, alpha=1, beta=1)


def foreground(logits: Tensor, labels: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Probability and truth of each foreground class, both 0 at pixels of weight 0.

    Parameters
    ----------
    logits, labels, weights
        As of `tversky_loss`.

    Returns
    -------
    probabilities, truth : (n, k - 1, [z,] y, x) float tensors
        One channel where k = 1.
    """
    counted = (weights > 0).float()[:, None]
    if logits.shape[1] == 1:
        probabilities, truth = torch.sigmoid(logits), labels[:, None].float()
    else:
        probabilities = torch.softmax(logits, dim=1)[:, 1:]
        truth = F.one_hot(labels, logits.shape[1]).movedim(-1, 1)[:, 1:].float()
    return probabilities * counted, truth * counted
