"""How much of the center lines of vessels lies inside the other mask."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import skeletonize

from seglet.metrics.pixels import require_same_shape

CENTERLINE_METRICS = ("cldice", "centerline_precision", "centerline_sensitivity")
Mask = NDArray[np.bool_]


def centerline_figures(truth: Mask, predicted: Mask, counted: Mask | None = None) -> dict[str, float]:
    """Score how well a prediction keeps thin structures connected, whatever their thickness.

    Parameters
    ----------
    truth, predicted : ([z,] y, x) bool array
        Vessels as they are, and as they were predicted.
    counted : ([z,] y, x) bool array, optional
        The only pixels that count; the rest is background before center lines are drawn.

    Returns
    -------
    dict
        Every one of `CENTERLINE_METRICS`, from 0 to 1: ``centerline_precision``, the share of the
        prediction's center lines inside the truth; ``centerline_sensitivity``, the share of the truth's
        inside the prediction; ``cldice``, their harmonic mean. All nan where both masks are empty, 0 where
        only one is.

    Raises
    ------
    GeometryError
        If the shapes differ.

    References
    ----------
    .. [1] Shit et al., "clDice: a novel topology-preserving loss function for tubular structure
       segmentation", CVPR 2021; its authors too draw the lines of the metric by scikit-image's skeletonize.
    """
    require_same_shape(truth, predicted)
    if counted is not None:
        require_same_shape(truth, counted)
        truth, predicted = truth & counted, predicted & counted
    if not (truth.any() or predicted.any()):
        return dict.fromkeys(CENTERLINE_METRICS, math.nan)
    precision, sensitivity = _share_inside(predicted, truth), _share_inside(truth, predicted)
    both = precision + sensitivity
    return {
        "cldice": 2 * precision * sensitivity / both if both else 0.0,
        "centerline_precision": precision,
        "centerline_sensitivity": sensitivity,
    }


def _share_inside(mask: Mask, other: Mask) -> float:
    """Share of the mask's center lines inside the other mask; 0 where there are none."""
    lines = _center_lines(mask)
    n = int(np.count_nonzero(lines))
    return int(np.count_nonzero(lines & other)) / n if n else 0.0


def _center_lines(mask: Mask) -> Mask:
    """Thin a mask to lines; a part that thinning removes altogether, as a cube of 2 voxels, stays whole.

    With a frame of background, so that a volume of a single slice is thinned like any other.
    """
    inside = (slice(1, -1),) * mask.ndim
    lines = np.asarray(skeletonize(np.pad(mask, 1))[inside], np.bool_)
    parts, n_parts = ndimage.label(mask, np.ones((3,) * mask.ndim))
    has_line = np.zeros(n_parts + 1, np.bool_)
    has_line[parts[lines]] = True
    return np.asarray(lines | (mask & ~has_line[parts]), np.bool_)
