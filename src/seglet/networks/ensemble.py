"""Several networks as one: the mean of what they say."""

from collections.abc import Sequence
from functools import reduce

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Ensemble(nn.Module):
    """Networks of the same outputs; its probabilities are the mean of theirs.

    Parameters
    ----------
    members : sequence of Module
        Each gives (n, k, [z,] y, x) logits.
    has_distance : bool
        Whether the last channel is no class but a distance, 0 to 1 by its sigmoid.
    """

    def __init__(self, members: Sequence[nn.Module], *, has_distance: bool = False) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.has_distance = has_distance

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits whose sigmoid (k = 1) or softmax is the mean of the members' probabilities.

        Parameters
        ----------
        images : (n, c, [z,] y, x) float tensor
            Input of every member.

        Returns
        -------
        (n, k, [z,] y, x) float32 tensor
            Logarithms of mean probabilities; added up as logarithms, so that certainty stays finite. The
            sigmoid of a distance channel is the mean of the members' distances.
        """
        each = [member(images).float() for member in self.members]
        if not self.has_distance:
            return _mean(each)
        classes, distances = zip(*((logits[:, :-1], logits[:, -1:]) for logits in each), strict=True)
        return torch.cat([_mean(classes), _mean(distances)], dim=1)


def _mean(each: Sequence[Tensor]) -> Tensor:
    if each[0].shape[1] == 1:
        inside = reduce(torch.logaddexp, [F.logsigmoid(logits) for logits in each])
        return inside - reduce(torch.logaddexp, [F.logsigmoid(-logits) for logits in each])
    return reduce(torch.logaddexp, [F.log_softmax(logits, dim=1) for logits in each])
