"""The command ``review``."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seglet.console import door, print_json, print_line, print_table
from seglet.options import AsJson

if TYPE_CHECKING:
    from seglet.metrics.confidence import RankCorrelation
    from seglet.reviewing import Review, Reviewed

SHOWN = 15  # rows on the screen
COLUMNS = ("image", "predicted Dice", "agreement", "real Dice")
OF_OBJECTS = ("predicted score", "real score")


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
    told = [one for one in new if not math.isnan(one.predicted_dice)]
    apart = any(one.predicted_dsb is not None for one in told)
    columns = (*COLUMNS, *OF_OBJECTS) if apart else COLUMNS
    print_table("To look at first", columns, [_row(one, apart) for one in told[:SHOWN]])
    nothing = [one.id for one in new if math.isnan(one.predicted_dice)]
    if nothing:
        print_line(f"Nothing was found in {len(nothing)} images: {_first(nothing)}")
    unlabelled = [one.id for one in found.to_annotate if one.dice is None and one.id not in nothing]
    if unlabelled:
        print_line(f"To annotate next: {_first(unlabelled)}")
    _print_correlation("Dice", found.correlation)
    _print_correlation("scores of objects", found.correlation_dsb)
    for text in found.bad:
        print_line(f"Left out: {text}")
    print_line(f"All {len(found.images)}: {out}")


def _row(one: "Reviewed", apart: bool) -> tuple[str, ...]:
    figures = (one.predicted_dice, one.agreement, one.dice)
    return (one.id, *map(_shown, (*figures, one.predicted_dsb, one.dsb) if apart else figures))


def _print_correlation(what: str, told: "RankCorrelation | None") -> None:
    if told is not None:
        print_line(
            f"Predicted and real {what} of {told.n} images that were not trained on correlate by "
            f"{_shown(told.rho)} [{_shown(told.low)}, {_shown(told.high)}] (Spearman)."
        )


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + (" …" if len(names) > 3 else "")


def _shown(figure: float | None) -> str:
    return "–" if figure is None or math.isnan(figure) else f"{figure:.3f}"
