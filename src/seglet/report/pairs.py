"""A page on two runs: each image's figure in both, and how far they are apart."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from markupsafe import Markup
from matplotlib.ticker import MaxNLocator

from seglet.core.storage import write_text
from seglet.metrics.pairing import Paired
from seglet.report.templates import fill_template

WIDTH, HEIGHT = 560, 340  # of a diagram
TOP, BOTTOM, LEFT, RIGHT = 34, 40, 62, 14  # px around what is drawn
TIED = 1e-12
CHANCE = 0.05  # below which a difference is believed
FEWEST = 6  # images: with fewer, even a difference of one sign on all of them is chance in over 5 % of cases

Row = tuple[str, float, float]
"""Name of an image, its figure in A and in B."""


@dataclass(frozen=True)
class PairsContent:
    """Everything on the page.

    Attributes
    ----------
    title : str
        Heading.
    a, b : str
        What the two are called.
    metric : str
        What their figures are, for the axes.
    lower_is_better : bool
        Whether the smaller figure wins.
    verdict : str
        The answer, in a sentence or two.
    facts : tuple of (str, str)
        Figures in order.
    notes : tuple of str
        What to mind.
    rows : tuple of (str, float, float)
        Name of each image, its figure in A and in B; nan where it has none.
    difference : (float, float, float)
        Mean of A minus B, and both ends of its interval; nan where there is none.
    """

    title: str
    a: str
    b: str
    metric: str
    lower_is_better: bool
    verdict: str
    facts: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    rows: tuple[Row, ...]
    difference: tuple[float, float, float]


def verdict(paired: Paired, a: str, b: str, *, lower_is_better: bool) -> str:
    """Say in plain words what differences say; positive where A's figure is larger."""
    n, difference = paired.n_images, paired.difference
    if not n:
        return "No image has this figure in both: nothing can be said."
    if paired.equal == n:
        return f"{a} and {b} are equal on {_images(n)}."
    a_ahead = (difference.mean > 0) != lower_is_better
    ahead, wins = a if a_ahead else b, paired.larger if difference.mean > 0 else paired.smaller
    by = f"by {abs(difference.mean):.4f}{_interval(paired)} on average, and on {wins} of {_images(n)}"
    if n < FEWEST:
        least = f"being ahead on all of them would be chance in {_percent(2 / 2**n)} of cases"
        return f"Nothing can be concluded from {_images(n)}: even {least}. Here {ahead} is ahead {by}."
    chance = f"if both were equally good, {_percent(paired.permutation_p)} of cases would differ as much"
    if paired.permutation_p < CHANCE:
        return f"{ahead} is better {by}; {chance}."
    return f"No difference can be told: {ahead} is ahead {by}, but {chance}."


def write_pairs(content: PairsContent, path: Path) -> Path:
    """Write the page as one HTML file that loads nothing from anywhere.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    shown = sorted(_present(content.rows), key=lambda row: row[2] - row[1])
    values = {
        "content": content,
        "diagrams": [Markup(slope_diagram(content)), Markup(difference_diagram(content))] if shown else [],
        "rows": [(name, f"{a:.4f}", f"{b:.4f}", f"{a - b:+.4f}".replace("-", "−")) for name, a, b in shown],
    }
    write_text(path, fill_template("pairs.html.j2", content.title, values))
    return path


def slope_diagram(content: PairsContent) -> str:
    """Draw a line for each image, from its figure in A to that in B, in the color of the better one.

    Returns
    -------
    str
        An SVG element that takes its colors from the page; the name of an image is told on its line.
    """
    rows = _present(content.rows)
    scale = _Scale([figure for _, a, b in rows for figure in (a, b)])
    left, right = LEFT + 90, WIDTH - RIGHT - 90
    parts = [scale.grid()]
    for (name, a, b), kind in zip(rows, _winners(rows, lower_is_better=content.lower_is_better), strict=True):
        ends = (f"{left},{scale.y(a):.1f}", f"{right},{scale.y(b):.1f}")
        dots = "".join(f'<circle cx="{x}" cy="{y}" r="3.2"/>' for x, y in (end.split(",") for end in ends))
        line = f'<line x1="{left}" y1="{scale.y(a):.1f}" x2="{right}" y2="{scale.y(b):.1f}"/>'
        parts.append(f'<g class="{kind}">{_told(name, a, b)}{line}{dots}</g>')
    means = [sum(figures) / len(rows) for figures in ([a for _, a, _ in rows], [b for _, _, b in rows])]
    line = f'x1="{left}" y1="{scale.y(means[0]):.1f}" x2="{right}" y2="{scale.y(means[1]):.1f}"'
    parts.append(f'<line class="mean" {line}><title>means {means[0]:.4f}, {means[1]:.4f}</title></line>')
    for x, name in ((left, content.a), (right, content.b)):
        parts.append(
            f'<text class="name" x="{x}" y="{HEIGHT - 14}" text-anchor="middle">{_short(name)}</text>'
        )
    return _svg(f"{content.metric} of each image", parts)


def difference_diagram(content: PairsContent) -> str:
    """Draw the difference of each image as a bar, smallest first, over the mean and its interval."""
    rows = sorted(_present(content.rows), key=lambda row: row[1] - row[2])
    mean, low, high = content.difference
    ends = [end for end in (mean, low, high) if math.isfinite(end)]
    scale = _Scale([0.0, *ends, *(a - b for _, a, b in rows)])
    parts, step = [], (WIDTH - LEFT - RIGHT) / len(rows)
    if math.isfinite(low):
        y, height = scale.y(high), max(scale.y(low) - scale.y(high), 1)
        told = f"<title>95 % interval of the mean: {low:+.4f} to {high:+.4f}</title>"
        box = f'x="{LEFT}" y="{y:.1f}" width="{WIDTH - LEFT - RIGHT}" height="{height:.1f}"'
        parts.append(f'<rect class="interval" {box}>{told}</rect>')
    parts.append(scale.grid())
    for number, ((name, a, b), kind) in enumerate(
        zip(rows, _winners(rows, lower_is_better=content.lower_is_better), strict=True)
    ):
        y, end = sorted((scale.y(0), scale.y(a - b)))
        width = max(min(0.72 * step, 26), 0.5)
        x = LEFT + (number + 0.5) * step - width / 2
        box = f'x="{x:.2f}" y="{y:.1f}" width="{width:.2f}" height="{max(end - y, 1):.1f}"'
        parts.append(f'<g class="{kind}">{_told(name, a, b)}<rect {box}/></g>')
    parts.append(_across("zero", scale.y(0)) + _across("mean", scale.y(mean)))
    caption = f'x="{LEFT}" y="{HEIGHT - 14}"'
    parts.append(f"<text {caption}>each bar one image; line and band: mean with its 95 % interval</text>")
    return _svg(f"{content.metric}: {_short(content.a)} minus {_short(content.b)}", parts)


class _Scale:
    """Figures to heights, with the round numbers between them."""

    def __init__(self, figures: Sequence[float]) -> None:
        low, high = min(figures), max(figures)
        margin = 0.04 * (high - low) or 0.01
        self._low, self._high = low - margin, high + margin
        ticks = MaxNLocator(nbins=6, steps=[1, 2, 5, 10]).tick_values(self._low, self._high)
        self.ticks = [float(tick) for tick in ticks if self._low <= tick <= self._high]

    def y(self, figure: float) -> float:
        share = (figure - self._low) / (self._high - self._low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def grid(self) -> str:
        step = self.ticks[1] - self.ticks[0] if len(self.ticks) > 1 else 0.01
        digits = max(0, -math.floor(math.log10(step) + 1e-9))
        labels = (
            f'<text x="{LEFT - 8}" y="{self.y(tick) + 4:.1f}" text-anchor="end">'
            f"{tick + 0.0:.{digits}f}</text>{_across('rule', self.y(tick))}"
            for tick in self.ticks
        )
        return "".join(labels).replace(">-", ">−")


def _interval(paired: Paired) -> str:
    """As large as the difference that is told, which is never negative."""
    found = paired.difference
    low, high = (found.low, found.high) if found.mean > 0 else (-found.high, -found.low)
    return "" if math.isnan(low) else f" [{low:.4f}, {high:.4f}]"


def _percent(share: float) -> str:
    return "less than 0.1 %" if share < 0.001 else f"{100 * share:.2g} %" if share < 0.995 else "100 %"


def _images(n: int) -> str:
    return f"{n} image{'' if n == 1 else 's'}"


def _present(rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if math.isfinite(row[1]) and math.isfinite(row[2])]


def _winners(rows: Sequence[Row], *, lower_is_better: bool) -> list[str]:
    ahead = [(b - a if lower_is_better else a - b) for _, a, b in rows]
    return ["tie" if abs(by) <= TIED else "a" if by > 0 else "b" for by in ahead]


def _told(name: str, a: float, b: float) -> str:
    return f"<title>{escape(name)}: {a:.4f}, {b:.4f}</title>"


def _across(kind: str, y: float) -> str:
    return f'<line class="{kind}" x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}"/>'


def _short(name: str, longest: int = 26) -> str:
    return escape(name if len(name) <= longest else "…" + name[1 - longest :])


def _svg(title: str, parts: Sequence[str]) -> str:
    heading = f'<text class="heading" x="{LEFT}" y="18">{title}</text>'
    opening = f'<svg class="diagram" role="img" aria-label="{title}" viewBox="0 0 {WIDTH} {HEIGHT}">'
    return f"{opening}{heading}{''.join(parts)}</svg>"
