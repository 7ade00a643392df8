"""Objects in numbers: how many, how large, of what shape, how bright, where; in physical units."""

from collections.abc import Iterator, Sequence
from itertools import product
from math import pi, prod

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import ConvexHull, SphericalVoronoi
from skimage.measure import label

from seglet.core.errors import GeometryError

Table = dict[str, NDArray[np.generic]]
"""Name of a column to its values, one per row."""

_AT_ONCE = 4_000_000  # pixels
ML_PER = {"mm": 1e-3, "um": 1e-12}  # milliliters in the cube of a unit


def connect(classes: NDArray[np.integer]) -> NDArray[np.int32]:
    """Number what is of one class and connected by sides, from 1 on in scan order; 0 stays 0."""
    pieces: NDArray[np.integer] = label(classes, background=0, connectivity=1)
    return pieces.astype(np.int32)


def measure_objects(
    objects: NDArray[np.integer],
    image: NDArray[np.generic] | None = None,
    spacing: Sequence[float] = (),
    unit: str = "px",
) -> Table:
    """Measure every object of an image.

    Parameters
    ----------
    objects : ([z,] y, x) integer array
        Object number per pixel; 0 is the background.
    image : (c, [z,] y, x) array, optional
        Intensities.
    spacing : sequence of float
        Distance between neighboring pixels along each axis, in `unit`; 1 px where empty.
    unit : str
        ``"mm"``, ``"um"`` or ``"px"``; stands in the names of the columns.

    Returns
    -------
    dict
        One row per object in the order of their numbers, U being the unit; no rows where there is none.

        - ``number``, ``n_pixels``
        - ``area_U2``; of volumes ``volume_U3``
        - ``perimeter_U`` [1]_ [2]_: Crofton's formula in 4 directions, on square pixels equal to
          ``perimeter_crofton`` of scikit-image; of volumes ``surface_U2``, the same in 13 directions. Nearly
          unbiased, where the mesh of marching cubes makes the surface of a ball some 8 % too large.
        - ``equivalent_diameter_U``: of the circle or ball of the same size
        - ``major_axis_U``, ``minor_axis_U``: longest and shortest axis of the ellipse or ellipsoid with the
          same second moments; 0 for a single pixel
        - ``eccentricity``: of that ellipse, 0 of a circle; of flat images alone
        - ``solidity``: share of the convex hull of the pixels' corners that the object fills; 1 where convex
        - ``intensity_mean``, ``_std``, ``_min``, ``_max``; of several channels ``intensity_1_mean`` …
        - ``centroid_y_px`` …: pixel index; ``centroid_y_U`` …: distance from the center of the first pixel
        - ``bbox_y_from``, ``bbox_y_to`` …: pixel indexes, the second one excluded
        - ``touches_edge``: whether it may go on outside of the image

    Raises
    ------
    GeometryError
        If `objects` has not two or three axes, or the image or the spacing does not fit it.

    References
    ----------
    .. [1] Legland, Kiêu, Devaux, "Computation of Minkowski measures on 2D and 3D binary images", Image
       Analysis & Stereology 26, 2007.
    .. [2] Lehmann, Legland, "Efficient N-dimensional surface estimation using Crofton formula and run-length
       encoding", Insight Journal, 2012.
    """
    step = _step(objects, image, spacing)
    numbers, compact = _renumbered(objects)
    n, n_axes = len(numbers), objects.ndim
    counts, centers, covariances = _moments(compact, n)
    boxes = ndimage.find_objects(compact)
    size = counts * prod(step)
    table: Table = {"number": numbers, "n_pixels": counts}
    table[("area", "volume")[n_axes - 2] + f"_{unit}{n_axes}"] = size
    table[f"perimeter_{unit}" if n_axes == 2 else f"surface_{unit}2"] = _boundaries(compact, n, step)
    diameter = np.sqrt(4 * size / pi) if n_axes == 2 else np.cbrt(6 * size / pi)
    table[f"equivalent_diameter_{unit}"] = diameter
    table |= _axes(covariances * np.outer(step, step), unit)
    hulls = np.array([_hull(compact[box] == k) for k, box in enumerate(boxes, 1)])
    table["solidity"] = counts / hulls
    if image is not None:
        table |= _intensities(compact, image, counts)
    names = "zyx"[-n_axes:]
    table |= {f"centroid_{name}_px": centers[:, k] for k, name in enumerate(names)}
    table |= {f"centroid_{name}_{unit}": centers[:, k] * step[k] for k, name in enumerate(names)}
    return table | _places(boxes, objects.shape)


def summarize(table: Table, n_pixels: int) -> dict[str, float]:
    """Say what the objects of one image are together.

    Parameters
    ----------
    table : dict
        From `measure_objects`.
    n_pixels : int
        Size of the image, or of that part of it which was looked at.

    Returns
    -------
    dict
        ``n_objects``; ``share``: of the pixels, that are in objects; and of area or volume the total, 0
        without objects, and mean, median and standard deviation, nan without objects.
    """
    column = size_column(table)
    sizes = np.asarray(table[column], np.float64)
    figures: dict[str, float] = {"n_objects": len(sizes)}
    figures["share"] = float(np.sum(table["n_pixels"])) / n_pixels if n_pixels else np.nan
    figures[f"total_{column}"] = float(sizes.sum())
    for name, figure in (("mean", np.mean), ("median", np.median), ("std", np.std)):
        figures[f"{name}_{column}"] = float(figure(sizes)) if len(sizes) else np.nan
    return figures


def size_column(table: Table) -> str:
    """Name of the column of areas or volumes, such as ``area_um2``."""
    return next(name for name in table if name.startswith(("area_", "volume_")))


def _step(
    objects: NDArray[np.integer], image: NDArray[np.generic] | None, spacing: Sequence[float]
) -> tuple[float, ...]:
    if objects.ndim not in (2, 3):
        raise GeometryError(
            "objects",
            found=f"an array of shape {objects.shape}",
            expected="(y, x) or (z, y, x)",
            remedy="Measure one image at a time.",
        )
    if image is not None and image.shape[1:] != objects.shape:
        raise GeometryError(
            "image",
            found=f"an array of shape {image.shape}",
            expected=f"(channel, {', '.join(map(str, objects.shape))}), as the objects have it",
            remedy="Give the image that the objects were found in.",
        )
    if len(spacing) not in (0, objects.ndim) or not all(0 < one < np.inf for one in spacing):
        raise GeometryError(
            "spacing",
            found=", ".join(map(str, spacing)),
            expected=f"{objects.ndim} positive numbers",
            remedy="Give the distance between pixels along each axis, in the order (z, y, x).",
        )
    return tuple(spacing) or (1.0,) * objects.ndim


def _renumbered(objects: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The numbers that occur, and the objects numbered by their places among them, from 1 on."""
    found = np.unique(objects)
    numbers = found[found > 0].astype(np.int64)
    if len(numbers) == (numbers[-1] if len(numbers) else 0) and found[0] >= 0:
        return numbers, objects.astype(np.int32, copy=False)
    places = np.searchsorted(numbers, objects) + 1
    return numbers, np.where(objects > 0, places, 0).astype(np.int32)


def _moments(
    compact: NDArray[np.int32], n: int
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Count, mean index (n, d) and covariance of indexes (n, d, d); summed slab by slab."""
    d = compact.ndim
    counts, first, second = np.zeros(n + 1, np.int64), np.zeros((n + 1, d)), np.zeros((n + 1, d, d))
    thickness = max(1, _AT_ONCE // max(prod(compact.shape[1:]), 1))
    for start in range(0, len(compact), thickness):
        slab = compact[start : start + thickness]
        inside = np.nonzero(slab)
        who = slab[inside]
        counts += np.bincount(who, minlength=n + 1)
        indexes = [axis.astype(np.float64) for axis in inside]
        indexes[0] += start
        for a in range(d):
            first[:, a] += np.bincount(who, indexes[a], n + 1)
            for b in range(d):
                second[:, a, b] += np.bincount(who, indexes[a] * indexes[b], n + 1)
    centers = first[1:] / counts[1:, None]
    covariances = second[1:] / counts[1:, None, None] - centers[:, :, None] * centers[:, None, :]
    return counts[1:], centers, covariances


def _axes(covariances: NDArray[np.float64], unit: str) -> Table:
    """Axes of the ellipse or ellipsoid whose second moments these are."""
    n_axes = covariances.shape[-1]
    variances = np.linalg.eigvalsh(covariances).clip(min=0)  # from the smallest to the largest
    lengths = 2 * np.sqrt((n_axes + 2) * variances)  # a solid ellipsoid's half axis is sqrt((d + 2) variance)
    table: Table = {f"major_axis_{unit}": lengths[:, -1], f"minor_axis_{unit}": lengths[:, 0]}
    if n_axes == 2:
        ratio = np.ones(len(lengths))
        np.divide(variances[:, 0], variances[:, 1], out=ratio, where=variances[:, 1] > 0)
        table["eccentricity"] = np.sqrt(1 - ratio)
    return table


def _boundaries(compact: NDArray[np.int32], n: int, step: Sequence[float]) -> NDArray[np.float64]:
    """Perimeter or surface of each object, from how often lattice lines of each direction enter and leave it.

    Lines of a direction hit a boundary twice as often as its projection has room: a perimeter is pi / 2, a
    surface 2 times the mean over all directions of hits per line times the room of a line.
    """
    framed = np.pad(compact, 1)
    length = np.zeros(n + 1)
    for offset, weight in _directions(step):
        near = framed[tuple(slice(max(-o, 0), min(-o, 0) or None) for o in offset)]
        far = framed[tuple(slice(max(o, 0), min(o, 0) or None) for o in offset)]
        differs = near != far
        hits = np.bincount(near[differs], minlength=n + 1) + np.bincount(far[differs], minlength=n + 1)
        length += weight * hits * prod(step) / np.linalg.norm(np.multiply(offset, step))
    return np.asarray(length[1:] * (pi / 2 if compact.ndim == 2 else 2))


def _directions(step: Sequence[float]) -> Iterator[tuple[tuple[int, ...], float]]:
    """Offsets to half of the neighbors, and the share of all directions that are nearest to each."""
    offsets = [offset for offset in product((-1, 0, 1), repeat=len(step)) if any(offset)]
    vectors = np.multiply(offsets, step).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    if len(step) == 2:
        angles = np.arctan2(vectors[:, 0], vectors[:, 1])
        order = np.argsort(angles)
        gaps = np.diff(angles[order], append=angles[order[0]] + 2 * pi)
        shares = np.empty(len(offsets))
        shares[order] = (gaps + np.roll(gaps, 1)) / (4 * pi)
    else:
        shares = SphericalVoronoi(vectors).calculate_areas() / (4 * pi)
    half = len(offsets) // 2  # the other half points the other way
    yield from zip(offsets[:half], (2 * shares[:half]).tolist(), strict=True)


def _hull(inside: NDArray[np.bool_]) -> float:
    """Size in pixels of the convex hull of the corners of an object's pixels; only line ends can matter."""
    if inside.all():
        return float(inside.size)
    has_any = inside.any(axis=-1)
    width = inside.shape[-1]
    first = np.pad(np.where(has_any, inside.argmax(axis=-1), width), 1, constant_values=width)
    last = np.pad(np.where(has_any, width - inside[..., ::-1].argmax(axis=-1), -1), 1, constant_values=-1)
    for axis in range(first.ndim):  # a corner belongs to the lines on both sides
        n = first.shape[axis]
        before, after = (np.arange(n - 1), np.arange(1, n))
        first = np.minimum(first.take(before, axis), first.take(after, axis))
        last = np.maximum(last.take(before, axis), last.take(after, axis))
    at = np.argwhere(last >= 0)
    ends = [np.column_stack([at, side[tuple(at.T)]]) for side in (first, last)]
    return float(ConvexHull(np.concatenate(ends)).volume)


def _intensities(compact: NDArray[np.int32], image: NDArray[np.generic], counts: NDArray[np.int64]) -> Table:
    inside = np.flatnonzero(compact)
    order = inside[np.argsort(compact.ravel()[inside], kind="stable")]
    starts = np.cumsum(counts) - counts
    table: Table = {}
    for number, channel in enumerate(image, 1):
        name = "intensity" if len(image) == 1 else f"intensity_{number}"
        values = channel.ravel()[order].astype(np.float64)
        if not len(values):
            table |= {f"{name}_{figure}": np.zeros(0) for figure in ("mean", "std", "min", "max")}
            continue
        mean = np.add.reduceat(values, starts) / counts
        spread = np.add.reduceat((values - np.repeat(mean, counts)) ** 2, starts) / counts
        table |= {f"{name}_mean": mean, f"{name}_std": np.sqrt(spread)}
        table |= {
            f"{name}_min": np.minimum.reduceat(values, starts),
            f"{name}_max": np.maximum.reduceat(values, starts),
        }
    return table


def _places(boxes: Sequence[tuple[slice, ...]], shape: tuple[int, ...]) -> Table:
    edges = np.array([[(part.start, part.stop) for part in box] for box in boxes], np.int64)
    edges = edges.reshape(-1, len(shape), 2)
    table: Table = {}
    for axis, name in enumerate("zyx"[-len(shape) :]):
        table |= {f"bbox_{name}_from": edges[:, axis, 0], f"bbox_{name}_to": edges[:, axis, 1]}
    table["touches_edge"] = ((edges[..., 0] == 0) | (edges[..., 1] == np.array(shape))).any(axis=1)
    return table
