"""The intersection over union, continued linearly between hard predictions."""

import torch
from torch import Tensor

from seglet.losses.region import foreground


def lovasz_loss(logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Lovász-Softmax loss over the batch, mean over the foreground classes that are there.

    Equals 1 - intersection over union where predictions are certain. Two classes are treated alike whether
    they come as one logit or as two; the paper's hinge for one logit would give the two forms two losses.

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
        Between 0 and 1; 0, without gradient, where the batch holds no foreground pixel that counts.

    References
    ----------
    .. [1] Berman, Rannen Triki, Blaschko, "The Lovász-Softmax loss", CVPR 2018, algorithm 1.
    """
    probabilities, truth = (both.transpose(0, 1).flatten(1) for both in foreground(logits, labels, weights))
    errors, order = torch.sort(torch.abs(truth - probabilities), dim=1, descending=True)
    losses = torch.sum(errors * _slopes(truth.gather(1, order)), dim=1)
    return losses.sum() / (truth.sum(dim=1) > 0).sum().clamp(min=1)


def _slopes(truth: Tensor) -> Tensor:
    """By how much 1 - IoU grows with each pixel that is wrong, worst first; 0 for an absent class.

    The differences are written out: subtracting neighbors that are nearly equal would leave mere rounding.
    Pixels left out are 0 here and their errors too, so that their place in the order does not matter.
    """
    shared = truth.sum(dim=1, keepdim=True) - truth.cumsum(dim=1)  # pixels of the class not yet wrong
    union = truth.sum(dim=1, keepdim=True) + (1 - truth).cumsum(dim=1)
    of_miss = 1 / union.clamp(min=1)
    of_false_alarm = shared / (union * (union - 1)).clamp(min=1)
    return torch.where(truth > 0, of_miss, of_false_alarm)
