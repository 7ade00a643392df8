"""The command ``tune``."""

from pathlib import Path
from typing import Annotated

import typer

from seglet.console import door, print_json
from seglet.options import AsJson, Data, RecipeName, Settings
from seglet.printing import print_trials, trials_document


def tune(
    data: Data,
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder of the search; one that was interrupted goes on.")
    ],
    recipe: RecipeName = "auto",
    settings: Settings = None,
    trials: Annotated[int, typer.Option(min=1, help="Trainings; the first is the recipe as it is.")] = 20,
    budget: Annotated[str, typer.Option(help="Time for all trials together: 90s, 30m, 2h.")] = "30m",
    seed: Annotated[int, typer.Option(min=0, help="Of what is tried.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Search for sizes, learning rate and loss by short trainings; best.yaml is a recipe to train with."""
    from seglet import pipeline
    from seglet.training.settings import seconds
    from seglet.tuning.space import TuneConfig

    with door(as_json) as tell:
        config = TuneConfig(trials=trials, budget_s=seconds(budget), seed=seed)
        tuned = pipeline.tune(data, out, recipe, settings or [], config, tell)
    if as_json:
        print_json(trials_document(tuned))
    else:
        print_trials(tuned, data, trials)
    if tuned.interrupted:
        raise typer.Exit(1)
