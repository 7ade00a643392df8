"""Scores as tables of a page. Numbers in, rows out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from seglet.metrics.scores import Scores, plain_figure
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
OBJECTS: Mapping[str, tuple[str, str]] = {
    "dsb": ("Score of DSB 2018", "TP / (TP + FP + FN), averaged over IoU 0.50 to 0.95, then over images"),
    "f1_50": ("F1 at IoU 0.5", "of matched objects, mean over images"),
    "seg": ("SEG", "Jaccard index of each true object with the one that holds most of it, mean over objects"),
    "ap_50": ("AP at IoU 0.5", "TP / (TP + FP + FN), objects of all images pooled"),
    "n_truth": ("True objects", ""),
    "n_predicted": ("Predicted objects", ""),
    "n_matched": ("Matched", "true objects with a prediction of IoU above 0.5"),
    "missed": ("Missed", "true objects at least half of whose pixels no prediction has"),
    "merges": ("Merged", "true objects held by one prediction together with another one"),
    "splits": ("Split", "surplus predictions inside one true object"),
    "merges_per_object": ("Merged per true object", ""),
}
PARTITION: Mapping[str, tuple[str, str]] = {
    "rand_error": ("Rand error", "1 - F of pairs of pixels in one cell; 0 is best"),
    "pixel_error": ("Pixel error", "1 - F of interior pixels; 0 is best"),
    "v_rand": ("V_Rand", "F of pairs of pixels in one cell, borders thinned; 1 is best"),
    "v_info": ("V_Info", "shared information of both partitions, borders thinned; 1 is best"),
}
COUNTED = {"n_truth", "n_predicted", "n_matched", "missed", "merges", "splits"}
PER_IMAGE = ("dice", "iou", "sensitivity", "specificity", "precision", "roc_auc", "pr_auc")


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


def score_tables(scores: Scores) -> tuple[ScoreTable, ...]:
    """Write one table per foreground class: pooled, mean, interval, and who else was scored.

    Metrics without any value are left out: areas under curves need probabilities.
    """
    second, everywhere = scores.second_observer, scores.all_pixels
    columns = ["Pooled", "Mean", "95 % interval", "Images"]
    columns += ["Second observer"] * (second is not None) + ["Pooled, all pixels"] * (everywhere is not None)
    tables = []
    for name in foreground(scores):
        pooled, mean = scores.pooled.get(name, {}), scores.mean.get(name, {})
        rows = []
        for metric, (title, meaning) in METRICS.items():
            interval = mean.get(metric)
            if not math.isfinite(pooled.get(metric, math.nan)) and not (interval and interval.n):
                continue
            cells = [show_number(pooled.get(metric)), show_number(interval.mean if interval else None)]
            cells += [interval_text(interval, 4) or ABSENT if interval else ABSENT]
            cells += [str(interval.n) if interval else ABSENT]
            if second is not None:
                cells.append(show_number(second.pooled.get(name, {}).get(metric)))
            if everywhere is not None:
                cells.append(show_number(everywhere.get(name, {}).get(metric)))
            rows.append(ScoreRow(title, meaning, tuple(cells)))
        tables.append(ScoreTable(name, tuple(columns), tuple(rows)))
    return tuple(tables)


def object_table(scores: Scores) -> ScoreTable | None:
    """Write one row per figure of objects; None where there are none."""
    if scores.objects is None:
        return None
    rows = []
    for name, (title, meaning) in OBJECTS.items():
        figure = scores.objects[name]
        value = show_number(plain_figure(figure), 0 if name in COUNTED else 4)
        interval = interval_text(figure, 4) if isinstance(figure, Interval) else ""
        rows.append(ScoreRow(title, meaning, (value, interval or ABSENT)))
    return ScoreTable("Objects", ("Value", "95 % interval"), tuple(rows))


def partition_table(scores: Scores) -> ScoreTable | None:
    """Write one row per figure of the partition into cells, with its threshold; None where there are none."""
    found = scores.partition
    if found is None:
        return None
    rows = [
        ScoreRow(title, meaning, (show_number(found[name]), show_number(found[f"{name}_threshold"], 1)))
        for name, (title, meaning) in PARTITION.items()
    ]
    return ScoreTable("Partition into cells", ("Value", "At threshold"), tuple(rows))


def class_overview(scores: Scores) -> ScoreTable:
    """Write one row per foreground class, with the figures one looks at first."""
    others = ("iou", "sensitivity", "precision")
    rows = []
    for name in foreground(scores):
        pooled, mean = scores.pooled.get(name, {}), scores.mean.get(name, {})
        interval = mean.get("dice")
        cells = [show_number(pooled.get("dice")), show_number(interval.mean if interval else None)]
        cells += [interval_text(interval, 4) or ABSENT if interval else ABSENT]
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
        for name in foreground(scores)
    ]
    return tuple(METRICS[metric][0] for metric in PER_IMAGE), tuple(rows)


def image_dice(scores: Scores) -> dict[str, list[float]]:
    """Dice of every image, per foreground class; nan where the class is absent."""
    return {
        name: [image.classes.get(name, {}).get("dice", math.nan) for image in scores.images]
        for name in foreground(scores)
    }


def has_absent(scores: Scores) -> bool:
    """Whether a class was absent from truth and prediction of some image."""
    return any(m["dice"].n_absent > 0 for m in scores.mean.values() if "dice" in m)


def foreground(scores: Scores) -> tuple[str, ...]:
    """The classes that were scored."""
    return tuple(name for name in scores.class_names if name in scores.pooled)


def interval_text(interval: Interval, digits: int = 3) -> str:
    """Both ends of an interval; empty where it has none."""
    if not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return ""
    return f"{show_number(interval.low, digits)} – {show_number(interval.high, digits)}"
