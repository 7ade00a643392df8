"""Weights of classes from how often each occurs."""

from collections.abc import Sequence
from math import log

from seglet.losses.combined import LossConfig

ENET_C = 1.02  # Paszke 2016


def balanced(config: LossConfig, fractions: Sequence[float]) -> LossConfig:
    """Put weights of classes in the place of a rule.

    Parameters
    ----------
    config : LossConfig
        With any `class_balance`.
    fractions : sequence of float
        Share of the training pixels of each class, background first, 0..1.

    Returns
    -------
    LossConfig
        With `class_weights` and the balance ``none``; `config` itself where it asks for none.
    """
    match config.class_balance:
        case "none":
            return config
        case "inverse_frequency":
            weights = inverse_frequency(fractions)
        case "enet":
            weights = enet(fractions)
    return config.model_copy(update={"class_weights": weights, "class_balance": "none"})


def inverse_frequency(fractions: Sequence[float]) -> tuple[float, ...]:
    """1 / (K p) of each class, K the number of classes that occur: all classes count alike.

    Parameters
    ----------
    fractions : sequence of float
        Share p of the pixels of each class, 0..1.

    Returns
    -------
    tuple of float
        Their mean over pixels is 1; 0 for a class that does not occur.
    """
    n_present = sum(fraction > 0 for fraction in fractions)
    return tuple(1 / (n_present * fraction) if fraction else 0.0 for fraction in fractions)


def enet(fractions: Sequence[float]) -> tuple[float, ...]:
    """1 / ln(1.02 + p) of each class.

    Parameters
    ----------
    fractions : sequence of float
        Share p of the pixels of each class, 0..1.

    Returns
    -------
    tuple of float
        From 1.42 for a class of all pixels to 50.5 for one that does not occur.

    References
    ----------
    .. [1] Paszke, Chaurasia, Kim, Culurciello, "ENet", arXiv:1606.02147, 2016.
    """
    return tuple(1 / log(ENET_C + fraction) for fraction in fractions)
