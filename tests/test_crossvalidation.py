"""Folds through the whole flow: each scored by a stranger, the ensemble kept, resumed where it stood."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from seglet import pipeline
from seglet.core.errors import ConfigError, StorageError
from seglet.core.events import Event
from seglet.core.storage import write_text
from seglet.crossvalidation import share_of_fold
from seglet.metrics.scores import read_scores
from seglet.model import load_model
from seglet.networks.ensemble import Ensemble
from seglet.run import Run, read_facts


@pytest.fixture(scope="module")
def folds_tiny(tiny: tuple[str, ...]) -> list[str]:
    return [
        *(s for s in tiny if not s.startswith("split.")),
        "split.folds=3",
        "fit.steps=2",
        "predict.flips=false",
        "predict.align=false",  # members may stand elsewhere, their ensemble in the middle
    ]


@pytest.fixture(scope="module")
def folds_run(cells: Path, folds_tiny: list[str], tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("folds") / "run"
    return pipeline.train(cells, out, settings=folds_tiny).run


def test_every_image_is_scored_once_by_a_model_that_has_not_seen_it(folds_run: Run) -> None:
    folds = yaml.safe_load(folds_run.folds.read_text())
    tested = [name for fold in folds for name in fold["test"]]
    assert sorted(tested) == ["000", "001", "002", "003", "004"]
    for number, fold in enumerate(folds, start=1):
        split = yaml.safe_load(folds_run.fold(number).split.read_text())
        assert split == fold
        assert not set(fold["test"]) & {*fold["train"], *fold["validation"]}
    scores = read_scores(folds_run.scores)
    assert sorted(image.id for image in scores.images) == sorted(tested)
    assert scores.mean_dice.n == 5
    assert read_facts(folds_run)["scored_on"] == "folds"


def test_the_masks_are_those_of_the_fold_models(folds_run: Run, cells: Path) -> None:
    folds = yaml.safe_load(folds_run.folds.read_text())
    for number, fold in enumerate(folds, start=1):
        out = folds_run.folder.parent / f"again{number}"
        images = [cells / "images" / f"{name}.png" for name in fold["test"]]
        for mask in pipeline.predict(folds_run.fold(number).folder, images, out):
            assert mask.read_bytes() == (folds_run.predictions / mask.name).read_bytes()


def test_the_ensemble_is_kept_as_the_model_of_the_run(folds_run: Run, cells: Path, tmp_path: Path) -> None:
    model = load_model(folds_run.folder)
    assert isinstance(model.network, Ensemble)
    assert model.card.members == 3
    image = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    members = [pipeline.load(folds_run.fold(k).folder).probabilities(image) for k in (1, 2, 3)]
    together = pipeline.load(folds_run.folder).probabilities(image)
    assert np.allclose(together, np.mean(members, axis=0), atol=1e-4)
    assert len(pipeline.predict(folds_run.folder, [cells / "images"], tmp_path / "masks")) == 5


def test_evaluating_the_run_on_its_own_data_asks_the_folds(folds_run: Run, cells: Path) -> None:
    again = pipeline.evaluate(folds_run.folder, cells)
    assert again.mean_dice.mean == pytest.approx(read_scores(folds_run.scores).mean_dice.mean)


def test_the_report_is_written_anew_from_the_masks(folds_run: Run) -> None:
    before = folds_run.report.read_text(encoding="utf-8")
    assert "fold 1" in before
    assert pipeline.report(folds_run.folder) == folds_run.report


def test_folds_leave_each_other_the_time_to_be_scored() -> None:
    """Five folds of 100 s that train for 70 s and are scored for 30 s, but all of them after the last."""
    spent = 0.0
    for number in range(1, 6):
        spent += share_of_fold(500, 500 - spent, number, 5) - 30
    assert 500 - spent == 5 * 30


def test_a_fold_that_took_longer_takes_from_all_that_follow() -> None:
    assert share_of_fold(500, 320, 2, 5) == 80
    assert share_of_fold(500, 500, 4, 5) == 100, "resumed: the others had their time before"
    assert share_of_fold(500, -20, 5, 5) == 1


def test_a_resumed_run_trains_only_what_is_missing(
    folds_run: Run, cells: Path, folds_tiny: list[str], tmp_path: Path
) -> None:
    run = Run(tmp_path / "run")
    shutil.copytree(folds_run.folder, run.folder)
    for gone in (run.facts, run.scores, run.report, run.fold(3).facts):
        gone.unlink()
    shutil.rmtree(run.model)
    heard: list[Event] = []
    before = run.fold(1).history.stat().st_mtime_ns
    trained = pipeline.train(cells, run.folder, resume=True, tell=heard.append)
    assert run.fold(1).history.stat().st_mtime_ns == before
    assert trained.scores.mean_dice.mean == pytest.approx(read_scores(folds_run.scores).mean_dice.mean)


def resumable(folds_run: Run, folder: Path) -> Run:
    """A copy whose last fold is still to be trained."""
    run = Run(folder)
    shutil.copytree(folds_run.folder, run.folder)
    for gone in (run.facts, run.scores, run.report, run.fold(3).facts):
        gone.unlink()
    return run


def test_a_resumed_run_may_predict_otherwise(folds_run: Run, cells: Path, tmp_path: Path) -> None:
    run = resumable(folds_run, tmp_path / "run")
    changed = ["predict.window=96", "predict.margin=8"]
    trained = pipeline.train(cells, run.folder, resume=True, settings=changed)
    assert trained.model.card.predict.window == 96
    assert trained.model.card.members == 3


def test_folds_are_not_chosen_by_two_thresholds(folds_run: Run, cells: Path, tmp_path: Path) -> None:
    run = resumable(folds_run, tmp_path / "run")
    with pytest.raises(ConfigError, match=r"folds/1: found a finished fold.*predict\.threshold"):
        pipeline.train(cells, run.folder, resume=True, settings=["predict.threshold=0.4"])


def test_a_run_that_ended_between_two_files_keeps_its_folds(
    cells: Path, folds_tiny: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        if path.name == "split.yaml":
            raise StorageError(path, found="a full disk", expected="room", remedy="Make room.")
        write_text(path, text)

    with monkeypatch.context() as patched, pytest.raises(StorageError):
        patched.setattr(pipeline, "write_text", full)
        pipeline.train(cells, tmp_path / "run", settings=folds_tiny)
    trained = pipeline.train(cells, tmp_path / "run", resume=True)
    assert trained.model.card.members == 3


def test_a_test_part_that_is_said_is_scored_by_the_ensemble(
    cells: Path, folds_tiny: list[str], tmp_path: Path
) -> None:
    settings = [*folds_tiny, "split.test=last 1", "split.folds=2"]
    trained = pipeline.train(cells, tmp_path / "run", settings=settings)
    assert {image.id for image in trained.scores.images} == {"000", "001", "002", "003"}
    held_out = read_scores(trained.run.folder / "test_scores.json")
    assert [image.id for image in held_out.images] == ["004"]


def test_who_validates_in_all_folds_is_not_held_out(
    cells: Path, folds_tiny: list[str], tmp_path: Path
) -> None:
    settings = [*folds_tiny, "split.validation=000*", "split.folds=2"]
    trained = pipeline.train(cells, tmp_path / "run", settings=settings)
    assert {image.id for image in trained.scores.images} == {"001", "002", "003", "004"}
    assert not (trained.run.folder / "test_scores.json").exists(), "the fold's models were chosen by 000"


def test_few_images_are_left_out_one_by_one_unasked(
    cells: Path, folds_tiny: list[str], tmp_path: Path
) -> None:
    settings = [s for s in folds_tiny if not s.startswith("split.folds")]
    trained = pipeline.train(cells, tmp_path / "run", settings=settings)
    assert len(yaml.safe_load(trained.run.folds.read_text())) == 5


def test_a_written_split_is_used_by_another_run(
    folds_run: Run, cells: Path, folds_tiny: list[str], tmp_path: Path
) -> None:
    settings = [s for s in folds_tiny if not s.startswith("split.folds")]
    one = folds_run.fold(2).split
    trained = pipeline.train(cells, tmp_path / "run", settings=[*settings, f"split.file={one}"])
    assert yaml.safe_load(trained.run.split.read_text()) == yaml.safe_load(one.read_text())
