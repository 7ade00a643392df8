"""How a long step says where it stands: rooms tell, doors listen. Nothing below the command line prints."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """One thing worth telling.

    Attributes
    ----------
    stage : str
        Short name of the step: ``reading``, ``training``, ``predicting`` …
    message : str
        A sentence for a person, or empty for a mere count.
    done, total : int
        Units of work finished and planned; total 0 where there is nothing to count.
    """

    stage: str
    message: str = ""
    done: int = 0
    total: int = 0


Tell = Callable[[Event], None]


def quiet(event: Event) -> None:
    """Listen to nothing; the default listener."""
