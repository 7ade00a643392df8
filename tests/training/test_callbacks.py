import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from lightning.pytorch import LightningModule

from seglet.core.events import Event
from seglet.training.callbacks import (
    COLUMNS,
    STOP_FILE,
    History,
    Interruption,
    StopWithClock,
    Watcher,
    read_history,
    write_history,
)
from seglet.training.clock import Clock

MODULE = LightningModule()


def trainer_at(step: int, **metrics: float) -> Any:
    optimizer = SimpleNamespace(param_groups=[{"lr": 0.25}])
    return SimpleNamespace(
        global_step=step,
        current_epoch=step // 2,
        callback_metrics={name: torch.tensor(value) for name, value in metrics.items()},
        optimizers=[optimizer],
        should_stop=False,
        limit_val_batches=1.0,
    )


def test_history_is_read_as_written_and_empty_cells_are_left_out(tmp_path: Path) -> None:
    rows = [{"step": 1.0, "seconds": 0.5, "train_loss": 1.25}, {"step": 2.0, "val_dice": 0.125}]
    write_history(tmp_path / "history.csv", rows)
    assert read_history(tmp_path / "history.csv") == rows
    assert (tmp_path / "history.csv").read_text().splitlines()[0] == ",".join(COLUMNS)


def test_a_round_becomes_a_row_and_a_message(tmp_path: Path) -> None:
    told: list[Event] = []
    clock = Clock(10, 1.0, 5)
    clock.step = 2
    history = History(tmp_path / "history.csv", clock, told.append)
    trainer = trainer_at(2, train_loss=0.5, val_loss=0.75, val_dice=0.875, train_loss_step=9.0)
    history.on_validation_end(trainer, MODULE)
    history.on_train_epoch_end(trainer, MODULE)
    (row,) = read_history(history.path)
    assert (row["step"], row["learning_rate"]) == (2, 0.25)
    assert (row["train_loss"], row["val_loss"], row["val_dice"]) == (0.5, 0.75, 0.875)
    assert "val_dice 0.8750" in told[-1].message
    assert (told[-1].done, told[-1].total) == (200, 1000)


def test_figures_of_an_earlier_validation_are_not_shown_again(tmp_path: Path) -> None:
    history = History(tmp_path / "history.csv", Clock(10, 1.0, 5), lambda event: None)
    trainer = trainer_at(2, train_loss=0.5, val_loss=0.75)
    history.on_validation_end(trainer, MODULE)
    history.on_train_epoch_end(trainer, MODULE)
    history.on_train_epoch_end(trainer_at(3, train_loss=0.5, val_loss=0.75), MODULE)
    assert ["val_loss" in row for row in read_history(history.path)] == [True, False]


def test_rows_beyond_the_step_that_training_goes_on_from_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    write_history(path, [{"step": float(step)} for step in (2, 4, 6)])
    history = History(path, Clock(10, 1.0, 5), lambda event: None)
    history.keep_until(4)
    assert [row["step"] for row in history.rows] == [2, 4]


def test_there_may_be_no_rows_yet(tmp_path: Path) -> None:
    history = History(tmp_path / "history.csv", Clock(10, 1.0, 5), lambda event: None)
    history.keep_until(4)
    assert history.rows == []


def test_progress_is_told_about_once_a_second(tmp_path: Path) -> None:
    told: list[Event] = []
    now = [0.0]
    clock = Clock(100, 1.0, 5, now=lambda: now[0])
    history = History(tmp_path / "history.csv", clock, told.append)
    for step in range(1, 41):
        now[0] += 0.125
        clock.step = step
        history.on_train_batch_end(trainer_at(step), MODULE)
    assert [event.done for event in told] == [80, 160, 240, 320, 400]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_training_in_order_and_leaves_its_validation_out(
    tmp_path: Path, number: signal.Signals
) -> None:
    clock, trainer = Clock(10, 1.0, 2), trainer_at(1)
    interruption = Interruption(tmp_path, clock)
    before = signal.getsignal(number)
    with interruption:
        signal.signal(number, signal.SIG_IGN)  # as Lightning puts its own handler there
        interruption.on_train_start(trainer, MODULE)
        os.kill(os.getpid(), number)
        assert clock.is_over
        assert interruption.by_signal == number.name
        assert trainer.limit_val_batches == 0
        assert signal.getsignal(number) == before, "a second signal must end at once"
    assert signal.getsignal(number) == before


def test_signals_are_given_back_though_others_changed_them(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(RuntimeError), Interruption(tmp_path, Clock(10, 1.0, 2)) as interruption:
        interruption.on_train_start(trainer_at(1), MODULE)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise RuntimeError
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_a_stop_file_ends_training_and_is_taken_away(tmp_path: Path) -> None:
    clock, trainer = Clock(10, 1.0, 2), trainer_at(1)
    interruption = Interruption(tmp_path, clock)
    interruption.on_train_batch_end(trainer, MODULE)
    assert not clock.stopped
    (tmp_path / STOP_FILE).touch()
    interruption.on_train_batch_end(trainer, MODULE)
    assert clock.stopped
    assert interruption.by_signal is None
    assert trainer.limit_val_batches == 1.0
    assert not (tmp_path / STOP_FILE).exists()


def test_training_ends_with_the_clock_and_not_before() -> None:
    clock, trainer = Clock(4, 1.0, 2), trainer_at(2)
    clock.step = 2
    StopWithClock(clock).on_train_epoch_end(trainer, MODULE)
    assert not trainer.should_stop
    clock.step = 4
    StopWithClock(clock).on_train_epoch_end(trainer, MODULE)
    assert trainer.should_stop


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_training_ends_once_the_loss_is_no_number(loss: float) -> None:
    trainer = trainer_at(2, train_loss=loss)
    StopWithClock(Clock(4, 1.0, 2)).on_train_epoch_end(trainer, MODULE)
    assert trainer.should_stop


def test_an_early_stop_of_others_stands() -> None:
    trainer = trainer_at(2)
    trainer.should_stop = True
    StopWithClock(Clock(4, 1.0, 2)).on_train_epoch_end(trainer, MODULE)
    assert trainer.should_stop


def test_whoever_watches_sees_every_round_and_may_end_training(tmp_path: Path) -> None:
    seen: list[tuple[float, float]] = []

    def watch(progress: float, row: dict[str, float]) -> bool:
        seen.append((progress, row["val_dice"]))
        return row["val_dice"] < 0.25

    clock = Clock(10, 1.0, 5)
    history = History(tmp_path / "history.csv", clock, lambda event: None)
    watcher = Watcher(history, clock, watch)
    for step, dice in ((2, 0.5), (4, 0.125)):
        assert not clock.is_over
        clock.step = step
        trainer = trainer_at(step, val_dice=dice)
        for callback in (history, watcher):
            callback.on_validation_end(trainer, MODULE)
            callback.on_train_epoch_end(trainer, MODULE)
    assert seen == [(0.2, 0.5), (0.4, 0.125)]
    assert clock.is_over
