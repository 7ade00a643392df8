"""Two things at once: what comes next is made, and what is done is put away, in threads beside the work."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Final, TypeVar

from seglet.core.profile import timed

Item = TypeVar("Item")
Made = TypeVar("Made")
Later = Callable[[Callable[[], object]], None]

WAITING = "wait"  # part of a profile: for what is made or put away meanwhile


class _End:
    """Stands behind the last item."""


_END: Final = _End()


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Make each next item in a thread while the one before is used.

    Parameters
    ----------
    items : iterable
        Asked for its items in their order, one at a time, by one thread; never more than one ahead.

    Yields
    ------
    item
        The same ones in the same order. An error in making one is raised in its place, after all before it.
    """
    source = iter(items)

    def following() -> Item | _End:
        return next(source, _END)

    with ThreadPoolExecutor(1, "ahead") as pool:
        coming = pool.submit(copy_context().run, following)
        while not isinstance(item := _result(coming), _End):
            coming = pool.submit(copy_context().run, following)
            yield item


def abreast(
    work: Callable[[Item], Made], items: Iterable[Item], n: int, part: str
) -> Iterator[tuple[Item, Made]]:
    """Work on up to `n` items at the same time, each in a thread.

    Parameters
    ----------
    work : callable
        What is done with each.
    items : iterable
        Asked for by the thread that asks for the results.
    n : int
        1: no thread at all.
    part : str
        What working on them is called in a profile, and waiting for it.

    Yields
    ------
    (item, made)
        In the order of the items. An error in one is raised in its place; those after it are not begun, or
        waited for.
    """

    def run(item: Item) -> Made:
        with timed(part):
            return work(item)

    if n == 1:
        for item in items:
            yield item, run(item)
        return
    running = deque[tuple[Item, Future[Made]]]()
    with ThreadPoolExecutor(n, "abreast") as pool:
        try:
            for item in items:
                running.append((item, pool.submit(copy_context().run, run, item)))
                if len(running) > n:
                    first, future = running.popleft()
                    yield first, _result(future, part)
            while running:
                first, future = running.popleft()
                yield first, _result(future, part)
        finally:
            for _, future in running:
                future.cancel()


@contextmanager
def behind() -> Iterator[Later]:
    """Put things away in a thread while the work goes on; all of them are, once the context is left.

    Yields
    ------
    callable
        Takes what is to be done; waits until what it was given before is done. They are done one at a time,
        in their order. An error of one is raised at the next, or at the end; what comes after it is not done.
        An error inside the context is raised once what is being done is over.
    """
    waiting: list[Future[object]] = []

    def later(job: Callable[[], object]) -> None:
        if waiting:
            _result(waiting.pop())
        waiting.append(pool.submit(copy_context().run, job))

    with ThreadPoolExecutor(1, "behind") as pool:
        yield later
        for last in waiting:
            _result(last)


def begun(work: Callable[[], Item]) -> Future[Item]:
    """Begin something in a thread of its own, which ends with it."""
    pool = ThreadPoolExecutor(1, "begun")
    future = pool.submit(copy_context().run, work)
    pool.shutdown(wait=False)
    return future


def _result(future: Future[Item], part: str = WAITING) -> Item:
    with timed(part):
        return future.result()
