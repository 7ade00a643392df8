"""Surfaces of masks: closed, of the right volume, in the right place."""

import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from scipy import ndimage

from seglet.core.errors import ConfigError, GeometryError, MissingExtra
from seglet.io.files import read_image
from seglet.io.sources import File
from seglet.postprocessing.mesh import (
    Mesh,
    extract_mesh,
    is_closed,
    mesh_surface,
    mesh_volume,
    reduce_mesh,
)

ISOTROPIC = (1.0, 1.0, 1.0)
SPLEEN = Path("ct/spleen_bids/derivatives/labels/sub-spleen2/ct/sub-spleen2_ct_seg-manual.nii.gz")


def ball(radius: float, spacing: tuple[float, float, float] = ISOTROPIC) -> NDArray[np.bool_]:
    """A ball in the middle of a volume that it nearly fills."""
    halves = [int(radius / step) + 1 for step in spacing]
    places = [np.arange(-n, n + 1) * step for n, step in zip(halves, spacing, strict=True)]
    z, y, x = np.meshgrid(*places, indexing="ij")
    inside: NDArray[np.bool_] = z**2 + y**2 + x**2 <= radius**2
    return inside


def as_trimesh(mesh: Mesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, mesh.faces)  # merges vertices of one place, as readers of STL do


@pytest.mark.parametrize("spacing", [ISOTROPIC, (3.0, 0.8, 0.8), (0.8, 2.5, 1.0), (5.0, 0.8, 0.8)])
@pytest.mark.parametrize("reduction", [0.0, 0.8])
def test_a_ball_has_the_volume_and_surface_of_a_sphere(
    spacing: tuple[float, float, float], reduction: float
) -> None:
    radius = 20.0
    mask = ball(radius, spacing)
    mesh = extract_mesh(mask, spacing, reduction=reduction)
    assert mesh_volume(mesh) == pytest.approx(4 / 3 * np.pi * radius**3, rel=0.02)
    assert mesh_surface(mesh) == pytest.approx(4 * np.pi * radius**2, rel=0.02)
    assert as_trimesh(mesh).is_watertight
    middle = [(n - 1) / 2 * step for n, step in zip(mask.shape, spacing, strict=True)]
    distances = np.linalg.norm(mesh.vertices - middle[::-1], axis=1)
    assert np.abs(distances - radius).max() < max(spacing) / 2


def test_sizes_are_those_that_trimesh_finds() -> None:
    mesh = extract_mesh(ball(6), ISOTROPIC, origin=(100.0, -50.0, 7.0))
    judge = as_trimesh(mesh)
    assert mesh_volume(mesh) == pytest.approx(judge.volume, rel=1e-5)
    assert mesh_surface(mesh) == pytest.approx(judge.area, rel=1e-5)
    assert judge.volume > 0  # triangles face outwards


@given(
    arrays.arrays(bool, st.tuples(*[st.integers(1, 6)] * 3)),
    st.tuples(*[st.sampled_from([0.5, 1.0, 3.0])] * 3),
    st.sampled_from([0.7, 1.0]),
    st.sampled_from([0.0, 0.6]),
)
@example(
    np.array([[[1, 0, 1, 0], [1, 0, 0, 0]], [[0, 1, 0, 0], [0, 0, 0, 0]]], bool), (0.5, 1.0, 0.5), 0.7, 0.0
)
@settings(max_examples=60)
def test_any_mask_gives_a_closed_surface_of_the_volume_of_its_voxels(
    mask: NDArray[np.bool_], spacing: tuple[float, float, float], smoothing: float, reduction: float
) -> None:
    mesh = extract_mesh(mask, spacing, smoothing=smoothing, reduction=reduction)
    voxels = np.count_nonzero(mask) * np.prod(spacing)
    assert is_closed(mesh)
    beside = ndimage.convolve(mask.astype(int), ndimage.generate_binary_structure(3, 1), mode="constant") > 1
    is_scattered = np.count_nonzero(mask & ~beside) > np.count_nonzero(mask) / 4  # many single voxels
    assert mesh_volume(mesh) == pytest.approx(voxels, rel=0.1 if is_scattered else 0.02, abs=1e-9)
    if mask.any():
        assert as_trimesh(mesh).is_watertight


def test_a_mask_that_fills_its_volume_is_closed_at_the_edge() -> None:
    mesh = extract_mesh(np.ones((6, 8, 10), bool), (2.0, 1.0, 1.0), smoothing=0)
    assert as_trimesh(mesh).is_watertight
    assert mesh_volume(mesh) == pytest.approx(960, rel=0.01)


def test_a_flat_mask_is_a_plate_of_one_slice() -> None:
    mask = np.zeros((5, 30, 30), bool)
    mask[2, 5:25, 5:25] = True
    mesh = extract_mesh(mask, (2.0, 1.0, 1.0), smoothing=0)
    assert is_closed(mesh)
    assert mesh_volume(mesh) == pytest.approx(800, rel=0.01)
    assert mesh.vertices[:, 2].mean() == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("smoothing", [0.0, 1.0, 2.0])
def test_smoothing_loses_no_piece(smoothing: float) -> None:
    mask = np.pad(ball(8), 6)
    mask[2, 2, 2] = mask[-3, -3, -4:-2] = True
    mesh = extract_mesh(mask, ISOTROPIC, smoothing=smoothing)
    assert len(as_trimesh(mesh).split()) == 3


def test_smoothing_makes_steps_smooth() -> None:
    rough, smooth = (mesh_surface(extract_mesh(ball(12), ISOTROPIC, smoothing=s)) for s in (0, 1))
    assert smooth < 0.96 * rough


def test_an_empty_mask_gives_an_empty_mesh() -> None:
    mesh = extract_mesh(np.zeros((4, 4, 4), bool), ISOTROPIC, reduction=0.9)
    assert mesh.vertices.shape == mesh.faces.shape == (0, 3)
    assert mesh_volume(mesh) == mesh_surface(mesh) == 0
    assert is_closed(mesh)


def test_axes_origin_and_direction_put_the_mesh_into_the_world() -> None:
    mask = np.zeros((9, 20, 30), bool)
    mask[3:6, 8:13, 20:26] = True  # centers: z 3 to 5, y 8 to 12, x 20 to 25
    mirrored = (1.0, 0, 0, 0, -1.0, 0, 0, 0, 1.0)
    mesh = extract_mesh(mask, (4.0, 2.0, 1.0), (100.0, 200.0, 300.0), mirrored, smoothing=0)
    middle = (mesh.vertices.min(axis=0) + mesh.vertices.max(axis=0)) / 2
    assert middle == pytest.approx((300 + 22.5, 200 - 2 * 10, 100 + 4 * 4), abs=0.1)
    assert mesh_volume(mesh) > 0
    assert mesh.vertices.dtype == np.float32
    assert mesh.faces.dtype == np.int32


def test_a_torn_mesh_is_not_closed() -> None:
    mesh = extract_mesh(ball(3), ISOTROPIC)
    assert is_closed(mesh)
    assert not is_closed(Mesh(mesh.vertices, mesh.faces[1:]))
    turned = mesh.faces.copy()
    turned[0] = turned[0, ::-1]
    assert not is_closed(Mesh(mesh.vertices, turned))


def test_triangles_are_left_out_as_far_as_the_surface_stays_whole() -> None:
    mesh = extract_mesh(ball(15), ISOTROPIC)
    reduced = reduce_mesh(mesh, 0.75)
    assert len(reduced.faces) == pytest.approx(len(mesh.faces) / 4, rel=0.01)
    least = reduce_mesh(mesh, 0.9999)  # would leave no volume
    assert is_closed(least)
    assert mesh_volume(least) == pytest.approx(mesh_volume(mesh), rel=0.01)


@pytest.mark.parametrize(
    ("mask", "spacing"),
    [
        (np.ones((4, 4), bool), (1.0, 1.0)),
        (np.ones((4, 4, 4), bool), ()),
        (np.ones((4, 4, 4), bool), (1.0, 0.0, 1.0)),
        (np.ones((4, 4, 4), bool), (1.0, float("nan"), 1.0)),
    ],
)
def test_what_is_no_volume_is_refused(mask: NDArray[np.bool_], spacing: tuple[float, ...]) -> None:
    with pytest.raises(GeometryError):
        extract_mesh(mask, spacing)


@pytest.mark.parametrize("wrong", [{"smoothing": -1.0}, {"smoothing": 11.0}, {"reduction": 1.0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        extract_mesh(ball(2), ISOTROPIC, **wrong)


def test_only_leaving_out_triangles_needs_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fast_simplification", None)
    assert len(extract_mesh(ball(2), ISOTROPIC).faces)
    with pytest.raises(MissingExtra, match=r"seglet\[mesh\]"):
        extract_mesh(ball(2), ISOTROPIC, reduction=0.5)


@pytest.mark.data
def test_the_spleen_is_watertight_of_its_volume_and_at_its_place(data_folder: Path) -> None:
    import nibabel

    image = read_image(File(data_folder, SPLEEN.as_posix()))
    mask = image.pixels[0] > 0
    mesh = extract_mesh(mask, image.spacing, image.origin, image.direction, reduction=0.8)
    assert as_trimesh(mesh).is_watertight
    voxels = np.count_nonzero(mask) * np.prod(image.spacing)
    assert mesh_volume(mesh) == pytest.approx(voxels, rel=0.02)
    volume = nibabel.load(data_folder / SPLEEN)
    centers = np.argwhere(np.asarray(volume.dataobj) > 0) @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    lps = centers * (-1, -1, 1)
    assert np.abs(mesh.vertices.min(axis=0) - lps.min(axis=0)).max() < max(image.spacing)
    assert np.abs(mesh.vertices.max(axis=0) - lps.max(axis=0)).max() < max(image.spacing)
    assert as_trimesh(mesh).center_mass == pytest.approx(lps.mean(axis=0), abs=0.5)
