"""How long training lasts: a number of steps, or the time that is left."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import psutil

from seglet.training.settings import seconds

LONGER = 4  # times as long as the pause before it is each round trained, where time decides
LEAST_S = 0.1  # of training; a budget that preparations used up still gives a model
KEPT_S = 120.0  # of training, whose steps are remembered
USUAL = 0.98  # of them count, the fastest: a computer that slept for a moment is not slow


@dataclass(frozen=True)
class Budget:
    """Time for everything.

    Attributes
    ----------
    seconds : float or None
        How much; what the recipe says where None.
    began : float
        Since when it is counted, by `time.monotonic`.
    """

    seconds: float | None
    began: float

    @classmethod
    def from_now(cls, said: str | float | None) -> "Budget":
        """Count from this moment; `said` is a duration as `seconds` reads it, or None."""
        return cls(None if said is None else float(seconds(said)), time.monotonic())


def process_began() -> float:
    """When this process was started, by `time.monotonic`: what a command has lasted counts from there."""
    return time.monotonic() - max(0.0, time.time() - psutil.Process().create_time())


class Pace:
    """How long steps took of late."""

    def __init__(self) -> None:
        self._steps: deque[tuple[float, float]] = deque()

    def add(self, now: float, took_s: float) -> None:
        """Remember a step that is over now."""
        self._steps.append((now, took_s))
        while self._steps[0][0] < now - KEPT_S:
            self._steps.popleft()

    def step_s(self, within_s: float) -> float | None:
        """Mean seconds of the steps of the last so many seconds of training; None before the first.

        A mean, not a median: what comes next is slowed down by every disturbance, too.
        """
        if not self._steps:
            return None
        since = self._steps[-1][0] - within_s
        took = sorted(seconds for ended, seconds in self._steps if ended > since)
        usual = took[: ceil(USUAL * len(took))]
        return sum(usual) / len(usual)


Kept = Callable[[Pace], float]


def nothing(pace: Pace) -> float:
    """Keep no time for anything else."""
    return 0.0


class Clock:
    """Knows what share of the training is done, and when a round and the whole are over.

    With `steps` everything follows from the step number, so that a run can be repeated exactly. Without, it
    follows from the time: the schedule stretches to whatever this machine manages in `seconds`. The last
    validation, as long as the one before it, belongs to them; a step is only begun if that ends training
    nearer to its end than leaving it out, by how long the last step took.

    Parameters
    ----------
    steps : int or None
        Steps of the whole training.
    seconds : float
        Time of the whole training and of what comes after it, where `steps` is None.
    rounds : int
        Parts of about equal length, each followed by a pause for validation; where time decides and pauses
        are long, fewer parts.
    now : callable
        Seconds from any fixed moment.
    reserve : callable
        Seconds to keep for what comes after training; asked before each round, where time decides, and told
        the pace of late.
    """

    def __init__(
        self,
        steps: int | None,
        seconds: float,
        rounds: int,
        now: Callable[[], float] = time.monotonic,
        reserve: Kept = nothing,
    ) -> None:
        self.steps, self.seconds, self.rounds, self._now, self._reserve = steps, seconds, rounds, now, reserve
        self.step = 0
        self.stopped = False
        self._before = 0.0
        self._since = now()
        self._round_ends = 0.0
        self._asked: float | None = None  # when the step after the next was asked for, within this round
        self._pause_began = self._since
        self._not_before = self._since
        self._step_s = self._pause_s = self._kept_s = 0.0
        self._pace = Pace()

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
        pause_s = self._pause_s or self._since_last_step  # nothing was known of the first before it
        return self.stopped or self._share(self.step, self._step_s / 2, pause_s) >= 1.0

    @property
    def _since_last_step(self) -> float:
        """Seconds of this pause; it began when its last step was still to be done."""
        return 0.0 if self._asked is None else max(self._now() - self._pause_began - self._step_s, 0.0)

    def start_round(self) -> None:
        """Begin a round; it ends at the next multiple of 1/rounds, so that resumed runs keep the beat.

        Where time decides, it also lasts long enough for the pause before it to have been worth while.
        """
        now = self._now()
        if not self.steps:
            self._not_before = now + LONGER * (now - self._pause_began)
            if self._asked is not None:
                self._pause_s = self._since_last_step
            self._kept_s = self._reserve(self._pace)
        else:
            self._not_before = now
        self._asked = None
        self._round_ends = (int(self.progress * self.rounds + 1e-9) + 1) / self.rounds

    def is_round_over(self, step: int) -> bool:
        """Whether it is time to validate once `step` steps are done.

        Asked ahead of the step: whoever loads batches does so before the last one was trained on. Where time
        decides, two steps are thus still to be done if this is not the end.
        """
        now = self._now()
        if self._asked is not None:
            self._step_s = now - self._asked
            self._pace.add(now, self._step_s)
        self._asked = self._pause_began = now
        is_due = self._share(step) >= self._round_ends and now >= self._not_before
        return self.stopped or is_due or self._share(step, 1.5 * self._step_s) >= 1

    def resume(self, step: int, elapsed: float) -> None:
        """Go on from where an interrupted run was saved."""
        self.step, self._before, self._since = step, elapsed, self._now()

    def _share(self, step: int, ahead_s: float = 0.0, pause_s: float | None = None) -> float:
        if self.steps:
            return step / self.steps
        pause_s = self._pause_s if pause_s is None else pause_s
        return (self.elapsed + ahead_s) / max(self.seconds - self._kept_s - pause_s, LEAST_S)
