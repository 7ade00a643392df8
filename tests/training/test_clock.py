import time
from collections.abc import Callable

import pytest

from seglet.training.clock import Budget, Clock, Pace, process_began


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


def train(clock: Clock, wall: Time, step_s: Callable[[], float], pause_s: Callable[[], float]) -> float:
    """Train as the trainer does, which asks for a step before it does the last; gives the seconds it took."""
    began = wall.now
    while True:
        clock.start_round()
        first, granted = clock.step, 1
        while True:
            is_over = clock.is_round_over(first + granted)
            wall.now += step_s()
            clock.step += 1
            if is_over:
                break
            granted += 1
        wall.now += pause_s()
        if clock.is_over:
            return wall.now - began


@pytest.mark.parametrize("step_s", [0.01, 0.2, 1.0, 5.0, 8.0, 10.0])
@pytest.mark.parametrize("pause_s", [0.1, 3.0, 6.0, 60.0])
def test_training_ends_within_a_step_however_long_steps_and_validations_are(
    step_s: float, pause_s: float
) -> None:
    wall = Time()
    clock = Clock(None, 100.0, 25, now=wall)
    took = train(clock, wall, lambda: step_s, lambda: pause_s)
    assert 100 - step_s - pause_s <= took <= 100 + 1.5 * step_s


def test_steps_that_grow_long_on_the_way_do_not_overrun() -> None:
    """From 0.2 s to 6 s in the middle, as where other programs take the cores; validation alike."""
    wall = Time()
    clock = Clock(None, 100.0, 25, now=wall)
    began = wall.now

    def slowly(quick: float) -> Callable[[], float]:
        return lambda: quick * (30 if wall.now - began > 50 else 1)

    assert 85 <= train(clock, wall, slowly(0.2), slowly(0.3)) <= 109


def test_what_is_reserved_is_kept_and_asked_for_again_every_round() -> None:
    wall, asked = Time(), []

    def reserve(pace: Pace) -> float:
        asked.append(wall.now)
        steps = pace.step_s(1000)
        assert steps == (pytest.approx(0.5) if len(asked) > 1 else None)
        return 20.0 if len(asked) < 4 else 40.0

    clock = Clock(None, 100.0, 10, now=wall, reserve=reserve)
    assert train(clock, wall, lambda: 0.5, lambda: 0.5) == pytest.approx(60, abs=1.5)
    assert len(asked) > 5


def test_the_pace_is_that_of_late() -> None:
    pace = Pace()
    assert pace.step_s(10) is None
    for second in range(200):
        pace.add(float(second), 1.0 if second < 190 else 2.0)
    assert pace.step_s(5) == 2.0
    assert pace.step_s(20) == pytest.approx(1.5)
    assert pace.step_s(1000) == pytest.approx((8 * 2 + 111) / 119)  # of two minutes, but for the slowest two


def test_a_computer_that_slept_for_a_moment_is_not_slow() -> None:
    pace = Pace()
    for number in range(100):
        pace.add(number * 0.1, 30.0 if number == 50 else 0.1)
    assert pace.step_s(60) == pytest.approx(0.1)


def test_a_smaller_reserve_trains_on() -> None:
    wall = Time()
    kept = [50.0]
    clock = Clock(None, 100.0, 4, now=wall, reserve=lambda pace: kept[0])
    clock.start_round()
    wall.now += 40
    assert clock.is_round_over(1)
    kept[0] = 10.0
    clock.start_round()
    assert not clock.is_over
    assert clock.progress == pytest.approx(40 / 90)


def test_nothing_is_reserved_where_steps_decide() -> None:
    def reserve(pace: Pace) -> float:
        raise AssertionError("asked for time")

    clock = Clock(4, 1.0, 2, reserve=reserve)
    while not clock.is_over:
        run_round(clock)
    assert clock.step == 4


def test_a_reserve_beyond_all_time_still_leaves_a_step() -> None:
    wall = Time()
    clock = Clock(None, 10.0, 5, now=wall, reserve=lambda pace: 1000.0)
    train(clock, wall, lambda: 1.0, lambda: 0.5)
    assert 1 <= clock.step <= 2


def test_a_command_is_counted_from_the_start_of_its_process() -> None:
    began = process_began()
    assert began < time.monotonic()
    assert process_began() == pytest.approx(began, abs=0.1)


@pytest.mark.parametrize(("said", "expected"), [("90s", 90.0), (12, 12.0), (None, None)])
def test_a_budget_is_counted_from_now(said: str | int | None, expected: float | None) -> None:
    budget = Budget.from_now(said)
    assert budget.seconds == expected
    assert 0 <= time.monotonic() - budget.began < 10
