"""What is kept of the images seen so far: counts, and of each image its figures."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seglet.core.image import IGNORE, Sample
from seglet.metrics.calibration import CalibrationTally
from seglet.metrics.objects import ObjectTally
from seglet.metrics.partition import PARTITION_METRICS, PartitionTally, interior_class
from seglet.metrics.pixel_lists import MOST_PIXELS, PixelList, PixelLists
from seglet.metrics.pixels import class_scores, confusion_matrix
from seglet.metrics.prediction import Prediction, checked_truth
from seglet.metrics.protocols import Protocol
from seglet.metrics.scores import ClassFigures, ImageScores
from seglet.metrics.shapes import shape_figures

Counts = NDArray[np.int64]
Classes = NDArray[np.uint8]
Pixels = NDArray[np.bool_]


class Tally:
    """Counts of all pixels, and the figures of each image; of the images themselves only what curves need.

    Attributes
    ----------
    images, observer : list of ImageScores
        Of the prediction, and of the second observer where an image has one.
    counted, left_out, observed : (k, k) int64 array
        Pixels by true and predicted class: those that count, those outside of the field of view, those of the
        second observer.
    counted_of, observed_of : list of (k, k) int64 array
        The same of each of `images` and `observer`.
    has_fov : bool
        Whether any image has a field of view.
    pixels : PixelLists
        What curves are drawn from.
    objects, partition, calibration
        The tallies of their kind; `partition` is None where the protocol does not ask for it, `calibration`
        of more than two classes.
    """

    def __init__(
        self, class_names: tuple[str, ...], protocol: Protocol, most_pixels: int = MOST_PIXELS
    ) -> None:
        self.class_names, self.protocol = class_names, protocol
        self.n_classes = len(class_names)
        empty: Counts = np.zeros((self.n_classes, self.n_classes), np.int64)
        self.counted, self.left_out, self.observed = empty.copy(), empty.copy(), empty.copy()
        self.counted_of: list[Counts] = []
        self.observed_of: list[Counts] = []
        self.images: list[ImageScores] = []
        self.observer: list[ImageScores] = []
        self.has_fov = False
        self.pixels = PixelLists(self.n_classes, most_pixels)
        self.objects = ObjectTally()
        is_parted = protocol.headline in PARTITION_METRICS and self.n_classes == 2
        self.partition = PartitionTally() if is_parted else None
        self.calibration = CalibrationTally() if self.n_classes == 2 else None

    def add(self, sample: Sample, prediction: Prediction) -> None:
        """Score one image, and its second observer where it has one.

        Raises
        ------
        DatasetError, GeometryError, FormatError
            See `checked_truth`.
        """
        truth = checked_truth(sample, prediction, self.n_classes)
        labelled = truth != IGNORE
        valid = labelled if sample.fov is None else labelled & sample.fov
        matrix = confusion_matrix(truth, prediction.labels, self.n_classes, valid)
        self.counted += matrix
        self.counted_of.append(matrix)
        areas = _areas(self.pixels.counted, truth, prediction, self.pixels.thinned(valid))
        shapes = self._shapes(sample, truth, prediction.labels, valid)
        objects = self._add_objects(sample, prediction, valid)
        self.images.append(self._scored(sample.id, matrix, areas, shapes, objects))
        self._add_probabilities(truth, prediction, valid)
        if sample.fov is not None:
            self._add_left_out(truth, prediction, labelled & ~sample.fov)
        if sample.second is not None:
            self._add_observer(sample, truth, sample.second, valid & (sample.second != IGNORE))

    def _add_objects(self, sample: Sample, prediction: Prediction, valid: Pixels) -> dict[str, float] | None:
        """Score objects where the truth tells them apart; of several classes nobody knows whose they are."""
        if sample.objects is None or self.n_classes != 2:
            return None
        objects: NDArray[np.integer] | None = prediction.objects
        if objects is None:
            objects = ndimage.label(prediction.labels)[0]  # connected by sides, by faces in volumes
        return self.objects.add(sample.id, sample.objects, objects, valid)

    def _add_probabilities(self, truth: Classes, prediction: Prediction, valid: Pixels) -> None:
        if self.partition is not None:
            inside = interior_class(self.class_names)
            self.partition.add(truth == inside, _interior(prediction, inside), valid)
        if self.calibration is not None and prediction.probabilities is not None:
            foreground = np.clip(prediction.probabilities[-1][valid], 0, 1)  # rounding may exceed 1
            self.calibration.add(truth[valid] == 1, foreground)

    def _add_left_out(self, truth: Classes, prediction: Prediction, outside: Pixels) -> None:
        self.has_fov = True
        self.left_out += confusion_matrix(truth, prediction.labels, self.n_classes, outside)
        _keep_pixels(self.pixels.left_out, truth, prediction, self.pixels.thinned(outside))

    def _add_observer(self, sample: Sample, truth: Classes, second: Classes, seen: Pixels) -> None:
        matrix = confusion_matrix(truth, second, self.n_classes, seen)
        self.observed += matrix
        self.observed_of.append(matrix)
        shapes = self._shapes(sample, truth, second, seen)
        self.observer.append(self._scored(sample.id, matrix, None, shapes))

    def _shapes(
        self, sample: Sample, truth: Classes, labels: Classes, valid: Pixels
    ) -> dict[str, dict[str, float]] | None:
        """Figures of each foreground class's shape, of the pixels that count."""
        if self.protocol.shape is None:
            return None
        return {
            name: shape_figures(
                (truth == index) & valid, (labels == index) & valid, valid, sample.image, self.protocol
            )
            for index, name in enumerate(self.class_names[1:], start=1)
        }

    def _scored(
        self,
        identity: str,
        matrix: Counts,
        areas: list[tuple[float, float]] | None,
        shapes: dict[str, dict[str, float]] | None,
        objects: dict[str, float] | None = None,
    ) -> ImageScores:
        figures = class_figures(matrix, areas, self.class_names)
        if self.protocol.is_absence_right:
            figures = {name: _right_where_absent(found) for name, found in figures.items()}
        return ImageScores(
            id=identity,
            classes=figures,
            mean_dice=mean_dice(figures),
            n_pixels=int(matrix.sum()),
            objects=objects,
            shapes=shapes,
        )


def class_figures(
    matrix: Counts, areas: list[tuple[float, float]] | None, class_names: tuple[str, ...]
) -> ClassFigures:
    """Every metric of every foreground class; areas are nan where there are no probabilities."""
    known = areas or [(math.nan, math.nan)] * (len(class_names) - 1)
    return {
        name: {**class_scores(matrix, index), "roc_auc": roc, "pr_auc": precision_recall}
        for index, (name, (roc, precision_recall)) in enumerate(zip(class_names[1:], known, strict=True), 1)
    }


def mean_dice(figures: ClassFigures) -> float:
    """Mean over the foreground classes that have a Dice; nan where none has."""
    present = [of_class["dice"] for of_class in figures.values() if not math.isnan(of_class["dice"])]
    return sum(present) / len(present) if present else math.nan


def _right_where_absent(figures: dict[str, float]) -> dict[str, float]:
    """Full overlap where truth and prediction agree that the class is not there."""
    if not math.isnan(figures["dice"]):
        return figures
    return {**figures, "dice": 1.0, "f1": 1.0, "iou": 1.0}


def _interior(prediction: Prediction, inside: int) -> NDArray[np.floating]:
    """Probability that a pixel is inside of a cell; 0 or 1 where there are only labels."""
    if prediction.probabilities is None:
        return np.asarray(prediction.labels == inside, np.float32)
    foreground = prediction.probabilities[-1]
    return np.asarray(foreground if inside == 1 else 1 - foreground, np.float32)


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
