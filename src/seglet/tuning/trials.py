"""What is known of trials once they have ended: the best of them, a table, a line of words."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

COLUMNS = ("levels", "width", "learning_rate", "loss", "batch_size")


@dataclass(frozen=True)
class Tried:
    """How one trial went.

    Attributes
    ----------
    number : int
        From 0, the recipe as it is.
    state : str
        ``finished``; ``pruned``: ended early, as worse than most; ``interrupted``: not counted.
    val_dice : float or None
        Of the averaged weights that training keeps; of a pruned trial its last.
    seconds : float
        Time it took; 0 where it was killed.
    params : dict
        levels, width, learning_rate, loss, batch_size, as far as they were searched.
    note : str
        Why it was not finished, where that needs words.
    """

    number: int
    state: str
    val_dice: float | None
    seconds: float
    params: dict[str, Any]
    note: str


def best_of(tried: Sequence[Tried]) -> Tried | None:
    """The finished trial of the highest Dice, the first of equals; None where none is finished."""
    finished = [trial for trial in tried if trial.state == "finished"]
    return max(finished, key=lambda trial: trial.val_dice or 0.0, default=None)


def table_of(tried: Sequence[Tried]) -> str:
    """All trials as CSV, as they came."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("trial", "state", "val_dice", "seconds", *COLUMNS, "note"))
    for trial in tried:
        params = [trial.params.get(name, "") for name in COLUMNS]
        dice = "" if trial.val_dice is None else trial.val_dice
        writer.writerow((trial.number, trial.state, dice, trial.seconds, *params, trial.note))
    return text.getvalue()


def in_words(params: Mapping[str, Any]) -> str:
    """The settings of a trial in a line."""
    return ", ".join(f"{name} {shown(params[name])}" for name in COLUMNS if name in params)


def shown(value: Any) -> str:
    """One setting for a person: two digits of what is not whole."""
    return f"{value:.2g}" if isinstance(value, float) else str(value)
