"""What happens beside the training steps: the history, the listener, signals and the stop file."""

import csv
import math
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from seglet.core.events import Event, Tell
from seglet.core.storage import write_text
from seglet.training.clock import Clock

COLUMNS = ("step", "epoch", "seconds", "learning_rate", "train_loss", "val_loss", "val_dice")
STOP_FILE = "STOP"
SIGNALS = (signal.SIGINT, signal.SIGTERM)
TELL_EVERY_S = 1.0

Row = dict[str, float]
Watch = Callable[[float, Row], bool]


class History(Callback):
    """Writes one row a round to history.csv, and tells of it.

    Parameters
    ----------
    path : Path
        Where the table stands.
    clock : Clock
        How far training is.
    tell : callable
        Hears of every round.
    """

    def __init__(self, path: Path, clock: Clock, tell: Tell) -> None:
        self.path, self._clock, self._tell = path, clock, tell
        self.rows: list[dict[str, float]] = []
        self._told = 0.0
        self._validated = False

    def keep_until(self, step: int) -> None:
        """Keep what was written up to the step that training goes on from; drop what comes after it."""
        written = read_history(self.path) if self.path.is_file() else []
        self.rows = [row for row in written if row["step"] <= step]

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that this round has figures of its own; Lightning keeps showing those of the last one."""
        self._validated = True

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Tell how far training is, about once a second."""
        if not self._clock.is_over and self._clock.elapsed - self._told >= TELL_EVERY_S:
            self._told = self._clock.elapsed
            self._tell(Event("training", done=round(1000 * self._clock.progress), total=1000))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write the round's row."""
        seen = {
            name: float(value)
            for name, value in trainer.callback_metrics.items()
            if self._validated or not name.startswith("val_")
        }
        self._validated = False
        row = {
            "step": trainer.global_step,
            "epoch": trainer.current_epoch,
            "seconds": round(self._clock.elapsed, 2),
            "learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            **{name: seen[name] for name in COLUMNS if name in seen},
        }
        self.rows.append(row)
        write_history(self.path, self.rows)
        figures = ", ".join(f"{name} {row[name]:.4f}" for name in COLUMNS[4:] if name in row)
        self._tell(
            Event(
                "training",
                f"{self._clock.progress:4.0%}, step {row['step']}: {figures}",
                round(1000 * self._clock.progress),
                1000,
            )
        )


def write_history(path: Path, rows: list[dict[str, float]]) -> None:
    """Write the table of rounds whole."""
    lines = [",".join(COLUMNS)] + [",".join(str(row.get(name, "")) for name in COLUMNS) for row in rows]
    write_text(path, "\n".join(lines) + "\n")


def read_history(path: Path) -> list[dict[str, float]]:
    """Read the table of rounds; empty cells are left out."""
    with path.open(encoding="utf-8", newline="") as lines:
        return [{name: float(cell) for name, cell in row.items() if cell} for row in csv.DictReader(lines)]


class Interruption(Callback):
    """Ends training in good order on Ctrl-C, SIGTERM or a file named STOP; a second signal ends it at once.

    A signal leaves out the validation of the round it cuts short, so that a resumed run keeps the same best
    weights as one that nobody interrupted. The STOP file is taken away once it has been obeyed.

    As a context, it gives the signals back to whoever had them before.

    Parameters
    ----------
    folder : Path
        Run folder, where a STOP file is looked for.
    clock : Clock
        What is stopped.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._stop_file, self._clock = folder / STOP_FILE, clock
        self._before: dict[int, Any] = {}
        self._trainer: Trainer | None = None
        self.by_signal: str | None = None

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is threading.main_thread():  # elsewhere, whoever called decides
            self._before = {number: signal.getsignal(number) for number in SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Listen to signals in place of Lightning, which would drop the round."""
        self._trainer = trainer
        for number in self._before:
            signal.signal(number, self._stop)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Look for the STOP file."""
        if self._stop_file.exists():
            self._clock.stopped = True
            self._stop_file.unlink(missing_ok=True)

    def _stop(self, number: int, frame: Any) -> None:
        self.by_signal = signal.Signals(number).name
        self._clock.stopped = True
        if self._trainer is not None:
            self._trainer.limit_val_batches = 0
        signal.signal(number, self._before[number])


class Watcher(Callback):
    """Shows each round to somebody who may end training early.

    Parameters
    ----------
    history : History
        Where the round's row stands; its callback comes before this one.
    clock : Clock
        What is stopped.
    watch : callable
        Given the share of the training that is done, 0 to 1, and the row; says whether to end here.
    """

    def __init__(self, history: History, clock: Clock, watch: Watch) -> None:
        self._history, self._clock, self._watch = history, clock, watch

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ask at the end of a round, after validation."""
        if self._watch(self._clock.progress, self._history.rows[-1]):
            self._clock.stopped = True


class StopWithClock(Callback):
    """Ends training once the clock is over, or the loss is no number: nothing is learned from then on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Told at the end of a round, after validation."""
        loss = float(trainer.callback_metrics.get("train_loss", 0.0))
        trainer.should_stop = trainer.should_stop or self._clock.is_over or not math.isfinite(loss)
