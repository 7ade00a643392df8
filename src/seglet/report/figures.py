"""Diagrams as inline SVG, and pictures as data URIs: everything a page can hold without a second file."""

import base64
import html
import io
import math
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import PIL.Image
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from seglet.metrics.calibration import Calibration
from seglet.metrics.curves import Curve
from seglet.report.overlays import Picture, shrink

# Stand-ins that the page replaces by its own colors, so that diagrams follow its light and dark scheme.
INK, MUTED, RULE, PAPER = "#1b2530", "#5d6b79", "#d8dfe6", "#fdfefe"
SERIES = ("#0a7d6e", "#b5448f", "#a07d00", "#2277b5", "#c8501e", "#6f5bd0", "#87683a")
_VARIABLES = {INK: "--ink", MUTED: "--muted", RULE: "--rule", PAPER: "--paper"} | {
    color: f"--series-{number}" for number, color in enumerate(SERIES, start=1)
}

FIGURE_SIZE = (4.4, 3.1)  # inches; two diagrams fill the page's width
SMALL_SIZE = (3.3, 2.4)  # inches; three do
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it takes the page's font and can be searched
    "font.size": 8.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.linewidth": 1.6,
    "text.color": INK,
    "text.parse_math": False,  # a dollar in a class name is a dollar
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}

Point = tuple[float, float]


def learning_curves(history: Sequence[Mapping[str, float | None]]) -> tuple[str, ...]:
    """Draw loss, validation Dice and learning rate over the run, one diagram each.

    Parameters
    ----------
    history : sequence of dict
        Rows as in `ReportContent.history`; a diagram without any value is left out.

    Returns
    -------
    tuple of str
        Inline SVG; the x axis counts minutes where every row has ``seconds``, else steps, else rows.
    """
    wanted = (
        ("Loss", (("train_loss", "training"), ("val_loss", "validation"))),
        ("Dice on the validation images", (("val_dice", "validation"),)),
        ("Learning rate", (("learning_rate", "learning rate"),)),
    )
    where, axis = _progress(history)
    diagrams = []
    for title, columns in wanted:
        lines = [(name, *_present(history, where, column)) for column, name in columns]
        lines = [line for line in lines if line[1]]
        if lines:
            diagrams.append(_line_diagram(title, axis, lines))
    return tuple(diagrams)


def roc_diagram(curves: Mapping[str, Curve], second: Mapping[str, Point]) -> str:
    """Draw receiver operating characteristics, with the corner that matters enlarged.

    Parameters
    ----------
    curves : dict of str to Curve
        One curve per foreground class; x is the false, y the true positive rate.
    second : dict of str to (float, float)
        Where a second observer stands, per class; classes may be missing.
    """
    with mpl.rc_context(_STYLE):
        figure, axes = _new_axes("ROC", "1 − specificity", "sensitivity")
        axes.plot([0, 1], [0, 1], color=RULE, linewidth=1, linestyle=(0, (4, 3)))
        _draw_curves(axes, curves, second)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        areas = [curve.area for curve in curves.values()]
        if len(areas) <= 2 and min(areas, default=0) > 0.9:
            corner = axes.inset_axes(
                (0.44, 0.3, 0.53, 0.5), xlim=(-0.004, 0.2), ylim=(0.6, 1.01), facecolor=PAPER
            )
            corner.tick_params(labelsize=6.5)
            _draw_curves(corner, curves, second, legend=False)
        axes.legend(loc="lower right", fontsize=8)
        return _svg(figure, "roc", f"ROC curves of {_listed(curves)}")


def precision_recall_diagram(curves: Mapping[str, Curve], second: Mapping[str, Point]) -> str:
    """Draw precision against recall, per foreground class; arguments as for `roc_diagram`."""
    with mpl.rc_context(_STYLE):
        figure, axes = _new_axes("Precision and recall", "recall (sensitivity)", "precision")
        _draw_curves(axes, curves, second)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
        axes.legend(loc="lower left", fontsize=8)
        return _svg(figure, "pr", f"Precision-recall curves of {_listed(curves)}")


def reliability_diagram(calibration: Calibration) -> str:
    """Draw the share of true foreground against the probability said; larger dots hold more pixels."""
    bins = [one for one in calibration.bins if one.count]
    counts = np.array([one.count for one in bins], float)
    said, true = [one.probability for one in bins], [one.share for one in bins]
    with mpl.rc_context(_STYLE):
        figure, axes = _new_axes("Reliability", "foreground probability", "share that is foreground")
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)), label="as it should be")
        axes.plot(said, true, color=SERIES[0], label=f"calibration error {calibration.ece:.3f}")
        sizes = 8 + 80 * np.sqrt(counts / counts.max(initial=1))  # a bin of few pixels should still be seen
        axes.scatter(said, true, s=sizes, color=SERIES[0], linewidths=0)
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
        axes.legend(loc="upper left", fontsize=8)
        return _svg(figure, "reliability", "Share of true foreground by predicted probability")


def iou_diagram(thresholds: Sequence[float], precision: Sequence[float]) -> str:
    """Draw the average precision of objects against the IoU that a match needs."""
    with mpl.rc_context(_STYLE):
        figure, axes = _new_axes("Objects found", "IoU that a match needs", "TP / (TP + FP + FN)")
        axes.plot(thresholds, precision, color=SERIES[0], marker="o", markersize=4)
        axes.set(ylim=(-0.02, 1.02))
        return _svg(figure, "iou", "Average precision of objects by IoU threshold")


def score_strip(values: Mapping[str, Sequence[float]], metric: str, rows_in: float = 0.42) -> str:
    """Draw one dot per image and class, so that outliers are seen; nan is left out.

    Parameters
    ----------
    values : dict of str to sequence of float
        Scores of the images, per class.
    metric : str
        What the scores are, for the axis.
    rows_in : float
        Height of a class's row, inches.
    """
    with mpl.rc_context(_STYLE):
        figure, axes = _new_axes("", f"{metric} per image", "", size=(9.0, 0.75 + rows_in * len(values)))
        for row, scores in enumerate(values.values()):
            found = np.array([v for v in scores if math.isfinite(v)])
            color = SERIES[row % len(SERIES)]
            axes.scatter(found, row + _beeswarm(found), s=26, color=color, alpha=0.75, linewidths=0)
            if len(found):
                axes.plot([np.median(found)] * 2, [row - 0.38, row + 0.38], color=INK, linewidth=1.4)
        axes.set_yticks(range(len(values)), [_plain(name) for name in values], color=INK)
        axes.set_ylim(len(values) - 0.45, -0.55)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        return _svg(figure, "strip", f"{metric} of each image, for {_listed(values)}; bars are medians")


def heat_picture(values: NDArray[np.floating]) -> Picture:
    """Color a map from its smallest value (black) to its largest (pale yellow)."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    scaled = (np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) / max(high - low, 1e-12)
    colored: Picture = mpl.colormaps["inferno"](scaled, bytes=True)[..., :3]
    return colored


def picture_uri(picture: Picture, side: int = 800) -> str:
    """Encode a picture as a JPEG data URI, at most `side` pixels long on either side."""
    buffer = io.BytesIO()
    # 4:4:4, since halved color resolution would smear contours that are one pixel wide
    PIL.Image.fromarray(shrink(picture, side)).save(buffer, "JPEG", quality=85, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _progress(history: Sequence[Mapping[str, float | None]]) -> tuple[list[float], str]:
    seconds = [row.get("seconds") for row in history]
    steps = [row.get("step") for row in history]
    if all(s is not None for s in seconds) and max((s or 0 for s in seconds), default=0) > 0:
        return [(s or 0) / 60 for s in seconds], "minutes"
    if all(s is not None for s in steps):
        return [s or 0 for s in steps], "steps"
    return [float(n) for n in range(1, len(history) + 1)], "rows of the log"


def _present(
    history: Sequence[Mapping[str, float | None]], where: Sequence[float], column: str
) -> tuple[list[float], list[float]]:
    found = [(x, row.get(column)) for x, row in zip(where, history, strict=True)]
    kept = [(x, y) for x, y in found if y is not None and math.isfinite(y)]
    return [x for x, _ in kept], [y for _, y in kept]


def _line_diagram(title: str, axis: str, lines: Iterable[tuple[str, list[float], list[float]]]) -> str:
    drawn = list(lines)
    with mpl.rc_context(_STYLE):
        figure, axes = _new_axes(title, axis, "", size=SMALL_SIZE)
        for (name, x, y), color in zip(drawn, (SERIES[0], SERIES[1]), strict=False):
            axes.plot(x, y, color=color, label=name, marker="o" if len(x) < 3 else "", markersize=4)
        axes.locator_params(nbins=5)
        if len(drawn) > 1:
            axes.legend(loc="upper right", fontsize=8)
        if title == "Learning rate":
            axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=False)
        return _svg(figure, re.sub(r"\W", "", title), f"{title} over {axis}")


def _draw_curves(
    axes: Axes, curves: Mapping[str, Curve], second: Mapping[str, Point], *, legend: bool = True
) -> None:
    for place, (name, curve) in enumerate(curves.items()):
        color = SERIES[place % len(SERIES)]
        label = f"{_plain(name)}, area {curve.area:.3f}" if legend else None
        axes.plot(curve.x, curve.y, color=color, label=label)
        if name in second and all(math.isfinite(v) for v in second[name]):
            label = "second observer" if legend and place == 0 else None
            axes.plot(
                *second[name], "D", color=PAPER, markeredgecolor=color, markeredgewidth=1.5, label=label, ms=6
            )


def _beeswarm(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Offsets that keep equal values apart: the n-th dot in one bin goes n steps up or down in turn."""
    offsets = np.zeros(len(values))
    taken: dict[int, int] = {}
    span = float(np.ptp(values)) if len(values) else 0.0
    for place, value in enumerate(values):
        column = int((value - values.min()) / (span / 70)) if span > 0 else 0
        n = taken.get(column, 0)
        taken[column] = n + 1
        offsets[place] = np.clip((n + 1) // 2 * 0.12 * (-1) ** n, -0.42, 0.42)
    return offsets


def _new_axes(
    title: str, x_label: str, y_label: str, size: tuple[float, float] = FIGURE_SIZE
) -> tuple[Figure, Axes]:
    figure = Figure(figsize=size, layout="constrained", facecolor="none")
    axes = figure.add_subplot(facecolor="none", title=title, xlabel=x_label, ylabel=y_label)
    return figure, axes


def _svg(figure: Figure, name: str, description: str) -> str:
    """Turn a figure into an SVG element that can stand inside a page."""
    buffer = io.StringIO()
    blank = {"Date": None, "Creator": None, "Format": None, "Type": None}
    # the salt keeps the ids of two diagrams apart: a clip path of a folded diagram would not clip
    with mpl.rc_context({"svg.hashsalt": name}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")  # the reader's browser has the glyph
        figure.savefig(buffer, format="svg", metadata=blank)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<style[^>]*>.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r'\sid="[A-Za-z][\w.]*_\d+"', "", text)
    text = text.replace("xlink:href", "href")
    for color, variable in _VARIABLES.items():
        text = text.replace(color, f"var({variable})")
    box = re.search(r'viewBox="[^"]*"', text)
    opening = (
        f'<svg class="diagram" role="img" aria-label="{html.escape(description)}" {box[0] if box else ""}>'
    )
    return re.sub(r"^<svg[^>]*>", lambda _: opening, text)


def _plain(name: str, longest: int = 28) -> str:
    """A name that fits a legend, and that matplotlib does not leave out of it for its underscore."""
    short = name if len(name) <= longest else name[: longest - 1] + "…"
    return (" " if short.startswith("_") else "") + short


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
