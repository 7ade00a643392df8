import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from seglet.cli import app


def tune(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["tune", *map(str, arguments)])


def settings(tiny: tuple[str, ...]) -> list[str]:
    return [part for setting in tiny for part in ("--set", setting)]


def test_a_search_prints_its_trials_and_how_to_go_on(
    cells: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    said = (cells, "-o", out, "--trials", 2, "--budget", "4s", *settings(tiny))
    result = tune(*said)
    assert result.exit_code == 0, result.output
    assert "Best trials" in result.stdout
    assert "2 of 2 trials" in result.stdout
    assert f"seglet train {cells} -o RUN --recipe {out / 'best.yaml'}" in result.stdout
    assert "trial  0: finished" in result.stderr
    again = json.loads(tune(*said, "--json").stdout)
    assert [trial["number"] for trial in again["trials"]] == [0, 1]
    assert again["best"] in (0, 1)
    assert again["importance"] == {}


@pytest.mark.parametrize("wrong", [("--trials", 0), ("--budget", "soon"), ("--seed", -1)])
def test_misuse_exits_with_two(cells: Path, tmp_path: Path, wrong: tuple[object, ...]) -> None:
    result = tune(cells, "-o", tmp_path / "out", *wrong)
    assert result.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_without_optuna_the_extra_is_named(
    cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    result = tune(cells, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "pip install 'seglet[tune]'" in result.stderr
    assert not (tmp_path / "out").exists()
