"""Still pictures of surfaces from three sides, drawn by a depth buffer: no graphics card is needed."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seglet.core.image import IGNORE
from seglet.metrics.compiled import compiled
from seglet.postprocessing.mesh import Mesh, extract_mesh
from seglet.report.overlays import Color, Picture, class_color

SIDE = 480  # px
FINER = 2  # times, before it is averaged: smooth outlines
FILLED = 0.92  # share of a picture's side that the largest extent takes
PAPER = 250.0  # gray level behind the surfaces
SEE_THROUGH = 0.3  # opacity of a class that has another one inside
LIGHT = np.array([-0.45, 0.55, 0.7])  # from the upper left, before the picture: right, up, towards the eye
LEAST_LIGHT = 0.34  # of what faces away from it
SHADED = 0.5  # most that a hollow is darkened

# Each view's way to the right, upwards and towards the eye, in (left, back, head) of the world:
VIEWS: dict[str, NDArray[np.float64]] = {
    "front": np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]]),
    "left": np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]]),
    "above": np.array([[-1.0, 0, 0], [0, -1, 0], [0, 0, 1]]),
}


@dataclass(frozen=True, eq=False)
class SurfacePicture:
    """A surface seen from one side: ``front``, ``left`` or ``above``, and what can be seen, in words."""

    side: str
    alt: str
    picture: Picture


@dataclass(frozen=True, eq=False)
class _Layer:
    """One class as it is seen: nearness of each pixel (minus infinity where it is not) and its light."""

    nearness: NDArray[np.float64]
    light: NDArray[np.float64]


def surface_pictures(
    labels: NDArray[np.uint8],
    spacing: tuple[float, ...],
    class_names: Sequence[str],
    direction: tuple[float, ...] = (),
) -> list[SurfacePicture]:
    """Draw the classes of a volume from three sides.

    Parameters
    ----------
    labels : (z, y, x) uint8 array
        Class index per voxel; `IGNORE` is not drawn.
    spacing : (float, float, float)
        Distance between voxels along each axis.
    class_names : sequence of str
        Class names in order of their index, the background first.
    direction : tuple of float
        See `seglet.core.image.Image`; upright where empty.

    Returns
    -------
    list of SurfacePicture
        Front, left and above; empty where no voxel is of a class.

    Raises
    ------
    GeometryError
        If `labels` are no volume, or the spacing is unknown.
    """
    present = [k for k in range(1, len(class_names)) if k != IGNORE and bool((labels == k).any())]
    meshes = {k: extract_mesh(labels == k, spacing, direction=direction) for k in present}
    return draw_surfaces({class_names[k]: (mesh, class_color(k)) for k, mesh in meshes.items()})


def draw_surfaces(surfaces: dict[str, tuple[Mesh, Color]], side: int = SIDE) -> list[SurfacePicture]:
    """Draw closed meshes from three sides, all on one scale; see-through where one surrounds another.

    Parameters
    ----------
    surfaces : dict
        Mesh and color by name; those without triangles are left out.
    side : int
        Of the square pictures, in pixels.

    Returns
    -------
    list of SurfacePicture
        Front, left and above; empty where there are no triangles.
    """
    drawn = {name: found for name, found in surfaces.items() if len(found[0].faces)}
    if not drawn:
        return []
    meshes = [mesh for mesh, _ in drawn.values()]
    colors = [color for _, color in drawn.values()]
    points = np.concatenate([mesh.vertices for mesh in meshes]).astype(np.float64)
    low, high = points.min(axis=0), points.max(axis=0)
    scale = FILLED * side * FINER / float((high - low).max())
    names = " and ".join(drawn)
    pictures: list[SurfacePicture] = []
    for name, axes in VIEWS.items():
        placed = [(mesh.vertices - (low + high) / 2) @ axes.T * scale for mesh in meshes]
        layers = [_seen(p, m.faces, side * FINER) for p, m in zip(placed, meshes, strict=True)]
        picture = _composed(layers, colors, _opacities(meshes))
        pictures.append(SurfacePicture(name, f"{names} {_from(name)}", picture))
    return pictures


def joined(pictures: Sequence[SurfacePicture]) -> Picture:
    """Join pictures side by side."""
    return np.concatenate([one.picture for one in pictures], axis=1)


def _from(side: str) -> str:
    return "from above" if side == "above" else f"from the {side}"


def _opacities(meshes: Sequence[Mesh]) -> list[float]:
    """Less than 1 for a mesh whose extent holds that of another."""
    boxes = [(mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)) for mesh in meshes]
    return [
        SEE_THROUGH
        if any(
            (low <= inner_low).all() and (inner_high <= high).all()
            for other, (inner_low, inner_high) in enumerate(boxes)
            if other != k
        )
        else 1.0
        for k, (low, high) in enumerate(boxes)
    ]


def _seen(points: NDArray[np.float64], faces: NDArray[np.int32], side: int) -> _Layer:
    """Draw one mesh into a depth buffer; points are (right, up, near) in pixels from the middle."""
    light = _light(points, faces)
    corners = points[faces] * (1, -1, 1) + (side / 2 - 0.5, side / 2 - 0.5, 0)  # rows run downwards
    area = _cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    corners, lights = corners[area < 0], light[faces][area < 0]  # those that face the eye
    nearness, shown = np.full((side, side), -np.inf), np.zeros((side, side))
    _fill(corners, lights, nearness, shown)
    return _Layer(nearness, shown)


@compiled
def _fill(
    corners: NDArray[np.float64],
    lights: NDArray[np.float64],
    nearness: NDArray[np.float64],
    shown: NDArray[np.float64],
) -> None:
    """Draw triangles (n, 3 corners, x y near) into the buffers; a pixel is inside if no share is negative."""
    for k in range(len(corners)):
        (ax, ay, az), (bx, by, bz), (cx, cy, cz) = corners[k]
        whole = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        left, right = max(math.ceil(min(ax, bx, cx)), 0), math.floor(max(ax, bx, cx))
        top, bottom = max(math.ceil(min(ay, by, cy)), 0), math.floor(max(ay, by, cy))
        for y in range(top, min(bottom + 1, nearness.shape[0])):
            for x in range(left, min(right + 1, nearness.shape[1])):
                of_a = ((cx - bx) * (y - by) - (cy - by) * (x - bx)) / whole
                of_b = ((ax - cx) * (y - cy) - (ay - cy) * (x - cx)) / whole
                of_c = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / whole
                if min(of_a, of_b, of_c) >= 0:
                    depth = of_a * az + of_b * bz + of_c * cz
                    if depth >= nearness[y, x]:
                        nearness[y, x] = depth
                        shown[y, x] = of_a * lights[k, 0] + of_b * lights[k, 1] + of_c * lights[k, 2]


def _light(points: NDArray[np.float64], faces: NDArray[np.int32]) -> NDArray[np.float64]:
    """How light each vertex is, `LEAST_LIGHT` to 1, by the mean normal of its triangles."""
    corners = points[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    sums = np.stack([np.bincount(faces.ravel(), np.repeat(n, 3), len(points)) for n in normals.T], -1)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    facing = sums / np.maximum(lengths, 1e-12) @ (LIGHT / np.linalg.norm(LIGHT))
    light: NDArray[np.float64] = LEAST_LIGHT + (1 - LEAST_LIGHT) * (0.5 + 0.5 * facing) ** 1.5
    return light


def _composed(layers: Sequence[_Layer], colors: Sequence[Color], opacities: Sequence[float]) -> Picture:
    """Lay the classes over each other, pixel by pixel from the farthest to the nearest."""
    shape = layers[0].nearness.shape
    painted = np.full((*shape, 3), PAPER)
    order = np.argsort(np.stack([layer.nearness for layer in layers]), axis=0)
    colored = [_colored(layer, color) for layer, color in zip(layers, colors, strict=True)]
    for place in order:
        for k, layer in enumerate(layers):
            here = (place == k) & np.isfinite(layer.nearness)
            painted[here] += opacities[k] * (colored[k][here] - painted[here])
    small = painted.reshape(shape[0] // FINER, FINER, shape[1] // FINER, FINER, 3).mean(axis=(1, 3))
    picture: Picture = np.round(small.clip(0, 255)).astype(np.uint8)
    return picture


def _colored(layer: _Layer, color: Color) -> NDArray[np.float64]:
    """Color by light; hollows, which lie deeper than what is around them, are darker [1]_.

    References
    ----------
    .. [1] Luft, Colditz, Deussen, "Image enhancement by unsharp masking the depth buffer", SIGGRAPH 2006.
    """
    seen = np.isfinite(layer.nearness)
    if not seen.any():
        return np.zeros((*seen.shape, 3))
    width = len(seen) // 12
    depth = np.where(seen, layer.nearness, 0.0)
    weight = ndimage.uniform_filter(seen.astype(np.float64), width)
    around = ndimage.uniform_filter(depth, width) / np.maximum(weight, 1e-6)
    hollow = np.clip((around - depth) / (1.2 * width), 0, 1)
    light = layer.light * (1 - SHADED * hollow)
    gloss = 70 * np.clip((light - 0.8) / 0.2, 0, 1) ** 2
    return light[..., None] * np.asarray(color, np.float64) + gloss[..., None]


def _cross(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Signed area of the parallelogram of two vectors in the plane of the picture."""
    product: NDArray[np.float64] = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    return product
