"""The loss of a recipe: a weighted sum of terms."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from seglet.core.config import Config
from seglet.losses.pixelwise import cross_entropy
from seglet.losses.region import dice_loss

NotNegative = Annotated[float, Field(ge=0)]


class LossConfig(Config):
    """Weight of each term, and of each class.

    Attributes
    ----------
    cross_entropy, dice : float
        Factor of each term; 0 leaves it out.
    class_weights : tuple of float or None
        Factor on the cross-entropy of each class, background first; all 1 where None.
    """

    cross_entropy: NotNegative = 1.0
    dice: NotNegative = 1.0
    class_weights: tuple[NotNegative, ...] | None = None


class CombinedLoss(nn.Module):
    """Weighted sum of cross-entropy and Dice.

    Parameters
    ----------
    config : LossConfig
        Weights of terms and classes.
    """

    class_weights: Tensor | None

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        self.config = config
        factors = None if config.class_weights is None else torch.tensor(config.class_weights)
        self.register_buffer("class_weights", factors, persistent=False)

    def forward(self, logits: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
        """The loss of (n, k, [z,] y, x) logits against (n, [z,] y, x) labels and pixel weights; a scalar."""
        balanced = weights if self.class_weights is None else weights * self.class_weights[labels]
        total = logits.new_zeros(())
        if self.config.cross_entropy:
            total = total + self.config.cross_entropy * cross_entropy(logits, labels, balanced)
        if self.config.dice:
            total = total + self.config.dice * dice_loss(logits, labels, weights)
        return total
