"""The page itself: everything in one HTML file that opens anywhere, without a network."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from markupsafe import Markup

from seglet.core.storage import write_text
from seglet.metrics.scores import Scores, rating_figure
from seglet.report import comparison, figures, overlays, tables
from seglet.report.content import AugmentationPreview, Example, ReportContent, WeightPreview
from seglet.report.overlays import Picture, css_color
from seglet.report.templates import fill_template

SMALL = 384  # px; a picture below this is enlarged without smoothing, pixel by pixel
PREVIEW_SIDE = 512  # px
NOTES = ("worst", "median", "best")
SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class Embedded:
    """A picture inside the page."""

    uri: str
    width: int
    height: int
    is_small: bool


@dataclass(frozen=True)
class View:
    """A picture with what is said about it."""

    picture: Embedded
    alt: str
    caption: str


@dataclass(frozen=True)
class Key:
    """One color of a legend."""

    name: str
    color: str


def write_report(content: ReportContent, path: Path) -> Path:
    """Write the report as one HTML file that loads nothing from anywhere.

    Parameters
    ----------
    content : ReportContent
        What to say; sections without content are left out.
    path : Path
        The file, usually ``report.html``.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    GeometryError
        If labels of an example are not on its image's grid.
    StorageError
        If the disk is full or the folder cannot be written.
    """
    write_text(path, render(content))
    return path


def render(content: ReportContent) -> str:
    """Make the page's HTML; every text in `content` is escaped."""
    values: dict[str, object] = {
        "content": content,
        "legend": _class_keys(content.class_names),
        "error_legend": _error_keys(content),
        "examples": [_example(e) for e in sorted(content.examples, key=lambda e: NOTES.index(e.note))],
        "shows_classes": any(e.objects is None or e.surfaces for e in content.examples),
        "shows_objects": any(e.objects is not None for e in content.examples),
        "learning": [Markup(d) for d in figures.learning_curves(content.history)],
        "findings": sorted(content.findings, key=lambda f: SEVERITIES.index(f.severity)),
        "parts": [{"name": name, "ids": ids} for name, ids in (content.split or {}).items() if ids],
        "augmentation": _augmentation(content.augmentation) if content.augmentation else [],
        "weights": _weights(content.weights) if content.weights else [],
    }
    values |= _about_scores(content.scores)
    values["contents"] = _contents(values, content)
    return fill_template("page.html.j2", content.title, values)


def _about_scores(scores: Scores | None) -> dict[str, object]:
    front = comparison.headline(scores) if scores is not None else None
    if scores is None or front is None:
        return {"headline": None, "tables": [], "curves": []}
    rows = comparison.rivals(scores)
    # of several classes the headline is their mean, which others have no figure of
    steps, ends = comparison.ladder(front, rows if len(tables.foreground(scores)) == 1 else ())
    metrics = comparison.compared_metrics(rows)
    columns, image_rows = tables.image_rows(scores)
    rated_by = rating_figure(scores)
    rating = comparison.TITLES[rated_by]
    return {
        "headline": front,
        "ladder": steps,
        "ladder_ends": ends,
        "ladder_name": comparison.TITLES[front.metric],
        "comparison": {
            "subject": comparison.subject(scores),
            "columns": [comparison.TITLES[m] for m in metrics],
            "rows": [
                {"rival": row, "numbers": [tables.show_metric(m, row.figures.get(m)) for m in metrics]}
                for row in rows
            ],
            "note": comparison.comparison_note(scores),
            "absence": comparison.absence_note(scores),
        },
        "tables": tables.score_tables(scores),
        "overview": tables.class_overview(scores),
        "more_tables": tables.further_tables(scores),
        "calibration": tables.calibration_text(scores),
        "has_absent": tables.has_absent(scores),
        "strip": Markup(figures.score_strip(tables.image_figures(scores, rated_by), rating)),
        "strip_of": rating,
        "per_image": {"columns": columns, "rows": image_rows},
        "curves": _curves(scores),
    }


def _curves(scores: Scores) -> list[Markup]:
    roc, precision_recall = (
        {name: pair[kind] for name, pair in scores.curves.items() if kind in pair} for kind in ("roc", "pr")
    )
    second = scores.second_observer.pooled if scores.second_observer is not None else {}
    roc_points = {
        name: (1 - found["specificity"], found["sensitivity"])
        for name, found in second.items()
        if "specificity" in found and "sensitivity" in found
    }
    pr_points = {
        name: (found["sensitivity"], found["precision"])
        for name, found in second.items()
        if "sensitivity" in found and "precision" in found
    }
    diagrams = [figures.roc_diagram(roc, roc_points)] if roc else []
    diagrams += [figures.precision_recall_diagram(precision_recall, pr_points)] if precision_recall else []
    if scores.calibration is not None and math.isfinite(scores.calibration.ece):
        diagrams.append(figures.reliability_diagram(scores.calibration))
    thresholds, precision = tables.precision_by_iou(scores)
    if len(thresholds) > 1 and all(map(math.isfinite, precision)):
        diagrams.append(figures.iou_diagram(thresholds, precision))
    return [Markup(diagram) for diagram in diagrams]


def _example(example: Example) -> dict[str, object]:
    pictures = overlays.four_views(example.image, example.truth, example.predicted, example.fov)
    captions = ("Image", "Truth", "Prediction", "Errors")
    if example.objects is not None:
        true, predicted = (overlays.draw_objects(example.image, objects) for objects in example.objects)
        pictures = pictures[0], true, predicted, pictures[3]
        captions = ("Image", "True objects", "Predicted objects", "Errors")
    views = [
        View(_embed(picture), f"{caption} of {example.id}", caption)
        for picture, caption in zip(pictures, captions, strict=True)
    ]
    surfaces = [View(_embed(picture), f"{told} of {example.id}", told) for told, picture in example.surfaces]
    note = example.note.capitalize()
    return {
        "id": example.id,
        "note": note,
        "figure": comparison.TITLES[example.metric],
        "score": example.score,
        "views": views,
        "surfaces": surfaces,
    }


def _augmentation(preview: AugmentationPreview) -> list[View]:
    original = overlays.draw_labels(preview.original, preview.original_labels)
    views = [View(_embed(original, PREVIEW_SIDE), "Training image with its labels", "Training image")]
    for number, (image, labels) in enumerate(preview.patches, start=1):
        picture = _embed(overlays.draw_labels(image, labels), PREVIEW_SIDE)
        views.append(View(picture, f"Augmented patch {number} with its labels", f"Patch {number}"))
    return views


def _weights(preview: WeightPreview) -> list[View]:
    finite = preview.weights[np.isfinite(preview.weights)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    heat = _embed(figures.heat_picture(preview.weights), PREVIEW_SIDE)
    caption = f"Weight: black {low:.2g}, pale yellow {high:.2g}"
    learned = _embed(overlays.draw_labels(preview.image, preview.labels), PREVIEW_SIDE)
    views = [
        View(_embed(preview.image, PREVIEW_SIDE), "Image of the weight map", "Image"),
        View(learned, "Labels of the image as they are learned", "Labels as learned"),
        View(heat, "Weight of each pixel", caption),
    ]
    if preview.distances is not None:
        inside = _embed(figures.heat_picture(preview.distances), PREVIEW_SIDE)
        views.append(View(inside, "Distance to the object's border", "Distance to the border: black 0"))
    return views


def _embed(picture: Picture, side: int = 800) -> Embedded:
    shown = overlays.shrink(picture, side)
    height, width = shown.shape[:2]
    return Embedded(figures.picture_uri(shown), width, height, max(width, height) < SMALL)


def _class_keys(class_names: tuple[str, ...]) -> list[Key]:
    return [Key(name, css_color(overlays.class_color(i))) for i, name in enumerate(class_names) if i > 0]


def _error_keys(content: ReportContent) -> list[Key]:
    keys = [
        Key("found", css_color(overlays.RIGHT)),
        Key("missed (false negative)", css_color(overlays.MISSED)),
        Key("not in the truth (false positive)", css_color(overlays.EXTRA)),
    ]
    if len(content.class_names) > 2:
        keys.append(Key("wrong class", css_color(overlays.CONFUSED)))
    return keys


def _contents(values: Mapping[str, object], content: ReportContent) -> list[tuple[str, str]]:
    """Anchors of the sections that the page has, in its order."""
    sections = (
        ("score", "Score", values["headline"]),
        ("examples", "Examples", values["examples"]),
        ("scores", "All scores", values["tables"]),
        ("curves", "Curves", values["curves"]),
        ("training", "Training", values["learning"]),
        ("data", "Data", content.data or content.findings),
        ("split", "Split", values["parts"]),
        ("network-input", "Network input", values["augmentation"] or values["weights"]),
        ("recipe", "Recipe", content.recipe_text),
        ("environment", "Environment", content.environment),
    )
    return [(anchor, name) for anchor, name, present in sections if present]
