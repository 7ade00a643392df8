import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from seglet.cli import app
from seglet.cli_train import FEW_STEPS
from seglet.run import Run, read_run_recipe


def train(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


@pytest.fixture
def said(tiny: tuple[str, ...]) -> list[str]:
    """The settings of a run of a second."""
    return [part for setting in tiny for part in ("--set", setting)]


def test_seeds_print_their_figures_and_spread(cells: Path, said: list[str], tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = train(cells, "-o", out, "--seeds", 2, *said)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("2 seeds, each scored on the same 1")
    assert ["seed", "0", "seed", "1", "mean", "std"] in [line.split() for line in lines]
    (dice,) = (line.split()[1:] for line in lines if line.startswith("mean_dice"))
    assert float(dice[2]) == pytest.approx((float(dice[0]) + float(dice[1])) / 2, abs=1e-4)
    assert str(out / "seeds.json") in result.stdout
    again = train(cells, "-o", out, "--seeds", 2, "--resume", "--json")
    assert [run["folder"] for run in json.loads(again.stdout)["seeds"]] == ["seed0", "seed1"]


def test_a_training_of_few_steps_says_so(cells: Path, said: list[str], tmp_path: Path) -> None:
    few = train(cells, "-o", tmp_path / "few", *said)
    assert "Training took only 4 steps, too few" in few.stdout
    enough = train(cells, "-o", tmp_path / "enough", *said, "--set", f"fit.steps={FEW_STEPS}")
    assert enough.exit_code == 0 and "Training took only" not in enough.stdout


def test_few_steps_of_a_fold_or_a_seed_say_so(cells: Path, said: list[str], tmp_path: Path) -> None:
    folds = train(cells, "-o", tmp_path / "folds", "--folds", 2, *said)
    assert folds.exit_code == 0, folds.output
    assert "Training took only 4 steps in the shortest of 2 trainings, too few" in folds.stdout
    seeds = train(cells, "-o", tmp_path / "seeds", "--seeds", 2, *said)
    assert "Training took only 4 steps in the shortest of 2 trainings, too few" in seeds.stdout


def test_the_budget_is_that_of_each_seed(cells: Path, said: list[str], tmp_path: Path) -> None:
    result = train(cells, "-o", tmp_path / "out", "--seeds", 2, "--budget", "2s", *said, "--json")
    assert result.exit_code == 0, result.output
    for number in range(2):
        assert read_run_recipe(Run(tmp_path / "out" / f"seed{number}")).fit.budget_s == 2


@pytest.mark.parametrize("wrong", [("--seeds", 1), ("--seeds", "three"), ("--budget", "soon", "--seeds", 2)])
def test_misuse_exits_with_two(cells: Path, tmp_path: Path, wrong: tuple[object, ...]) -> None:
    assert train(cells, "-o", tmp_path / "out", *wrong).exit_code == 2
    assert not (tmp_path / "out").exists()


def test_a_limit_is_told_and_kept_or_refused(cells: Path, said: list[str], tmp_path: Path) -> None:
    told = train(cells, "-o", tmp_path / "run", "--max-ram", "64G", *said)
    assert told.exit_code == 0, told.output
    assert "of 64 GiB, for" in told.stderr
    refused = train(cells, "-o", tmp_path / "out", "--max-ram", "10M", *said)
    assert refused.exit_code == 2
    assert "that the program itself takes" in " ".join(refused.stderr.split())
    planned = CliRunner().invoke(app, ["plan", str(cells), "--max-ram", "10M", *said])
    assert planned.exit_code == 2


def test_no_recipe_nor_settings_beside_resume(cells: Path, tmp_path: Path) -> None:
    for wrong in (("--recipe", "nuclei"), ("--set", "fit.steps=3")):
        result = train(cells, "-o", tmp_path / "out", "--seeds", 2, "--resume", *wrong)
        assert result.exit_code == 2
        assert "Leave" in result.stderr
