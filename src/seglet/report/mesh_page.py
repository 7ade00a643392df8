"""A page of surfaces: pictures, sizes, and a view that turns with the mouse; one HTML file, no network."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from seglet.core.storage import write_text
from seglet.postprocessing.mesh import Mesh, reduce_mesh
from seglet.report.figures import picture_uri
from seglet.report.overlays import Color, css_color
from seglet.report.surfaces import SurfacePicture
from seglet.report.templates import fill_template

MOST_TRIANGLES = 24_000  # of all surfaces of a view: drawn fast enough on any computer
STEPS = 65_535  # of a vertex's place along the longest extent


@dataclass(frozen=True, eq=False)
class Surface:
    """One class of a volume, as the page shows it.

    Attributes
    ----------
    name : str
        Of the class.
    mesh : Mesh
        May be without triangles.
    color : (int, int, int)
        Red, green and blue, 0 to 255.
    facts : tuple of str
        Cells of its row in the table, after its name.
    files : tuple of str
        Names of its files beside the page.
    """

    name: str
    mesh: Mesh
    color: Color
    facts: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def css(self) -> str:
        """The color as a page writes it."""
        return css_color(self.color)


@dataclass(frozen=True, eq=False)
class SurfaceSection:
    """One volume on the page: its surfaces, and pictures of them."""

    title: str
    surfaces: tuple[Surface, ...]
    pictures: tuple[SurfacePicture, ...] = ()


@dataclass(frozen=True, eq=False)
class MeshPage:
    """The page: title, names of the table's columns after the class, volumes, and what is to be noted."""

    title: str
    columns: tuple[str, ...]
    sections: tuple[SurfaceSection, ...]
    notes: tuple[str, ...] = field(default=())


def write_mesh_page(page: MeshPage, path: Path) -> Path:
    """Write the page as one HTML file that loads nothing from anywhere; every text in it is escaped.

    Raises
    ------
    MissingExtra
        If fast-simplification, which makes the meshes small enough to be shown, is not installed.
    StorageError
        If the disk is full or the folder cannot be written.
    """
    sections = [
        {
            "title": section.title,
            "surfaces": section.surfaces,
            "pictures": [
                {"uri": picture_uri(one.picture), "alt": one.alt, "side": one.side.capitalize()}
                for one in section.pictures
            ],
            "scene": turning_scene(section.surfaces),
        }
        for section in page.sections
    ]
    values = {"page": page, "sections": sections}
    write_text(path, fill_template("mesh_page.html.j2", page.title, values))
    return path


def turning_scene(surfaces: Sequence[Surface]) -> list[dict[str, object]]:
    """Pack surfaces for the page's script, smaller where they have too many triangles.

    Returns
    -------
    list of dict
        For each surface with triangles: ``name``, ``color``; ``points`` (n, 3) and ``faces`` (m, 3) as base64
        of little-endian uint16 and uint32. All surfaces are on one scale, their longest extent 0 to 65535.
    """
    filled = [one for one in surfaces if len(one.mesh.faces)]
    if not filled:
        return []
    n_triangles = sum(len(one.mesh.faces) for one in filled)
    left_out = max(0.0, 1 - MOST_TRIANGLES / n_triangles)
    points = np.concatenate([one.mesh.vertices for one in filled])
    low, longest = points.min(axis=0), float(np.ptp(points, axis=0).max()) or 1.0
    packed: list[dict[str, object]] = []
    for one in filled:
        mesh = reduce_mesh(one.mesh, left_out)
        places = np.round((mesh.vertices - low) / longest * STEPS).clip(0, STEPS)
        packed.append(
            {
                "name": one.name,
                "color": list(one.color),
                "points": _text(places.astype("<u2").tobytes()),
                "faces": _text(mesh.faces.astype("<u4").tobytes()),
            }
        )
    return packed


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
