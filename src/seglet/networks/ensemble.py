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
    """

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits whose sigmoid (k = 1) or softmax is the mean of the members' probabilities.

        Parameters
        ----------
        images : (n, c, [z,] y, x) float tensor
            Input of every member.

        Returns
        -------
        (n, k, [z,] y, x) float32 tensor
            Logarithms of mean probabilities; added up as logarithms, so that certainty stays finite.
        """
        each = [member(images).float() for member in self.members]
        if each[0].shape[1] == 1:
            inside = reduce(torch.logaddexp, [F.logsigmoid(logits) for logits in each])
            return inside - reduce(torch.logaddexp, [F.logsigmoid(-logits) for logits in each])
        return reduce(torch.logaddexp, [F.log_softmax(logits, dim=1) for logits in each])
