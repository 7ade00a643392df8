"""Whatever ends a search, it can go on, and what was finished is kept."""

import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seglet.cli import app

PATIENCE_S = 90
TRIALS = 3


def arguments(cells: Path, out: Path, tiny: tuple[str, ...]) -> list[str]:
    settings = [part for setting in tiny for part in ("--set", setting)]
    return ["tune", str(cells), "-o", str(out), "--trials", str(TRIALS), "--budget", "9s", *settings]


def start_until_second_trial(cells: Path, out: Path, tiny: tuple[str, ...]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "seglet", *arguments(cells, out, tiny)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + PATIENCE_S
    while not (out / "trials/001/history.csv").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)
    return process


def table(out: Path) -> list[dict[str, str]]:
    with (out / "trials.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def params(row: dict[str, str]) -> list[str]:
    return [row[name] for name in ("levels", "width", "learning_rate", "loss", "batch_size")]


def require_gone_on(out: Path, first: dict[str, str]) -> None:
    """The first trial stands, the second was cut short and tried again, as many as asked are done."""
    rows = table(out)
    assert rows[0] == first
    assert rows[1]["state"] == "interrupted"
    assert params(rows[2]) == params(rows[1])
    assert sum(row["state"] != "interrupted" for row in rows) == TRIALS
    assert (out / "best.yaml").is_file()


def test_a_killed_search_goes_on(cells: Path, tiny: tuple[str, ...], tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start_until_second_trial(cells, out, tiny)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    (first,) = table(out)
    assert first["state"] == "finished"
    done = CliRunner().invoke(app, [*arguments(cells, out, tiny), "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["interrupted"] is None
    assert found["recipe"] == str(out / "best.yaml")
    require_gone_on(out, first)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_search_with_the_best_so_far(
    cells: Path, tiny: tuple[str, ...], tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "out"
    process = start_until_second_trial(cells, out, tiny)
    process.send_signal(number)
    printed, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1, said
    assert "Traceback" not in said
    assert f"{number.name}: nothing is lost, the same command goes on." in printed
    assert f"1 of {TRIALS} trials" in printed
    assert f"--recipe {out / 'best.yaml'}" in printed
    first = table(out)[0]
    done = CliRunner().invoke(app, arguments(cells, out, tiny))
    assert done.exit_code == 0, done.output
    require_gone_on(out, first)
