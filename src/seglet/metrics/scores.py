"""What an evaluation found, and how it stands on disk."""

import csv
import io
import math
from pathlib import Path

from pydantic import ValidationError

from seglet.core.config import Config
from seglet.core.errors import FormatError
from seglet.core.storage import write_text
from seglet.metrics.calibration import Calibration
from seglet.metrics.curves import Curve
from seglet.metrics.objects import COUNTS, IMAGE_METRICS, ObjectFigures
from seglet.metrics.pixels import PIXEL_METRICS
from seglet.metrics.protocols import Leading
from seglet.metrics.statistics import Interval, Number

METRICS = (*PIXEL_METRICS, "roc_auc", "pr_auc")

ClassFigures = dict[str, dict[str, Number]]
"""Class name to metric name to value, for every foreground class and every one of `METRICS`."""
ClassMeans = dict[str, dict[str, Interval]]
"""Class name to metric name to mean over images, or pooled figure, with its interval."""


class ImageScores(Config):
    """Scores of one image.

    Attributes
    ----------
    id : str
        The case.
    classes : dict
        Class name, then metric; nan where a metric does not exist.
    mean_dice : float
        Over the foreground classes that the image has; nan where it has none.
    n_pixels : int
        Pixels that counted.
    objects : dict or None
        Figures of objects by name; None where the truth does not tell objects apart.
    shapes : dict or None
        Class name, then one of `seglet.metrics.shapes.shape_metrics`; None where the protocol asks for none.
    """

    id: str
    classes: ClassFigures
    mean_dice: Number
    n_pixels: int
    objects: dict[str, Number] | None = None
    shapes: ClassFigures | None = None


class ObserverScores(Config):
    """A second observer, scored by the same rule as the model.

    Attributes
    ----------
    n_images : int
        Images that have a second observer.
    pooled, mean, shapes : dict
        As in `Scores`; the areas under curves are nan, as a person gives no probabilities.
    pooled_intervals : dict or None
        Likewise.
    """

    n_images: int
    pooled: ClassFigures
    mean: ClassMeans
    shapes: ClassMeans | None = None
    pooled_intervals: ClassMeans | None = None


class Scores(Config):
    """What an evaluation found.

    Attributes
    ----------
    protocol, version, rule : str
        The rule it was done by.
    pooled_first : bool
        Whether the headline is `pooled`; else `mean`.
    threshold : float or None
        Foreground probability above which a pixel was called foreground; None for several classes.
    n_images : int
        Images scored, or windows of images that are too large to score all of them.
    windows_of : int or None
        How many images such windows are of; None where whole images were scored.
    class_names : tuple of str
        All classes, background first; only the others are scored.
    images : tuple of ImageScores
        In the order they were scored.
    pooled : dict
        Class, then metric, of the pixels of all images together.
    mean : dict
        Class, then metric: mean over images with its interval.
    mean_dice : Interval
        Over images, of their mean over foreground classes.
    pooled_mean_dice : float
        Over the foreground classes of `pooled`.
    curves : dict
        Class, then ``roc`` or ``pr``, of all images' pixels; empty where there were no probabilities.
    second_observer : ObserverScores or None
        None where no image has one.
    all_pixels : dict or None
        As `pooled`, ignoring the field of view; None where it was not used or no image has one.
    headline : str
        The figure in front: ``dice``, or the name of one of `objects` or `partition`.
    objects : dict or None
        Figures of objects, see `seglet.metrics.objects.ObjectTally`; None where the truth does not tell
        objects apart, or has more than two classes.
    partition : dict or None
        Figures of `seglet.metrics.partition.PartitionTally` with their thresholds; None where the protocol
        does not ask for them.
    partition_intervals : dict or None
        The same figures with their intervals over images.
    pooled_intervals : dict or None
        `pooled` with its intervals over images; None where the protocol does not put it in front.
    pooled_mean_dice_interval : Interval or None
        Likewise.
    shapes : dict or None
        Class, then figure of its surface, volume or centerline: mean over images with its interval; None
        where the protocol does not ask for them.
    calibration : Calibration or None
        How far probabilities of the foreground are right, of all counted pixels; None of more than two
        classes, and where an image came without probabilities.
    """

    protocol: str
    version: str
    rule: str
    pooled_first: bool
    threshold: float | None
    n_images: int
    windows_of: int | None = None
    class_names: tuple[str, ...]
    images: tuple[ImageScores, ...]
    pooled: ClassFigures
    mean: ClassMeans
    mean_dice: Interval
    pooled_mean_dice: Number
    curves: dict[str, dict[str, Curve]]
    second_observer: ObserverScores | None
    all_pixels: ClassFigures | None
    headline: Leading = "dice"
    objects: ObjectFigures | None = None
    partition: dict[str, Number] | None = None
    partition_intervals: dict[str, Interval] | None = None
    pooled_intervals: ClassMeans | None = None
    pooled_mean_dice_interval: Interval | None = None
    shapes: ClassMeans | None = None
    calibration: Calibration | None = None


def headline(scores: Scores) -> dict[str, float | None]:
    """The figures that a person asks for first, by name: mean Dice, and those of the first class.

    Beside them, where there are such, all of objects and of the first class's shape (means without their
    intervals), of the partition, and the calibration error.
    """
    first = scores.class_names[1]
    figures = {f"pooled_{name}": scores.pooled[first][name] for name in ("dice", "iou", "roc_auc", "pr_auc")}
    objects = {name: plain_figure(figure) for name, figure in (scores.objects or {}).items()}
    shapes = {name: mean.mean for name, mean in (scores.shapes or {}).get(first, {}).items()}
    error = {"ece": scores.calibration.ece} if scores.calibration else {}
    return {
        "mean_dice": scores.mean_dice.mean,
        **figures,
        **objects,
        **(scores.partition or {}),
        **shapes,
        **error,
    }


def leading_figure(scores: Scores) -> Leading:
    """Which figure stands in front: the protocol's own, or Dice where the data do not allow that."""
    return (
        scores.headline
        if scores.headline in {**(scores.objects or {}), **(scores.partition or {})}
        else "dice"
    )


def rating_figure(scores: Scores) -> str:
    """Which figure tells images apart: the one in front where every image has it, of objects; else Dice."""
    name = leading_figure(scores)
    return name if all(name in (image.objects or {}) for image in scores.images) else "dice"


def plain_figure(figure: Interval | float) -> float:
    """The number itself, the mean of an interval."""
    return figure.mean if isinstance(figure, Interval) else figure


def count_images(n: int, windows_of: int | None, kind: str = "") -> str:
    """Say what was scored: ``5 images``, ``1 test image``, ``64 windows of 2 test images``."""
    images = f"{n if windows_of is None else windows_of} {kind} image".replace("  ", " ")
    images += "" if (n if windows_of is None else windows_of) == 1 else "s"
    return images if windows_of is None else f"{n} window{'' if n == 1 else 's'} of {images}"


def write_scores(scores: Scores, folder: Path, stem: str = "scores") -> Path:
    """Write everything as JSON, and one row per image and class as CSV beside it.

    A row also has the figures of the class's shape and of the image's objects, where there are such. nan is
    written as null and as an empty cell.

    Returns
    -------
    Path
        The JSON file.

    Raises
    ------
    StorageError
        If the folder cannot be written; each file is written whole or not at all.
    """
    path = folder / f"{stem}.json"
    write_text(folder / f"{stem}.csv", _table(scores))
    write_text(path, scores.model_dump_json(indent=1) + "\n")
    return path


def read_scores(path: Path) -> Scores:
    """Read what `write_scores` wrote.

    Raises
    ------
    FormatError
        If the file is missing, or is no such JSON.
    """
    try:
        return Scores.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise FormatError(
            path,
            found=f"no readable scores ({str(error).splitlines()[0]})" if path.exists() else "nothing",
            expected="a JSON file written by an evaluation",
            remedy="Evaluate again, or point to the scores.json of a run.",
        ) from error


def _table(scores: Scores) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    of_objects = (*IMAGE_METRICS, *COUNTS) if scores.objects else ()
    of_shapes = tuple(next(iter(scores.shapes.values()))) if scores.shapes else ()
    rows.writerow(("image", "class", *METRICS, "n_pixels", *of_shapes, *of_objects))
    for image in scores.images:
        objects = image.objects or {}
        for name, figures in image.classes.items():
            shape = (image.shapes or {}).get(name, {})
            cells = (_cell(figures[metric]) for metric in METRICS)
            more = (_cell(shape.get(metric, math.nan)) for metric in of_shapes)
            rest = (_cell(objects.get(metric, math.nan)) for metric in of_objects)
            rows.writerow((image.id, name, *cells, image.n_pixels, *more, *rest))
    return text.getvalue()


def _cell(value: float) -> str:
    return "" if math.isnan(value) else repr(value)
