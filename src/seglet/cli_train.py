"""The command ``train``."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seglet.console import door, print_json, print_line, print_table, print_text, show_figure
from seglet.core.errors import ConfigError
from seglet.core.profile import profiling
from seglet.options import AsJson, Data, MaxRam, RecipeName, Settings, WithProfile
from seglet.printing import (
    print_profile,
    print_scores,
    profile_document,
    scored_on_words,
    scores_document,
)

if TYPE_CHECKING:
    from seglet.core.profile import Spent
    from seglet.pipeline import Trained
    from seglet.run import Run
    from seglet.seeds import Seeds

FEW_STEPS = 50  # what a network has learned by then says little of what it can learn


def train(
    data: Data,
    out: Annotated[Path, typer.Option("--out", "-o", help="Run folder.")],
    recipe: RecipeName = "auto",
    settings: Settings = None,
    budget: Annotated[
        str | None, typer.Option(help="Time for everything, of each seed: 90s, 10m, 1h30m.")
    ] = None,
    folds: Annotated[
        str | None, typer.Option(help="Cross-validate in so many folds; auto leaves one out where few, none.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=2, help="Train so many times, with seeds that follow; all are kept.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the interrupted run in --out.")
    ] = False,
    max_ram: MaxRam = None,
    profile: WithProfile = False,
    as_json: AsJson = False,
) -> None:
    """Train a model, score it on images it has not seen, and write a report."""
    from seglet import pipeline
    from seglet.training.clock import Budget, process_began
    from seglet.training.settings import seconds

    with door(as_json) as tell, profiling() as spent:
        if resume and recipe != "auto":
            raise ConfigError(
                "--recipe",
                found=recipe,
                expected="no recipe beside --resume: an interrupted run goes on with its own",
                remedy="Leave --recipe out; single settings can be changed with --set.",
            )
        said = [*(settings or []), *([] if folds is None else [f"split.folds={folds}"])]
        if seeds is None:
            time_is = Budget(None if budget is None else seconds(budget), process_began())
            trained = pipeline.train(data, out, recipe, said, time_is, resume, tell, max_ram=max_ram)
        else:
            timed = [] if budget is None else pipeline.time_settings(budget)
            said = [*timed, *said]
            found = pipeline.train_seeds(data, out, seeds, recipe, said, resume, tell, max_ram=max_ram)
    if seeds is None:
        _tell_trained(trained, as_json, spent if profile else [])
    else:
        _tell_seeds(found, out, as_json)
        print_profile(spent if profile and not as_json else [])


def _tell_trained(trained: "Trained", as_json: bool, spent: "Sequence[Spent]") -> None:
    if as_json:
        places = {
            "model": trained.run.model,
            "report": trained.run.report,
            "predictions": trained.run.predictions,
        }
        paths = {name: str(path) for name, path in places.items()}
        print_json(scores_document(trained.scores) | paths | profile_document(spent))
        return
    print_scores(trained.scores, scored_on_words(trained.scores, trained.scored_on))
    _warn_of_few_steps([trained.run])
    print_line(f"Model:  {trained.run.model}")
    print_line(f"Masks:  {trained.run.predictions}")
    print_line(f"Report: {trained.run.report}")
    print_profile(spent)


def _warn_of_few_steps(runs: Sequence["Run"]) -> None:
    """Of several trainings, folds and seeds, by the shortest."""
    from seglet.run import steps_taken

    taken = [steps for run in runs for steps in steps_taken(run)]
    fewest = min(taken, default=FEW_STEPS)
    if fewest < FEW_STEPS:
        counted = "1 step" if fewest == 1 else f"{fewest} steps"
        shortest = f" in the shortest of {len(taken)} trainings" if len(taken) > 1 else ""
        print_text(
            f"Training took only {counted}{shortest}, too few to judge by these figures. "
            "Give it more time (--budget), or end other programs that keep the processor busy."
        )


def _tell_seeds(found: "Seeds", out: Path, as_json: bool) -> None:
    """A row for each figure, a column for each seed, then their mean and standard deviation."""
    from seglet.run import Run
    from seglet.seeds import SEEDS

    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    columns = ("", *(f"seed {run.seed}" for run in found.seeds), "mean", "std")
    rows = [
        (name, *(show_figure(run.figures[name]) for run in found.seeds), *map(show_figure, (of.mean, of.std)))
        for name, of in found.summary.items()
        if of.n
    ]
    print_table(f"{len(found.seeds)} seeds, each scored on the same {found.n_images}", columns, rows)
    _warn_of_few_steps([Run(out / run.folder) for run in found.seeds])
    print_line("std is over seeds: the luck of training, not that of which images were scored.")
    print_line(f"Runs: {', '.join(str(out / run.folder) for run in found.seeds)}   (figures: {out / SEEDS})")
