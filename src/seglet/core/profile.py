"""Where the time goes: named parts of the work, timed wherever they are done."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from seglet.core.config import Config

REST = "other"


class Profile:
    """Seconds by part; of parts within parts, each counts its own time alone."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inner = [0.0]  # seconds that were spent in parts within each open part

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time of what is inside."""
        self._inner.append(0.0)
        start = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - start
            own = took - self._inner.pop()
            self._inner[-1] += took
            self.seconds[name] = self.seconds.get(name, 0.0) + own


class Spent(Config):
    """One line of a profile.

    Attributes
    ----------
    part : str
        What was done; `REST` for all that has no name.
    seconds, share : float
        Of the whole, 0 to 1.
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
        rest = (REST, whole - sum(profile.seconds.values()))
        spent += [Spent(part=name, seconds=took, share=took / whole) for name, took in (*longest, rest)]


@contextmanager
def timed(name: str) -> Iterator[None]:
    """Count the time of what is inside as a part of the profile that is being made in this thread, if any."""
    profile = _current.get()
    if profile is None:
        yield
        return
    with profile.part(name):
        yield
