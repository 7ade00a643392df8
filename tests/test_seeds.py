"""The same training with several seeds; real runs of a second each."""

import json
import math
import shutil
import statistics
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from seglet import pipeline
from seglet.core.errors import ConfigError, FormatError, TrainingError
from seglet.core.events import Event
from seglet.metrics.scores import headline, read_scores
from seglet.model import load_model
from seglet.recipe import read_recipe
from seglet.run import Run, read_run_recipe
from seglet.seeds import Seeds, read_seeds, spread


@pytest.fixture(scope="module")
def seeded(cells: Path, tiny: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished seeds, 7 and 8; must not be changed."""
    out = tmp_path_factory.mktemp("seeds") / "out"
    pipeline.train_seeds(cells, out, 2, settings=[*tiny, "fit.seed=7"])
    return out


@pytest.fixture
def copied(seeded: Path, tmp_path: Path) -> Path:
    """Two finished seeds that may be changed."""
    return Path(shutil.copytree(seeded, tmp_path / "out"))


def weights(folder: Path) -> np.ndarray:
    values = load_model(folder).network.state_dict().values()
    return np.concatenate([value.numpy().ravel() for value in values])


def test_runs_differ_by_their_seed_alone(seeded: Path) -> None:
    runs = [Run(seeded / f"seed{number}") for number in range(2)]
    recipes = [read_run_recipe(run) for run in runs]
    assert [recipe.fit.seed for recipe in recipes] == [7, 8]
    assert recipes[1] == read_recipe(recipes[0], ["fit.seed=8"])
    assert runs[0].split.read_text() == runs[1].split.read_text()
    assert not np.array_equal(weights(runs[0].folder), weights(runs[1].folder))
    assert all(run.report.is_file() and run.facts.is_file() for run in runs)


def test_a_seed_is_the_run_one_would_train_alone(
    seeded: Path, cells: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    alone = pipeline.train(cells, tmp_path / "alone", settings=[*tiny, "fit.seed=8"]).run
    np.testing.assert_array_equal(weights(alone.folder), weights(seeded / "seed1"))
    assert read_scores(alone.scores) == read_scores(seeded / "seed1" / "scores.json")


def test_figures_and_their_spread_are_written(seeded: Path) -> None:
    found = read_seeds(seeded / "seeds.json")
    assert [(run.seed, run.folder) for run in found.seeds] == [(7, "seed0"), (8, "seed1")]
    each = [headline(read_scores(seeded / run.folder / "scores.json")) for run in found.seeds]
    figures = [one["mean_dice"] for one in each]
    of = found.summary["mean_dice"]
    assert (of.n, of.mean) == (2, pytest.approx(statistics.mean(figures)))
    assert of.std == pytest.approx(statistics.stdev(figures))
    assert found.n_images == 1


def test_finished_seeds_are_kept_and_more_can_follow(copied: Path, cells: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in copied.glob("seed*/**/*") if path.is_file()}
    events: list[Event] = []
    found = pipeline.train_seeds(cells, copied, 3, resume=True, tell=events.append)
    assert [run.seed for run in found.seeds] == [7, 8, 9]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert [event.message.split(",")[0] for event in events if event.stage == "seed"] == [
        *("1 of 3", "2 of 3", "3 of 3")
    ]
    assert read_run_recipe(Run(copied / "seed2")) == read_recipe(copied / "seed0/recipe.yaml", ["fit.seed=9"])


def test_an_interrupted_seed_goes_on(copied: Path, cells: Path) -> None:
    kept = weights(copied / "seed1")
    for name in ("run.yaml", "scores.json", "scores.csv", "report.html"):
        (copied / "seed1" / name).unlink()
    (copied / "seeds.json").unlink()
    found = pipeline.train_seeds(cells, copied, 2, resume=True)
    assert [run.seed for run in found.seeds] == [7, 8]
    np.testing.assert_array_equal(weights(copied / "seed1"), kept)
    assert (copied / "seeds.json").is_file()


def test_settings_cannot_change_on_the_way(copied: Path, cells: Path) -> None:
    with pytest.raises(ConfigError, match="all seeds are trained alike"):
        pipeline.train_seeds(cells, copied, 3, settings=["fit.steps=9"], resume=True)
    assert not (copied / "seed2").exists()


def test_a_folder_in_use_is_refused(copied: Path, cells: Path) -> None:
    with pytest.raises(TrainingError, match="new or empty folder"):
        pipeline.train_seeds(cells, copied, 2)


def test_nothing_to_go_on_with(cells: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no run to resume"):
        pipeline.train_seeds(cells, tmp_path / "out", 2, resume=True)


def test_a_start_that_was_refused_can_be_made_again(
    cells: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "seed0").mkdir(parents=True)
    for _ in range(2):  # the first leaves an empty folder
        with pytest.raises(ConfigError, match="split"):
            pipeline.train_seeds(cells, out, 2, settings=[*tiny, "split.test=nobody*"])
    assert not (out / "seeds.json").exists()


def test_another_split_is_refused(copied: Path, cells: Path) -> None:
    page = copied / "seed1" / "split.yaml"
    split = yaml.safe_load(page.read_text())
    split["train"], split["test"] = split["test"], split["train"]
    page.write_text(yaml.safe_dump(split))
    with pytest.raises(TrainingError, match="another split"):
        pipeline.train_seeds(cells, copied, 2, resume=True)


def test_seeds_can_be_compared_with_one_of_them(seeded: Path) -> None:
    found = pipeline.compare(seeded, seeded / "seed0")
    assert found.notes == ("Figures of an image are means over 2 and 1 runs.",)
    assert len(found.pairs) == 1


def test_a_damaged_list_of_seeds_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "seeds.json").write_text('{"seeds": 3}')
    with pytest.raises(FormatError, match="--resume"):
        read_seeds(tmp_path / "seeds.json")


def test_nan_survives_json(seeded: Path) -> None:
    found = json.loads((seeded / "seeds.json").read_text(encoding="utf-8"))
    found["summary"]["mean_dice"]["std"] = None
    assert math.isnan(Seeds.model_validate(found).summary["mean_dice"].std)


def test_spread_of_few() -> None:
    assert math.isnan(spread([]).mean)
    assert (spread([0.5, math.nan]).mean, spread([0.5, math.nan]).n) == (0.5, 1)
    assert math.isnan(spread([0.5]).std)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=8))
def test_spread_is_that_of_a_sample(figures: list[float]) -> None:
    found = spread(figures)
    assert found.mean == pytest.approx(statistics.mean(figures))
    assert found.std == pytest.approx(statistics.stdev(figures), abs=1e-12)
