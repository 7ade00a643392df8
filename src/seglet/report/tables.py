"""Scores as a page shows them: the headline, what stands beside it, and the tables. Numbers in, rows out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from seglet.metrics.protocols import PROTOCOLS
from seglet.metrics.scores import Scores, count_images
from seglet.metrics.statistics import Interval

ABSENT = "–"

# F1 of pixels is Dice by another name, so it has no row of its own.
METRICS: Mapping[str, tuple[str, str]] = {
    "dice": ("Dice (F1)", "overlap of prediction and truth, 0 to 1"),
    "iou": ("IoU", "pixels in both over pixels in either"),
    "sensitivity": ("Sensitivity", "share of the true pixels that was found (recall)"),
    "specificity": ("Specificity", "share of the other pixels that was left alone"),
    "precision": ("Precision", "share of the predicted pixels that is true"),
    "accuracy": ("Accuracy", "share of all pixels that is right"),
    "balanced_accuracy": ("Balanced accuracy", "mean of sensitivity and specificity"),
    "mcc": ("Matthews correlation", "agreement beyond chance, −1 to 1"),
    "roc_auc": ("ROC area", "how well true pixels are ranked above others, at any threshold"),
    "pr_auc": ("PR area", "precision averaged over all recalls"),
}
COMPARED = ("dice", "roc_auc", "pr_auc", "accuracy", "sensitivity", "specificity")
PER_IMAGE = ("dice", "iou", "sensitivity", "specificity", "precision", "roc_auc", "pr_auc")

Kind = Literal["model", "second", "published"]


@dataclass(frozen=True)
class Headline:
    """The main score: its name and value, how it was averaged, the other average, and its interval."""

    name: str
    value: float
    basis: str
    aside: str
    interval: str
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Rival:
    """One row of the comparison: this model, the second observer, or a published result."""

    label: str
    kind: Kind
    figures: Mapping[str, float]
    source: str


@dataclass(frozen=True)
class Step:
    """One line of the ladder; positions in percent of its length."""

    label: str
    kind: Kind
    value: float
    place: float
    low: float | None
    width: float


@dataclass(frozen=True)
class ScoreRow:
    """One metric of one class, ready to print."""

    name: str
    meaning: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class ScoreTable:
    """All metrics of one class."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[ScoreRow, ...]


@dataclass(frozen=True)
class ImageRow:
    """One class of one image."""

    id: str
    class_name: str
    values: tuple[float | None, ...]


def show_number(value: float | None, digits: int = 4) -> str:
    """Write a number with a fixed count of digits; a dash for nan and None."""
    if value is None or not math.isfinite(value):
        return ABSENT
    return f"{value:.{digits}f}".replace("-", "−")


def headline(scores: Scores) -> Headline | None:
    """Choose the figure that stands in front: pooled or the mean over images, as the protocol says.

    Returns
    -------
    Headline or None
        With several foreground classes, the mean of their Dice. None where there is no foreground class.
    """
    names = _foreground(scores)
    if not names:
        return None
    name = f"Dice of {names[0]}" if len(names) == 1 else f"Mean Dice of {len(names)} classes"
    mean = scores.mean_dice
    span = _interval_text(mean)
    interval = f"95 % interval {span}" if span else ""
    if scores.pooled_first:
        basis = f"Pixels of {count_images(scores.n_images, scores.windows_of)} pooled"
        aside = f"Mean over images {show_number(mean.mean, 3)}"
        # the interval is about the mean over images, so it must not be drawn around a pooled figure
        return Headline(name, scores.pooled_mean_dice, basis, aside, interval, None, None)
    low, high = (mean.low, mean.high) if span else (None, None)
    basis = f"Mean over {count_images(mean.n, scores.windows_of)}"
    return Headline(name, mean.mean, basis, "", interval, low, high)


def rivals(scores: Scores) -> tuple[Rival, ...]:
    """Gather what the headline may be compared with: second observer and published figures.

    Both speak of one foreground class; with several there is this model alone.
    """
    names = _foreground(scores)
    if len(names) != 1:
        return ()
    name = names[0]
    rows = [Rival("This model", "model", scores.pooled.get(name, {}), "this page, pooled")]
    if scores.second_observer is not None:
        seen = scores.second_observer.n_images
        whose = "the same images" if seen == scores.n_images else f"{seen} of {scores.n_images} images"
        figures = scores.second_observer.pooled.get(name, {})
        rows.append(Rival("Second observer", "second", figures, f"a person, {whose} by the same rule"))
    protocol = PROTOCOLS.get(scores.protocol)
    for row in protocol.published if protocol else ():
        figures = {"dice" if key == "f1" else key: value for key, value in row.figures.items()}
        rows.append(Rival(row.label, "published", figures, row.source))
    return tuple(rows)


def ladder(front: Headline, rows: Sequence[Rival]) -> tuple[tuple[Step, ...], tuple[str, str]]:
    """Place the headline and its rivals on one line of Dice.

    Returns
    -------
    steps : tuple of Step
        Rows without a Dice are left out; this model shows the headline's value.
    ends : (str, str)
        Dice at both ends of the line.
    """
    shown = [(r, front.value if r.kind == "model" else r.figures.get("dice", math.nan)) for r in rows]
    if not shown:
        shown = [(Rival("This model", "model", {}, ""), front.value)]
    shown = [(r, value) for r, value in shown if math.isfinite(value)]
    reach = [value for _, value in shown] + [v for v in (front.low, front.high) if v is not None]
    first = max(0.0, math.floor(min(reach, default=0) * 20 - 0.5) / 20)
    last = min(1.0, math.ceil(max(reach, default=1) * 20 + 0.5) / 20)

    def place(value: float) -> float:
        return round(100 * (value - first) / (last - first), 2)

    steps = []
    for row, value in shown:
        low = place(front.low) if row.kind == "model" and front.low is not None else None
        width = place(front.high) - low if low is not None and front.high is not None else 0.0
        steps.append(Step(row.label, row.kind, value, place(value), low, round(width, 2)))
    return tuple(steps), (f"{first:.2f}", f"{last:.2f}")


def compared_metrics(rows: Sequence[Rival]) -> tuple[str, ...]:
    """Metrics that at least two rows have."""
    return tuple(m for m in COMPARED if sum(math.isfinite(r.figures.get(m, math.nan)) for r in rows) > 1)


def comparison_note(scores: Scores) -> str:
    """Say what to mind when comparing with published figures; empty where the protocol has none."""
    protocol = PROTOCOLS.get(scores.protocol)
    return protocol.comparability if protocol and protocol.published else ""


def score_tables(scores: Scores) -> tuple[ScoreTable, ...]:
    """Write one table per foreground class: pooled, mean, interval, and who else was scored.

    Metrics without any value are left out: areas under curves need probabilities.
    """
    second, everywhere = scores.second_observer, scores.all_pixels
    columns = ["Pooled", "Mean", "95 % interval", "Images"]
    columns += ["Second observer"] * (second is not None) + ["Pooled, all pixels"] * (everywhere is not None)
    tables = []
    for name in _foreground(scores):
        pooled, mean = scores.pooled.get(name, {}), scores.mean.get(name, {})
        rows = []
        for metric, (title, meaning) in METRICS.items():
            interval = mean.get(metric)
            if not math.isfinite(pooled.get(metric, math.nan)) and not (interval and interval.n):
                continue
            cells = [show_number(pooled.get(metric)), show_number(interval.mean if interval else None)]
            cells += [_interval_text(interval, 4) or ABSENT if interval else ABSENT]
            cells += [str(interval.n) if interval else ABSENT]
            if second is not None:
                cells.append(show_number(second.pooled.get(name, {}).get(metric)))
            if everywhere is not None:
                cells.append(show_number(everywhere.get(name, {}).get(metric)))
            rows.append(ScoreRow(title, meaning, tuple(cells)))
        tables.append(ScoreTable(name, tuple(columns), tuple(rows)))
    return tuple(tables)


def class_overview(scores: Scores) -> ScoreTable:
    """Write one row per foreground class, with the figures one looks at first."""
    others = ("iou", "sensitivity", "precision")
    rows = []
    for name in _foreground(scores):
        pooled, mean = scores.pooled.get(name, {}), scores.mean.get(name, {})
        interval = mean.get("dice")
        cells = [show_number(pooled.get("dice")), show_number(interval.mean if interval else None)]
        cells += [_interval_text(interval, 4) or ABSENT if interval else ABSENT]
        cells += [str(interval.n) if interval else ABSENT]
        cells += [show_number(pooled.get(metric)) for metric in others]
        rows.append(ScoreRow(name, "", tuple(cells)))
    columns = ("Pooled Dice", "Mean Dice", "95 % interval", "Images")
    return ScoreTable("", columns + tuple(METRICS[m][0] for m in others), tuple(rows))


def image_rows(scores: Scores) -> tuple[tuple[str, ...], tuple[ImageRow, ...]]:
    """Write the scores of every image: metric titles, and one row per image and foreground class."""
    rows = [
        ImageRow(image.id, name, tuple(image.classes.get(name, {}).get(metric) for metric in PER_IMAGE))
        for image in scores.images
        for name in _foreground(scores)
    ]
    return tuple(METRICS[metric][0] for metric in PER_IMAGE), tuple(rows)


def image_dice(scores: Scores) -> dict[str, list[float]]:
    """Dice of every image, per foreground class; nan where the class is absent."""
    return {
        name: [image.classes.get(name, {}).get("dice", math.nan) for image in scores.images]
        for name in _foreground(scores)
    }


def has_absent(scores: Scores) -> bool:
    """Whether a class was absent from truth and prediction of some image."""
    return any(m["dice"].n_absent > 0 for m in scores.mean.values() if "dice" in m)


def _foreground(scores: Scores) -> tuple[str, ...]:
    return tuple(name for name in scores.class_names if name in scores.pooled)


def _interval_text(interval: Interval, digits: int = 3) -> str:
    if not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return ""
    return f"{show_number(interval.low, digits)} – {show_number(interval.high, digits)}"
