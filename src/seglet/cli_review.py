"""The command ``review``."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seglet.console import door, print_json, print_line, print_table
from seglet.options import AsJson

if TYPE_CHECKING:
    from seglet.reviewing import Review

SHOWN = 15  # rows on the screen


def review(
    run: Annotated[Path, typer.Argument(help="Run or model folder.")],
    images: Annotated[list[Path], typer.Argument(help="Images, folders or datasets.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The table to write, review.csv.")],
    as_json: AsJson = False,
) -> None:
    """Rank images by how doubtful their predictions are: to look at first, and to annotate next."""
    from seglet import pipeline
    from seglet.reviewing import write_review

    with door(as_json) as tell:
        found = pipeline.review(run, images, tell)
        write_review(found, out)
    if as_json:
        print_json(found.model_dump(mode="json") | {"out": str(out)})
    else:
        _print(found, out)
    if found.bad:
        raise typer.Exit(1)


def _print(found: "Review", out: Path) -> None:
    """The most doubtful images, what to annotate next, and what could not be predicted."""
    new = [one for one in found.images if not one.is_trained_on] or list(found.images)
    rows: list[tuple[str, ...]] = [
        (one.id, *map(_shown, (one.predicted_dice, one.agreement, one.dice))) for one in new[:SHOWN]
    ]
    print_table("To look at first", ("image", "predicted Dice", "agreement", "real Dice"), rows)
    unlabelled = [one.id for one in found.to_annotate if one.dice is None]
    if unlabelled:
        print_line("To annotate next: " + ", ".join(unlabelled[:3]))
    if found.correlation is not None:
        told = found.correlation
        print_line(
            f"Predicted and real Dice of {told.n} images that were not trained on correlate by "
            f"{_shown(told.rho)} [{_shown(told.low)}, {_shown(told.high)}] (Spearman)."
        )
    for text in found.bad:
        print_line(f"Left out: {text}")
    print_line(f"All {len(found.images)}: {out}")


def _shown(figure: float | None) -> str:
    return "–" if figure is None or math.isnan(figure) else f"{figure:.3f}"
