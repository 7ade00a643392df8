"""A wider network where the time allows it: measured, never where somebody said how wide or how long."""

from pathlib import Path

import pytest

from seglet import planning, widening
from seglet.core.errors import ConfigError
from seglet.core.events import Event, quiet
from seglet.data.synthetic import make_dataset
from seglet.model import untrained
from seglet.networks.registry import n_parameters
from seglet.planning import Planned, make_planned
from seglet.recipe import Recipe, read_recipe
from seglet.widening import FACTORS, FEWEST, widened

SMALL = ("plan.patch_size=[32,32]", "plan.batch_size=2", "split.folds=none")


def of(data: Path, *settings: str) -> tuple[Planned, Recipe]:
    recipe = read_recipe("auto", (*SMALL, *settings))
    return make_planned(data, recipe, quiet), recipe


def test_more_time_gives_a_wider_network_and_too_little_none(cells: Path) -> None:
    widths = {}
    for budget in ("1s", "1000h"):
        planned, recipe = of(cells, f"fit.budget_s={budget}")
        heard: list[Event] = []
        found = widened(planned, recipe, heard.append)
        widths[budget] = found.plan.channels
        assert found.recipe.plan.channels == found.plan.channels
        assert len(heard) == (found is not planned)
    assert widths["1s"] == planned.plan.channels
    assert widths["1000h"] == tuple(FACTORS[-1] * n for n in planned.plan.channels)


def test_it_is_the_widest_that_still_sees_each_pixel_often_enough(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(widening, "seconds_per_pixel", lambda model: 1e-12 * n_parameters(model.network))
    planned, recipe = of(cells, "fit.budget_s=1h")

    def seen(factor: float) -> float:
        wider = widening._wider(planned, factor)
        assert wider is not None
        pixels = 3600 / (3e-12 * n_parameters(untrained(wider.card()).network))
        return pixels / planned.fingerprint.n_pixels

    monkeypatch.setattr(widening, "ENOUGH", seen(2))
    assert widened(planned, recipe, quiet).plan.channels == tuple(2 * n for n in planned.plan.channels)
    monkeypatch.setattr(widening, "ENOUGH", seen(1.5) * 1.001)
    assert widened(planned, recipe, quiet) is planned


def test_so_few_steps_are_better_made_with_a_narrow_one(cells: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(widening, "seconds_per_pixel", lambda model: 1e-6)
    step_s = 3e-6 * 2 * 32**2
    enough, few = (of(cells, f"fit.budget_s={step_s * FEWEST * share}") for share in (1.001, 0.999))
    monkeypatch.setattr(widening, "ENOUGH", 1)
    assert widened(*enough, quiet).plan.channels != enough[0].plan.channels
    assert widened(*few, quiet) is few[0]


@pytest.mark.parametrize("setting", ["fit.steps=1000000", "plan.channels=[16,32,64,128]"])
def test_what_was_said_stays(cells: Path, setting: str) -> None:
    planned, recipe = of(cells, setting, "fit.budget_s=1000h")
    assert widened(planned, recipe, quiet) is planned


def test_volumes_stay_as_they_are(tmp_path: Path) -> None:
    data = make_dataset(tmp_path, "volumes", "lits", n_images=3, shape=(16, 32, 32))
    recipe = read_recipe("auto", ("plan.mode=3d", "fit.budget_s=1000h"))
    planned = make_planned(data, recipe, quiet)
    assert planned.plan.mode == "3d"
    assert widened(planned, recipe, quiet) is planned


def test_a_network_that_the_memory_does_not_hold_is_left_out(
    cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise ConfigError("plan", found="too much", expected="less", remedy="none")

    planned, recipe = of(cells, "fit.budget_s=1000h")
    monkeypatch.setattr(planning, "make_plan", full)
    assert widened(planned, recipe, quiet) is planned


def test_folds_share_the_time(cells: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(widening, "seconds_per_pixel", lambda model: 1e-6)
    whole, _ = of(cells, "fit.budget_s=1h")
    folded, _ = of(cells, "fit.budget_s=1h", "split.folds=3")
    step_s = 3e-6 * 2 * 32**2
    assert widening._expected(whole)[0] == pytest.approx(3600 / step_s)
    assert widening._expected(folded)[0] == pytest.approx(3600 / step_s / len(folded.folds))
