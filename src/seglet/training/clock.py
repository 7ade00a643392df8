"""How long training lasts: a number of steps, or the time that is left."""

import time
from collections.abc import Callable

LONGER = 4  # times as long as the pause before it is each round trained, where time decides


class Clock:
    """Knows what share of the training is done, and when a round and the whole are over.

    With `steps` everything follows from the step number, so that a run can be repeated exactly. Without, it
    follows from the time: the schedule stretches to whatever this machine manages in `seconds`.

    Parameters
    ----------
    steps : int or None
        Steps of the whole training.
    seconds : float
        Time of the whole training, where `steps` is None.
    rounds : int
        Parts of about equal length, each followed by a pause for validation; where time decides and pauses
        are long, fewer parts.
    now : callable
        Seconds from any fixed moment.
    """

    def __init__(
        self, steps: int | None, seconds: float, rounds: int, now: Callable[[], float] = time.monotonic
    ) -> None:
        self.steps, self.seconds, self.rounds, self._now = steps, seconds, rounds, now
        self.step = 0
        self.stopped = False
        self._before = 0.0
        self._since = now()
        self._round_ends = 0.0
        self._pause_began = self._since
        self._not_before = self._since

    @property
    def elapsed(self) -> float:
        """Seconds trained, those before an interruption included."""
        return self._before + self._now() - self._since

    @property
    def progress(self) -> float:
        """Share of the training that is done, 0 to 1."""
        return min(1.0, self._share(self.step))

    @property
    def is_over(self) -> bool:
        """Whether training ends here, because it is done or was told to stop."""
        return self.stopped or self.progress >= 1.0

    def start_round(self) -> None:
        """Begin a round; it ends at the next multiple of 1/rounds, so that resumed runs keep the beat.

        Where time decides, it also lasts long enough for the pause before it to have been worth while.
        """
        now = self._now()
        self._not_before = now if self.steps else now + LONGER * (now - self._pause_began)
        self._round_ends = (int(self.progress * self.rounds + 1e-9) + 1) / self.rounds

    def is_round_over(self, step: int) -> bool:
        """Whether it is time to validate once `step` steps are done.

        Asked ahead of the step: whoever loads batches does so before the last one was trained on.
        """
        self._pause_began = self._now()
        share = self._share(step)
        is_due = share >= self._round_ends and self._pause_began >= self._not_before
        return self.stopped or is_due or share >= 1

    def resume(self, step: int, elapsed: float) -> None:
        """Go on from where an interrupted run was saved."""
        self.step, self._before, self._since = step, elapsed, self._now()

    def _share(self, step: int) -> float:
        return step / self.steps if self.steps else self.elapsed / self.seconds
