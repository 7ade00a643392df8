"""The loss of a recipe: a weighted sum of terms."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from seglet.core.config import Config
from seglet.core.errors import ConfigError
from seglet.losses.centerline import cl_dice_loss
from seglet.losses.levels import at_size, level_factors
from seglet.losses.lovasz import lovasz_loss
from seglet.losses.pixelwise import cross_entropy, distance_loss, focal_loss
from seglet.losses.region import dice_loss, jaccard_loss, tversky_loss

NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Term = Callable[[Tensor, Tensor, Tensor], Tensor]

CLASS_TERMS = ("cross_entropy", "focal", "dice", "tversky", "jaccard", "lovasz", "cl_dice")


class LossConfig(Config):
    """Weight of each term, and of each class.

    Attributes
    ----------
    cross_entropy, focal, dice, tversky, jaccard, lovasz, cl_dice : float
        Factor of each term; 0 leaves it out. Where `cl_dice` is None it is planned: 0.5 where all that is to
        be found in flat images is long and thin, else 0.
    distance : float
        Factor of the distance channel, where the targets have one.
    focal_gamma : float
        How much less a pixel counts in `focal` that is already right.
    tversky_alpha, tversky_beta : float
        What a false positive and a false negative pixel costs in `tversky`.
    cl_dice_iterations : int
        Erosions of `cl_dice`; at least the radius of the thickest vessel, in pixels.
    class_weights : tuple of float or None
        Factor on the cross-entropy of each class, background first; all 1 where None.
    class_balance : str
        How `class_weights` follow from the classes' shares of pixels; see `seglet.losses.balance`.
    """

    cross_entropy: NotNegative = 1.0
    focal: NotNegative = 0.0
    dice: NotNegative = 1.0
    tversky: NotNegative = 0.0
    jaccard: NotNegative = 0.0
    lovasz: NotNegative = 0.0
    cl_dice: NotNegative | None = None
    distance: NotNegative = 1.0
    focal_gamma: NotNegative = 2.0  # Lin 2017: the best of those tried
    tversky_alpha: Positive = 0.3  # Salehi 2017: the pair of the best Dice
    tversky_beta: Positive = 0.7
    cl_dice_iterations: Annotated[int, Field(ge=1)] = 10  # px; vessels up to 20 wide
    class_weights: tuple[NotNegative, ...] | None = None
    class_balance: Literal["none", "inverse_frequency", "enet"] = "none"

    @model_validator(mode="after")
    def _has_class_term(self) -> Self:
        if not any(getattr(self, term) for term in CLASS_TERMS):
            raise ValueError(f"a factor above 0 for at least one of {', '.join(CLASS_TERMS)}")
        return self

    @model_validator(mode="after")
    def _classes_are_weighted_once(self) -> Self:
        if self.class_weights is not None and self.class_balance != "none":
            raise ValueError("either class_weights or a class_balance, not both")
        return self


class CombinedLoss(nn.Module):
    """Weighted sum of the terms of a recipe.

    Parameters
    ----------
    config : LossConfig
        Weights of terms and classes.

    Raises
    ------
    ConfigError
        If the weights of the classes are still to be found from their shares.
    """

    class_weights: Tensor | None

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        if config.class_balance != "none":
            raise ConfigError(
                "loss.class_balance",
                found=config.class_balance,
                expected="the weight of each class, by its share of the training pixels",
                remedy="Call seglet.losses.balance.balanced first.",
            )
        self.config = config
        factors = None if config.class_weights is None else torch.tensor(config.class_weights)
        self.register_buffer("class_weights", factors, persistent=False)

    def forward(
        self,
        logits: Tensor | Sequence[Tensor],
        labels: Tensor,
        weights: Tensor,
        distances: Tensor | None = None,
    ) -> Tensor:
        """The loss of one batch.

        Parameters
        ----------
        logits : (n, k, [z,] y, x) float tensor, or several
            Several are the outputs of deep supervision, finest first, each smaller by whole factors: each
            counts half of the one before. With `distances`, the last channel is the distance's.
        labels : (n, [z,] y, x) int64 tensor
            Class indexes.
        weights : (n, [z,] y, x) float tensor
            0 leaves a pixel out; else 1 and what is added near borders.
        distances : (n, [z,] y, x) float tensor or None
            Distance to the object's border, 0..1 of the object's largest.

        Returns
        -------
        scalar tensor
            0 where no pixel counts.

        Raises
        ------
        GeometryError
            If an output's size does not divide that of `labels`.
        """
        outputs = [logits] if isinstance(logits, Tensor) else list(logits)
        total = labels.new_zeros((), dtype=torch.float32)
        for factor, output in zip(level_factors(len(outputs)), outputs, strict=True):
            size = output.shape[2:]
            there = None if distances is None else at_size(distances, size)
            total = total + factor * self._of_one(
                output, at_size(labels, size), at_size(weights, size), there
            )
        return total

    def _of_one(self, logits: Tensor, labels: Tensor, weights: Tensor, distances: Tensor | None) -> Tensor:
        total = logits.new_zeros(())
        if distances is not None:
            logits, last = logits[:, :-1], logits[:, -1]
            total = total + self.config.distance * distance_loss(last, distances, weights)
        balanced = self._with_class_weights(weights, labels)
        for factor, term in _chosen(_pixelwise(self.config)):
            total = total + factor * term(logits, labels, balanced)
        for factor, term in _chosen(_region(self.config)):
            total = total + factor * term(logits, labels, weights)
        return total

    def _with_class_weights(self, weights: Tensor, labels: Tensor) -> Tensor:
        """Weights of pixels, the weight of their class in place of the 1 that each has.

        A sum, w_c(x) + border(x), as in Ronneberger 2015, equation (2). The border's part lies on background,
        whose class weight is below 1 where classes are balanced: a product would shrink what it adds.
        """
        if self.class_weights is None:
            return weights
        return weights + (weights > 0) * (self.class_weights[labels] - 1)


def _pixelwise(config: LossConfig) -> list[tuple[float, Term]]:
    """Terms that heed the weights of classes."""
    return [
        (config.cross_entropy, cross_entropy),
        (config.focal, partial(focal_loss, gamma=config.focal_gamma)),
    ]


def _region(config: LossConfig) -> list[tuple[float, Term]]:
    """Terms that only ask whether a pixel counts."""
    tversky = partial(tversky_loss, alpha=config.tversky_alpha, beta=config.tversky_beta)
    return [
        (config.dice, dice_loss),
        (config.tversky, tversky),
        (config.jaccard, jaccard_loss),
        (config.lovasz, lovasz_loss),
        (config.cl_dice or 0.0, partial(cl_dice_loss, iterations=config.cl_dice_iterations)),
    ]


def _chosen(terms: list[tuple[float, Term]]) -> list[tuple[float, Term]]:
    return [(factor, term) for factor, term in terms if factor]
