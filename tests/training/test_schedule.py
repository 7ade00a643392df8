import numpy as np
import pytest

from seglet.training.schedule import RISE, SCHEDULES, START, WARM_UP, Schedule, rate_factor

PROGRESS = np.linspace(0, 1, 401)


@pytest.mark.parametrize(("schedule", "top"), [("cosine", WARM_UP), ("one_cycle", RISE)])
def test_rises_to_one_and_falls_to_zero(schedule: Schedule, top: float) -> None:
    assert rate_factor(schedule, 0.0) == pytest.approx(START)
    assert rate_factor(schedule, top) == pytest.approx(1)
    assert rate_factor(schedule, 1.0) == pytest.approx(0, abs=1e-12)
    factors = np.array([rate_factor(schedule, p) for p in PROGRESS])
    rising, falling = PROGRESS[1:] <= top, PROGRESS[:-1] >= top
    assert (np.diff(factors)[rising] > 0).all()
    assert (np.diff(factors)[falling] < 0).all()


def test_cosine_is_half_way_down_half_way_after_its_warm_up() -> None:
    assert rate_factor("cosine", WARM_UP + (1 - WARM_UP) / 2) == pytest.approx(0.5)


def test_constant_is_one_throughout() -> None:
    assert {rate_factor("constant", p) for p in PROGRESS} == {1.0}


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_progress_outside_its_range_is_cut(schedule: Schedule) -> None:
    assert rate_factor(schedule, -1) == rate_factor(schedule, 0)
    assert rate_factor(schedule, 7) == rate_factor(schedule, 1)
