"""The command ``compare``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seglet.console import door, print_json, print_line, print_table
from seglet.options import AsJson

if TYPE_CHECKING:
    from seglet.comparing import Compared

Side = Annotated[
    Path, typer.Argument(help="Run, folder of `train --seeds` or `evaluate -o`, or scores.json.")
]


def compare(
    run_a: Side,
    run_b: Side,
    metric: Annotated[
        str | None,
        typer.Option(
            help="Figure of an image: dice, iou, dsb, merges, …; tumor.dice of one of several classes."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for compare.html and compare.json.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Say which of two runs is better on the images that both scored, by how much, and whether by chance."""
    from seglet import pipeline

    with door(as_json):
        compared = pipeline.compare(run_a, run_b, metric, out)
    if as_json:
        print_json(compared.model_dump(mode="json"))
    else:
        _print(compared, out)


def _print(compared: "Compared", out: Path | None) -> None:
    from seglet.comparing import comparison_facts, left_out

    better = "lower is better" if compared.lower_is_better else "higher is better"
    title = f"{compared.metric} ({better}) of {compared.a} and {compared.b}"
    print_table(title, ("", ""), list(comparison_facts(compared)))
    for line in (*compared.notes, *left_out(compared)):
        print_line(line)
    print_line(compared.verdict)
    if out is not None:
        print_line(f"Page: {out / 'compare.html'}")
