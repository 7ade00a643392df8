"""The headline of a page, and what stands beside it: a second observer, published figures."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from seglet.metrics.protocols import PROTOCOLS, Published
from seglet.metrics.scores import Scores, count_images, leading_figure, plain_figure
from seglet.metrics.statistics import Interval
from seglet.report.tables import METRICS, OBJECTS, PARTITION, foreground, interval_text, show_number

TITLES: Mapping[str, str] = {
    name: title for name, (title, _) in {**METRICS, **OBJECTS, **PARTITION, "dice": ("Dice", "")}.items()
}
COMPARED = (
    *("dice", "roc_auc", "pr_auc", "accuracy", "sensitivity", "specificity"),
    *("dsb", "seg", "rand_error", "pixel_error", "v_rand", "v_info", "splits_mergers"),
)

THIS_MODEL = "This model"

Kind = Literal["model", "second", "published"]


@dataclass(frozen=True)
class Headline:
    """The main score: its name and value, how it was averaged, the other average, and its interval.

    `metric` is its name in the code, as published figures have it.
    """

    metric: str
    name: str
    value: float
    basis: str
    aside: str
    interval: str
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Rival:
    """One row of the comparison: what was scored, the second observer, or a published result."""

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


def headline(scores: Scores) -> Headline | None:
    """Choose the figure that stands in front: pooled or the mean over images, as the protocol says.

    Returns
    -------
    Headline or None
        Where it is Dice, of several foreground classes their mean. None where there is no foreground class.
    """
    names, metric = foreground(scores), leading_figure(scores)
    if not names:
        return None
    if metric != "dice":
        return _of_objects(scores, metric) if metric in OBJECTS else _of_partition(scores, metric)
    name = f"Dice of {names[0]}" if len(names) == 1 else f"Mean Dice of {len(names)} classes"
    mean = scores.mean_dice
    if not scores.pooled_first:
        return _around(metric, name, mean, f"Mean over {count_images(mean.n, scores.windows_of)}")
    basis = f"Pixels of {count_images(scores.n_images, scores.windows_of)} pooled"
    if scores.pooled_mean_dice_interval is not None:
        return _around(metric, name, scores.pooled_mean_dice_interval, basis)
    # scored before pooled figures had an interval: that of the mean must not be drawn around them
    aside, span = f"Mean over images {show_number(mean.mean, 3)}", interval_text(mean)
    interval = f"95 % interval {span}" if span else ""
    return Headline(metric, name, scores.pooled_mean_dice, basis, aside, interval, None, None)


def rivals(scores: Scores, own: str = THIS_MODEL) -> tuple[Rival, ...]:
    """Gather what may be compared: what was scored first, then the second observer and published figures.

    Like the headline, the figures are pooled or means over images. Of several foreground classes, each that
    others have published figures of is compared by itself; there is none where nobody has.

    Parameters
    ----------
    scores : Scores
        Of this model, or of masks of another tool.
    own : str
        What these are called.
    """
    names, published = foreground(scores), _published(scores)
    if len(names) == 1:
        return _beside(scores, own, names[0], _of_class(published, names[0]))
    rows: list[Rival] = []
    for name in names:
        if known := [row for row in _of_class(published, name) if row.of_class]:
            first, *others = _beside(scores, own, name, known)
            rows += [replace(first, label=f"{first.label}, {name}"), *others]
    return tuple(rows)


def _of_class(published: Sequence[Published], name: str) -> list[Published]:
    return [row for row in published if row.of_class.lower() in ("", name.lower())]


def _beside(scores: Scores, own: str, name: str, published: Sequence[Published]) -> tuple[Rival, ...]:
    """What one class may be compared with, what was scored first."""
    rows = [Rival(own, "model", _own_figures(scores, name), f"this page, {subject(scores).lower()}")]
    if scores.second_observer is not None and leading_figure(scores) == "dice":
        second = scores.second_observer
        seen = second.n_images
        whose = "the same images" if seen == scores.n_images else f"{seen} of {scores.n_images} images"
        figures = second.pooled[name] if scores.pooled_first else _plain(second.mean[name])
        rows.append(Rival("Second observer", "second", figures, f"a person, {whose} by the same rule"))
    for row in published:
        figures = {"dice" if key == "f1" else key: value for key, value in row.figures.items()}
        rows.append(Rival(row.label, "published", figures, row.source))
    return tuple(rows)


def ladder(front: Headline, rows: Sequence[Rival]) -> tuple[tuple[Step, ...], tuple[str, str]]:
    """Place the headline and its rivals on one line.

    Returns
    -------
    steps : tuple of Step
        Rows without the headline's figure are left out; this model shows the headline's value.
    ends : (str, str)
        The figure at both ends of the line.
    """
    shown = [(r, front.value if r.kind == "model" else r.figures.get(front.metric, math.nan)) for r in rows]
    if not shown:
        shown = [(Rival(THIS_MODEL, "model", {}, ""), front.value)]
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
    """Metrics that at least two have, of this model and those beside it."""

    def n_known(metric: str) -> int:
        known = [row.kind for row in rows if math.isfinite(row.figures.get(metric, math.nan))]
        return len(known) - max(known.count("model") - 1, 0)  # its classes are one model

    return tuple(metric for metric in COMPARED if n_known(metric) > 1)


def sources(rows: Sequence[Rival]) -> tuple[str, ...]:
    """Where published figures stand: each source once, after the names of all rows it has."""
    labels: dict[str, list[str]] = {}
    for row in rows:
        if row.kind == "published":
            labels.setdefault(row.source, []).append(row.label)
    return tuple(f"{'; '.join(names)}: {source}" for source, names in labels.items())


def subject(scores: Scores) -> str:
    """What the compared figures are: as the headline is."""
    if leading_figure(scores) in PARTITION:
        return "Slices pooled"
    if leading_figure(scores) == "seg":
        return "Mean over objects"
    return "Pooled" if scores.pooled_first else "Mean over images"


def comparison_note(scores: Scores) -> str:
    """Say what to mind when comparing with published figures; empty where there are none."""
    is_compared = any(row.kind == "published" for row in rivals(scores))
    return PROTOCOLS[scores.protocol].comparability if is_compared else ""


def absence_note(scores: Scores) -> str:
    """Say which of the protocol's figures are not there, and why; empty where all are."""
    notes = []
    if scores.headline != leading_figure(scores):
        need = "two classes, and a truth that tells objects apart: a number or a file for each"
        if scores.headline in PARTITION:
            need = "two classes: cells and what parts them"
        notes.append(f"No {TITLES[scores.headline]}: it needs {need}. Dice stands in front instead.")
    volumes = [of_class["truth_volume"] for of_class in (scores.shapes or {}).values() if "voe" in of_class]
    if volumes and not any(volume.n for volume in volumes):
        notes.append("No distances nor volumes: the files do not say the spacing of their pixels in mm.")
    return " ".join(notes)


def _published(scores: Scores) -> tuple[Published, ...]:
    """Rows of the protocol; none where the data do not allow its figure, and Dice stands in front instead."""
    protocol = PROTOCOLS.get(scores.protocol)
    return protocol.published if protocol and protocol.headline == leading_figure(scores) else ()


def _of_objects(scores: Scores, metric: str) -> Headline:
    found = (scores.objects or {})[metric]
    images = count_images(scores.n_images, scores.windows_of)
    if not isinstance(found, Interval):
        return Headline(metric, TITLES[metric], found, f"Objects of {images} pooled", "", "", None, None)
    basis = f"Mean over {images}" if metric != "seg" else f"Mean over {found.n} true objects of {images}"
    return _around(metric, TITLES[metric], found, basis)


def _around(metric: str, name: str, found: Interval, basis: str) -> Headline:
    """A figure with its own interval, where it has one."""
    span = interval_text(found)
    low, high = (found.low, found.high) if span else (None, None)
    interval = f"95 % interval {span}" if span else ""
    return Headline(metric, name, found.mean, basis, "", interval, low, high)


def _of_partition(scores: Scores, metric: str) -> Headline:
    found = scores.partition or {}
    images = count_images(scores.n_images, scores.windows_of)
    basis = f"Slices of {images} pooled; 0 is best"
    pixel_error = f"Pixel error {show_number(found['pixel_error'], 3)}"
    return Headline(metric, TITLES[metric], found[metric], basis, pixel_error, "", None, None)


def _own_figures(scores: Scores, name: str) -> dict[str, float]:
    """Of pixels, or of what the headline is about."""
    metric = leading_figure(scores)
    if metric in OBJECTS:
        return _plain(scores.objects or {})
    if metric in PARTITION:
        return dict(scores.partition or {})
    return scores.pooled.get(name, {}) if scores.pooled_first else _plain(scores.mean.get(name, {}))


def _plain(figures: Mapping[str, Interval | float]) -> dict[str, float]:
    return {name: plain_figure(figure) for name, figure in figures.items()}
