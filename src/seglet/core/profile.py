"""Where the time goes: named parts of the work, timed wherever they are done."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock, get_ident

from seglet.core.config import Config

REST = "other"
MEANWHILE = ", meanwhile"  # behind parts of other threads, whose time is none of the whole


class Profile:
    """Seconds by part; of parts within parts, each counts its own time alone."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._thread, self._lock = get_ident(), Lock()
        self._inner = defaultdict[int, list[float]](lambda: [0.0])  # by thread: spent within each open part

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time of what is inside."""
        inner = self._inner[get_ident()]
        inner.append(0.0)
        start = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - start
            own = took - inner.pop()
            inner[-1] += took
            name += "" if get_ident() == self._thread else MEANWHILE
            with self._lock:
                self.seconds[name] = self.seconds.get(name, 0.0) + own


class Spent(Config):
    """One line of a profile.

    Attributes
    ----------
    part : str
        What was done; `REST` for all that has no name. With `MEANWHILE` behind it, in a thread beside.
    seconds, share : float
        Of the whole, 0 to 1; those of parts beside are no part of the whole, and may be more.
    """

    part: str
    seconds: float
    share: float


_current: ContextVar[Profile | None] = ContextVar("profile", default=None)


@contextmanager
def profiling() -> Iterator[list[Spent]]:
    """Profile what is inside; the list is filled once it is done, longest first, the rest last."""
    profile, spent = Profile(), list[Spent]()
    start = time.perf_counter()
    token = _current.set(profile)
    try:
        yield spent
    finally:
        _current.reset(token)
        whole = time.perf_counter() - start
        longest = sorted(profile.seconds.items(), key=lambda item: -item[1])
        rest = (REST, whole - sum(took for name, took in longest if not name.endswith(MEANWHILE)))
        spent += [Spent(part=name, seconds=took, share=took / whole) for name, took in (*longest, rest)]


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Count the time of what is inside as a part of the profile that is being made, if any."""
    profile = _current.get()
    if profile is None:
        yield
        return
    with profile.part(name):
        yield
