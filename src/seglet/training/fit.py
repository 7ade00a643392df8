"""Fit a network: the trainer, its callbacks, interruption and resumption."""

import logging
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import EarlyStopping
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.data import DataLoader, IterableDataset

from seglet.core.errors import MissingExtra, TrainingError
from seglet.core.events import Event, Tell, quiet
from seglet.core.profile import timed
from seglet.core.storage import speaking_of
from seglet.losses.combined import CombinedLoss, LossConfig
from seglet.model import Model, ModelCard
from seglet.networks.hardware import Precision, best_device, choose_precision, on_device
from seglet.patches.prefetch import in_background
from seglet.patches.sampler import Batch, PatchConfig, PatchSampler, fixed_windows
from seglet.patches.sources import PatchSource
from seglet.preprocessing.plan import Plan
from seglet.preprocessing.transform import Prepared
from seglet.training.callbacks import History, Interruption, StopWithClock, Watch, Watcher
from seglet.training.checkpoints import BEST, CHECKPOINTS, LAST, Keeper, WholeFiles, read_checkpoint
from seglet.training.clock import LEAST_S, Clock, Kept, nothing
from seglet.training.module import SegmentationModule
from seglet.training.recomputing import recomputing
from seglet.training.settings import FitConfig

NO_MEMORY = "can't allocate memory"  # of PyTorch on a CPU, whose error has no class of its own


@dataclass(frozen=True)
class Settings:
    """Everything that says how a model is fitted.

    Attributes
    ----------
    patches, loss, fit
        Of the recipe.
    reserve : callable
        Seconds of the time to keep for what comes after training; asked before each round.
    """

    patches: PatchConfig
    loss: LossConfig
    fit: FitConfig
    reserve: Kept = nothing


@dataclass(frozen=True)
class Outcome:
    """How training ended.

    Attributes
    ----------
    history : tuple of dict
        One row a round; columns of history.csv.
    precision : Precision
        Arithmetic that was used, and why.
    interrupted : str or None
        Name of the signal that ended it early; then the run can be resumed.
    """

    history: tuple[dict[str, float], ...]
    precision: Precision
    interrupted: str | None


@timed("network")
def fit(
    model: Model,
    train: Sequence[Prepared | PatchSource],
    validation: Sequence[Prepared | PatchSource],
    settings: Settings,
    folder: Path,
    *,
    resume: bool = False,
    tell: Tell = quiet,
    watch: Watch | None = None,
) -> Outcome:
    """Train the model's network in place; it holds the best averaged weights in the end.

    Parameters
    ----------
    model : Model
        What is trained.
    train, validation : sequences of Prepared or PatchSource
        Labelled cases, in memory or on disk; without validation cases the last weights are kept.
    settings : Settings
        How; ``fit.budget_s`` is the time from this call on, where no steps are said: of training, of the
        last validation, and of what is reserved.
    folder : Path
        Run folder: history.csv and checkpoints/ are written there, a file STOP there ends training.
    resume : bool
        Whether to go on from the last checkpoint.
    tell : callable
        Hears of progress.
    watch : callable or None
        Sees each round, and may end training early; see `Watcher`.

    Raises
    ------
    TrainingError
        If the loss stops being a number, the memory does not suffice, or the checkpoint to go on from is
        damaged.
    StorageError
        If the folder cannot be written or its disk is full.
    """
    started = time.monotonic()
    device = best_device()
    plan, config = model.card.plan, settings.fit
    with _speaking_of_memory(plan), ExitStack() as background:
        on_device(model.network, device).train()  # Lightning leaves it as it finds it: in eval, once timed
        batches = background.enter_context(in_background(_make_sampler(train, model.card, settings, device)))
        example = batches.batch(0).images
        with recomputing(model.network) if config.checkpointing else nullcontext():
            precision = choose_precision(config.precision, model.network, example, training=True)
        tell(Event("training", f"on {device.type}, {precision.name} ({precision.reason})"))
        seconds = max(config.budget_s - (time.monotonic() - started), LEAST_S)
        clock = Clock(config.steps, seconds, config.rounds, reserve=settings.reserve)
        module = SegmentationModule(model.network, CombinedLoss(settings.loss), batches, clock, config)
        history = History(folder / "history.csv", clock, tell)
        interruption = Interruption(folder, clock)
        watchers = [] if watch is None else [Watcher(history, clock, watch)]
        enders = [*watchers, interruption, StopWithClock(clock)]
        callbacks = [history, *enders, *_keepers(folder, config, bool(validation))]
        most = config.validation_windows
        singles = fixed_windows(validation, plan.patch_size, most, plan.margin, model.card.targets)
        windows = stacked(singles, plan.batch_size)
        checkpoint = _checkpoint(folder, clock, config.patience, tell) if resume else None
        history.keep_until(clock.step)
        if clock.step == 0 or not clock.is_over:  # without a step there is no model
            with _quiet_lightning(), speaking_of(folder), interruption:
                trainer = _make_trainer(callbacks, folder, config, precision)
                _run(trainer, module, clock, windows, checkpoint)
    _require_finite(history.rows)
    if interruption.by_signal is None:
        _keep_best(module, folder, bool(windows))
    return Outcome(tuple(history.rows), precision, interruption.by_signal)


def stacked(windows: Sequence[Batch], n: int) -> list[Batch]:
    """Put single windows together, at most `n` in a batch: as many calls of the network fewer."""
    batches = []
    for start in range(0, len(windows), n):
        some = windows[start : start + n]
        far = [each.distances for each in some if each.distances is not None]
        truth = torch.cat([each.labels for each in some]), torch.cat([each.weights for each in some])
        images = torch.cat([each.images for each in some])
        batches.append(Batch(images, *truth, torch.cat(far) if far else None))
    return batches


def _make_sampler(
    train: Sequence[Prepared | PatchSource], card: ModelCard, settings: Settings, device: torch.device
) -> PatchSampler:
    return PatchSampler(
        train,
        card.plan.patch_size,
        card.plan.batch_size,
        settings.patches,
        seed=settings.fit.seed,
        device=device,
        spacing=card.plan.steps,
        targets=card.targets,
    )


class Rounds(IterableDataset[int]):
    """Counts the batches of each step until a round is over; patches are made on the device."""

    def __init__(self, clock: Clock, accumulate: int = 1) -> None:
        self._clock, self._accumulate = clock, accumulate

    def __iter__(self) -> Iterator[int]:
        self._clock.start_round()
        done = before = self._clock.step
        while done == before or not self._clock.is_round_over(done):
            yield from range(self._accumulate)
            done += 1


def _run(
    trainer: Trainer, module: SegmentationModule, clock: Clock, windows: list[Any], checkpoint: Path | None
) -> None:
    rounds = DataLoader(Rounds(clock, module.config.accumulate), batch_size=None)
    checks: Any = DataLoader(windows, batch_size=None) if windows else None  # type: ignore[arg-type]
    try:
        trainer.fit(module, rounds, checks, ckpt_path=checkpoint, weights_only=True)
    except SystemExit as exit:  # what Lightning makes of Ctrl-C, without a word
        raise KeyboardInterrupt from exit


def _make_trainer(
    callbacks: list[Callback], folder: Path, config: FitConfig, precision: Precision
) -> Trainer:
    return Trainer(
        accelerator="auto",
        devices=1,
        precision="bf16-mixed" if precision.bf16 else "32-true",
        max_epochs=-1,
        callbacks=callbacks,
        plugins=WholeFiles(),
        logger=_tensorboard(folder) if config.tensorboard else False,
        accumulate_grad_batches=config.accumulate,
        num_sanity_val_steps=0,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
    )


def _keepers(folder: Path, config: FitConfig, has_validation: bool) -> list[Callback]:
    """Checkpoints of the last and the best round, and early stopping."""
    place = folder / CHECKPOINTS
    keepers: list[Callback] = [
        Keeper(place, filename=LAST, save_on_train_epoch_end=True, enable_version_counter=False)
    ]
    if has_validation:
        keepers.append(
            Keeper(
                place,
                filename=BEST,
                monitor="val_loss",
                save_on_train_epoch_end=False,
                enable_version_counter=False,
            )
        )
        if config.patience is not None:
            keepers.append(
                EarlyStopping("val_loss", patience=config.patience, check_on_train_epoch_end=False)
            )
    return keepers


def _checkpoint(folder: Path, clock: Clock, patience: int | None, tell: Tell) -> Path | None:
    """The checkpoint to go on from, if any; the clock is set to it, stopped where patience was at its end."""
    path = folder / CHECKPOINTS / f"{LAST}.ckpt"
    if not path.is_file():
        tell(Event("training", "no round had been finished: starting from the first step"))
        return None
    saved = read_checkpoint(path)
    clock.resume(saved["global_step"], saved["elapsed"])
    states = [state for name, state in saved["callbacks"].items() if name.startswith(EarlyStopping.__name__)]
    clock.stopped = patience is not None and any(state["wait_count"] >= patience for state in states)
    tell(Event("training", f"going on from step {clock.step}"))
    return path


def _keep_best(module: SegmentationModule, folder: Path, has_validation: bool) -> None:
    """Copy the best averaged weights into the network; the last where nothing was validated."""
    best, last = (folder / CHECKPOINTS / f"{name}.ckpt" for name in (BEST, LAST))
    state = read_checkpoint(best if has_validation and best.is_file() else last)["state_dict"]
    prefix = "averaged.module."
    module.network.load_state_dict(
        {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
    )
    module.network.cpu().eval()


def _require_finite(rows: list[dict[str, float]]) -> None:
    if rows and not torch.isfinite(torch.tensor(rows[-1].get("train_loss", 0.0))):
        raise TrainingError(
            "training loss",
            found=f"{rows[-1]['train_loss']} at step {int(rows[-1]['step'])}",
            expected="a finite number",
            remedy="Train anew into another folder, with a lower fit.learning_rate, fit.clip above 0 or "
            "fit.precision=fp32; this run cannot go on.",
        )


@contextmanager
def _speaking_of_memory(plan: Plan) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not isinstance(error, torch.OutOfMemoryError | MemoryError) and NO_MEMORY not in str(error):
            raise
        size = "x".join(str(n) for n in reversed(plan.patch_size))
        raise TrainingError(
            "training",
            found=f"too little memory for {plan.batch_size} patches of {size} a step",
            expected=f"about {plan.training_memory / 2**30:.1f} GiB beside the images",
            remedy="Train anew into another folder, with a smaller plan.batch_size, plan.patch_size or "
            "plan.channels.",
        ) from error


def _tensorboard(folder: Path) -> TensorBoardLogger:
    try:
        return TensorBoardLogger(folder, name=None, version="tensorboard")
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "fit.tensorboard",
            found="no TensorBoard",
            expected="the extra tensorboard",
            remedy="pip install 'seglet[tensorboard]'",
        ) from error


class _quiet_lightning(warnings.catch_warnings):
    """Silence Lightning's advice on workers, loggers and signals; patches are made another way here."""

    def __enter__(self) -> Any:
        entered = super().__enter__()
        warnings.filterwarnings("ignore", module="lightning")
        warnings.filterwarnings("ignore", message=".*does not have many workers.*")
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")
        warnings.filterwarnings("ignore", message=".*lr_scheduler.step.*")
        for name in ("lightning.pytorch", "lightning.fabric", "lightning"):
            logging.getLogger(name).setLevel(logging.ERROR)
        return entered
