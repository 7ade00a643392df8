"""Done at once as if one after the other: the same order, no error lost, nothing left over."""

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglet.core.overlap import abreast, ahead, behind
from seglet.core.profile import MEANWHILE, profiling, timed


@given(st.lists(st.integers()))
def test_items_come_in_their_order(items: list[int]) -> None:
    assert list(ahead(items)) == items


def test_one_item_is_made_ahead_and_no_more() -> None:
    made: list[int] = []
    third = threading.Event()

    def count() -> Iterator[int]:
        for number in range(9):
            made.append(number)
            if number == 2:
                third.set()
            yield number

    coming = ahead(count())
    assert next(coming) == 0
    assert not third.wait(0.05)
    assert next(coming) == 1
    assert third.wait(10), "the next one is made while this one is used"
    coming.close()
    assert made == [0, 1, 2]


def test_an_error_comes_after_all_before_it() -> None:
    def broken() -> Iterator[int]:
        yield 1
        yield 2
        raise KeyError("third")

    seen = []
    with pytest.raises(KeyError, match="third"):
        for item in ahead(broken()):
            seen.append(item)  # noqa: PERF402
    assert seen == [1, 2]


def test_a_thread_ends_where_the_work_stops() -> None:
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        for _ in ahead(range(5)):
            raise KeyboardInterrupt
    assert threading.active_count() == before


@given(st.lists(st.integers()))
def test_all_is_put_away_in_its_order(items: list[int]) -> None:
    kept: list[int] = []
    with behind() as later:
        for item in items:
            later(lambda item=item: kept.append(item))
    assert kept == items


@pytest.mark.parametrize("n_after", [0, 1, 3])
def test_what_goes_wrong_meanwhile_is_raised_and_ends_the_work(n_after: int) -> None:
    def fail() -> None:
        raise OSError("disk full")

    kept: list[int] = []
    with pytest.raises(OSError, match="disk full"), behind() as later:
        later(lambda: kept.append(0))
        later(fail)
        for number in range(n_after):
            later(lambda number=number: kept.append(number))
    assert kept == [0]


def test_what_was_given_is_put_away_though_the_work_is_interrupted() -> None:
    kept: list[int] = []
    may_go = threading.Event()

    def slow() -> None:
        may_go.wait(10)
        kept.append(1)

    with pytest.raises(KeyboardInterrupt), behind() as later:
        later(slow)
        may_go.set()
        raise KeyboardInterrupt
    assert kept == [1]


def test_a_profile_tells_what_was_done_meanwhile() -> None:
    def read() -> Iterator[int]:
        for number in range(3):
            with timed("read"):
                yield number

    def write() -> None:
        with timed("write"):
            pass

    with profiling() as spent, behind() as later:
        for _ in ahead(read()):
            with timed("network"):
                later(write)
    names = {one.part for one in spent}
    assert {"read" + MEANWHILE, "write" + MEANWHILE, "network", "wait", "other"} <= names
    own = [one.share for one in spent if not one.part.endswith(MEANWHILE)]
    assert sum(own) == pytest.approx(1)


@given(st.lists(st.integers()), st.integers(1, 4))
def test_what_is_made_abreast_comes_in_its_order(items: list[int], n: int) -> None:
    assert list(abreast(lambda item: 2 * item, items, n, "double")) == [(item, 2 * item) for item in items]


def test_as_many_are_at_work_as_was_said() -> None:
    meeting = threading.Barrier(3)
    assert [item for item, _ in abreast(lambda _: meeting.wait(10), range(6), 3, "meet")] == list(range(6))


@pytest.mark.parametrize("n", [1, 3])
def test_an_error_abreast_comes_in_its_place_and_nothing_is_left_running(n: int) -> None:
    def work(item: int) -> int:
        if item == 2:
            raise KeyError(item)
        return item

    before, seen = threading.active_count(), []
    with pytest.raises(KeyError, match="2"):
        for item, _ in abreast(work, range(9), n, "work"):
            seen.append(item)
    assert seen == [0, 1]
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("n", "expected"), [(1, {"work", "other"}), (2, {"work", "work" + MEANWHILE, "other"})]
)
def test_a_profile_tells_what_was_worked_on_and_waited_for_by_one_name(n: int, expected: set[str]) -> None:
    with profiling() as spent:
        list(abreast(lambda _: time.sleep(0.01), range(4), n, "work"))
    assert {one.part for one in spent} == expected
