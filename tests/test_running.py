"""One planned run: its files, its masks read back, its facts."""

import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from seglet.core.events import quiet
from seglet.metrics.scores import read_scores
from seglet.model import load_model
from seglet.planning import Planned, make_planned
from seglet.recipe import read_recipe
from seglet.run import Run, read_facts, start_run
from seglet.running import finish, fit_planned, read_masks, score_run
from seglet.scoring import predict_all


@pytest.fixture(scope="module")
def planned(cells: Path, tiny: tuple[str, ...]) -> Planned:
    return make_planned(cells, read_recipe("auto", tiny), quiet)


@pytest.fixture(scope="module")
def run(planned: Planned, tmp_path_factory: pytest.TempPathFactory) -> Run:
    run = start_run(tmp_path_factory.mktemp("running") / "run")
    scored = planned.part("test")
    model, outcome = fit_planned(planned, run, time.monotonic() + 60, scored, False, quiet)
    scores = score_run(predict_all(model, scored, quiet), planned, run, model.threshold)
    finish(run, planned, model, scores, outcome, 12.34)
    return run


def test_scores_are_those_of_the_masks_that_are_written(run: Run, planned: Planned) -> None:
    (image,) = read_scores(run.scores).images
    truth = np.asarray(planned.part("test")[0].labels) == 1
    mask = np.asarray(Picture.open(run.predictions / f"{image.id}.png")) == 255
    expected = 2 * (truth & mask).sum() / (truth.sum() + mask.sum())
    assert image.classes["foreground"]["dice"] == pytest.approx(expected)


def test_masks_are_read_back_as_class_indexes(run: Run, planned: Planned) -> None:
    (found,) = read_masks(run, planned)
    mask = np.asarray(Picture.open(run.predictions / f"{found.id}.png"))
    assert np.array_equal(found.labels, mask // 255)


def test_the_facts_and_the_headline_are_kept(run: Run) -> None:
    facts = read_facts(run)
    assert (facts["took_s"], facts["steps"], facts["scored_on"]) == (12.3, 4, "test")
    assert load_model(run.folder).card.scores["mean_dice"] == read_scores(run.scores).mean_dice.mean


def test_training_ends_when_its_time_is_over(planned: Planned, tmp_path: Path, tiny: tuple[str, ...]) -> None:
    timed = make_planned(
        planned.dataset.root, read_recipe("auto", [*tiny, "fit.steps=null", "fit.budget_s=600"]), quiet
    )
    began = time.monotonic()
    fit_planned(timed, start_run(tmp_path / "run"), began + 3, timed.part("test"), False, quiet)
    assert time.monotonic() - began < 30, "the end that is said counts, not the recipe's ten minutes"
