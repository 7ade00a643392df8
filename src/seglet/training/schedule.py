"""The learning rate as a function of how much of the training is done."""

import math
from collections.abc import Callable
from typing import Literal

WARM_UP = 0.03  # of the cosine schedule
RISE = 0.3  # of one cycle; Smith and Topin 2018 rise for about a third
START = 0.04  # of the largest rate, where a cycle begins

Schedule = Literal["cosine", "one_cycle", "constant"]


def rate_factor(schedule: Schedule, progress: float) -> float:
    """Factor on the learning rate.

    Parameters
    ----------
    schedule : str
        ``cosine``, ``one_cycle`` or ``constant``.
    progress : float
        Share of the training that is done, 0 to 1; beyond 1 counts as 1.
    """
    return SCHEDULES[schedule](min(max(progress, 0.0), 1.0))


def _rise_and_fall(progress: float, rise: float) -> float:
    if progress < rise:
        return START + (1 - START) * progress / rise
    return (1 + math.cos(math.pi * (progress - rise) / (1 - rise))) / 2


SCHEDULES: dict[Schedule, Callable[[float], float]] = {
    "cosine": lambda progress: _rise_and_fall(progress, WARM_UP),
    "one_cycle": lambda progress: _rise_and_fall(progress, RISE),
    "constant": lambda progress: 1.0,
}
