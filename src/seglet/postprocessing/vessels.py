"""Vessels, nerves and other networks of lines in numbers: length, width, density, branching, tortuosity."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree
from skimage.morphology import skeletonize

from seglet.core.errors import GeometryError
from seglet.postprocessing.measure import Table

Indexes = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Vessels:
    """What was measured of a network of lines.

    Attributes
    ----------
    figures : dict
        Of the whole image, see `measure_vessels`.
    segments : dict
        One row per segment: ``number``; ``length_U``; ``chord_U``, the distance of its ends, nan of a closed
        loop; ``tortuosity``, length by chord; ``mean_width_U``; ``from_y_px``, ``from_x_px``, ``to_y_px``,
        ``to_x_px``, its ends, -1 of a closed loop.
    """

    figures: dict[str, float]
    segments: Table


def measure_vessels(
    mask: NDArray[np.bool_],
    spacing: Sequence[float] = (),
    unit: str = "px",
    counted: NDArray[np.bool_] | None = None,
) -> Vessels:
    """Measure a network of lines along its skeleton.

    Neighbors in the skeleton are linked, at corners only where no pixel beside links them. Where three or
    more links meet is a branch point; what lies between branch points and ends is a segment. Short spurs that
    the skeleton has at uneven borders count as segments.

    Parameters
    ----------
    mask : (y, x) bool array
        Where the lines are.
    spacing : sequence of float
        Distance between neighboring pixels along each axis, in `unit`; 1 px where empty.
    unit : str
        ``"mm"``, ``"um"`` or ``"px"``; stands in the names of the figures.
    counted : (y, x) bool array, optional
        The only part of the image that is looked at.

    Returns
    -------
    Vessels
        Its figures, U being the unit:

        - ``length_U``: of all links; a step to a corner is sqrt(2) long on square pixels. Lines between these
          directions come out up to 8 % too long.
        - ``mean_width_U``, ``median_width_U``: over the pixels of the skeleton, the diameter of the largest
          circle within the mask whose center is in the pixel: exact for even and odd widths; nan where the
          mask has no border
        - ``area_U2``, ``area_density``: its share of what is looked at
        - ``length_density_per_U``: length by the area of what is looked at
        - ``n_segments``, ``n_branch_points``, ``n_end_points``
        - ``tortuosity``: length by chord of the segments that have two different ends, weighted by length; 1
          where straight

        An empty mask has zeros, and nan for widths and tortuosity.

    Raises
    ------
    GeometryError
        If the mask is not flat, or the spacing or `counted` does not fit it.
    """
    _require_flat(mask, spacing, counted)
    step = np.array(tuple(spacing) or (1.0, 1.0))
    seen = mask if counted is None else mask & counted
    n_counted = int(mask.size if counted is None else np.count_nonzero(counted))
    skeleton = skeletonize(seen)
    pixels = np.argwhere(skeleton)
    links = _links(skeleton)
    lengths = np.linalg.norm((pixels[links[:, 0]] - pixels[links[:, 1]]) * step, axis=1)
    degrees = np.bincount(links.ravel(), minlength=len(pixels))
    widths = _widths(seen, pixels, step)
    segments = _segments(pixels, links, lengths, widths, step, unit)
    area, area_counted = np.count_nonzero(seen) * prod(step), n_counted * prod(step) or np.nan
    is_branch = degrees >= 3
    figures = {
        f"length_{unit}": float(lengths.sum()),
        f"mean_width_{unit}": float(widths.mean()) if len(widths) else np.nan,
        f"median_width_{unit}": float(np.median(widths)) if len(widths) else np.nan,
        f"area_{unit}2": float(area),
        "area_density": float(area / area_counted),
        f"length_density_per_{unit}": float(lengths.sum() / area_counted),
        "n_segments": len(segments["number"]),
        "n_branch_points": len(np.unique(_groups(links, is_branch)[is_branch])),
        "n_end_points": int(np.count_nonzero(degrees == 1)),
        "tortuosity": _mean_tortuosity(segments, unit),
    }
    return Vessels(figures, segments)


def _require_flat(
    mask: NDArray[np.bool_], spacing: Sequence[float], counted: NDArray[np.bool_] | None
) -> None:
    if mask.ndim != 2 or (counted is not None and counted.shape != mask.shape):
        raise GeometryError(
            "vessels",
            found=f"a mask of shape {mask.shape}" + ("" if counted is None else f", seen in {counted.shape}"),
            expected="(y, x)",
            remedy="Measure vessels in flat images; of volumes measure objects or organs.",
        )
    if len(spacing) not in (0, 2) or not all(0 < one < np.inf for one in spacing):
        raise GeometryError(
            "spacing",
            found=", ".join(map(str, spacing)),
            expected="2 positive numbers",
            remedy="Give the distance between pixels along y and along x.",
        )


def _links(skeleton: NDArray[np.bool_]) -> Indexes:
    """Pairs of neighboring pixels, (n, 2), by their places in scan order."""
    numbers = np.full(np.add(skeleton.shape, 2), -1, np.int64)
    numbers[1:-1, 1:-1][skeleton] = np.arange(np.count_nonzero(skeleton))
    here = numbers[1:-1, 1:-1][skeleton]
    y, x = np.nonzero(numbers >= 0)
    pairs = []
    for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
        there = numbers[y + dy, x + dx]
        is_linked = there >= 0
        if dy and dx:
            is_linked &= (numbers[y + dy, x] < 0) & (numbers[y, x + dx] < 0)
        pairs.append(np.column_stack([here[is_linked], there[is_linked]]))
    return np.concatenate(pairs)


def _groups(links: Indexes, chosen: NDArray[np.bool_]) -> Indexes:
    """Number of the connected group of each pixel, counting links between chosen pixels alone."""
    kept = links[chosen[links].all(axis=1)]
    n = len(chosen)
    graph = coo_array((np.ones(len(kept), bool), (kept[:, 0], kept[:, 1])), shape=(n, n))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _segments(
    pixels: Indexes, links: Indexes, lengths: Floats, widths: Floats, step: Floats, unit: str
) -> Table:
    """What is left when branch points are taken out, with its links to them."""
    degrees = np.bincount(links.ravel(), minlength=len(pixels))
    is_path = degrees <= 2
    groups = _groups(links, is_path)
    numbers = np.full(len(pixels), -1)
    numbers[is_path] = np.unique(groups[is_path], return_inverse=True)[1]
    n = int(numbers.max(initial=-1)) + 1
    owners = numbers[links].max(axis=1)  # of links between branch points none
    arcs = np.bincount(owners[owners >= 0], lengths[owners >= 0], n).astype(np.float64)
    n_pixels = np.bincount(numbers[is_path], minlength=n)
    ends = _ends(pixels, links, numbers, n)
    chords = np.linalg.norm((ends[:, 0] - ends[:, 1]) * step, axis=1)
    chords[(ends < 0).any(axis=(1, 2))] = np.nan
    tortuosity = np.full(n, np.nan)
    np.divide(arcs, chords, out=tortuosity, where=chords > 0)
    return {
        "number": np.arange(1, n + 1),
        f"length_{unit}": arcs,
        f"chord_{unit}": chords,
        "tortuosity": tortuosity,
        f"mean_width_{unit}": np.bincount(numbers[is_path], widths[is_path], n) / n_pixels,
        **{f"{end}_{axis}_px": ends[:, e, a] for (e, end), (a, axis) in product(_ENDS, _AXES)},
    }


_ENDS, _AXES = ((0, "from"), (1, "to")), ((0, "y"), (1, "x"))


def _ends(pixels: Indexes, links: Indexes, numbers: Indexes, n: int) -> Indexes:
    """Both ends of each segment, (n, 2, 2): its free ends and the branch points it comes to; else -1."""
    degrees = np.bincount(links.ravel(), minlength=len(pixels))
    free = np.flatnonzero(degrees <= 1)
    free = np.concatenate([free, np.flatnonzero(degrees == 0)])  # a lone pixel is both ends of itself
    to_branch = links[(numbers[links] < 0).sum(axis=1) == 1]
    is_first = numbers[to_branch[:, 0]] < 0
    branch, path = np.where(is_first, to_branch.T, to_branch.T[::-1])
    owners = np.concatenate([numbers[free], numbers[path]])
    order = np.argsort(owners, kind="stable")
    at = np.concatenate([free, branch])[order]
    owners = owners[order]
    ends = np.full((n, 2, 2), -1, np.int64)
    is_second = np.append(False, owners[1:] == owners[:-1])
    ends[owners, is_second.astype(int)] = pixels[at]
    return ends


def _widths(mask: NDArray[np.bool_], pixels: Indexes, step: Floats) -> Floats:
    """Diameter of the largest circle in the mask with its center in each pixel: nan without any border.

    On the grid of pixel corners, edges and centers, twice as fine as the pixels: a point that belongs to a
    pixel of the background, if only as its corner, is outside.
    """
    height, width = mask.shape
    outside = np.zeros((2 * height + 1, 2 * width + 1), bool)
    for dy, dx in product(range(3), repeat=2):
        outside[dy : dy + 2 * height : 2, dx : dx + 2 * width : 2] |= ~mask
    border = np.argwhere(outside & ndimage.binary_dilation(~outside))
    if not len(pixels) or not len(border):
        return np.full(len(pixels), np.nan)
    tree = KDTree(border * step)
    points = np.array(list(product(range(3), repeat=2)))
    radii, _ = tree.query((2 * pixels[:, None] + points) * step)
    return np.asarray(np.max(radii, axis=1), np.float64)  # in halves of pixels: the diameter in pixels


def _mean_tortuosity(segments: Table, unit: str) -> float:
    tortuosity = np.asarray(segments["tortuosity"], np.float64)
    lengths = np.asarray(segments[f"length_{unit}"], np.float64)
    known = np.isfinite(tortuosity) & (lengths > 0)
    return float(np.average(tortuosity[known], weights=lengths[known])) if known.any() else np.nan
