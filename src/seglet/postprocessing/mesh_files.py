"""Meshes as files: STL, PLY, OBJ and GLB."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from seglet.core.errors import FormatError
from seglet.core.storage import whole_file
from seglet.io.packages import need
from seglet.postprocessing.mesh import Mesh

SUFFIXES = (".stl", ".ply", ".obj", ".glb")
SPACE = "SPACE=LPS"  # as 3D Slicer writes and reads it, https://github.com/Slicer/Slicer/issues/4408
STL_HEADER = 80  # bytes
TO_METERS: Mapping[str, float] = {"mm": 1e-3, "um": 1e-6}
# glTF 2.0, section 3.4: y is up and the front faces z; from (left, back, head)
UPRIGHT = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


@dataclass(frozen=True, eq=False)
class Part:
    """A mesh with its name and color, red, green and blue from 0 to 255."""

    name: str
    mesh: Mesh
    color: tuple[int, int, int]


def write_mesh(path: Path, mesh: Mesh) -> None:
    """Write one mesh as binary STL, binary PLY or OBJ by the suffix of `path`, whole or not at all.

    Coordinates are those of the mesh; a remark in the file says that they are LPS, as 3D Slicer asks.

    Raises
    ------
    FormatError
        If the suffix is another.
    MissingExtra
        If trimesh is not installed.
    StorageError
        If the disk is full or the folder cannot be written.
    """
    surface = _trimesh().Trimesh(mesh.vertices, mesh.faces, process=False)
    match path.suffix.lower():
        case ".stl":
            header = f"seglet {SPACE}".encode().ljust(STL_HEADER)
            content = header + surface.export(file_type="stl")[STL_HEADER:]
        case ".ply":
            first, second, rest = surface.export(file_type="ply").split(b"\n", 2)
            content = b"\n".join([first, second, f"comment {SPACE}".encode(), rest])
        case ".obj":
            content = surface.export(file_type="obj", header=SPACE, include_texture=False).encode()
        case other:
            expected = "a name that ends in .stl, .ply or .obj"
            raise FormatError(path, found=f"suffix {other!r}", expected=expected, remedy="Rename the output.")
    _write(path, content)


def write_scene(path: Path, parts: Sequence[Part], unit: str) -> None:
    """Write several meshes as one binary glTF (GLB), each with its name and color.

    Vertices stay where they are; the scene turns them to glTF's axes and to meters.

    Parameters
    ----------
    path : Path
        Ends in ``.glb``.
    parts : sequence of Part
        Those without triangles are left out.
    unit : str
        Of the vertices, ``mm`` or ``um``.

    Raises
    ------
    FormatError
        If no part has a triangle: glTF knows no empty scene.
    MissingExtra, StorageError
        As `write_mesh` does.
    """
    trimesh = _trimesh()
    filled = [part for part in parts if len(part.mesh.faces)]
    if not filled:
        remedy = "Choose classes that are in the mask."
        raise FormatError(path, found="no triangles", expected="at least one mesh", remedy=remedy)
    place = UPRIGHT * TO_METERS[unit]
    place[3, 3] = 1
    scene = trimesh.Scene()
    for part in filled:
        surface = trimesh.Trimesh(part.mesh.vertices, part.mesh.faces, process=False)
        material = trimesh.visual.material.PBRMaterial(
            name=part.name, baseColorFactor=(*part.color, 255), metallicFactor=0.0, roughnessFactor=0.7
        )
        surface.visual = trimesh.visual.TextureVisuals(material=material)
        scene.add_geometry(surface, geom_name=part.name, node_name=part.name, transform=place)
    _write(path, scene.export(file_type="glb", include_normals=True))


def _trimesh() -> Any:
    return need("trimesh", "mesh", "mesh files")


def _write(path: Path, content: bytes) -> None:
    with whole_file(path) as aside:
        aside.write_bytes(content)
