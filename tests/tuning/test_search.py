"""Real searches of a few trainings of about a second each."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image as Picture

from seglet import pipeline
from seglet.core.errors import ConfigError, DatasetError, TrainingError
from seglet.core.events import Event, quiet
from seglet.planning import make_planned
from seglet.recipe import read_recipe
from seglet.run import Run
from seglet.training.callbacks import read_history
from seglet.tuning.search import Search, Tuned, require_searchable
from seglet.tuning.space import TuneConfig

SHORT = TuneConfig(trials=3, budget_s=6)


@pytest.fixture(scope="module")
def tuned(cells: Path, tiny: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """A finished search; must not be changed."""
    return pipeline.tune(cells, tmp_path_factory.mktemp("tuned") / "out", settings=tiny, config=SHORT)


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "trials.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def test_as_many_trials_as_asked_the_recipe_first(tuned: Tuned) -> None:
    assert [trial.state for trial in tuned.trials] == ["finished"] * 3
    assert tuned.interrupted is None
    first = read_recipe(tuned.folder / "trials/000/recipe.yaml")
    assert first.plan.channels == (4, 8)
    assert first.plan.batch_size == 2
    assert first.fit.learning_rate == 0.002
    assert [row["trial"] for row in table(tuned.folder)] == ["0", "1", "2"]


def test_trials_share_the_budget_equally(tuned: Tuned) -> None:
    assert all(0.5 < trial.seconds < 5 for trial in tuned.trials)
    assert sum(trial.seconds for trial in tuned.trials) < 12


def test_the_figure_is_that_of_the_weights_that_training_keeps(tuned: Tuned) -> None:
    for trial in tuned.trials:
        rows = read_history(tuned.folder / "trials" / f"{trial.number:03}" / "history.csv")
        assert trial.val_dice == pytest.approx(min(rows, key=lambda row: row["val_loss"])["val_dice"])


def test_the_best_is_a_recipe_that_trains(tuned: Tuned, cells: Path, tmp_path: Path) -> None:
    best = tuned.best
    assert best is not None
    assert best.val_dice == max(trial.val_dice or 0 for trial in tuned.trials)
    text = tuned.recipe.read_text(encoding="utf-8")
    assert text.splitlines()[0].startswith(
        f"# Trial {best.number} of a search, chosen by its val_dice of {best.val_dice:.4f}"
    )
    found = read_recipe(tuned.recipe)
    assert found.plan.channels is not None
    assert (len(found.plan.channels), found.plan.channels[0]) == (best.params["levels"], best.params["width"])
    assert found.fit.learning_rate == best.params["learning_rate"]
    assert found.fit.steps == 4, "as long as the recipe says, not as the trials were"
    trained = pipeline.train(cells, tmp_path / "run", recipe=tuned.recipe)
    assert trained.model.card.plan.channels == found.plan.channels
    assert trained.scored_on == "test"
    assert Run(trained.run.folder).split.read_text() == (tuned.folder / "split.yaml").read_text()


def test_nothing_is_left_that_only_training_needs(tuned: Tuned) -> None:
    names = {path.name for path in tuned.folder.rglob("*") if path.is_file()}
    assert names == {"study.db", "best.yaml", "trials.csv", "split.yaml", "recipe.yaml", "history.csv"}


def test_test_images_are_not_looked_at(cells: Path, tiny: tuple[str, ...], tmp_path: Path) -> None:
    said = read_recipe("auto", [*tiny, "split.folds=none"])
    planned = make_planned(cells, said, quiet)
    test = {case.id for case in planned.split.test}
    kept = {name: sample for name, sample in planned.samples.items() if name not in test}
    assert len(kept) == 4
    blind = replace(planned, samples=kept)
    config = TuneConfig(trials=1, budget_s=2)
    search = Search(blind, said, config, tmp_path, float("inf"), quiet)
    assert search.run().best is not None


def test_a_finished_search_is_not_searched_again_but_may_be_longer(
    tuned: Tuned, cells: Path, tiny: tuple[str, ...]
) -> None:
    again = pipeline.tune(cells, tuned.folder, settings=tiny, config=SHORT)
    assert again.trials == tuned.trials
    longer = pipeline.tune(
        cells, tuned.folder, settings=tiny, config=SHORT.model_copy(update={"trials": 4, "budget_s": 8.0})
    )
    assert longer.trials[:3] == tuned.trials
    assert len(longer.trials) == 4


def test_another_search_needs_another_folder(
    tuned: Tuned, cells: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="a study of another recipe;"):
        pipeline.tune(cells, tuned.folder, settings=[*tiny, "fit.ema=0.5"], config=SHORT)
    with pytest.raises(TrainingError, match="another recipe and another data;"):
        pipeline.tune(cells, tuned.folder, settings=[*tiny, "split.validation=first 2"], config=SHORT)
    other = shutil.copytree(cells, tmp_path / "other")
    for mask in (other / "masks").iterdir():  # the same shapes by another value
        Picture.fromarray(np.asarray(Picture.open(mask)) // 255 * 100).save(mask)
    with pytest.raises(TrainingError, match="a study of another data;"):
        pipeline.tune(other, tuned.folder, settings=tiny, config=SHORT)
    with pytest.raises(TrainingError, match="a study of another space;"):
        pipeline.tune(
            cells, tuned.folder, settings=tiny, config=SHORT.model_copy(update={"losses": ("dice",)})
        )
    (tmp_path / "mine.txt").touch()
    with pytest.raises(TrainingError, match="files already"):
        require_searchable(tmp_path)


def test_a_budget_that_is_over_ends_the_search(cells: Path, tiny: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="the budget was over before"):
        pipeline.tune(cells, tmp_path / "out", settings=tiny, config=TuneConfig(budget_s=0))


def test_trials_that_diverge_count_as_the_worst(cells: Path, tiny: tuple[str, ...], tmp_path: Path) -> None:
    wild = [*tiny, "fit.learning_rate=1e30", "fit.optimizer=sgd", "fit.clip=0"]
    config = TuneConfig(trials=2, budget_s=4, learning_rate=(1, 1))
    with pytest.raises(TrainingError, match=r"no trial that finished.*a finite number"):
        pipeline.tune(cells, tmp_path / "out", settings=wild, config=config)
    assert [row["state"] for row in table(tmp_path / "out")] == ["pruned", "pruned"]
    assert not (tmp_path / "out/best.yaml").exists()


def test_progress_is_told_trial_by_trial(cells: Path, tiny: tuple[str, ...], tmp_path: Path) -> None:
    heard: list[Event] = []
    config = TuneConfig(trials=1, budget_s=2)
    pipeline.tune(cells, tmp_path / "out", settings=tiny, config=config, tell=heard.append)
    said = [event.message for event in heard if event.stage == "trial"]
    assert said[0].startswith("0: levels 2, width 4, learning_rate 0.002, loss cross_entropy+dice")
    assert said[1].startswith("0: finished, val_dice ")
    assert not any(event.message for event in heard if event.stage == "training")


def test_few_images_are_not_cross_validated_unasked(
    cells: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    unsaid = [setting for setting in tiny if not setting.startswith("split.")]
    config = TuneConfig(trials=1, budget_s=2)
    found = pipeline.tune(cells, tmp_path / "out", settings=unsaid, config=config)
    assert yaml.safe_load(found.recipe.read_text())["split"]["folds"] == "none"
    with pytest.raises(ConfigError, match="one split"):
        pipeline.tune(cells, tmp_path / "other", settings=[*unsaid, "split.folds=3"], config=config)


def test_without_images_that_validate_nothing_can_be_judged(
    cells: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(DatasetError, match="no images that validate"):
        pipeline.tune(cells, tmp_path / "out", settings=[*tiny, "split.validation=none"], config=SHORT)


def test_a_recipe_that_validates_often_does_not_spend_its_trials_on_it(
    cells: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    often = [*tiny, "fit.rounds=500"]
    config = TuneConfig(trials=1, budget_s=2)
    found = pipeline.tune(cells, tmp_path / "out", settings=often, config=config)
    assert len(read_history(tmp_path / "out/trials/000/history.csv")) <= 10
    assert read_recipe(found.recipe).fit.rounds == 500
