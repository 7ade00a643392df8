import pytest

from seglet.training.clock import Clock


class Time:
    """A clock on the wall that a test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def run_round(clock: Clock) -> int:
    """Count steps as training does, which asks for the next step before it has done the last."""
    clock.start_round()
    first, asked = clock.step, 1
    while not clock.is_round_over(first + asked):
        asked += 1
    clock.step = first + asked
    return clock.step


@pytest.mark.parametrize(
    ("steps", "rounds", "expected"),
    [(4, 2, [2, 4]), (7, 3, [3, 5, 7]), (3, 1, [3]), (2, 25, [1, 2]), (10, 10, list(range(1, 11)))],
)
def test_rounds_end_on_the_multiples_of_their_share(steps: int, rounds: int, expected: list[int]) -> None:
    clock, ends = Clock(steps, 1.0, rounds), []
    while not clock.is_over:
        ends.append(run_round(clock))
    assert ends == expected


def test_a_resumed_run_keeps_the_beat() -> None:
    clock = Clock(12, 1.0, 3)
    clock.resume(step=6, elapsed=1.0)
    assert run_round(clock) == 8


def test_time_decides_where_no_steps_are_given() -> None:
    wall = Time()
    clock = Clock(None, 100.0, 4, now=wall)
    clock.start_round()
    assert (clock.progress, clock.is_over, clock.is_round_over(10**6)) == (0.0, False, False)
    wall.now += 25
    assert clock.is_round_over(1)
    assert not clock.is_over
    wall.now += 80
    assert clock.is_over
    assert clock.progress == 1.0


def test_time_before_an_interruption_counts_and_the_pause_does_not() -> None:
    wall = Time()
    clock = Clock(None, 100.0, 4, now=wall)
    wall.now += 5000
    clock.resume(step=7, elapsed=60.0)
    wall.now += 10
    assert clock.elapsed == pytest.approx(70)
    assert clock.progress == pytest.approx(0.7)
    assert clock.step == 7


def test_stopping_ends_the_round_and_the_whole() -> None:
    clock = Clock(100, 1.0, 2)
    clock.start_round()
    clock.stopped = True
    assert clock.is_round_over(1)
    assert clock.is_over
    assert clock.progress == 0


def test_steps_ignore_the_time() -> None:
    wall = Time()
    clock = Clock(10, 1.0, 2, now=wall)
    wall.now += 10**6
    assert not clock.is_over


def test_long_pauses_make_fewer_rounds_where_time_decides() -> None:
    wall = Time()
    clock = Clock(None, 100.0, 20, now=wall)
    rounds = 0
    while not clock.is_over:
        clock.start_round()
        while not clock.is_round_over(clock.step + 1):
            wall.now += 1
            clock.step += 1
        wall.now += 4  # validation
        rounds += 1
    assert 4 <= rounds <= 7, "each is trained for four times four seconds, and validated for four"


def test_pauses_change_nothing_where_steps_decide() -> None:
    wall = Time()
    clock, ends = Clock(6, 1.0, 3, now=wall), []
    while not clock.is_over:
        ends.append(run_round(clock))
        wall.now += 1000
    assert ends == [2, 4, 6]
