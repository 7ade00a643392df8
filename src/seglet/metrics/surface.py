"""How far two surfaces lie apart, and how much two volumes differ, in physical units."""

import math
from collections.abc import Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from seglet.core.errors import ConfigError, GeometryError
from seglet.metrics.pixels import iou, require_same_shape

SURFACE_METRICS = ("assd", "rmsd", "max_distance", "hd95", "surface_dice")
VOLUME_METRICS = ("voe", "rvd", "truth_volume", "predicted_volume")
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

_LEAF_SIZE = 32  # points; faster than the default of 10 for a tree that is asked only once
_ROUNDING = 1e-9  # three voxels of 0.1 mm are within a tolerance of 0.3 mm, though 3 x 0.1 > 0.3 in floats


def surface_figures(
    truth: Mask, predicted: Mask, spacing: Sequence[float], tolerance_mm: float
) -> dict[str, float]:
    """Measure how far the surfaces of two objects lie apart.

    The surface is made of the voxels of the object that have a background voxel beside one of their faces
    (in 2D: edges); beyond the array all is background. From the center of each voxel of one surface the
    distance to the nearest one of the other is taken, in both directions, and every voxel counts the same.
    The figures are those of MONAI, with its surface Dice in whole voxels as is its default.

    Parameters
    ----------
    truth, predicted : ([z,] y, x) bool array
        The object as it is, and as it was predicted.
    spacing : sequence of float
        Size of a voxel along each axis, in mm or any unit.
    tolerance_mm : float
        Distance up to which, inclusive, a voxel is right for the surface Dice; in the unit of `spacing`.

    Returns
    -------
    dict
        Every one of `SURFACE_METRICS`, in the unit of `spacing`: ``assd`` and ``rmsd``, the mean and the root
        mean square over all distances of both directions; ``max_distance``, the Hausdorff distance; ``hd95``,
        the larger one of both directions' 95th percentiles; and, from 0 to 1, ``surface_dice``, the share of
        the voxels of both surfaces within the tolerance. All nan where an object is empty, but the surface
        Dice is 0 where only one is.

    Raises
    ------
    GeometryError
        If the shapes differ, or the spacing is not one positive number per axis.
    ConfigError
        If the tolerance is negative.

    References
    ----------
    .. [1] Heimann et al., "Comparison and evaluation of methods for liver segmentation from CT datasets",
       IEEE TMI 28, 2009.
    .. [2] Nikolov et al., "Clinically applicable segmentation of head and neck anatomy for radiotherapy",
       J Med Internet Res 23, 2021; there a piece of the surface counts by its area.
    """
    _require_one_grid(truth, predicted, spacing)
    if not tolerance_mm >= 0:
        raise ConfigError(
            "tolerance",
            found=f"{tolerance_mm:g}",
            expected="a distance of 0 or more",
            remedy="Choose how far a surface may lie off and still be right.",
        )
    has_truth, has_predicted = bool(truth.any()), bool(predicted.any())
    if not (has_truth and has_predicted):
        nothing = dict.fromkeys(SURFACE_METRICS, math.nan)
        return {**nothing, "surface_dice": 0.0} if has_truth or has_predicted else nothing
    directions = _distances(truth, predicted, spacing)
    distances = np.concatenate(directions)
    return {
        "assd": float(distances.mean()),
        "rmsd": math.sqrt(float(np.square(distances).mean())),
        "max_distance": float(distances.max()),
        "hd95": max(float(np.percentile(of_one, 95)) for of_one in directions),
        "surface_dice": float(np.mean(distances <= tolerance_mm * (1 + _ROUNDING))),
    }


def volume_figures(truth: Mask, predicted: Mask, spacing: Sequence[float]) -> dict[str, float]:
    """Compare the volumes (in 2D: areas) of two objects.

    Parameters
    ----------
    truth, predicted : ([z,] y, x) bool array
        The object as it is, and as it was predicted.
    spacing : sequence of float
        Size of a voxel along each axis, in mm or any unit.

    Returns
    -------
    dict
        Every one of `VOLUME_METRICS`: ``voe``, the volumetric overlap error 1 - IoU, nan where both are
        empty; ``rvd``, the relative volume difference (P - G) / G, below 0 where the prediction is too small,
        nan where the truth is empty; and both volumes in the unit of `spacing` to the power of the axes.

    Raises
    ------
    GeometryError
        If the shapes differ, or the spacing is not one positive number per axis.

    References
    ----------
    .. [1] Heimann et al., "Comparison and evaluation of methods for liver segmentation from CT datasets",
       IEEE TMI 28, 2009.
    """
    _require_one_grid(truth, predicted, spacing)
    n_true, n_predicted = int(np.count_nonzero(truth)), int(np.count_nonzero(predicted))
    voxel = prod(spacing)
    return {
        "voe": 1 - iou(truth, predicted),
        "rvd": (n_predicted - n_true) / n_true if n_true else math.nan,
        "truth_volume": n_true * voxel,
        "predicted_volume": n_predicted * voxel,
    }


def _require_one_grid(truth: Mask, predicted: Mask, spacing: Sequence[float]) -> None:
    require_same_shape(truth, predicted)
    if len(spacing) != truth.ndim or not all(0 < size < math.inf for size in spacing):
        raise GeometryError(
            "spacing",
            found=f"{tuple(spacing)} for an image of {truth.ndim} axes",
            expected="one positive number per axis",
            remedy="Give the size of a voxel along each axis, in the order of the axes.",
        )


def _distances(truth: Mask, predicted: Mask, spacing: Sequence[float]) -> tuple[Floats, Floats]:
    """Distance from each surface voxel of the prediction to the truth's surface, and back."""
    box = _bounding_box(truth | predicted)
    true_surface, predicted_surface = _surface(truth[box]), _surface(predicted[box])
    return (
        _nearest(predicted_surface, true_surface, spacing),
        _nearest(true_surface, predicted_surface, spacing),
    )


def _bounding_box(mask: Mask) -> tuple[slice, ...]:
    axes = range(mask.ndim)
    present = [
        np.flatnonzero(mask.any(axis=tuple(other for other in axes if other != axis))) for axis in axes
    ]
    return tuple(slice(int(found[0]), int(found[-1]) + 1) for found in present)


def _surface(mask: Mask) -> Mask:
    """Voxels with a background voxel, or the end of the array, beside one of their faces."""
    inside = mask.copy()
    for axis in range(mask.ndim):
        left, kept = np.moveaxis(mask, axis, 0), np.moveaxis(inside, axis, 0)
        kept[1:] &= left[:-1]
        kept[:-1] &= left[1:]
        kept[[0, -1]] = False
    return np.asarray(mask & ~inside, np.bool_)


def _nearest(points: Mask, others: Mask, spacing: Sequence[float]) -> Floats:
    """Distance from every point to the nearest other one; where they coincide it is 0 and needs no search."""
    apart = np.argwhere(points & ~others) * np.asarray(spacing, np.float64)
    tree = KDTree(np.argwhere(others) * np.asarray(spacing, np.float64), _LEAF_SIZE, balanced_tree=False)
    distances = np.zeros(np.count_nonzero(points), np.float64)
    distances[: len(apart)] = tree.query(apart)[0]
    return distances
