"""Two runs on the same images: which is better, by how much, and could it be chance."""

import math
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from seglet.core.config import Config
from seglet.core.errors import ConfigError, DatasetError
from seglet.core.storage import write_text
from seglet.metrics.pairing import Paired, compare_pairs
from seglet.metrics.scores import ImageScores, Scores, leading_figure, read_scores
from seglet.metrics.statistics import Number
from seglet.report.pairs import PairsContent, verdict, write_pairs
from seglet.seeds import SEEDS, read_seeds

LOWER_IS_BETTER = frozenset(("missed", "merges", "splits", "voe", "assd", "rmsd", "max_distance", "hd95"))
NO_QUALITY = frozenset(("n_truth", "n_predicted", "n_matched", "rvd", "truth_volume", "predicted_volume"))


class Pair(Config):
    """One image, or a window of it, as both see it.

    Attributes
    ----------
    id, image : str
        What was scored, and the image that it is of.
    a, b : float
        The figure; nan where it does not exist.
    """

    id: str
    image: str
    a: Number
    b: Number


class Compared(Config):
    """How two runs compare.

    Attributes
    ----------
    a, b : str
        What they are called.
    metric : str
        Name of the figure; ``tumor.dice`` of one class of several.
    lower_is_better : bool
        Whether it is best where it is small.
    pairs : tuple of Pair
        What both scored, in the order of A.
    only_a, only_b : tuple of str
        What only one of them scored, and was left out.
    paired : Paired
        A minus B.
    notes : tuple of str
        What to mind.
    verdict : str
        The answer in one or two plain sentences.
    """

    a: str
    b: str
    metric: str
    lower_is_better: bool
    pairs: tuple[Pair, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    paired: Paired
    notes: tuple[str, ...]
    verdict: str


def compare_runs(a: Path, b: Path, metric: str | None = None) -> Compared:
    """Compare what two runs, or two evaluations, found on the images that both scored.

    Parameters
    ----------
    a, b : Path
        A run folder, a scores.json, or a folder of runs that differ by their seed, whose figures are averaged
        image by image.
    metric : str or None
        A figure that images have: ``dice``, ``iou``, ``roc_auc``, of objects ``dsb``, ``seg``, ``merges``, …
        Of several classes it is their mean; ``tumor.dice`` is of one. None: the figure in front of A's scores
        where images have it, else ``dice``.

    Raises
    ------
    FormatError
        If either has no scores.
    ConfigError
        If an image lacks the metric, or it does not say what is better.
    DatasetError
        If they have no image in common, other classes, or images of one name are not the same.
    """
    runs_a, runs_b = _read_runs(a), _read_runs(b)
    first, other = runs_a[0], runs_b[0]
    _require_same_classes(a, b, first, other)
    chosen = metric or _leading(first)
    figures_a, figures_b = _figures(runs_a, chosen, a), _figures(runs_b, chosen, b)
    common = [name for name in figures_a if name in figures_b]
    _require_same_images(a, b, first, other, common)
    pairs = tuple(
        Pair(id=name, image=_image_of(name, first), a=figures_a[name], b=figures_b[name]) for name in common
    )
    images = [pair.image for pair in pairs] if first.windows_of is not None else ()
    paired = compare_pairs([pair.a for pair in pairs], [pair.b for pair in pairs], images)
    name_a, name_b = _names(a, b)
    lower_is_better = chosen.rpartition(".")[2] in LOWER_IS_BETTER
    return Compared(
        a=name_a,
        b=name_b,
        metric=chosen,
        lower_is_better=lower_is_better,
        pairs=pairs,
        only_a=tuple(name for name in figures_a if name not in figures_b),
        only_b=tuple(name for name in figures_b if name not in figures_a),
        paired=paired,
        notes=_notes(first, other, len(runs_a), len(runs_b)),
        verdict=verdict(paired, name_a, name_b, lower_is_better=lower_is_better),
    )


def write_comparison(compared: Compared, out: Path) -> Path:
    """Write compare.json and the page compare.html into a folder; give the page.

    Raises
    ------
    StorageError
        If the folder cannot be written.
    """
    write_text(out / "compare.json", compared.model_dump_json(indent=1) + "\n")
    return write_pairs(pairs_page(compared), out / "compare.html")


def pairs_page(compared: Compared) -> PairsContent:
    """What a page says of a comparison."""
    paired, metric = compared.paired, compared.metric
    return PairsContent(
        title=f"{compared.a} and {compared.b}",
        a=compared.a,
        b=compared.b,
        metric=f"{metric} (lower is better)" if compared.lower_is_better else metric,
        lower_is_better=compared.lower_is_better,
        verdict=compared.verdict,
        facts=comparison_facts(compared),
        notes=(*compared.notes, *left_out(compared)),
        rows=tuple((pair.id, pair.a, pair.b) for pair in compared.pairs),
        difference=(paired.difference.mean, paired.difference.low, paired.difference.high),
    )


def comparison_facts(compared: Compared) -> tuple[tuple[str, str], ...]:
    """The figures of a comparison, line by line."""
    paired, difference = compared.paired, compared.paired.difference
    a_first = (paired.larger, paired.equal, paired.smaller)
    wins, ties, losses = a_first[::-1] if compared.lower_is_better else a_first
    interval = "" if math.isnan(difference.low) else f"   [{difference.low:+.4f}, {difference.high:+.4f}]"
    how = "all arrangements" if paired.is_exact else "10,000 drawn arrangements"
    return (
        (f"mean of {compared.a}", f"{_mean([p.a for p in compared.pairs if not math.isnan(p.b)]):.4f}"),
        (f"mean of {compared.b}", f"{_mean([p.b for p in compared.pairs if not math.isnan(p.a)]):.4f}"),
        ("mean difference, 95 % interval", f"{difference.mean:+.4f}{interval}"),
        (f"{compared.a} better, equal, {compared.b} better", f"{wins}, {ties}, {losses}"),
        ("rank-biserial correlation", f"{paired.rank_biserial:+.3f}"),
        (f"sign-flip permutation test ({how})", f"p = {paired.permutation_p:.2g}"),
        ("Wilcoxon signed-rank test", f"p = {paired.wilcoxon_p:.2g}"),
    )


def left_out(compared: Compared) -> list[str]:
    """Which images could not be compared, and why."""
    told = []
    for name, other, ids in (
        (compared.a, compared.b, compared.only_a),
        (compared.b, compared.a, compared.only_b),
    ):
        if ids:
            told.append(f"Left out, scored by {name} but not by {other}: {', '.join(ids)}.")
    if absent := [pair.id for pair in compared.pairs if math.isnan(pair.a) or math.isnan(pair.b)]:
        told.append(f"Left out, without this figure: {', '.join(absent)}.")
    return told


def _read_runs(source: Path) -> list[Scores]:
    """The scores of one run, or of all seeds."""
    if (source / SEEDS).is_file():
        runs = read_seeds(source / SEEDS).seeds
        return [read_scores(source / run.folder / "scores.json") for run in runs]
    return [read_scores(source / "scores.json" if source.is_dir() else source)]


def _leading(scores: Scores) -> str:
    name = leading_figure(scores)
    return name if name in _offered(scores) else "dice"


def _figures(runs: Sequence[Scores], metric: str, source: Path) -> dict[str, float]:
    """The figure of each image, averaged over runs; nan where one of them has none."""
    found = [{image.id: _figure(image, scores, metric, source) for image in scores.images} for scores in runs]
    common = [name for name in found[0] if all(name in figures for figures in found)]
    return {name: sum(figures[name] for figures in found) / len(found) for name in common}


def _figure(image: ImageScores, scores: Scores, metric: str, source: Path) -> float:
    known = _of_image(image, scores)
    if metric not in known:
        raise _unknown(metric, _offered(scores), source)
    return known[metric]


def _of_image(image: ImageScores, scores: Scores) -> dict[str, float]:
    """Every figure of an image that says how good it is: of its class, or of classes and their mean."""
    names = scores.class_names[1:]
    of_class = {of: {**image.classes[of], **(image.shapes or {}).get(of, {})} for of in names}
    metrics = dict.fromkeys(name for figures in of_class.values() for name in figures)
    known = {name: _mean([figures.get(name, math.nan) for figures in of_class.values()]) for name in metrics}
    if len(names) > 1:
        known |= {f"{of}.{name}": figure for of in names for name, figure in of_class[of].items()}
    known |= image.objects or {}
    return {name: figure for name, figure in known.items() if name.rpartition(".")[2] not in NO_QUALITY}


def _offered(scores: Scores) -> tuple[str, ...]:
    return tuple(_of_image(scores.images[0], scores)) if scores.images else ()


def _mean(figures: Sequence[float]) -> float:
    present = [figure for figure in figures if not math.isnan(figure)]
    return sum(present) / len(present) if present else math.nan


def _image_of(name: str, scores: Scores) -> str:
    """The image of a window, whose name ends with where it starts: ``brain@0-128-64``."""
    return name.rpartition("@")[0] if scores.windows_of is not None else name


def _require_same_images(a: Path, b: Path, first: Scores, other: Scores, common: Sequence[str]) -> None:
    if not common:
        raise DatasetError(
            f"{a} and {b}",
            found=f"no image that both scored (such as {first.images[0].id} and {other.images[0].id})",
            expected="scores of the same images",
            remedy="Score both on one test set: `seglet evaluate RUN DATA -o OUT`.",
        )
    n_pixels = [{image.id: image.n_pixels for image in scores.images} for scores in (first, other)]
    if changed := [name for name in common if n_pixels[0][name] != n_pixels[1][name]]:
        raise DatasetError(
            f"{a} and {b}",
            found=f"images of one name with another number of scored pixels: {', '.join(changed)}",
            expected="the same images, the same truth and the same field of view",
            remedy="Score both against one truth: `seglet evaluate RUN DATA -o OUT`.",
        )


def _require_same_classes(a: Path, b: Path, first: Scores, other: Scores) -> None:
    """Two classes may have other names elsewhere; of more, or of names in another order, nobody knows."""
    names = first.class_names, other.class_names
    is_clear = len(names[0]) == len(names[1]) == 2 and set(names[0]) != set(names[1])
    if names[0] != names[1] and not is_clear:
        raise DatasetError(
            f"{a} and {b}",
            found=f"classes {', '.join(names[0])} and {', '.join(names[1])}",
            expected="the same classes in the same order",
            remedy="Say them alike, `--set masks.classes=…`, and score both again.",
        )


def _unknown(metric: str, offered: Sequence[str], source: Path) -> ConfigError:
    near = get_close_matches(metric, offered, n=1)
    return ConfigError(
        f"--metric {metric}",
        found=f"no such figure of the images of {source}",
        expected=f"one of {', '.join(offered)}",
        remedy=f"Did you mean {near[0]}?" if near else "Choose one of these.",
    )


def _names(a: Path, b: Path) -> tuple[str, str]:
    """Short names that tell both apart: the folders' own, else with the folders they are in."""
    parts_a, parts_b = ([*_folder(path).resolve().parts] for path in (a, b))
    for n in range(1, max(len(parts_a), len(parts_b)) + 1):
        names = "/".join(parts_a[-n:]), "/".join(parts_b[-n:])
        if names[0] != names[1]:
            return names
    return str(a), str(b)


def _folder(source: Path) -> Path:
    return source.parent if source.name == "scores.json" else source


def _notes(first: Scores, other: Scores, n_runs_a: int, n_runs_b: int) -> tuple[str, ...]:
    rules = [f"{scores.protocol} {scores.version}" for scores in (first, other)]
    notes = [f"Scored by two protocols: {rules[0]} and {rules[1]}."] if rules[0] != rules[1] else []
    if max(n_runs_a, n_runs_b) > 1:
        notes.append(f"Figures of an image are means over {n_runs_a} and {n_runs_b} runs.")
    if first.windows_of is not None:
        notes.append(f"Windows of one image count together: {first.windows_of} images.")
    return tuple(notes)
