"""Meshes as files that other programs open."""

import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh

from seglet.core.errors import FormatError, MissingExtra
from seglet.postprocessing.mesh import Mesh, extract_mesh, mesh_volume
from seglet.postprocessing.mesh_files import Part, write_mesh, write_scene

EMPTY = Mesh(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))


@pytest.fixture(scope="module")
def box() -> Mesh:
    """A box of 3 x 5 x 7 voxels far from the world's middle."""
    return extract_mesh(np.ones((3, 5, 7), bool), (2.0, 1.0, 1.0), (500.0, -300.0, 40.0))


@pytest.mark.parametrize("suffix", [".stl", ".ply", ".obj"])
def test_a_file_holds_the_mesh_and_says_its_space(box: Mesh, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"box{suffix}"
    write_mesh(path, box)
    read = trimesh.load(path)
    assert read.is_watertight
    assert read.volume == pytest.approx(mesh_volume(box), rel=1e-4)
    assert read.bounds[0] == pytest.approx(box.vertices.min(axis=0), abs=1e-3)
    assert len(read.faces) == len(box.faces)
    assert b"SPACE=LPS" in path.read_bytes()[:200]


def test_stl_is_binary(box: Mesh, tmp_path: Path) -> None:
    write_mesh(tmp_path / "box.stl", box)
    content = (tmp_path / "box.stl").read_bytes()
    assert not content.startswith(b"solid")
    assert len(content) == 84 + 50 * len(box.faces)


def test_a_scene_keeps_names_and_colors_and_is_upright_in_meters(box: Mesh, tmp_path: Path) -> None:
    path = tmp_path / "two.glb"
    other = Mesh(box.vertices + 20, box.faces)
    write_scene(
        path,
        [Part("liver", box, (26, 212, 168)), Part("gone", EMPTY, (0, 0, 0)), Part("a", other, (9, 9, 9))],
        "mm",
    )
    scene = trimesh.load(path)
    assert set(scene.geometry) == {"liver", "a"}
    material = scene.geometry["liver"].visual.material
    assert tuple(material.baseColorFactor[:3]) == (26, 212, 168)
    left, back, head = (box.vertices.min(axis=0) + other.vertices.max(axis=0)) / 2 / 1000
    assert scene.bounds.mean(axis=0) == pytest.approx((left, head, -back), abs=1e-5)
    assert scene.to_mesh().volume == pytest.approx(2 * mesh_volume(box) * 1e-9, rel=1e-3)


def test_micrometers_become_meters_too(box: Mesh, tmp_path: Path) -> None:
    write_scene(tmp_path / "cell.glb", [Part("cell", box, (9, 9, 9))], "um")
    extent = trimesh.load(tmp_path / "cell.glb").extents.max()
    assert extent == pytest.approx(np.ptp(box.vertices, axis=0).max() * 1e-6, rel=1e-3)


def test_what_cannot_be_written_leaves_nothing(box: Mesh, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"\.vtk"):
        write_mesh(tmp_path / "box.vtk", box)
    with pytest.raises(FormatError, match="no triangles"):
        write_scene(tmp_path / "box.glb", [Part("gone", EMPTY, (0, 0, 0))], "mm")
    assert list(tmp_path.iterdir()) == []


def test_without_trimesh_the_extra_is_named(
    box: Mesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "trimesh", None)
    with pytest.raises(MissingExtra, match=r"seglet\[mesh\]"):
        write_mesh(tmp_path / "box.stl", box)
