"""Still pictures of surfaces from three sides, drawn by a depth buffer: no graphics card is needed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seglet.core.image import IGNORE
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
LARGEST_BATCH = 1 << 20  # pixels looked at together

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
    nearness, shown = np.full(side * side, -np.inf), np.zeros(side * side)
    first = np.ceil(corners[:, :, :2].min(axis=1)).astype(int).clip(0)
    last = np.floor(corners[:, :, :2].max(axis=1)).astype(int).clip(max=side - 1)
    extent = (last - first + 1).max(axis=1)
    extent[(last < first).any(axis=1)] = 0
    box = 1
    while box < 2 * extent.max(initial=0):
        chosen = np.flatnonzero((extent > box // 2) & (extent <= box))
        for start in range(0, len(chosen), max(1, LARGEST_BATCH // box**2)):
            some = chosen[start : start + max(1, LARGEST_BATCH // box**2)]
            _fill(corners[some], lights[some], first[some], box, (nearness, shown))
        box *= 2
    return _Layer(nearness.reshape(side, side), shown.reshape(side, side))


def _fill(
    corners: NDArray[np.float64],
    lights: NDArray[np.float64],
    first: NDArray[np.int_],
    box: int,
    buffers: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """Draw triangles none of which is wider or higher than `box` pixels, in place."""
    nearness, shown = buffers
    side = round(len(nearness) ** 0.5)
    steps = np.stack(np.meshgrid(np.arange(box), np.arange(box)), -1).reshape(1, -1, 2)
    pixels = first[:, None] + steps
    a, b, c = (corners[:, None, k, :2] for k in range(3))
    whole = _cross(b - a, c - a)
    shares = np.stack([_cross(c - b, pixels - b), _cross(a - c, pixels - c), _cross(b - a, pixels - a)], -1)
    shares /= whole[..., None]
    inside = (shares >= 0).all(axis=-1) & (pixels < side).all(axis=-1)
    triangle = np.nonzero(inside)[0]
    shares, places = shares[inside], pixels[inside] @ (1, side)
    depths = np.einsum("ij,ij->i", shares, corners[triangle, :, 2])
    np.maximum.at(nearness, places, depths)
    is_nearest = depths == nearness[places]
    shown[places[is_nearest]] = np.einsum("ij,ij->i", shares, lights[triangle])[is_nearest]


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
