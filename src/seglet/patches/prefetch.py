"""Batches made in the background while a step runs, where patches are read from disk."""

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Protocol, Self

from seglet.patches.sampler import Batch, PatchSampler

N_AHEAD = 4  # batches; a slow read now and then does not hold up a step
N_WORKERS = 2  # reading waits for the disk or unpacks, and the step needs the cores


class Batches(Protocol):
    """Gives the batch of any step."""

    def batch(self, step: int) -> Batch:
        """The batch of a step."""


class Prefetcher:
    """Makes the batches of the coming steps in the background; they are the same as the sampler's own.

    As a context, it ends its threads.

    Parameters
    ----------
    sampler : PatchSampler
        What draws them; a batch depends on the seed and the step alone, so the order of making is free.
    """

    def __init__(self, sampler: PatchSampler) -> None:
        self._sampler = sampler
        self._pool = ThreadPoolExecutor(N_WORKERS, "patches")
        self._coming: dict[int, Future[Batch]] = {}

    def batch(self, step: int) -> Batch:
        """The batch of a step; those of the steps after it are begun."""
        wanted = range(step, step + 1 + N_AHEAD)
        for passed in set(self._coming) - set(wanted):
            self._coming.pop(passed).cancel()
        for number in wanted:
            if number not in self._coming:
                self._coming[number] = self._pool.submit(self._sampler.batch, number)
        return self._coming.pop(step).result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)


def in_background(sampler: PatchSampler) -> AbstractContextManager[Batches]:
    """A prefetcher where patches are read from disk, else the sampler itself."""
    return Prefetcher(sampler) if sampler.is_on_disk else nullcontext(sampler)
