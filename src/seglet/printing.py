"""What commands print of their results: findings, repairs, scores, trials."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seglet.console import print_line, print_table, print_text, show_figure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from seglet.core.profile import Spent
    from seglet.data.findings import Finding
    from seglet.data.repair import RepairLog
    from seglet.metrics.scores import Scores
    from seglet.report.tables import ScoreTable
    from seglet.tuning.search import Tuned

SHOWN_TRIALS = 10
SEVERITY_STYLE = {"error": "ERROR", "warning": "warning", "note": "note"}


def scored_on_words(scores: "Scores", scored_on: str = "") -> str:
    """Which images were scored, as far as it is known: those of a part of a run, or of all folds."""
    from seglet.metrics.scores import count_images

    if scored_on == "folds":
        images = count_images(scores.n_images, scores.windows_of)
        return f"{images}, each scored by a model that has not seen it"
    return count_images(scores.n_images, scores.windows_of, scored_on)


def print_finding(finding: "Finding") -> None:
    """What was found, in which files, why it matters and what to do."""
    print_line(f"{SEVERITY_STYLE[finding.severity]:<8} {finding.message}")
    _print_files(finding.files)
    if finding.why:
        print_line(f"         {finding.why}")
    if finding.remedy:
        print_line(f"         → {finding.remedy}")


def print_repairs(log: "RepairLog") -> None:
    """What was done to which file."""
    for entry in log.repairs:
        print_line(f"{'repaired' if entry.is_done else 'left':<8} {entry.file}: {entry.action}")
    print_line(f"Repaired copy: {log.out}   (the original is untouched)")


def _print_files(files: tuple[str, ...], most: int = 10) -> None:
    for name in files[:most]:
        print_line(f"           {name}")
    if len(files) > most:
        print_line(f"           … and {len(files) - most} more")


def print_profile(spent: "Sequence[Spent]") -> None:
    """Where the time went; nothing where nobody asked."""
    if spent:
        rows: list[tuple[str, ...]] = [(one.part, f"{one.seconds:.2f}", f"{one.share:.0%}") for one in spent]
        print_table("Where the time went", ("part", "seconds", "share"), rows)


def profile_document(spent: "Sequence[Spent]") -> dict[str, Any]:
    """The same for JSON; nothing where nobody asked."""
    return {"profile": [one.model_dump() for one in spent]} if spent else {}


def scores_document(scores: "Scores") -> dict[str, Any]:
    """Headline and all scores but the curves, for JSON."""
    from seglet.metrics.scores import headline

    return {"headline": headline(scores), "scores": scores.model_dump(mode="json", exclude={"curves"})}


def print_scores(scores: "Scores", what: str, *, of_masks: bool = False) -> None:
    """The rule, every figure with its interval, the headline, and what others reached.

    What was scored is called this model, or these masks where a tool is not known.
    """
    from seglet.report.tables import calibration_text, class_overview, further_tables, score_tables

    print_text(f"{what}, protocol {scores.protocol} {scores.version}: {scores.rule}")
    tables = score_tables(scores)
    for table in (*(tables if len(tables) == 1 else [class_overview(scores)]), *further_tables(scores)):
        _print_scores_of(table)
    print_line("")
    if scores.threshold is not None:
        print_text(f"Foreground is what has a probability above {show_figure(scores.threshold)}.")
    if text := calibration_text(scores):
        print_text(text)
    _print_mean_dice(scores)
    _print_headline(scores)
    _print_absence(scores)
    _print_published(scores, of_masks)


def _print_scores_of(table: "ScoreTable") -> None:
    """One table without columns that say nothing; how many images have a value only where that differs."""
    from seglet.report.tables import ABSENT

    columns = [k for k in range(len(table.columns)) if any(row.cells[k] != ABSENT for row in table.rows)]
    if "Images" in table.columns:
        place = table.columns.index("Images")
        if len({row.cells[place] for row in table.rows}) == 1 and place in columns:
            columns.remove(place)
    rows = [(row.name, *(row.cells[k] for k in columns)) for row in table.rows]
    print_line("")
    print_table(table.name, ("", *(table.columns[k] for k in columns)), rows)


def _print_mean_dice(scores: "Scores") -> None:
    from seglet.metrics.scores import count_images

    dice = scores.mean_dice
    over = count_images(dice.n, scores.windows_of)
    has_interval = dice.low == dice.low  # nan of a single image
    interval = f" (95 % interval {dice.low:.4f} to {dice.high:.4f} over {over})" if has_interval else ""
    print_line(f"Mean Dice {dice.mean:.4f}{interval}")


def _print_headline(scores: "Scores") -> None:
    """The protocol's own figure, where it is not the mean Dice."""
    from seglet.report.comparison import headline

    front = headline(scores)
    if front is not None and (front.metric != "dice" or scores.pooled_first):
        facts = "; ".join(text for text in (front.basis, front.aside, front.interval) if text)
        print_line(f"{front.name} {show_figure(front.value)} ({facts})")


def _print_absence(scores: "Scores") -> None:
    """Why the protocol's own figure is not there, where it is not."""
    from seglet.report.comparison import absence_note

    if note := absence_note(scores):
        print_line(note)


def _print_published(scores: "Scores", of_masks: bool) -> None:
    """What was scored, a second observer and what others reached, side by side; and what to mind."""
    from seglet.report.comparison import (
        THIS_MODEL,
        TITLES,
        compared_metrics,
        comparison_note,
        rivals,
        sources,
        subject,
    )
    from seglet.report.tables import show_metric

    rows = rivals(scores, "These masks" if of_masks else THIS_MODEL)
    metrics = compared_metrics(rows)
    if len(rows) > 1 and metrics:
        cells = [(row.label, *(show_metric(m, row.figures.get(m)) for m in metrics)) for row in rows]
        print_line("")
        print_table(f"Beside others ({subject(scores).lower()})", ("", *(TITLES[m] for m in metrics)), cells)
        print_line("")
    for text in sources(rows):
        print_text(text)
    if note := comparison_note(scores):
        print_text(f"Before comparing: {note}")


def trials_document(tuned: "Tuned") -> dict[str, Any]:
    """All trials and the best, for JSON."""
    best = None if tuned.best is None else tuned.best.number
    return {
        "best": best,
        "recipe": None if best is None else str(tuned.recipe),
        "trials": [asdict(trial) for trial in tuned.trials],
        "importance": tuned.importance,
        "interrupted": tuned.interrupted,
    }


def print_trials(tuned: "Tuned", data: Path, planned: int) -> None:
    """The best trials, which settings mattered, and how to go on."""
    from seglet.tuning.trials import COLUMNS, shown

    counted = [trial for trial in tuned.trials if trial.state != "interrupted"]
    ranked = sorted(counted, key=lambda t: (t.state != "finished", -(t.val_dice or 0.0)))
    searched = [name for name in COLUMNS if any(name in trial.params for trial in ranked)]
    rows = [
        (
            str(t.number),
            show_figure(t.val_dice),
            t.state,
            *(shown(t.params.get(name, "")) for name in searched),
        )
        for t in ranked[:SHOWN_TRIALS]
    ]
    print_table("Best trials", ("trial", "val_dice", "", *searched), rows)
    n_pruned = sum(trial.state == "pruned" for trial in counted)
    print_line(f"{len(counted)} of {planned} trials, {n_pruned} of them ended early.")
    if tuned.importance:
        shares = ", ".join(f"{name} {share:.0%}" for name, share in tuned.importance.items())
        print_line(f"What told good trials from others: {shares}")
    if tuned.interrupted:
        print_line(f"{tuned.interrupted}: nothing is lost, the same command goes on.")
    if tuned.best is not None:
        print_line(f"Recipe: {tuned.recipe}   (seglet train {data} -o RUN --recipe {tuned.recipe})")
        print_line(
            "val_dice is of the images that chose the recipe; the run scores it on images nobody chose by."
        )
