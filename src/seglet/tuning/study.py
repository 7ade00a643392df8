"""The study: what was tried and how it went, in one SQLite file that outlives the process."""

import json
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seglet.core.errors import MissingExtra, TrainingError
from seglet.tuning.space import Space
from seglet.tuning.trials import Tried

if TYPE_CHECKING:
    import optuna

NAME = "seglet tune"
STARTUP = 0.25  # share of all trials that are drawn at random, before the sampler trusts what it has seen
FEWEST_AT_RANDOM = 4
ENOUGH_TO_PRUNE = 4  # finished trials; a median of fewer is chance
WARM_UP = 0.3  # share of a training in which nothing is pruned: a high learning rate starts badly, ends well
STEPS = 10  # into which pruning divides a training: trials of other sizes end their rounds elsewhere
FEWEST_FOR_IMPORTANCE = 8


def require_optuna() -> Any:
    """Import Optuna, quietly.

    Raises
    ------
    MissingExtra
        If it is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise MissingExtra(
            "seglet tune",
            found="no package optuna",
            expected="the extra tune",
            remedy="Install it: pip install 'seglet[tune]'.",
        ) from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


class Study:
    """Asks Optuna what to try next and tells it how that went.

    Parameters
    ----------
    path : Path
        study.db.
    searched : dict
        What is searched on what, of plain values; a study of anything else is refused.
    space : Space
        What is tried; an older study goes on with its own.
    seed : int
        Of the sampler.
    n_trials : int
        That are planned in all.

    Raises
    ------
    TrainingError
        If the file is a study of something else, or no study.
    MissingExtra
        If Optuna is not installed.
    """

    def __init__(
        self, path: Path, searched: dict[str, Any], space: Space, *, seed: int, n_trials: int
    ) -> None:
        self._optuna = require_optuna()
        with _speaking_of_study(path), self._quiet():
            self._study = self._open(path, seed, n_trials)
            known = self._study.user_attrs
            if "searched" in known:
                _require_same(path, known["searched"], json.loads(json.dumps(searched)))
            else:
                self._study.set_user_attr("space", space.model_dump(mode="json"))
                self._study.enqueue_trial(space.first)
                self._study.set_user_attr("searched", searched)  # last: a study without it was never begun
            self.space = Space(**self._study.user_attrs["space"])
            self._take_up_killed()

    def ask(self) -> "optuna.Trial":
        """Begin a trial."""
        space = self.space
        with self._quiet():
            trial: optuna.Trial = self._study.ask()
            if space.widths:
                trial.suggest_int("levels", space.levels[0], space.levels[-1])
                trial.suggest_categorical("width", space.widths)
            trial.suggest_float("learning_rate", *space.learning_rate, log=True)
            trial.suggest_categorical("loss", space.losses)
            trial.suggest_categorical("batch_size", space.batch_sizes)
        return trial

    def is_hopeless(self, trial: "optuna.Trial", progress: float, val_dice: float) -> bool:
        """Note how a trial stands, and say whether most others stood better at that time."""
        with self._quiet():
            trial.report(val_dice, int(STEPS * progress + 1e-9))
            return trial.should_prune()

    def finish(self, trial: "optuna.Trial", val_dice: float | None, took_s: float, note: str = "") -> None:
        """End a trial by its figure; it counts as pruned where it has none."""
        states = self._optuna.trial.TrialState
        state = states.PRUNED if val_dice is None else states.COMPLETE
        self._end(trial, state, took_s, note, val_dice)

    def interrupt(self, trial: "optuna.Trial", took_s: float, note: str) -> None:
        """End a trial that was cut short; the same is tried again before anything else."""
        self._end(trial, self._optuna.trial.TrialState.FAIL, took_s, note)
        with self._quiet():
            self._study.enqueue_trial(trial.params)

    def tried(self) -> list[Tried]:
        """All trials that have ended, as they came."""
        states = self._optuna.trial.TrialState
        words = {states.COMPLETE: "finished", states.PRUNED: "pruned", states.FAIL: "interrupted"}
        return [
            Tried(
                number=trial.number,
                state=words[trial.state],
                val_dice=_figure(trial),
                seconds=trial.user_attrs.get("seconds", 0.0),
                params=trial.params,
                note=trial.user_attrs.get("note", ""),
            )
            for trial in self._study.get_trials(states=tuple(words))
        ]

    def importance(self) -> dict[str, float]:
        """Share of each setting in what tells good trials from others (PED-ANOVA [1]_); empty of few trials.

        References
        ----------
        .. [1] Watanabe, Bansal, Hutter, "PED-ANOVA", IJCAI 2023.
        """
        complete = self._study.get_trials(states=(self._optuna.trial.TrialState.COMPLETE,))
        if len(complete) < FEWEST_FOR_IMPORTANCE:
            return {}
        with self._quiet():
            evaluator = self._optuna.importance.PedAnovaImportanceEvaluator()
            found: dict[str, float] = self._optuna.importance.get_param_importances(
                self._study, evaluator=evaluator
            )
        return found

    def _open(self, path: Path, seed: int, n_trials: int) -> Any:
        from sqlalchemy.pool import NullPool

        optuna = self._optuna
        storage = optuna.storages.RDBStorage(
            "sqlite://",  # connected to below: a path may have characters that mean something in a URL
            engine_kwargs={"creator": lambda: sqlite3.connect(path), "poolclass": NullPool},
        )
        study = optuna.create_study(
            storage=storage, study_name=NAME, direction="maximize", load_if_exists=True
        )
        n_random = max(FEWEST_AT_RANDOM, round(STARTUP * n_trials))
        study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=n_random,
            seed=seed + len(study.trials),  # one that goes on must not draw the first trials again
        )
        study.pruner = optuna.pruners.MedianPruner(
            n_startup_trials=ENOUGH_TO_PRUNE,
            n_warmup_steps=round(WARM_UP * STEPS),
            n_min_trials=ENOUGH_TO_PRUNE,
        )
        return study

    def _take_up_killed(self) -> None:
        """A trial that nobody ended was killed with its process: it has failed, and is tried again."""
        states = self._optuna.trial.TrialState
        for trial in self._study.get_trials(states=(states.RUNNING,)):
            self._study.tell(trial.number, state=states.FAIL)
            self._study.enqueue_trial(trial.params)

    def _end(
        self, trial: "optuna.Trial", state: Any, took_s: float, note: str, value: float | None = None
    ) -> None:
        with self._quiet():
            trial.set_user_attr("seconds", round(took_s, 2))
            trial.set_user_attr("note", note)
            self._study.tell(trial, value, state=state)

    @contextmanager
    def _quiet(self) -> Iterator[None]:
        """Silence Optuna's words on what is experimental."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="optuna")
            for kind in (self._optuna.exceptions.ExperimentalWarning, FutureWarning):
                warnings.simplefilter("ignore", kind)
            yield


def _figure(trial: "optuna.trial.FrozenTrial") -> float | None:
    reported = trial.intermediate_values
    return trial.value if trial.value is not None else reported[max(reported)] if reported else None


def _require_same(path: Path, known: dict[str, Any], searched: dict[str, Any]) -> None:
    if changed := [name for name in known | searched if known.get(name) != searched.get(name)]:
        raise TrainingError(
            path,
            found=f"a study of another {' and another '.join(changed)}",
            expected="a study of the same data, recipe and ranges, to go on with",
            remedy="Choose another -o, or search as before.",
        )


@contextmanager
def _speaking_of_study(path: Path) -> Iterator[None]:
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, RuntimeError) as error:
        raise TrainingError(
            path,
            found=f"a study that cannot be opened ({str(error).splitlines()[0]})",
            expected="the file as `seglet tune` wrote it, in a writable folder",
            remedy="Choose another -o, or delete the file to search anew.",
        ) from error
