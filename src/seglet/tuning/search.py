"""The search: short trainings of equal length, judged on the validation images; the best becomes a recipe."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING

from seglet.core.errors import ConfigError, DatasetError, TrainingError
from seglet.core.events import Event, Tell
from seglet.core.storage import speaking_of, write_text
from seglet.crossvalidation import share_of_fold
from seglet.data.splits import split_to_text
from seglet.model import untrained
from seglet.patches.sources import PatchSource
from seglet.planning import Planned, make_planned, prepare_all, training_cases
from seglet.preprocessing.transform import Prepared
from seglet.recipe import Recipe, read_recipe, to_text
from seglet.training.callbacks import Row
from seglet.training.checkpoints import CHECKPOINTS
from seglet.training.fit import Outcome, Settings, fit
from seglet.training.settings import FitConfig
from seglet.tuning.space import TuneConfig, replanned, settings_of, space_around
from seglet.tuning.study import Study, require_optuna
from seglet.tuning.trials import Tried, best_of, in_words, table_of

if TYPE_CHECKING:
    import optuna

STUDY, BEST, TABLE, SPLIT, TRIALS = "study.db", "best.yaml", "trials.csv", "split.yaml", "trials"
ROUNDS = 10  # of a trial; validation after each would take much of a short training


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Attributes
    ----------
    folder : Path
        study.db, best.yaml, trials.csv, split.yaml, and trials/ with a recipe and a history each.
    trials : tuple of Tried
        As they came, interrupted ones among them.
    importance : dict
        Share of each setting in what tells good trials from others; empty where trials are too few to say.
    interrupted : str or None
        Name of the signal that ended the search early.
    """

    folder: Path
    trials: tuple[Tried, ...]
    importance: dict[str, float]
    interrupted: str | None

    @property
    def recipe(self) -> Path:
        """The recipe of the best trial, to train with."""
        return self.folder / BEST

    @property
    def best(self) -> Tried | None:
        """The finished trial of the highest Dice; None where none is finished."""
        return best_of(self.trials)


def search(data: Path, folder: Path, said: Recipe, config: TuneConfig, tell: Tell) -> Tuned:
    """Search on a dataset, around a recipe, or go on with a search.

    Raises
    ------
    SegletError
        If anything is wrong with the data, the recipe or the folder, or no trial finishes.
    """
    ends = time.monotonic() + config.budget_s
    require_optuna()
    if said.split.folds == "auto":
        said = read_recipe(said, ["split.folds=none"])
    require_searchable(folder)
    planned = make_planned(data, said, tell)
    require_judges(planned)
    return Search(planned, said, config, folder, ends, tell).run()


class Search:
    """Trains trial after trial on data that are prepared once.

    Parameters
    ----------
    planned : Planned
        The dataset, and the recipe with every setting said.
    said : Recipe
        The recipe before that.
    config : TuneConfig
        How long, and how far from the recipe.
    folder : Path
        Where everything goes.
    ends : float
        When the budget is over, by `time.monotonic`.
    tell : callable
        Hears of progress.

    Raises
    ------
    TrainingError
        If the folder holds the study of another search.
    """

    def __init__(
        self, planned: Planned, said: Recipe, config: TuneConfig, folder: Path, ends: float, tell: Tell
    ) -> None:
        self.folder, self._planned, self._said, self._config = folder, planned, said, config
        space = space_around(planned, said, config)
        self.study = Study(
            folder / STUDY, _searched(planned, said, config), space, seed=config.seed, n_trials=config.trials
        )
        spent = sum(trial.seconds for trial in self.study.tried())
        self._ends, self._tell = ends - spent, tell
        self._train: Sequence[Prepared | PatchSource] = training_cases(planned)
        self._validation = prepare_all(planned.part("validation"), planned.plan)

    def run(self) -> Tuned:
        """Try until all trials are done, the budget is over or somebody interrupts."""
        write_text(self.folder / SPLIT, split_to_text(self._planned.split))
        interrupted = None
        while interrupted is None and (share := self._next_share()) is not None:
            interrupted = self._try_next(share)
            self._write()
        tried = tuple(self.study.tried())
        if interrupted is None and best_of(tried) is None:
            raise _nothing_finished(self.folder, tried)
        return Tuned(self.folder, tried, self.study.importance(), interrupted)

    def _next_share(self) -> float | None:
        """Seconds of the next trial; None where there is none.

        What pruned trials leave is not given to others: a figure from a longer training is a better one.
        """
        config, left = self._config, self._ends - time.monotonic()
        done = sum(trial.state != "interrupted" for trial in self.study.tried())
        if done >= config.trials or left <= 0:
            return None
        return share_of_fold(config.budget_s, left, done + 1, config.trials)

    def _try_next(self, share_s: float) -> str | None:
        """Train one trial; the signal that interrupted it, if any."""
        started = time.monotonic()
        trial = self.study.ask()
        self._tell(Event("trial", f"{trial.number}: {in_words(trial.params)}"))
        signal = note = ""
        figure = None
        try:
            figure, signal = self._train_trial(trial, share_s)
        except KeyboardInterrupt:
            signal = "SIGINT"
        except (ConfigError, TrainingError) as error:  # too large, or diverged: worse than all others
            note = str(error)
        except BaseException as error:
            self.study.interrupt(trial, time.monotonic() - started, type(error).__name__)
            raise
        took_s = time.monotonic() - started
        if signal:
            self.study.interrupt(trial, took_s, signal)
            return signal
        self.study.finish(trial, figure, took_s, note)
        self._tell_ended()
        return None

    def _train_trial(self, trial: "optuna.Trial", share_s: float) -> tuple[float | None, str]:
        """Its figure, None where it was pruned; and the signal that interrupted it, or nothing."""
        planned = replanned(self._planned, settings_of(trial.params, self._said))
        folder = self.folder / TRIALS / f"{trial.number:03}"
        write_text(folder / "recipe.yaml", to_text(planned.recipe))
        hopeless = False

        def watch(progress: float, row: Row) -> bool:
            nonlocal hopeless
            if progress < 1 and "val_dice" in row:
                hopeless = self.study.is_hopeless(trial, progress, row["val_dice"])
            return hopeless

        recipe = planned.recipe
        fitted = Settings(recipe.patches, recipe.loss, _brief(recipe.fit, share_s))
        try:
            outcome = fit(
                untrained(planned.card(), seed=recipe.fit.seed),
                *(self._train, self._validation, fitted, folder),
                tell=self._show,
                watch=watch,
            )
        finally:
            shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
        return None if hopeless else _figure(outcome), outcome.interrupted or ""

    def _show(self, event: Event) -> None:
        """Of what a training says, only how far it is: there are many."""
        if event.total:
            self._tell(Event("training", done=event.done, total=event.total))

    def _tell_ended(self) -> None:
        tried = self.study.tried()
        last, best = tried[-1], best_of(tried)
        done = sum(trial.state != "interrupted" for trial in tried)
        figure = "" if last.val_dice is None else f", val_dice {last.val_dice:.4f}"
        ahead = "" if best is None else f"; best is trial {best.number} with {best.val_dice:.4f}"
        note = f" ({last.note})" if last.note else ""
        words = f"{last.number}: {last.state}{figure}{ahead}{note}"
        self._tell(Event("trial", words, min(done, self._config.trials), self._config.trials))

    def _write(self) -> None:
        tried = self.study.tried()
        write_text(self.folder / TABLE, table_of(tried))
        if (best := best_of(tried)) is not None:
            recipe = self.folder / TRIALS / f"{best.number:03}" / "recipe.yaml"
            words = f"# Trial {best.number} of a search, chosen by its val_dice of {best.val_dice:.4f}."
            write_text(self.folder / BEST, f"{words}\n{recipe.read_text(encoding='utf-8')}")


def require_searchable(folder: Path) -> None:
    """Make the folder of a search, or take up the one that stands there.

    Raises
    ------
    TrainingError
        If other things stand there.
    StorageError
        If it cannot be made.
    """
    is_new = not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
    if not is_new and not (folder / STUDY).is_file():
        raise TrainingError(
            folder,
            found="files already",
            expected="a new or empty folder, or that of a search to go on with",
            remedy="Choose another -o.",
        )
    with speaking_of(folder):
        folder.mkdir(parents=True, exist_ok=True)


def require_judges(planned: Planned) -> None:
    """Refuse data in which nothing could tell a good trial from a bad one.

    Raises
    ------
    DatasetError
        If no image validates.
    ConfigError
        If the split has folds.
    """
    if planned.folds:
        raise ConfigError(
            "split.folds",
            found=f"{len(planned.folds)} folds",
            expected="one split: every trial is trained once",
            remedy="Add --set split.folds=none, and cross-validate the recipe that is found.",
        )
    if not planned.split.validation:
        raise DatasetError(
            planned.dataset.root,
            found="no images that validate",
            expected="some, on which trials are judged",
            remedy="Add --set split.validation=0.2",
        )


def _searched(planned: Planned, said: Recipe, config: TuneConfig) -> dict[str, object]:
    """What makes two searches the same; time and number of trials may differ."""
    split = planned.split
    return {
        "recipe": said.model_dump(mode="json"),
        "space": config.model_dump(mode="json", exclude={"trials", "budget_s", "seed"}),
        "data": [
            [case.id for case in split.train],
            [case.id for case in split.validation],
            planned.labels.model_dump(mode="json"),
            planned.fingerprint.model_dump(mode="json"),
        ],
    }


def _brief(fit: FitConfig, share_s: float) -> FitConfig:
    """As long as its share of the time, and validated no more often than a short training can afford."""
    changed = {
        "steps": None,
        "budget_s": share_s,
        "rounds": min(fit.rounds, ROUNDS),
        "validation_windows": min(fit.validation_windows, FitConfig().validation_windows),
        "tensorboard": False,
    }
    return fit.model_copy(update=changed)


def _figure(outcome: Outcome) -> float | None:
    """The Dice of the round whose weights training keeps: that of the lowest validation loss."""
    rows = [row for row in outcome.history if isfinite(row.get("val_loss", float("nan")))]
    if not rows:
        return None
    kept = min(rows, key=lambda row: row["val_loss"])["val_dice"]
    if isfinite(kept):
        return kept
    raise DatasetError(
        "validation images",
        found="no foreground in any of their windows",
        expected="foreground to judge trials by",
        remedy="Choose other images: --set split.validation=…",
    )


def _nothing_finished(folder: Path, tried: Sequence[Tried]) -> TrainingError:
    notes = "; ".join(dict.fromkeys(trial.note for trial in tried if trial.note))
    return TrainingError(
        folder,
        found=f"no trial that finished ({notes or 'the budget was over before'})",
        expected="at least one",
        remedy="Give more --budget for the --trials, or a recipe that trains.",
    )
