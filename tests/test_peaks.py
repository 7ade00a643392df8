"""What training is foretold to take is what a process takes; see also tests/test_rationing.py."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image as Picture

from processes import peak
from seglet.core.events import quiet
from seglet.data.synthetic import make_dataset
from seglet.expecting import training_memory
from seglet.model import untrained
from seglet.peaks import TRAINING, _training, highest, peaks
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


def test_of_folds_the_one_that_takes_most_counts(tiny: tuple[str, ...], tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", n_images=3, shape=(64, 64))
    for file in (min((data / folder).iterdir()) for folder in ("images", "masks")):
        Picture.open(file).resize((640, 640), Picture.Resampling.NEAREST).save(file)
    settings = [one for one in tiny if not one.startswith("split.")]
    planned = make_planned(data, read_recipe("auto", (*settings, "split.folds=3")), quiet)
    model = untrained(planned.card())
    each = [_training(planned.of_fold(fold), model) for fold in planned.folds]
    assert max(each) > 1.5 * min(each)
    assert of(planned)[TRAINING] >= max(each)


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
