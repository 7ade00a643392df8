"""Draws at random that keep groups whole and give every part every class, as far as that can be."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from seglet.core.image import IGNORE, Sample
from seglet.data.cases import Case

Classes = Mapping[str, frozenset[int]]
Drawn = TypeVar("Drawn")

N_DRAWS = 200  # tries at a draw that gives every part every class


def classes_in(sample: Sample) -> frozenset[int]:
    """Foreground classes that a labelled sample shows."""
    counts = np.bincount(np.asarray(sample.labels).ravel(), minlength=IGNORE + 1)
    return frozenset(np.flatnonzero(counts[:IGNORE]).tolist()) - {0}


def group_units(cases: Sequence[Case]) -> list[list[Case]]:
    """Cases that must stay together: those of one group, and each of the others alone."""
    units: dict[tuple[str, str], list[Case]] = {}
    for case in cases:
        units.setdefault(("case", case.id) if case.group is None else ("group", case.group), []).append(case)
    return list(units.values())


def draw_units(
    units: Sequence[Sequence[Case]], n_wanted: int, rng: np.random.Generator, classes: Classes | None = None
) -> set[str]:
    """Draw whole units until they hold so many cases.

    A unit that would bring more than twice the wanted number is passed over; where none fits, the smallest
    is taken. Of many draws the first is kept that lacks the fewest classes on either side.

    Parameters
    ----------
    units : sequence of sequences of Case
        What must stay together; at least two.
    n_wanted : int
        Cases to draw.
    rng : Generator
        Where the randomness comes from.
    classes : mapping or None
        Foreground classes of each case, by id.

    Returns
    -------
    set of str
        Ids of the drawn cases.
    """
    every = {case.id for unit in units for case in unit}
    draws = (_draw_once(units, n_wanted, rng, len(every)) for _ in range(N_DRAWS if classes else 1))
    return fewest_lacking(draws, lambda drawn: (drawn, every - drawn), classes or {})


def fewest_lacking(
    draws: Iterable[Drawn], parts_of: Callable[[Drawn], Iterable[set[str]]], classes: Classes
) -> Drawn:
    """The first draw whose parts lack no class that any case shows; where none is so good, the best.

    Parameters
    ----------
    draws : iterable
        At least one.
    parts_of : callable
        The parts of a draw, each a set of ids.
    classes : mapping
        Foreground classes of each case, by id.
    """
    best: tuple[int, Drawn] | None = None
    for draw in draws:
        parts = [set(part) for part in parts_of(draw)]
        everything = frozenset().union(*(classes.get(i, frozenset()) for part in parts for i in part))
        lacking = sum(
            len(everything - frozenset().union(*(classes.get(i, frozenset()) for i in part)))
            for part in parts
        )
        if lacking == 0:
            return draw
        if best is None or lacking < best[0]:
            best = lacking, draw
    assert best is not None  # at least one draw
    return best[1]


def _draw_once(
    units: Sequence[Sequence[Case]], n_wanted: int, rng: np.random.Generator, n_cases: int
) -> set[str]:
    most = min(2 * n_wanted, n_cases - 1)
    order = [units[k] for k in rng.permutation(len(units))]
    drawn: list[Case] = []
    for unit in order:
        if len(drawn) < n_wanted and len(drawn) + len(unit) <= most:
            drawn += unit
    chosen: Sequence[Case] = drawn or min(order, key=len)
    return {case.id for case in chosen}
