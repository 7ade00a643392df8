"""Many files are read at once; bad ones do not stop the others."""

import threading

import pytest

from seglet.core.errors import FormatError
from seglet.core.events import Event, quiet
from seglet.data.parallel import N_THREADS, read_all


def test_results_and_errors_come_in_order_and_every_item_is_told() -> None:
    def read(number: int) -> str:
        if number % 3 == 0:
            raise FormatError(str(number), found="3", expected="none", remedy="Leave it out.")
        return str(number)

    told: list[Event] = []
    results, bad = read_all(read, range(1, 8), "reading", told.append)
    assert results == ["1", "2", "4", "5", "7"]
    assert [error.where for error in bad] == ["3", "6"]
    assert [(event.stage, event.done, event.total) for event in told] == [
        ("reading", k, 7) for k in range(1, 8)
    ]


def test_items_are_read_at_the_same_time() -> None:
    together = threading.Barrier(N_THREADS, timeout=10)
    read_all(lambda _: together.wait(), range(N_THREADS), "reading", quiet)


def test_what_is_not_said_on_purpose_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        read_all(lambda number: 1 / number, [0], "reading", quiet)
