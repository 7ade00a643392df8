"""The settings of training; imports neither torch nor Lightning."""

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from seglet.core.config import Config
from seglet.core.errors import ConfigError

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
UNITS_S = {"s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(budget: Any) -> Any:
    """Read a duration: a number of seconds, or ``90s``, ``10m``, ``1.5h``, ``1h30m``.

    Raises
    ------
    ConfigError
        If it is neither.
    """
    if not isinstance(budget, str):
        return budget
    parts = re.findall(r"(\d+(?:\.\d+)?)\s*([smh]?)", budget)
    if not parts or "".join(f"{n}{u}" for n, u in parts) != budget.replace(" ", ""):
        raise ConfigError(
            "budget", found=f"{budget!r}", expected="a duration", remedy="Write 90s, 10m or 1h30m."
        )
    return sum(float(n) * UNITS_S[u or "s"] for n, u in parts)


class FitConfig(Config):
    """How the network is trained.

    Attributes
    ----------
    optimizer : str
        ``adamw``, ``adam`` or ``sgd``.
    learning_rate : float
        Its largest value.
    momentum : float
        Of ``sgd``.
    weight_decay : float
        Of ``adamw``; L2 penalty of the others.
    schedule : str
        ``cosine``: short warm-up, then down to 0. ``one_cycle``: up for a third, then down. ``constant``.
    steps : int or None
        Number of training steps; None stretches training to `budget_s`.
    budget_s : float
        Wall-clock seconds of the whole run, scoring included; also written as 90s, 10m, 1h30m.
    rounds : int
        How often validation is computed and a checkpoint written.
    patience : int or None
        Rounds without a better validation loss after which training stops; never where None.
    ema : float
        Decay of the exponential moving average of the weights, which is what is validated and kept; 0: none.
    clip : float
        Largest norm of the gradient; 0 does not clip.
    accumulate : int
        Batches whose gradients are averaged in a step: as many times larger a batch in the memory of one.
        Normalizations and losses still see one batch at a time.
    checkpointing : bool
        Whether what a block of the network computes is forgotten until the gradient needs it, and then
        computed again: less memory, and about a third more time.
    precision : str
        ``auto`` measures which arithmetic is fastest; ``fp32``; ``bf16``.
    validation_windows : int
        Windows that a validation is computed on.
    tensorboard : bool
        Whether TensorBoard files are written too; needs the extra ``tensorboard``.
    seed : int
        Of weights, patches and augmentation.
    """

    optimizer: Literal["adamw", "adam", "sgd"] = "adamw"
    learning_rate: Positive = 2e-3
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: NotNegative = 1e-4
    schedule: Literal["cosine", "one_cycle", "constant"] = "cosine"
    steps: Annotated[int, Field(gt=0)] | None = None
    budget_s: Annotated[Positive, BeforeValidator(seconds)] = 600.0
    rounds: Annotated[int, Field(gt=0)] = 25
    patience: Annotated[int, Field(gt=0)] | None = None
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.995
    clip: NotNegative = 1.0
    accumulate: Annotated[int, Field(gt=0)] = 1
    checkpointing: bool = False
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    validation_windows: Annotated[int, Field(gt=0)] = 48
    tensorboard: bool = False
    seed: Annotated[int, Field(ge=0)] = 0
