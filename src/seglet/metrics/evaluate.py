"""From pairs of truth and prediction to scores, one image at a time."""

from collections.abc import Iterable, Mapping

from seglet.core.errors import DatasetError
from seglet.core.events import Event, Tell, quiet
from seglet.core.image import Sample
from seglet.metrics.curves import Curve
from seglet.metrics.pixel_lists import MOST_PIXELS, PixelList
from seglet.metrics.pooling import draw_figures, pooled_intervals, pooled_mean_dice_interval
from seglet.metrics.prediction import Prediction
from seglet.metrics.protocols import Protocol
from seglet.metrics.scores import METRICS, ClassFigures, ClassMeans, ImageScores, ObserverScores, Scores
from seglet.metrics.shapes import shape_metrics
from seglet.metrics.statistics import bootstrap_mean
from seglet.metrics.tally import Tally, class_figures, mean_dice

__all__ = ["Prediction", "Scores", "evaluate"]


def evaluate(
    pairs: Iterable[tuple[Sample, Prediction]],
    class_names: tuple[str, ...],
    protocol: Protocol,
    threshold: float | None = None,
    tell: Tell = quiet,
    images: Mapping[str, str] | None = None,
    most_pixels: int = MOST_PIXELS,
) -> Scores:
    """Score predictions by a protocol.

    Pairs are taken one at a time; of each only the counts and, for the curves, five bytes per pixel and
    class are kept, of a random part of the pixels where all images have more than `most_pixels`.

    Parameters
    ----------
    pairs : iterable of (Sample, Prediction)
        Truth and prediction of the same case.
    class_names : tuple of str
        All classes, background first.
    protocol : Protocol
        The rule.
    threshold : float, optional
        The threshold that made the labels; only noted.
    tell : callable
        Listens to an event per image.
    images : mapping, optional
        Where pairs are windows of large images: the image of each, by the window's id.
    most_pixels : int
        That curves are drawn from.

    Raises
    ------
    DatasetError
        If there is no pair, or a sample has no labels.
    GeometryError
        If truth and prediction are of different cases or shapes.
    FormatError
        If a probability is nan, or not from 0 to 1.
    """
    found = Tally(class_names, protocol, most_pixels)
    for n_done, (sample, prediction) in enumerate(pairs, start=1):
        found.add(sample, prediction)
        tell(Event("scoring", f"Scored {sample.id}.", done=n_done))
    if not found.images:
        raise DatasetError(
            "evaluation",
            found="no image to score",
            expected="at least one image with labels",
            remedy="Choose a split that has images, or another dataset.",
        )
    return _summarize(found, threshold, images)


def _summarize(found: Tally, threshold: float | None, images: Mapping[str, str] | None) -> Scores:
    class_names, protocol = found.class_names, found.protocol
    windows_of = tuple(images[one.id] for one in found.images) if images else ()
    curves = _pooled_curves(found.pixels.counted, class_names, len(found.images))
    pooled = class_figures(found.counted, _areas_of(curves), class_names)
    has_calibration = found.calibration is not None and curves  # every image came with probabilities
    scores = Scores(
        protocol=protocol.name,
        version=protocol.version,
        rule=protocol.rule,
        pooled_first=protocol.pooled_first,
        threshold=threshold,
        n_images=len(found.images),
        windows_of=len(set(windows_of)) or None,
        class_names=class_names,
        images=tuple(found.images),
        pooled=pooled,
        mean=_means(found.images, windows_of),
        mean_dice=bootstrap_mean((image.mean_dice for image in found.images), windows_of),
        pooled_mean_dice=mean_dice(pooled),
        curves=curves,
        second_observer=_observer_scores(found, images),
        all_pixels=_all_pixels(found, bool(curves)) if found.has_fov else None,
        headline=protocol.headline,
        objects=found.objects.summary(images),
        partition=found.partition.figures() if found.partition is not None else None,
        partition_intervals=found.partition.intervals() if found.partition is not None else None,
        shapes=_shape_means(found.images, protocol, windows_of),
        calibration=found.calibration.summary() if found.calibration and has_calibration else None,
    )
    return _with_pooled_intervals(scores, found, images) if protocol.pooled_first else scores


def _with_pooled_intervals(scores: Scores, found: Tally, windows_of: Mapping[str, str] | None) -> Scores:
    histograms = {
        name: kept.histograms(scores.curves[name].values())
        for name, kept in zip(found.class_names[1:], found.pixels.counted, strict=True)
        if name in scores.curves
    }
    images = _whole_images(found.images, windows_of)
    drawn = draw_figures(found.counted_of, images, found.class_names, histograms)
    intervals = {
        "pooled_intervals": pooled_intervals(scores.pooled, drawn, len(images)),
        "pooled_mean_dice_interval": pooled_mean_dice_interval(scores.pooled_mean_dice, drawn, len(images)),
    }
    return scores.model_copy(update=intervals)


def _whole_images(scored: list[ImageScores], windows_of: Mapping[str, str] | None) -> list[str]:
    return [windows_of[one.id] if windows_of else one.id for one in scored]


def _observer_scores(found: Tally, windows_of: Mapping[str, str] | None) -> ObserverScores | None:
    seen = found.observer
    if not seen:
        return None
    pooled, intervals = class_figures(found.observed, None, found.class_names), None
    if found.protocol.pooled_first:
        drawn = draw_figures(found.observed_of, _whole_images(seen, windows_of), found.class_names, {})
        intervals = pooled_intervals(pooled, drawn, len(seen))
    return ObserverScores(
        n_images=len(seen),
        pooled=pooled,
        mean=_means(seen, ()),
        shapes=_shape_means(seen, found.protocol, ()),
        pooled_intervals=intervals,
    )


def _all_pixels(found: Tally, has_curves: bool) -> ClassFigures:
    counts, names = found.counted + found.left_out, found.class_names
    if not has_curves:  # the lists say nothing of images that came without probabilities
        return class_figures(counts, None, names)
    curves = _pooled_curves(found.pixels.everywhere(), names, len(found.images))
    return class_figures(counts, _areas_of(curves), names)


def _pooled_curves(
    kept: list[PixelList], class_names: tuple[str, ...], n_images: int
) -> dict[str, dict[str, Curve]]:
    """Curves of all images together; none unless every image came with probabilities."""
    if any(len(pixels.truth) < n_images for pixels in kept):
        return {}
    both = (pixels.curves() for pixels in kept)
    return {name: {"roc": roc, "pr": pr} for name, (roc, pr) in zip(class_names[1:], both, strict=True)}


def _areas_of(curves: dict[str, dict[str, Curve]]) -> list[tuple[float, float]] | None:
    return [(curve["roc"].area, curve["pr"].area) for curve in curves.values()] or None


def _means(images: list[ImageScores], windows_of: tuple[str, ...]) -> ClassMeans:
    """Average over images, for every class and metric."""
    return {
        name: {
            metric: bootstrap_mean((image.classes[name][metric] for image in images), windows_of)
            for metric in METRICS
        }
        for name in images[0].classes
    }


def _shape_means(
    images: list[ImageScores], protocol: Protocol, windows_of: tuple[str, ...]
) -> ClassMeans | None:
    """Average the figures of shapes over images; None where the protocol asks for none."""
    figures = [image.shapes for image in images if image.shapes is not None]
    if not figures:
        return None
    return {
        name: {
            metric: bootstrap_mean((of_image[name][metric] for of_image in figures), windows_of)
            for metric in shape_metrics(protocol)
        }
        for name in figures[0]
    }
