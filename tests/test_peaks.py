"""What training is foretold to take is what a process takes; see also tests/test_rationing.py."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from processes import peak
from seglet.core.events import quiet
from seglet.data.synthetic import make_dataset
from seglet.expecting import training_memory
from seglet.model import untrained
from seglet.peaks import TRAINING, highest, peaks
from seglet.planning import Planned, make_planned
from seglet.recipe import read_recipe

MIB = 1 << 20


@pytest.fixture(scope="module")
def plan(cells: Path, tiny: tuple[str, ...]) -> Callable[..., Planned]:
    return lambda *settings: make_planned(cells, read_recipe("auto", (*tiny, *settings)), quiet)


def of(planned: Planned) -> dict[str, int]:
    return {one.stage: one.n_bytes for one in peaks(planned, untrained(planned.card()).network)}


def test_larger_steps_take_more_in_training_alone(plan: Callable[..., Planned]) -> None:
    few, many = of(plan()), of(plan("plan.batch_size=64"))
    assert few[TRAINING] < many.pop(TRAINING)
    few.pop(TRAINING)
    assert few == many


def test_the_stage_that_takes_most_is_named(plan: Callable[..., Planned]) -> None:
    assert highest(plan("plan.batch_size=64", "plan.channels=[32,64]")).stage == TRAINING


@pytest.mark.skipif(sys.platform != "linux", reason="bytes are counted otherwise elsewhere")
@pytest.mark.parametrize(
    ("side", "settings", "stage"),
    [
        (200, ("plan.channels=[32,64,128]", "plan.patch_size=[128,128]", "plan.batch_size=8"), TRAINING),
        (1200, ("plan.channels=[8,16]",), "comparing windows with one pass"),
    ],
)
def test_a_process_takes_what_was_foretold(
    tiny: tuple[str, ...], tmp_path: Path, side: int, settings: tuple[str, ...], stage: str
) -> None:
    data = make_dataset(tmp_path / "data", n_images=3, shape=(side, side))
    said = (*tiny, *settings)
    planned = make_planned(data, read_recipe("auto", said), quiet)
    assert highest(planned).stage == stage
    taken = peak("train", data, "-o", tmp_path / "run", *(f"--set={each}" for each in said))
    foretold = training_memory(planned)
    assert foretold == pytest.approx(taken, rel=0.25), (foretold / MIB, taken / MIB)
