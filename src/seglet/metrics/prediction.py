"""What a model, or any tool, says about one case; and whether that fits the truth."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import DatasetError, FormatError, GeometryError
from seglet.core.image import Sample

_ROUNDING = 1e-4  # a mean of overlapping tiles, or a sum of half floats, may be a little above 1


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


def checked_truth(sample: Sample, prediction: Prediction, n_classes: int) -> NDArray[np.uint8]:
    """Give the sample's labels once everything about the pair fits together.

    Raises
    ------
    DatasetError
        If the sample has no labels.
    GeometryError
        If truth and prediction are of different cases or shapes.
    FormatError
        If a probability is nan, or not from 0 to 1.
    """
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
    _require_probabilities(sample.id, planes)
    return sample.labels


def _misfit(sample: Sample, found: str, expected: str) -> GeometryError:
    remedy = "Predict this image again with this model."
    return GeometryError(sample.id, found=found, expected=expected, remedy=remedy)


def _require_probabilities(identity: str, planes: NDArray[np.float32]) -> None:
    lowest, highest = float(planes.min(initial=0)), float(planes.max(initial=0))
    if math.isnan(lowest) or math.isnan(highest):
        raise FormatError(
            identity,
            found="a probability that is not a number",
            expected="numbers from 0 to 1",
            remedy="The model has diverged; train again with a smaller learning rate.",
        )
    if lowest < -_ROUNDING or highest > 1 + _ROUNDING:
        raise FormatError(
            identity,
            found=f"probabilities from {lowest:g} to {highest:g}",
            expected="numbers from 0 to 1",
            remedy="Write probabilities, not the network's raw output nor percent.",
        )
