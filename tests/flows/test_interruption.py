"""Whatever ends a run, it can go on: kill, terminate, Ctrl-C, a STOP file, in the middle or while scoring."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from seglet import pipeline
from seglet.cli import app
from seglet.core.errors import ConfigError, ModelError, TrainingError
from seglet.core.events import Event
from seglet.model import load_model
from seglet.run import Run, read_facts
from seglet.training.callbacks import read_history

PATIENCE_S = 90
LONG = ("fit.steps=90", "fit.rounds=30")


@pytest.fixture(scope="module")
def whole(cells: Path, tiny: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run that nobody interrupted."""
    out = tmp_path_factory.mktemp("whole") / "run"
    return pipeline.train(cells, out, settings=[*tiny, *LONG]).run.folder


def start(cells: Path, out: Path, tiny: tuple[str, ...]) -> subprocess.Popen[str]:
    """Begin the same run in a process of its own, and wait for its first checkpoint."""
    settings = [part for setting in (*tiny, *LONG) for part in ("--set", setting)]
    command = [sys.executable, "-m", "seglet", "train", str(cells), "-o", str(out), *settings]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + PATIENCE_S
    while not (out / "checkpoints/last.ckpt").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.005)
    return process


def resume(cells: Path, out: Path) -> None:
    """Go on as a person would."""
    done = CliRunner().invoke(app, ["train", str(cells), "-o", str(out), "--resume"])
    assert done.exit_code == 0, done.output
    assert "Mean Dice" in done.stdout


def require_same(first: Path, second: Path) -> None:
    """The same weights to the last bit, the same threshold and the same scores."""
    one, other = load_model(first), load_model(second)
    weights = other.network.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in one.network.state_dict().items())
    assert one.card == other.card


def require_rising(history: Path) -> None:
    steps = [row["step"] for row in read_history(history)]
    assert steps == sorted(set(steps))
    assert steps[-1] == 90


def test_a_killed_run_resumes_to_the_very_same_model(
    cells: Path, tiny: tuple[str, ...], tmp_path: Path, whole: Path
) -> None:
    out = tmp_path / "run"
    process = start(cells, out, tiny)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (out / "model").exists()
    with pytest.raises(ModelError, match="interrupted run has no model yet"):
        load_model(out)
    resume(cells, out)
    require_same(whole, out)
    require_rising(Run(out).history)
    assert read_facts(Run(out))["steps"] == 90
    assert [row["step"] for row in read_history(Run(out).history)] == [
        row["step"] for row in read_history(Run(whole).history)
    ]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_a_run_that_can_go_on_and_says_how(
    cells: Path, tiny: tuple[str, ...], tmp_path: Path, whole: Path, number: signal.Signals
) -> None:
    out = tmp_path / "run"
    process = start(cells, out, tiny)
    process.send_signal(number)
    printed, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 1
    assert printed == ""
    assert f"{number.name} before training was done" in said
    assert "--resume" in said
    assert "Traceback" not in said
    assert not (out / "model").exists()
    resume(cells, out)
    require_same(whole, out)
    require_rising(Run(out).history)


def test_a_stop_file_ends_the_run_in_good_order(cells: Path, tiny: tuple[str, ...], tmp_path: Path) -> None:
    out = tmp_path / "run"

    def stop(event: Event) -> None:
        if "step 6:" in event.message:
            (out / "STOP").touch()

    trained = pipeline.train(cells, out, settings=[*tiny, *LONG], tell=stop)
    assert 6 < read_facts(trained.run)["steps"] < 12
    assert load_model(out).card.scores["mean_dice"] == trained.scores.mean_dice.mean
    assert trained.run.report.is_file()
    assert not (out / "STOP").exists()


def test_a_run_that_ended_while_scoring_goes_on_with_scoring(
    cells: Path, tiny: tuple[str, ...], tmp_path: Path, whole: Path
) -> None:
    out = tmp_path / "run"

    def die(event: Event) -> None:
        if event.stage == "predicting":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline.train(cells, out, settings=[*tiny, *LONG], tell=die)
    told: list[Event] = []
    pipeline.train(cells, out, resume=True, tell=told.append)
    assert not [event for event in told if ", step " in event.message]
    require_same(whole, out)
    assert Run(out).report.is_file()


def test_a_run_resumes_with_the_split_it_began_with(
    cells: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    out = tmp_path / "run"

    def die(event: Event) -> None:
        if "step 6:" in event.message:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pipeline.train(cells, out, settings=[*tiny, *LONG], tell=die)
    split = Run(out).split.read_text()
    recipe = Run(out).recipe.read_text()
    with pytest.raises(ConfigError, match=r"another value of split\.test than"):
        pipeline.train(cells, out, settings=["split.test=first 1", "fit.steps=12"], resume=True)
    assert (Run(out).recipe.read_text(), Run(out).split.read_text()) == (recipe, split)
    trained = pipeline.train(cells, out, settings=["fit.steps=12"], resume=True)
    assert trained.run.split.read_text() == split
    assert [image.id for image in trained.scores.images] == ["004"]
    assert read_facts(trained.run)["steps"] == 12


def test_a_run_with_a_torn_checkpoint_says_how_to_go_on(
    cells: Path, tiny: tuple[str, ...], tmp_path: Path
) -> None:
    out = tmp_path / "run"
    pipeline.train(cells, out, settings=tiny)
    last = out / "checkpoints/last.ckpt"
    last.write_bytes(last.read_bytes()[:1000])
    with pytest.raises(TrainingError, match=r"last\.ckpt.*Delete the folder checkpoints"):
        pipeline.train(cells, out, resume=True)
    for file in last.parent.iterdir():
        file.unlink()
    last.parent.rmdir()
    assert read_facts(pipeline.train(cells, out, resume=True).run)["steps"] == 4
