"""What a network's channels mean: from logits to planes, from planes to the probabilities of classes."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seglet.model import ModelCard
from seglet.postprocessing.calibration import tempered
from seglet.postprocessing.decode import decode
from seglet.postprocessing.labels import to_labels
from seglet.postprocessing.rules import apply_rules

Answer = tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.int32] | None]
"""Class indexes ([z,] y, x), probabilities (k, [z,] y, x), objects ([z,] y, x) where told apart."""


def raw_planes(logits: Tensor, card: ModelCard) -> Tensor:
    """Read logits as the model's targets say.

    Parameters
    ----------
    logits : (n, outputs, [z,] y, x) float tensor
        What the network gives.
    card : ModelCard
        Whose targets they were trained on.

    Returns
    -------
    (n, planes, [z,] y, x) float tensor
        All of 0 to 1. ``classes``: of two classes the probability of the foreground, by either head; else
        one plane per class. ``borders``: background, interior and border, that add up to 1. ``distance``:
        the planes of ``classes``, then the distance to the object's border, 1 at its deepest.
    """
    if card.targets.kind == "distance":
        return torch.cat([_of_classes(logits[:, :-1]), torch.sigmoid(logits[:, -1:])], dim=1)
    return _of_classes(logits)


def n_planes(card: ModelCard) -> int:
    """Planes that `raw_planes` gives."""
    n_classes = card.plan.n_classes
    match card.targets.kind:
        case "borders":
            return n_classes + 1
        case "distance":
            return (1 if n_classes == 2 else n_classes) + 1
        case "classes":
            return 1 if n_classes == 2 else n_classes


def class_probabilities(raw: NDArray[np.float32], card: ModelCard) -> NDArray[np.float32]:
    """What all that follows prediction expects, whatever the targets.

    Parameters
    ----------
    raw : (planes, [z,] y, x) float32 array
        As of `raw_planes`.
    card : ModelCard
        Whose targets they are.

    Returns
    -------
    (k, [z,] y, x) float32 array
        k = 1: probability of the foreground, of ``borders`` that of interior and border together; else one
        per class.
    """
    match card.targets.kind:
        case "borders":
            return raw[1:2] + raw[2:3]
        case "distance":
            return raw[:-1]
        case "classes":
            return raw


def calibrated(raw: NDArray[np.float32], card: ModelCard) -> NDArray[np.float32]:
    """Divide the logits behind planes by the model's temperature, in place; not distances."""
    tempered(raw[:-1] if card.targets.kind == "distance" else raw, card.temperature)
    return raw


def answer(raw: NDArray[np.float32], card: ModelCard) -> Answer:
    """Decide what every pixel is.

    Parameters
    ----------
    raw : (planes, [z,] y, x) float32 array
        Calibrated, of a whole image.
    card : ModelCard
        Whose threshold and way to objects decide.

    Returns
    -------
    Answer
        Where objects are told apart, a pixel is foreground where it is part of one.
    """
    probabilities = class_probabilities(raw, card)
    if card.decoding is None:
        labels = to_labels(probabilities, card.threshold)
        return (apply_rules(labels, card.rules) if card.rules else labels), probabilities, None
    objects = decode(raw, card.decoding)
    return (objects > 0).astype(np.uint8), probabilities, objects


def _of_classes(logits: Tensor) -> Tensor:
    match logits.shape[1]:
        case 1:
            return torch.sigmoid(logits)
        case 2:  # the softmax of two is the sigmoid of their difference
            return torch.sigmoid(logits[:, 1:] - logits[:, :1])
        case _:
            return torch.softmax(logits, dim=1)
