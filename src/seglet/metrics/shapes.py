"""Figures of a class's shape, as a protocol asks for them: surfaces and volumes, or centerlines."""

import math

import numpy as np
from numpy.typing import NDArray

from seglet.core.image import Image
from seglet.metrics.centerline import CENTERLINE_METRICS, centerline_figures
from seglet.metrics.protocols import Protocol
from seglet.metrics.surface import SURFACE_METRICS, VOLUME_METRICS, surface_figures, volume_figures

SHAPE_METRICS = (*VOLUME_METRICS, *SURFACE_METRICS, *CENTERLINE_METRICS)
MM = {"mm": 1.0, "um": 1e-3}
"""Length of a unit in mm; pixels have none."""


def shape_metrics(protocol: Protocol) -> tuple[str, ...]:
    """Names of the figures that a protocol asks for; none where it asks for none."""
    match protocol.shape:
        case "surfaces":
            return (*VOLUME_METRICS, *SURFACE_METRICS)
        case "centerlines":
            return CENTERLINE_METRICS
    return ()


def shape_figures(
    truth: NDArray[np.bool_],
    predicted: NDArray[np.bool_],
    counted: NDArray[np.bool_],
    image: Image,
    protocol: Protocol,
) -> dict[str, float]:
    """Score the shape of one class in one image.

    Parameters
    ----------
    truth, predicted : ([z,] y, x) bool array
        The class, where pixels count.
    counted : ([z,] y, x) bool array
        The pixels that count.
    image : Image
        Says the spacing.
    protocol : Protocol
        Which figures; empty for one that asks for none.

    Returns
    -------
    dict
        Every one of `shape_metrics`. Distances in mm, volumes in mm³ (in two dimensions areas in mm²); all
        of these nan where the spacing is unknown. VOE is 1 - IoU, and 0 where both are empty if the protocol
        calls that right.
    """
    match protocol.shape:
        case "centerlines":
            return centerline_figures(truth, predicted, counted)
        case "surfaces":
            return _surfaces(truth, predicted, image, protocol)
    return {}


def _surfaces(
    truth: NDArray[np.bool_], predicted: NDArray[np.bool_], image: Image, protocol: Protocol
) -> dict[str, float]:
    spacing_mm = tuple(step * MM[image.unit] for step in image.spacing) if image.unit in MM else ()
    figures = volume_figures(truth, predicted, spacing_mm or (1.0,) * truth.ndim)
    if protocol.is_absence_right and not truth.any() and not predicted.any():
        figures["voe"] = 0.0
    if not spacing_mm:
        return {**figures, **dict.fromkeys(("truth_volume", "predicted_volume", *SURFACE_METRICS), math.nan)}
    return {**figures, **surface_figures(truth, predicted, spacing_mm, protocol.tolerance_mm)}
