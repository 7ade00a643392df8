"""A run folder: what stands in it, and how its pages are written and read."""

import platform
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from seglet import __version__
from seglet.core.errors import ConfigError, ModelError, TrainingError
from seglet.core.storage import speaking_of, write_text
from seglet.recipe import Recipe, read_recipe

FIXED = (
    *("layout", "masks", "split", "plan", "targets", "network", "patches", "loss"),
    *(f"fit.{n}" for n in ("optimizer", "learning_rate", "momentum", "weight_decay", "ema", "clip", "seed")),
    *("fit.accumulate", "fit.validation_windows"),
)  # settings that a begun run keeps: its weights and their losses were made by them
SHOWN_PACKAGES = ("torch", "lightning", "numpy", "scipy", "scikit-image", "pillow", "tifffile")


@dataclass(frozen=True)
class Run:
    """Where everything of one training run stands.

    Attributes
    ----------
    folder : Path
        recipe.yaml (resolved), split.yaml, run.yaml, history.csv, checkpoints/, model/, predictions/,
        scores.json, scores.csv, report.html.
    """

    folder: Path

    @property
    def recipe(self) -> Path:
        """The resolved recipe."""
        return self.folder / "recipe.yaml"

    @property
    def split(self) -> Path:
        """Who trained, validated and tested."""
        return self.folder / "split.yaml"

    @property
    def folds(self) -> Path:
        """Who trained, validated and tested in each fold; only of a cross-validated run."""
        return self.folder / "folds.yaml"

    @property
    def written_split(self) -> Path:
        """Where the split stands, or all folds."""
        return self.folds if self.folds.is_file() else self.split

    def fold(self, number: int) -> "Run":
        """The run of one fold, counted from 1."""
        return Run(self.folder / "folds" / str(number))

    @property
    def facts(self) -> Path:
        """Where the data are, what was scored, on which machine."""
        return self.folder / "run.yaml"

    @property
    def history(self) -> Path:
        """One row a round."""
        return self.folder / "history.csv"

    @property
    def model(self) -> Path:
        """The model's folder."""
        return self.folder / "model"

    @property
    def predictions(self) -> Path:
        """Masks of the scored images."""
        return self.folder / "predictions"

    @property
    def scores(self) -> Path:
        """All scores."""
        return self.folder / "scores.json"

    @property
    def report(self) -> Path:
        """The page to look at."""
        return self.folder / "report.html"

    @property
    def exists(self) -> bool:
        """Whether a run was begun here."""
        return self.recipe.is_file()


def start_run(folder: Path) -> Run:
    """Begin a run in a new or empty folder; it stays empty until the data turn out to be sound.

    Raises
    ------
    TrainingError
        If something stands there already.
    StorageError
        If the folder cannot be made.
    """
    run = Run(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "a run" if run.exists else "files"
        raise TrainingError(
            folder,
            found=f"{what} already",
            expected="a new or empty folder",
            remedy="Add --resume to go on with it, or choose another -o.",
        )
    with speaking_of(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return run


def resume_run(folder: Path, settings: Iterable[str] = ()) -> tuple[Run, Recipe]:
    """Open an interrupted run and its recipe, and change such settings as may change on the way.

    Raises
    ------
    TrainingError
        If there is none.
    ConfigError
        If a setting cannot change any more; lists every one.
    """
    run = Run(folder)
    if not run.exists:
        raise TrainingError(
            folder,
            found="no run to resume (no recipe.yaml)",
            expected="the folder of an interrupted run",
            remedy="Check the path, or train without --resume.",
        )
    begun = read_run_recipe(run)
    changed = read_recipe(begun, settings)
    differing = list(_differences(begun.model_dump(), changed.model_dump()))
    if fixed := [k for k in differing if k.startswith(FIXED)]:
        raise ConfigError(
            folder,
            found=f"another value of {', '.join(fixed)} than the run began with",
            expected="only changes of time, steps, rounds, precision, predict and protocol",
            remedy="Leave these settings as they were, or train anew into another folder.",
        )
    has_finished = any((folder / "folds").glob(f"*/{run.facts.name}"))
    if has_finished and (other := [k for k in differing if k.startswith("fit.")]):
        raise ConfigError(
            folder,
            found=f"another value of {', '.join(other)} than its finished folds were trained by",
            expected="the same for all folds, which are averaged and scored together",
            remedy="Leave these settings as they were, or train anew into another folder.",
        )
    return run, changed


def _differences(old: Any, new: Any, key: str = "") -> Iterator[str]:
    """Keys, joined by dots, of the settings that differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in old | new:
            yield from _differences(old.get(name), new.get(name), f"{key}.{name}" if key else name)
    elif old != new:
        yield key


def read_run_recipe(run: Run) -> Recipe:
    """The resolved recipe of a run."""
    return read_recipe(run.recipe)


def write_facts(run: Run, facts: dict[str, Any]) -> None:
    """Write run.yaml."""
    write_text(run.facts, yaml.safe_dump(facts, sort_keys=False, allow_unicode=True))


def read_facts(run: Run) -> dict[str, Any]:
    """Read run.yaml.

    Raises
    ------
    ModelError
        If the folder holds no finished run, or its run.yaml is damaged.
    """
    if not run.facts.is_file():
        raise ModelError(
            run.folder,
            found="no finished run (no run.yaml)",
            expected="a folder that `seglet train -o` wrote to the end",
            remedy="Finish it with `seglet train … --resume`.",
        )
    try:
        facts: dict[str, Any] = yaml.safe_load(run.facts.read_text(encoding="utf-8"))
        return {**facts, "data": str(facts["data"])}
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError) as error:
        raise ModelError(
            run.facts,
            found="facts of a run that cannot be understood",
            expected="the file as `seglet train` wrote it",
            remedy="Copy the run folder again.",
        ) from error


def steps_taken(run: Run) -> list[int]:
    """Steps of the training of a finished run, or of each of its folds; empty where they were not noted."""
    trained = [run]
    if run.folds.is_file():
        trained = [Run(page.parent) for page in sorted((run.folder / "folds").glob(f"*/{run.facts.name}"))]
    found = (read_facts(one).get("steps") for one in trained)
    return [int(steps) for steps in found if steps is not None]


def require_page(path: Path) -> Path:
    """Give back the path of a page of a run that must stand.

    Raises
    ------
    ModelError
        If it does not.
    """
    if not path.is_file():
        raise ModelError(
            path,
            found="no file",
            expected="the file as `seglet train` wrote it",
            remedy="Copy the run folder again.",
        )
    return path


def environment() -> dict[str, str]:
    """Versions and machine, for whoever repeats the run."""
    found = {"seglet": __version__, "Python": platform.python_version(), "system": platform.platform()}
    for name in SHOWN_PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
