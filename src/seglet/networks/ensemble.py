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
    temperatures : sequence of float, optional
        What the logits of each member's classes are divided by; 1 where nothing is said.
    """

    temperatures: Tensor

    def __init__(
        self, members: Sequence[nn.Module], *, has_distance: bool = False, temperatures: Sequence[float] = ()
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.has_distance = has_distance
        self.register_buffer("temperatures", torch.tensor(temperatures or [1.0] * len(members)))

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
        distances = [logits[:, -1:] for logits in each] if self.has_distance else []
        classes = [logits[:, :-1] for logits in each] if self.has_distance else each
        mean = _mean([logits / own for logits, own in zip(classes, self.temperatures, strict=True)])
        return torch.cat([mean, _mean(distances)], dim=1) if self.has_distance else mean


def _mean(each: Sequence[Tensor]) -> Tensor:
    if each[0].shape[1] == 1:
        inside = reduce(torch.logaddexp, [F.logsigmoid(logits) for logits in each])
        return inside - reduce(torch.logaddexp, [F.logsigmoid(-logits) for logits in each])
    return reduce(torch.logaddexp, [F.log_softmax(logits, dim=1) for logits in each])
