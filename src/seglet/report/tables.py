"""Scores as tables of a page. Numbers in, rows out."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from seglet.metrics.scores import ClassFigures, ClassMeans, ImageScores, Scores, plain_figure
from seglet.metrics.statistics import Interval

ABSENT = "–"
Column = tuple[str, dict[str, str]]  # title, and cells by metric

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
    "pq": ("Panoptic quality", "SQ times RQ, objects of all images pooled"),
    "sq": ("SQ", "mean IoU of matched objects"),
    "rq": ("RQ", "F1 of matched objects, pooled"),
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
    "warping_error": ("Warping error", "pixels wrong after warping the truth; 0 is best"),
    "splits_mergers": ("Splits and mergers", "those that part or join cells; all black has next to none"),
}
SHAPES: Mapping[str, tuple[str, str]] = {
    "voe": ("VOE", "1 - IoU; 0 is best"),
    "rvd": ("Volume difference", "(predicted - true) / true; 0 is best"),
    "truth_volume": ("True volume, mm³", "of flat images the area, mm²"),
    "predicted_volume": ("Predicted volume, mm³", "likewise"),
    "assd": ("ASSD, mm", "mean distance of both surfaces"),
    "rmsd": ("RMSD, mm", "root mean square of these distances"),
    "max_distance": ("Largest distance, mm", "of both surfaces (Hausdorff)"),
    "hd95": ("HD95, mm", "95th percentile of the distances"),
    "surface_dice": ("Surface Dice", "share of both surfaces within the protocol's tolerance"),
    "cldice": ("clDice", "agreement of centerlines, 0 to 1"),
    "centerline_precision": ("Centerline precision", "share of the predicted centerline in true vessels"),
    "centerline_sensitivity": ("Centerline sensitivity", "share of the true centerline that was found"),
}
FINE = {"warping_error", "splits_mergers"}  # a few pixels in a million
WHOLE = {
    *("n_truth", "n_predicted", "n_matched", "missed", "merges", "splits"),
    *("truth_volume", "predicted_volume"),
}
PER_IMAGE = ("dice", "iou", "sensitivity", "specificity", "precision", "roc_auc", "pr_auc")
MORE_PER_IMAGE = ("cldice", "voe", "assd", "hd95", "surface_dice", "dsb", "f1_50", "seg")


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


def show_metric(metric: str, value: float | None) -> str:
    """Write a figure with as many digits as its metric needs."""
    return show_number(value, 6 if metric in FINE else 0 if metric in WHOLE else 4)


def score_tables(scores: Scores) -> tuple[ScoreTable, ...]:
    """Write one table per foreground class: pooled, mean, interval, and who else was scored.

    The interval is of the means, or of the pooled figures where the protocol puts these in front. Metrics
    without any value are left out: areas under curves need probabilities.
    """
    tables = []
    for name in foreground(scores):
        columns = _pixel_columns(scores, name)
        rows = []
        for metric, (title, meaning) in METRICS.items():
            mean = scores.mean.get(name, {}).get(metric)
            if math.isfinite(scores.pooled[name].get(metric, math.nan)) or (mean and mean.n):
                cells = tuple(cells.get(metric, ABSENT) for _, cells in columns)
                rows.append(ScoreRow(title, meaning, cells))
        tables.append(ScoreTable(name, tuple(title for title, _ in columns), tuple(rows)))
    return tuple(tables)


def _pixel_columns(scores: Scores, name: str) -> list[Column]:
    """Of one class, also who else was scored."""
    second, everywhere = scores.second_observer, scores.all_pixels
    columns = _own_columns(scores, name)
    if second is not None:
        columns += _pooled_columns("Second observer", second.pooled, second.pooled_intervals, name)
    if everywhere is not None:
        columns += _pooled_columns("Pooled, all pixels", everywhere, None, name)
    return columns


def _own_columns(scores: Scores, name: str) -> list[Column]:
    columns = _pooled_columns("Pooled", scores.pooled, scores.pooled_intervals, name)
    means = scores.mean.get(name, {})
    columns.append(("Mean", {metric: show_number(mean.mean) for metric, mean in means.items()}))
    if scores.pooled_intervals is None:
        columns.append(("95 % interval", _spans(means)))
    columns.append(("Images", {metric: str(mean.n) for metric, mean in means.items()}))
    return columns


def _pooled_columns(
    title: str, pooled: ClassFigures, intervals: ClassMeans | None, name: str
) -> list[Column]:
    figures = {metric: show_number(value) for metric, value in pooled.get(name, {}).items()}
    spans = [] if intervals is None else [("95 % interval", _spans(intervals.get(name, {})))]
    return [(title, figures), *spans]


def _spans(intervals: Mapping[str, Interval]) -> dict[str, str]:
    return {metric: interval_text(interval, 4) or ABSENT for metric, interval in intervals.items()}


def further_tables(scores: Scores) -> tuple[ScoreTable, ...]:
    """All tables beside those of pixels: of objects, of the partition, of each class's shape."""
    single = (object_table(scores), precision_table(scores), partition_table(scores))
    return (*(table for table in single if table is not None), *shape_tables(scores))


def object_table(scores: Scores) -> ScoreTable | None:
    """Write one row per figure of objects; None where there are none."""
    if scores.objects is None:
        return None
    rows = []
    for name, (title, meaning) in OBJECTS.items():
        if name not in scores.objects:  # scored before this figure was
            continue
        figure = scores.objects[name]
        value = show_metric(name, plain_figure(figure))
        interval = interval_text(figure, 4) if isinstance(figure, Interval) else ""
        rows.append(ScoreRow(title, meaning, (value, interval or ABSENT)))
    return ScoreTable("Objects", ("Value", "95 % interval"), tuple(rows))


def precision_by_iou(scores: Scores) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """IoU thresholds, and the pooled average precision of objects at each; empty where there is none."""
    found = {
        int(name.removeprefix("ap_")) / 100: plain_figure(figure)
        for name, figure in (scores.objects or {}).items()
        if name.startswith("ap_")
    }
    return tuple(sorted(found)), tuple(found[threshold] for threshold in sorted(found))


def precision_table(scores: Scores) -> ScoreTable | None:
    """Write the average precision at each IoU threshold as one row; None where there are fewer than two."""
    thresholds, values = precision_by_iou(scores)
    if len(thresholds) < 2:
        return None
    cells = tuple(show_number(value, 3) for value in values)
    row = ScoreRow("AP", "TP / (TP + FP + FN), pooled", cells)
    return ScoreTable("Objects found, by IoU", tuple(f"{t:.2f}" for t in thresholds), (row,))


def shape_tables(scores: Scores) -> tuple[ScoreTable, ...]:
    """Write one table per foreground class of its surface, volume or centerline; none where not asked for.

    Figures that no image has are left out: distances need a spacing.
    """
    second = (scores.second_observer.shapes if scores.second_observer else None) or {}
    columns = ("Mean", "95 % interval", "Images", *(["Second observer"] if second else []))
    tables = []
    for name, figures in (scores.shapes or {}).items():
        rows = []
        for metric, interval in figures.items():
            if not interval.n:
                continue
            digits = 0 if metric in WHOLE else 4
            cells = [show_metric(metric, interval.mean), interval_text(interval, digits) or ABSENT]
            cells += [str(interval.n)]
            cells += [show_metric(metric, second[name][metric].mean)] if second else []
            rows.append(ScoreRow(*SHAPES[metric], tuple(cells)))
        what = "Centerlines" if "cldice" in figures else "Surface and volume"
        tables.append(ScoreTable(f"{what} of {name}", columns, tuple(rows)))
    return tuple(tables)


def calibration_text(scores: Scores) -> str:
    """Say in a sentence how far probabilities are right; empty where they are not known."""
    found = scores.calibration
    if found is None or not math.isfinite(found.ece):
        return ""
    return (
        f"Expected calibration error {show_number(found.ece)}: by so much do foreground probabilities miss "
        "the share of true foreground, on average over pixels."
    )


def partition_table(scores: Scores) -> ScoreTable | None:
    """Write one row per figure of the partition into cells, with its threshold; None where there are none."""
    found = scores.partition
    if found is None:
        return None
    rows = []
    for name, (title, meaning) in PARTITION.items():
        if name not in found:  # scored before this figure was
            continue
        interval = (scores.partition_intervals or {}).get(name)
        cells = (
            show_metric(name, found[name]),
            (interval_text(interval, 4) if interval else "") or ABSENT,
            show_number(found[f"{name}_threshold"], 1),
        )
        rows.append(ScoreRow(title, meaning, cells))
    return ScoreTable("Partition into cells", ("Value", "95 % interval", "At threshold"), tuple(rows))


def class_overview(scores: Scores) -> ScoreTable:
    """Write one row per foreground class, with the figures one looks at first."""
    others = ("iou", "sensitivity", "precision")
    rows = []
    for name in foreground(scores):
        cells = [cells.get("dice", ABSENT) for _, cells in _own_columns(scores, name)]
        cells += [show_number(scores.pooled[name].get(metric)) for metric in others]
        rows.append(ScoreRow(name, "", tuple(cells)))
    own = [f"{title} Dice" if title in ("Pooled", "Mean") else title for title, _ in _own_columns(scores, "")]
    return ScoreTable("Classes", (*own, *(f"Pooled {METRICS[m][0]}" for m in others)), tuple(rows))


def image_rows(scores: Scores) -> tuple[tuple[str, ...], tuple[ImageRow, ...]]:
    """Write the scores of every image: metric titles, and one row per image and foreground class."""
    known = {**METRICS, **SHAPES, **OBJECTS}
    figures = [
        (image.id, name, _figures_of(image, name)) for image in scores.images for name in foreground(scores)
    ]
    shown = (*PER_IMAGE, *(metric for metric in MORE_PER_IMAGE if any(metric in own for *_, own in figures)))
    rows = (ImageRow(identity, name, tuple(own.get(m) for m in shown)) for identity, name, own in figures)
    return tuple(known[metric][0] for metric in shown), tuple(rows)


def _figures_of(image: ImageScores, name: str) -> dict[str, float]:
    return {
        **image.classes.get(name, {}),
        **(image.shapes or {}).get(name, {}),
        **(image.objects or {}),
    }


def image_figures(scores: Scores, metric: str) -> dict[str, list[float]]:
    """A figure of every image: of its objects, or Dice per foreground class, nan where that is absent."""
    if metric != "dice":
        return {"objects": [(image.objects or {})[metric] for image in scores.images]}
    return {
        name: [image.classes.get(name, {}).get("dice", math.nan) for image in scores.images]
        for name in foreground(scores)
    }


def has_absent(scores: Scores) -> bool:
    """Whether a class was left out of a mean, absent from truth and prediction of some image."""
    return any(m["dice"].n_absent > 0 for m in scores.mean.values() if "dice" in m)


def foreground(scores: Scores) -> tuple[str, ...]:
    """The classes that were scored."""
    return tuple(name for name in scores.class_names if name in scores.pooled)


def interval_text(interval: Interval, digits: int = 3) -> str:
    """Both ends of an interval; empty where it has none."""
    if not (math.isfinite(interval.low) and math.isfinite(interval.high)):
        return ""
    return f"{show_number(interval.low, digits)} – {show_number(interval.high, digits)}"
