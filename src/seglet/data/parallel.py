"""Read many files at once, and go on past those that cannot be read."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from seglet.core.errors import SegletError
from seglet.core.events import Event, Tell

N_THREADS = 4  # decoding runs outside Python's lock

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_all(
    read: Callable[[Item], Result], items: Sequence[Item], stage: str, tell: Tell
) -> tuple[list[Result], list[SegletError]]:
    """Read every item, several at a time.

    Parameters
    ----------
    read : callable
        Reads one item.
    items : sequence
        What to read.
    stage : str
        What the listener is told is being done.
    tell : callable
        Hears of every item, in order.

    Returns
    -------
    list, list of SegletError
        What was read and what went wrong, each in the order of the items.
    """
    results: list[Result] = []
    bad: list[SegletError] = []

    def attempt(item: Item) -> Result | SegletError:
        try:
            return read(item)
        except SegletError as error:
            return error

    with ThreadPoolExecutor(N_THREADS) as pool:
        for k, outcome in enumerate(pool.map(attempt, items)):
            if isinstance(outcome, SegletError):
                bad.append(outcome)
            else:
                results.append(outcome)
            tell(Event(stage, done=k + 1, total=len(items)))
    return results, bad
