from pathlib import Path

import pytest

from seglet import __version__
from seglet.core.errors import ConfigError, ModelError, StorageError, TrainingError
from seglet.core.storage import write_text
from seglet.recipe import read_recipe, to_text
from seglet.run import (
    Run,
    environment,
    read_facts,
    read_run_recipe,
    require_page,
    resume_run,
    start_run,
    steps_taken,
    write_facts,
)


def test_everything_stands_in_the_folder(tmp_path: Path) -> None:
    run = Run(tmp_path)
    places = (
        run.recipe,
        run.split,
        run.facts,
        run.history,
        run.model,
        run.predictions,
        run.scores,
        run.report,
    )
    assert {place.parent for place in places} == {tmp_path}
    assert len(set(places)) == len(places)
    assert not run.exists


def test_a_run_begins_in_a_new_or_empty_folder_and_leaves_it_empty(tmp_path: Path) -> None:
    assert start_run(tmp_path / "deep" / "run").folder.is_dir()
    assert list(start_run(tmp_path / "deep" / "run").folder.iterdir()) == []


def test_a_run_does_not_begin_upon_another(tmp_path: Path) -> None:
    write_text(Run(tmp_path).recipe, to_text(read_recipe("auto")))
    with pytest.raises(TrainingError, match=r"found a run already.*--resume"):
        start_run(tmp_path)


def test_a_run_does_not_begin_among_other_files(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(TrainingError, match="found files already"):
        start_run(tmp_path)
    with pytest.raises(TrainingError, match="found files already"):
        start_run(tmp_path / "thesis.txt")


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        start_run(tmp_path / "file" / "run")


def test_a_run_is_resumed_with_its_own_recipe(tmp_path: Path) -> None:
    recipe = read_recipe("auto", ["fit.steps=3", "name=mine"])
    write_text(Run(tmp_path).recipe, to_text(recipe))
    run, found = resume_run(tmp_path)
    assert run.folder == tmp_path
    assert found == recipe


def begun(folder: Path) -> Run:
    run = Run(folder)
    write_text(run.recipe, to_text(read_recipe("auto", ["fit.steps=3", "plan.channels=[4,8]"])))
    return run


@pytest.mark.parametrize(
    "setting",
    ["masks.ignore=7", "split.test=none", "plan.channels=[4,16]", "plan.resize=[8,8]", "network.dropout=0.5"]
    + ["patches.foreground=1", "loss.dice=0", "patches.augment.flip=0", "layout={image: '{id}.png'}"]
    + [f"fit.{s}" for s in ("optimizer=sgd", "learning_rate=1", "momentum=0", "weight_decay=1")]
    + ["fit.ema=0", "fit.seed=1"],
)
def test_what_made_a_begun_run_cannot_change(tmp_path: Path, setting: str) -> None:
    run = begun(tmp_path)
    before = run.recipe.read_bytes()
    key = setting.partition("=")[0]
    with pytest.raises(ConfigError, match=f"another value of {key.split('.')[0]}.*another folder"):
        resume_run(tmp_path, [setting, "fit.steps=9"])
    assert run.recipe.read_bytes() == before


def test_all_settings_that_cannot_change_are_named_at_once(tmp_path: Path) -> None:
    begun(tmp_path)
    with pytest.raises(ConfigError, match=r"another value of plan\.channels, fit\.seed than"):
        resume_run(tmp_path, ["plan.channels=[4]", "fit.seed=1", "fit.steps=9"])


def test_folds_are_trained_alike(tmp_path: Path) -> None:
    """Once one is finished; how all of them predict may still change."""
    run = begun(tmp_path)
    resume_run(tmp_path, ["fit.steps=9"])
    write_facts(run.fold(1), {"data": "x"})
    with pytest.raises(ConfigError, match=r"another value of fit\.steps than its finished folds"):
        resume_run(tmp_path, ["fit.steps=9", "predict.flips=true"])
    resume_run(tmp_path, ["fit.steps=3", "predict.flips=true"])


def test_what_only_says_how_a_run_goes_on_may_change(tmp_path: Path) -> None:
    begun(tmp_path)
    settings = ["fit.steps=null", "fit.budget_s=5m", "fit.rounds=2", "fit.precision=bf16", "protocol=drive"]
    _, found = resume_run(tmp_path, [*settings, "predict.flips=true", "plan.channels=[4,8]"])
    assert (found.fit.steps, found.fit.budget_s, found.fit.rounds) == (None, 300, 2)
    assert (found.fit.precision, found.protocol, found.predict.flips) == ("bf16", "drive", True)


def test_nothing_cannot_be_resumed(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"no run to resume.*train without --resume"):
        resume_run(tmp_path / "nothing")


def test_a_damaged_recipe_is_named(tmp_path: Path) -> None:
    Run(tmp_path).recipe.write_text("fit: [")
    with pytest.raises(ConfigError, match=r"recipe\.yaml: found text that is not YAML"):
        read_run_recipe(Run(tmp_path))


def test_facts_are_read_as_written(tmp_path: Path) -> None:
    facts = {"data": "/some/Ordner mit Ümläut", "steps": 3, "environment": environment()}
    write_facts(Run(tmp_path), facts)
    assert read_facts(Run(tmp_path)) == facts


def test_without_facts_there_is_no_finished_run(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no finished run.*--resume"):
        read_facts(Run(tmp_path))


@pytest.mark.parametrize("content", ["data: [", "- 1\n", "", "steps: 3\n"])
def test_damaged_facts_are_named(tmp_path: Path, content: str) -> None:
    Run(tmp_path).facts.write_text(content)
    with pytest.raises(ModelError, match=r"run\.yaml: found facts of a run that cannot be understood"):
        read_facts(Run(tmp_path))


def test_a_page_stands_or_is_named(tmp_path: Path) -> None:
    page = Run(tmp_path).split
    with pytest.raises(ModelError, match=r"split\.yaml: found no file"):
        require_page(page)
    page.touch()
    assert require_page(page) == page


def test_the_environment_names_versions() -> None:
    found = environment()
    assert found["seglet"] == __version__
    assert {"Python", "system", "torch", "numpy"} <= set(found)
    assert all(isinstance(value, str) and value for value in found.values())


def test_the_steps_of_every_fold_are_known(tmp_path: Path) -> None:
    run = Run(tmp_path)
    write_facts(run, {"data": "cells", "steps": 7})
    assert steps_taken(run) == [7]
    write_facts(run, {"data": "cells"})
    assert steps_taken(run) == []
    write_text(run.folds, "folds: []")
    for number, steps in ((1, 40), (2, 3)):
        write_facts(run.fold(number), {"data": "cells", "steps": steps})
    assert steps_taken(run) == [40, 3]
