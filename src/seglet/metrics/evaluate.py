"""From pairs of truth and prediction to scores, one image at a time."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seglet.core.errors import DatasetError, FormatError, GeometryError
from seglet.core.events import Event, Tell, quiet
from seglet.core.image import IGNORE, Sample
from seglet.metrics.curves import Curve
from seglet.metrics.objects import ObjectTally
from seglet.metrics.partition import PARTITION_METRICS, PartitionTally, interior_class
from seglet.metrics.pixel_lists import PixelList, PixelLists
from seglet.metrics.pixels import class_scores, confusion_matrix
from seglet.metrics.protocols import Protocol
from seglet.metrics.scores import METRICS, ClassFigures, ImageScores, ObserverScores, Scores
from seglet.metrics.statistics import Interval, bootstrap_mean

__all__ = ["Prediction", "Scores", "evaluate"]

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a model says about one case.

    Attributes
    ----------
    id : str
        Name of the case.
    labels : (y, x) uint8 array
        Class index per pixel.
    probabilities : (k, y, x) float32 array or None
        k = 1: of the foreground, for two classes; else one plane per class.
    objects : ([z,] y, x) int32 array or None
        Object number per pixel, 0 the background; where None, what is connected is an object.
    """

    id: str
    labels: NDArray[np.uint8]
    probabilities: NDArray[np.float32] | None = None
    objects: NDArray[np.int32] | None = None


def evaluate(
    pairs: Iterable[tuple[Sample, Prediction]],
    class_names: tuple[str, ...],
    protocol: Protocol,
    threshold: float | None = None,
    tell: Tell = quiet,
    images: Mapping[str, str] | None = None,
) -> Scores:
    """Score predictions by a protocol.

    Pairs are taken one at a time; of each only the counts and, for the curves, five bytes per pixel and
    class are kept, of a random part of the pixels where all images have more than 20 million.

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

    Raises
    ------
    DatasetError
        If there is no pair, or a sample has no labels.
    GeometryError
        If truth and prediction are of different cases or shapes.
    FormatError
        If a probability is nan.
    """
    has_partition = protocol.headline in PARTITION_METRICS and len(class_names) == 2
    found = _Found(class_names, partition=PartitionTally() if has_partition else None)
    for n_done, (sample, prediction) in enumerate(pairs, start=1):
        _add_image(found, sample, prediction)
        tell(Event("scoring", f"Scored {sample.id}.", done=n_done))
    if not found.images:
        raise DatasetError(
            "evaluation",
            found="no image to score",
            expected="at least one image with labels",
            remedy="Choose a split that has images, or another dataset.",
        )
    found.windows_of = tuple(images[one.id] for one in found.images) if images else ()
    return _summarize(found, protocol, threshold, images)


@dataclass
class _Found:
    """What is kept of the images seen so far."""

    class_names: tuple[str, ...]
    images: list[ImageScores] = field(default_factory=list)
    observer: list[ImageScores] = field(default_factory=list)
    has_fov: bool = False
    windows_of: tuple[str, ...] = ()
    objects: ObjectTally = field(default_factory=ObjectTally)
    partition: PartitionTally | None = None

    def __post_init__(self) -> None:
        self.n_classes = len(self.class_names)
        empty: Counts = np.zeros((self.n_classes, self.n_classes), np.int64)
        self.counted, self.left_out, self.observed = empty.copy(), empty.copy(), empty.copy()
        self.pixels = PixelLists(self.n_classes)


def _add_image(found: _Found, sample: Sample, prediction: Prediction) -> None:
    names = found.class_names
    truth = _checked_truth(sample, prediction, found.n_classes)
    fov = sample.fov
    labelled = truth != IGNORE
    valid = labelled if fov is None else labelled & fov
    matrix = confusion_matrix(truth, prediction.labels, found.n_classes, valid)
    found.counted += matrix
    areas = _areas(found.pixels.counted, truth, prediction, found.pixels.thinned(valid))
    objects = _score_objects(found, sample, prediction, valid)
    found.images.append(_score_image(sample.id, matrix, areas, names, objects))
    if found.partition is not None:
        inside = interior_class(names)
        found.partition.add(truth == inside, _interior(prediction, inside), valid)
    if fov is not None:
        outside = labelled & ~fov
        found.has_fov = True
        found.left_out += confusion_matrix(truth, prediction.labels, found.n_classes, outside)
        _keep_pixels(found.pixels.left_out, truth, prediction, found.pixels.thinned(outside))
    if sample.second is not None:
        seen = valid & (sample.second != IGNORE)
        matrix = confusion_matrix(truth, sample.second, found.n_classes, seen)
        found.observed += matrix
        found.observer.append(_score_image(sample.id, matrix, None, names))


def _score_objects(
    found: _Found, sample: Sample, prediction: Prediction, valid: NDArray[np.bool_]
) -> dict[str, float] | None:
    """Score objects where the truth tells them apart; of several classes nobody knows whose they are."""
    if sample.objects is None or found.n_classes != 2:
        return None
    objects: NDArray[np.integer] | None = prediction.objects
    if objects is None:
        objects = ndimage.label(prediction.labels)[0]  # connected by sides, by faces in volumes
    return found.objects.add(sample.id, sample.objects, objects, valid)


def _interior(prediction: Prediction, inside: int) -> NDArray[np.floating]:
    """Probability that a pixel is inside of a cell; 0 or 1 where there are only labels."""
    if prediction.probabilities is None:
        return np.asarray(prediction.labels == inside, np.float32)
    foreground = prediction.probabilities[-1]
    return np.asarray(foreground if inside == 1 else 1 - foreground, np.float32)


def _checked_truth(sample: Sample, prediction: Prediction, n_classes: int) -> NDArray[np.uint8]:
    """Give the sample's labels once everything about the pair fits together."""
    if sample.labels is None:
        raise DatasetError(
            sample.id,
            found="no labels",
            expected="a labelled image",
            remedy="Leave the image out, or add its mask.",
        )
    if sample.id != prediction.id:
        raise _misfit(sample, f"a prediction of {prediction.id!r}", "a prediction of the same case")
    if prediction.labels.shape != sample.labels.shape:
        raise _misfit(
            sample, f"a prediction of {prediction.labels.shape}", f"the truth's shape {sample.labels.shape}"
        )
    if prediction.objects is not None and prediction.objects.shape != sample.labels.shape:
        found = f"predicted objects of {prediction.objects.shape}"
        raise _misfit(sample, found, f"the truth's shape {sample.labels.shape}")
    if prediction.probabilities is None:
        return sample.labels
    n_planes = (1, 2) if n_classes == 2 else (n_classes,)
    planes = prediction.probabilities
    if planes.shape[0] not in n_planes or planes.shape[1:] != sample.labels.shape:
        expected = f"{n_planes[0]} plane(s) of {sample.labels.shape}"
        raise _misfit(sample, f"probabilities of {planes.shape}", expected)
    if np.isnan(planes).any():
        raise FormatError(
            sample.id,
            found="a probability that is not a number",
            expected="numbers from 0 to 1",
            remedy="The model has diverged; train again with a smaller learning rate.",
        )
    return sample.labels


def _misfit(sample: Sample, found: str, expected: str) -> GeometryError:
    remedy = "Predict this image again with this model."
    return GeometryError(sample.id, found=found, expected=expected, remedy=remedy)


def _areas(
    kept: list[PixelList], truth: NDArray[np.uint8], prediction: Prediction, valid: NDArray[np.bool_]
) -> list[tuple[float, float]] | None:
    """Keep the counted pixels of an image, and give both areas of each foreground class."""
    _keep_pixels(kept, truth, prediction, valid)
    if prediction.probabilities is None:
        return None
    both = (pixels.last().curves() for pixels in kept)
    return [(roc.area, precision_recall.area) for roc, precision_recall in both]


def _keep_pixels(
    kept: list[PixelList], truth: NDArray[np.uint8], prediction: Prediction, valid: NDArray[np.bool_]
) -> None:
    planes = prediction.probabilities
    if planes is None:
        return
    for index, pixels in enumerate(kept, start=1):
        plane = planes[0] if len(planes) == 1 else planes[index]
        pixels.add(truth[valid] == index, plane[valid])


def _score_image(
    identity: str,
    matrix: Counts,
    areas: list[tuple[float, float]] | None,
    class_names: tuple[str, ...],
    objects: dict[str, float] | None = None,
) -> ImageScores:
    figures = _figures(matrix, areas, class_names)
    return ImageScores(
        id=identity,
        classes=figures,
        mean_dice=_mean_dice(figures),
        n_pixels=int(matrix.sum()),
        objects=objects,
    )


def _figures(
    matrix: Counts, areas: list[tuple[float, float]] | None, class_names: tuple[str, ...]
) -> ClassFigures:
    """Every metric of every foreground class; areas are nan where there are no probabilities."""
    known = areas or [(math.nan, math.nan)] * (len(class_names) - 1)
    return {
        name: {**class_scores(matrix, index), "roc_auc": roc, "pr_auc": precision_recall}
        for index, (name, (roc, precision_recall)) in enumerate(zip(class_names[1:], known, strict=True), 1)
    }


def _mean_dice(figures: ClassFigures) -> float:
    present = [of_class["dice"] for of_class in figures.values() if not math.isnan(of_class["dice"])]
    return sum(present) / len(present) if present else math.nan


def _summarize(
    found: _Found, protocol: Protocol, threshold: float | None, images: Mapping[str, str] | None
) -> Scores:
    class_names = found.class_names
    curves = _pooled_curves(found.pixels.counted, class_names, len(found.images))
    pooled = _figures(found.counted, _areas_of(curves), class_names)
    observer = None
    if found.observer:
        observer = ObserverScores(
            n_images=len(found.observer),
            pooled=_figures(found.observed, None, class_names),
            mean=_means(found.observer, class_names, ()),
        )
    return Scores(
        protocol=protocol.name,
        version=protocol.version,
        rule=protocol.rule,
        pooled_first=protocol.pooled_first,
        threshold=threshold,
        n_images=len(found.images),
        windows_of=len(set(found.windows_of)) or None,
        class_names=class_names,
        images=tuple(found.images),
        pooled=pooled,
        mean=_means(found.images, class_names, found.windows_of),
        mean_dice=bootstrap_mean((image.mean_dice for image in found.images), found.windows_of),
        pooled_mean_dice=_mean_dice(pooled),
        curves=curves,
        second_observer=observer,
        all_pixels=_all_pixels(found, bool(curves)) if found.has_fov else None,
        headline=protocol.headline,
        objects=found.objects.summary(images),
        partition=found.partition.figures() if found.partition is not None else None,
    )


def _all_pixels(found: _Found, has_curves: bool) -> ClassFigures:
    counts, names = found.counted + found.left_out, found.class_names
    if not has_curves:  # the lists say nothing of images that came without probabilities
        return _figures(counts, None, names)
    curves = _pooled_curves(found.pixels.everywhere(), names, len(found.images))
    return _figures(counts, _areas_of(curves), names)


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


def _means(
    images: list[ImageScores], class_names: tuple[str, ...], windows_of: tuple[str, ...]
) -> dict[str, dict[str, Interval]]:
    return {
        name: {
            metric: bootstrap_mean((image.classes[name][metric] for image in images), windows_of)
            for metric in METRICS
        }
        for name in class_names[1:]
    }
