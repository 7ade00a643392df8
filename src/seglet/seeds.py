"""The same training with several seeds: how far a figure is the recipe's, and how far its luck's."""

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from seglet.core.config import Config
from seglet.core.errors import ConfigError, FormatError, TrainingError
from seglet.core.events import Event, Tell
from seglet.core.storage import write_text
from seglet.metrics.scores import Scores, headline, read_scores
from seglet.metrics.statistics import Number
from seglet.recipe import Recipe
from seglet.run import Run, read_run_recipe, require_page, resume_run, start_run

SEEDS = "seeds.json"  # in the folder of all

TrainOne = Callable[[Path, str | Path | Recipe, Sequence[str], bool], object]
"""Trains into a folder by a recipe and settings, going on with what stands there where the last is True."""


class Spread(Config):
    """A figure over seeds.

    Attributes
    ----------
    mean, std : float
        Over the seeds that have it; nan where none has. The standard deviation is that of a sample (n - 1),
        nan of fewer than two.
    n : int
        Seeds that have it.
    """

    mean: Number
    std: Number
    n: int


class Seeded(Config):
    """One run, by the seed it was trained with.

    Attributes
    ----------
    seed : int
        ``fit.seed`` of the run.
    folder : str
        Its folder, inside that of all.
    figures : dict
        See `seglet.metrics.scores.headline`.
    """

    seed: int
    folder: str
    figures: dict[str, Number]


class Seeds(Config):
    """Runs that differ by their seed alone, as seeds.json has it.

    Attributes
    ----------
    seeds : tuple of Seeded
        In the order of their seeds.
    n_images : int
        Images, or windows of them, that each was scored on: the same ones.
    summary : dict
        Each figure over the seeds.
    """

    seeds: tuple[Seeded, ...]
    n_images: int
    summary: dict[str, Spread]


def train_seeds(
    train_one: TrainOne,
    out: Path,
    n_seeds: int,
    recipe: str | Path | Recipe,
    settings: Sequence[str],
    resume: bool,
    tell: Tell,
) -> Seeds:
    """Train with as many seeds, one run after the other in ``seed0``, ``seed1`` and so on.

    The first run decides what the recipe leaves open; the others repeat its resolved recipe, on the same
    split, with the next seeds of weights, patches and augmentation. What is finished is kept when it goes on.

    Parameters
    ----------
    train_one : callable
        Trains one.
    out : Path
        New or empty folder; with `resume` that of the same seeds, fewer or as many.
    n_seeds : int
        How many.
    recipe, settings
        Of the first; its time or steps are for each.
    resume : bool
        Whether to go on.
    tell : callable
        Hears of progress.

    Raises
    ------
    ConfigError
        If settings are to change on the way: seeds would not be trained alike.
    TrainingError
        If `out` is in use, a run is interrupted, or runs were scored on other images than the first.
    """
    if resume and settings:
        raise ConfigError(
            "--resume",
            found=f"changed settings ({', '.join(settings)})",
            expected="none: all seeds are trained alike",
            remedy="Leave --set, --budget and --folds out, or train anew into another folder.",
        )
    if resume:
        resume_run(out / "seed0")  # refuses a folder in which nothing was begun
    else:
        _require_new(out)
    found: list[tuple[int, Run, Scores]] = []
    for number in range(n_seeds):
        run = Run(out / f"seed{number}")
        tell(Event("seed", f"{number + 1} of {n_seeds}, into {run.folder}"))
        if not run.facts.is_file():
            _train_number(train_one, out, number, recipe, settings)
        found.append((read_run_recipe(run).fit.seed, run, read_scores(run.scores)))
        _require_same_split(found)
        write_text(out / SEEDS, summarize(found).model_dump_json(indent=1) + "\n")
    return summarize(found)


def summarize(found: Sequence[tuple[int, Run, Scores]]) -> Seeds:
    """The figures of several runs, and how they spread.

    Parameters
    ----------
    found : sequence of (int, Run, Scores)
        Seed, run and scores of each; at least one.
    """
    runs = [
        Seeded(
            seed=seed, folder=run.folder.name, figures={n: _number(f) for n, f in headline(scores).items()}
        )
        for seed, run, scores in found
    ]
    names = dict.fromkeys(name for run in runs for name in run.figures)
    spreads = {name: spread([run.figures.get(name, math.nan) for run in runs]) for name in names}
    return Seeds(seeds=tuple(runs), n_images=found[0][2].n_images, summary=spreads)


def spread(figures: Sequence[float]) -> Spread:
    """Mean and sample standard deviation; nan is left out."""
    present = [figure for figure in figures if not math.isnan(figure)]
    if not present:
        return Spread(mean=math.nan, std=math.nan, n=0)
    n, mean = len(present), math.fsum(present) / len(present)
    squares = math.fsum((figure - mean) ** 2 for figure in present)
    return Spread(mean=mean, std=math.sqrt(squares / (n - 1)) if n > 1 else math.nan, n=n)


def read_seeds(path: Path) -> Seeds:
    """Read seeds.json.

    Raises
    ------
    FormatError
        If the file cannot be read, or is no such JSON.
    """
    try:
        return Seeds.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise FormatError(
            path,
            found=f"no readable list of runs ({str(error).splitlines()[0]})",
            expected="the file as `seglet train --seeds` wrote it",
            remedy="Train again with --resume, which writes it anew.",
        ) from error


def _train_number(
    train_one: TrainOne, out: Path, number: int, recipe: str | Path | Recipe, settings: Sequence[str]
) -> None:
    """Train one that is not finished: go on with it where it has begun."""
    run, first = Run(out / f"seed{number}"), Run(out / "seed0")
    if run.exists:
        train_one(run.folder, "auto", (), True)
    elif number == 0:
        train_one(run.folder, recipe, settings, False)
    else:
        decided = read_run_recipe(first)
        train_one(run.folder, decided, [f"fit.seed={decided.fit.seed + number}"], False)


def _require_new(out: Path) -> None:
    with suppress(OSError):
        (out / "seed0").rmdir()  # empty: what a refused start has left
    start_run(out)


def _require_same_split(found: Sequence[tuple[int, Run, Scores]]) -> None:
    """Refuse to average runs that learned from, or were scored on, other images than the first."""
    first, last = (require_page(run.written_split).read_text("utf-8") for _, run, _ in (found[0], found[-1]))
    if first != last:
        raise TrainingError(
            found[-1][1].folder,
            found="another split than that of the first seed",
            expected="the same images in training, validation and test",
            remedy="The data have changed since: train all seeds anew into another folder.",
        )


def _number(figure: float | None) -> float:
    return math.nan if figure is None else figure
