"""What commands print of their results: findings, repairs, scores."""

from typing import TYPE_CHECKING, Any

from seglet.console import print_line, print_table, show_figure

if TYPE_CHECKING:
    from seglet.data.findings import Finding
    from seglet.data.repair import RepairLog
    from seglet.metrics.scores import Scores

SHOWN = ("dice", "iou", "f1", "sensitivity", "specificity", "precision", "accuracy", "roc_auc", "pr_auc")
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


def scores_document(scores: "Scores") -> dict[str, Any]:
    """Headline and all scores but the curves, for JSON."""
    from seglet.metrics.scores import headline

    return {"headline": headline(scores), "scores": scores.model_dump(mode="json", exclude={"curves"})}


def print_scores(scores: "Scores", what: str) -> None:
    """A short table: every class pooled and as a mean over images, and the second observer beside them."""
    from seglet.metrics.scores import count_images

    rows = []
    for name in scores.class_names[1:]:
        rows.append((f"{name}, pooled", *(show_figure(scores.pooled[name][m]) for m in SHOWN)))
        rows.append((f"{name}, mean of images", *(show_figure(scores.mean[name][m].mean) for m in SHOWN)))
        if scores.all_pixels:
            rows.append(
                (f"{name}, pooled, all pixels", *(show_figure(scores.all_pixels[name][m]) for m in SHOWN))
            )
        if scores.second_observer:
            pooled = scores.second_observer.pooled[name]
            rows.append((f"{name}, second observer", *(show_figure(pooled[m]) for m in SHOWN)))
    print_table(f"{what}, protocol {scores.protocol} {scores.version}", ("", *SHOWN), rows)
    dice = scores.mean_dice
    over = count_images(dice.n, scores.windows_of)
    has_interval = dice.low == dice.low  # nan of a single image
    interval = f" (95 % interval {dice.low:.4f} to {dice.high:.4f} over {over})" if has_interval else ""
    print_line(f"Mean Dice {dice.mean:.4f}{interval}")
    print_line(scores.rule)
