"""The surface of a mask as a closed mesh of triangles, where the mask lies in the world."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import marching_cubes

from seglet.core.errors import ConfigError, GeometryError
from seglet.io.packages import need

SAME_VOLUME = 0.002  # share by which a mesh may miss the volume of its voxels before it is reduced
KEPT_VOLUME = 0.01  # share of it that leaving out triangles may cost
MOST_STEPS = 16  # towards that volume; each halves the rest at least
FROM_CENTER = 0.01  # of the finest spacing: nearer to a voxel's center, vertices of one place would merge
STRETCHED = 1.5  # times coarser than the finest: an axis is filled up with slices between its own
FAR = 2.0  # voxels of space around a mask, beside what smoothing reaches


@dataclass(frozen=True, eq=False)
class Mesh:
    """A surface of triangles.

    Attributes
    ----------
    vertices : (n, 3) float32 array
        x, y, z in the unit of the spacing (mm for medical volumes), in DICOM's and ITK's world: x leads to
        the patient's left, y to the back, z to the head (LPS). NIfTI's own world (RAS) has x and y negated.
    faces : (m, 3) int32 array
        Vertices of each triangle, counterclockwise as seen from outside.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]


def extract_mesh(
    mask: NDArray[np.bool_],
    spacing: tuple[float, ...],
    origin: tuple[float, ...] = (),
    direction: tuple[float, ...] = (),
    smoothing: float = 1.0,
    reduction: float = 0.0,
) -> Mesh:
    """Find the surface of a mask: closed, and of the volume of the mask's voxels.

    Distances to the mask's border, in the unit of the spacing, are filled in between thick slices [1]_,
    smoothed, and cut by marching cubes [2]_ at the level whose surface encloses the volume of the voxels. The
    mask may touch the volume's edge: the surface is closed there. Nothing is lost: a piece that smoothing
    would dissolve is left as it is. The volume is kept to 0.2 %; only masks of scattered single voxels may
    miss it by more.

    Parameters
    ----------
    mask : (z, y, x) bool array
        What is inside.
    spacing : (float, float, float)
        Distance between voxels along each axis of the mask.
    origin, direction : tuple of float
        Of the mask's image, see `seglet.core.image.Image`; zero and upright where empty.
    smoothing : float
        Standard deviation of a Gaussian, in voxels of the finest spacing; 0 leaves the steps of the voxels.
    reduction : float
        Share of the triangles to leave out, 0 to less than 1; fewer are left out where the surface would tear
        or its volume change by more than 1 %.

    Returns
    -------
    Mesh
        Without vertices where the mask is empty.

    Raises
    ------
    GeometryError
        If the mask is no volume, or the spacing is not three positive numbers.
    ConfigError
        If `smoothing` or `reduction` is out of range.
    MissingExtra
        If triangles are to be left out and fast-simplification is not installed.

    References
    ----------
    .. [1] Raya, Udupa, "Shape-based interpolation of multidimensional objects", IEEE TMI 9 (1990).
    .. [2] Lewiner et al., "Efficient implementation of marching cubes' cases", JGT 8 (2003).
    """
    _require(mask, spacing, smoothing, reduction)
    if not mask.any():
        return Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    margin = FAR + np.ceil(4 * smoothing * min(spacing) / np.asarray(spacing))  # 4: Gaussians end there
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    around = [(int(n), int(n)) for n in margin]
    depth = _depth(np.pad(mask[box], around), spacing)
    depth, steps = _between_slices(depth, spacing)
    depth = _smoothed(depth, smoothing, min(spacing))
    local = _cut(depth, steps, float(np.count_nonzero(mask)) * float(np.prod(spacing)))
    local = reduce_mesh(local, reduction)
    first = [(part.start - n) * s for part, n, s in zip(box, margin, spacing, strict=True)]
    return _placed(local, first, origin, direction)


def mesh_volume(mesh: Mesh) -> float:
    """Volume enclosed by a closed mesh, in the cubed unit of its vertices; 0 for no triangles."""
    corners = _corners(mesh)
    return float(np.einsum("ij,ij->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6)


def mesh_surface(mesh: Mesh) -> float:
    """Area of a mesh, in the squared unit of its vertices; 0 for no triangles."""
    corners = _corners(mesh)
    sides = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return float(np.linalg.norm(sides, axis=1).sum() / 2)


def is_closed(mesh: Mesh) -> bool:
    """Whether every edge of a mesh joins exactly two triangles that agree on what is outside."""
    starts, ends = mesh.faces[:, [0, 1, 2]].ravel(), mesh.faces[:, [1, 2, 0]].ravel()
    n = np.int64(len(mesh.vertices))
    there, back = np.sort(starts * n + ends), np.sort(ends * n + starts)
    return bool((np.diff(there) > 0).all() and np.array_equal(there, back))


def reduce_mesh(mesh: Mesh, reduction: float) -> Mesh:
    """Leave out the share `reduction` of a closed mesh's triangles, those that shape it least [1]_ first.

    Fewer are left out where the surface would not stay closed or its volume change by more than 1 %.

    Raises
    ------
    MissingExtra
        If fast-simplification is not installed.

    References
    ----------
    .. [1] Garland, Heckbert, "Surface simplification using quadric error metrics", SIGGRAPH 1997.
    """
    if reduction == 0 or not len(mesh.faces):
        return mesh
    simplify = need("fast_simplification", "mesh", "smaller meshes").simplify
    volume = mesh_volume(mesh)
    kept = 1 - reduction
    while kept < 1:
        vertices, faces = simplify(mesh.vertices, mesh.faces, 1 - kept)
        reduced = Mesh(np.asarray(vertices, np.float32), np.asarray(faces, np.int32))
        if is_closed(reduced) and abs(mesh_volume(reduced) - volume) <= KEPT_VOLUME * volume:
            return reduced
        kept *= 2
    return mesh


def _require(mask: NDArray[np.bool_], spacing: tuple[float, ...], smoothing: float, reduction: float) -> None:
    if mask.ndim != 3:
        found, expected = f"a mask of shape {mask.shape}", "a volume, (z, y, x)"
        raise GeometryError("mesh", found=found, expected=expected, remedy="Stack the slices first.")
    if len(spacing) != 3 or not all(np.isfinite(step) and step > 0 for step in spacing):
        expected, remedy = "three positive distances, (z, y, x)", "Say the spacing of the volume."
        raise GeometryError("mesh", found=f"spacing {spacing}", expected=expected, remedy=remedy)
    if not 0 <= smoothing <= 10:
        remedy = "Say how many voxels are smoothed over; 1 is usual."
        raise ConfigError("smoothing", found=str(smoothing), expected="0 to 10 voxels", remedy=remedy)
    if not 0 <= reduction < 1:
        remedy = "Say the share of triangles to leave out, such as 0.8."
        raise ConfigError("reduction", found=str(reduction), expected="0 to less than 1", remedy=remedy)


def _depth(mask: NDArray[np.bool_], spacing: tuple[float, ...]) -> NDArray[np.float32]:
    """Distance of each voxel to the nearest on the other side; negative outside."""
    inside = ndimage.distance_transform_edt(mask, sampling=spacing).astype(np.float32)
    outside = ndimage.distance_transform_edt(~mask, sampling=spacing).astype(np.float32)
    depth: NDArray[np.float32] = inside - outside
    return depth


def _between_slices(
    depth: NDArray[np.float32], spacing: tuple[float, ...]
) -> tuple[NDArray[np.float32], tuple[float, ...]]:
    """Fill in slices along coarse axes, linearly, until they are about as fine as the finest."""
    steps = list(spacing)
    for axis, step in enumerate(spacing):
        times = round(step / min(spacing)) if step > STRETCHED * min(spacing) else 1
        if times == 1:
            continue
        before, after = np.arange(depth.shape[axis] - 1), np.arange(1, depth.shape[axis])
        low, high = depth.take(before, axis), depth.take(after, axis)
        parts = [low + np.float32(k / times) * (high - low) for k in range(times)]
        mixed = np.stack(parts, axis + 1)
        shape = tuple(-1 if k == axis else n for k, n in enumerate(depth.shape))
        depth = np.concatenate([mixed.reshape(shape), depth.take([-1], axis)], axis)
        steps[axis] = step / times
    return depth, tuple(steps)


def _smoothed(depth: NDArray[np.float32], smoothing: float, finest: float) -> NDArray[np.float32]:
    """Smooth the surface, except that of pieces which would then be gone."""
    if smoothing == 0:
        return depth
    smooth: NDArray[np.float32] = ndimage.gaussian_filter(depth, smoothing)
    pieces, n_pieces = ndimage.label(depth > 0, np.ones((3, 3, 3), int))
    peaks = np.full(n_pieces + 1, -np.inf)
    np.maximum.at(peaks, pieces[pieces > 0], smooth[pieces > 0])
    is_lost = peaks < finest / 2
    is_lost[0] = False  # the background
    if not is_lost.any():
        return smooth
    near = ndimage.binary_dilation(is_lost[pieces], np.ones((3, 3, 3), bool))
    return np.where(near, np.maximum(smooth, depth), smooth)


def _cut(depth: NDArray[np.float32], steps: tuple[float, ...], volume: float) -> Mesh:
    """Cut at the depth whose surface encloses a volume, found by Newton's method within a bracket.

    Moving the surface outwards by a small step adds its area times that step to the volume.
    """
    low, high = float(depth.min()), float(depth.max())
    level = 0.0
    for _ in range(MOST_STEPS):
        mesh = _surface_at(depth, level, steps)
        excess = mesh_volume(mesh) - volume
        if abs(excess) <= SAME_VOLUME * volume:
            break
        low, high = (level, high) if excess > 0 else (low, level)
        nearer = level + excess / mesh_surface(mesh)
        level = nearer if low < nearer < high else (low + high) / 2
    return mesh


def _surface_at(depth: NDArray[np.float32], level: float, steps: tuple[float, ...]) -> Mesh:
    """Cut at one depth; vertices are (z, y, x), and triangles face outwards."""
    least = np.float32(FROM_CENTER * min(steps))
    apart = depth - np.float32(level)
    apart[(apart >= 0) & (apart < least)] = least
    apart[(apart < 0) & (apart > -least)] = -least
    vertices, faces, _, _ = marching_cubes(apart, 0.0, spacing=steps)
    return _outwards(vertices, faces)


def _outwards(vertices: NDArray[np.floating], faces: NDArray[np.integer]) -> Mesh:
    mesh = Mesh(np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(faces, np.int32))
    return mesh if mesh_volume(mesh) >= 0 else Mesh(mesh.vertices, mesh.faces[:, ::-1].copy())


def _placed(mesh: Mesh, first: list[float], origin: tuple[float, ...], direction: tuple[float, ...]) -> Mesh:
    """Put a mesh in (z, y, x) from a voxel in its place in the world, (x, y, z)."""
    turned = np.reshape(direction, (3, 3)) if direction else np.eye(3)
    start = np.asarray(origin) if origin else np.zeros(3)
    world = (mesh.vertices.astype(np.float64) + first) @ turned.T + start
    return _outwards(world[:, ::-1], mesh.faces)


def _corners(mesh: Mesh) -> NDArray[np.float64]:
    """Corners of each triangle, (m, 3, 3), from the middle of the mesh, where rounding is least."""
    vertices = mesh.vertices.astype(np.float64)
    if len(vertices):
        vertices -= vertices.mean(axis=0)
    corners: NDArray[np.float64] = vertices[mesh.faces]
    return corners
