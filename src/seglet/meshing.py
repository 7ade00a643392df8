"""Surfaces of masks: as files of meshes, as pictures, and on a page."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator

from seglet.core.config import Config
from seglet.core.errors import ConfigError, DatasetError
from seglet.core.events import Event, Tell, quiet
from seglet.core.image import Image, Labels
from seglet.data.cases import Case, Dataset
from seglet.data.datasets import labels_of, open_dataset
from seglet.data.layouts import Layout
from seglet.io.listing import as_file
from seglet.io.packages import need
from seglet.measuring import labels_of_run, parse_spacing
from seglet.postprocessing.mesh import extract_mesh, mesh_surface, mesh_volume
from seglet.postprocessing.mesh_files import Part, write_mesh, write_scene
from seglet.predicted import as_truth
from seglet.recipe import Recipe, read_recipe
from seglet.report.mesh_page import MeshPage, Surface, SurfaceSection, write_mesh_page
from seglet.report.overlays import class_color, write_overlay
from seglet.report.surfaces import draw_surfaces, joined
from seglet.run import Run
from seglet.stacking import Volume, find_volumes, read_volume
from seglet.writing import PROBABILITIES

FORMATS = ("stl", "ply", "obj", "glb")
# Unit of the spacing: the units of volumes and of surfaces, and what its cube and its square are in them
UNITS: dict[str, tuple[str, float, str, float]] = {
    "mm": ("ml", 1e-3, "cm2", 1e-2),
    "um": ("um3", 1.0, "um2", 1.0),
}
OF_MANY = (".zip", ".csv", ".h5", ".hdf5")  # files that hold many masks
PAGE = "index.html"
COLUMNS = ("Volume", "Volume of its voxels", "Surface", "Triangles")
WORLD = "Coordinates are LPS, as in DICOM, ITK and 3D Slicer: x leads to the patient's left, y back, z up."


class MeshConfig(Config):
    """How meshes are made.

    Attributes
    ----------
    formats : tuple of str
        ``stl``, ``ply`` and ``obj``, one file a class; ``glb``, one file with all classes in their colors.
    classes : tuple of str
        Names of the classes; all where empty.
    spacing : str
        In place of what the files say: ``5mm,0.8mm,0.8mm`` along (z, y, x), or one number for all.
    smoothing, reduction : float
        See `seglet.postprocessing.mesh.extract_mesh`.
    """

    formats: tuple[str, ...] = ("stl",)
    classes: tuple[str, ...] = ()
    spacing: str = ""
    smoothing: float = 1.0
    reduction: float = 0.7

    @field_validator("formats")
    @classmethod
    def _check_formats(cls, formats: tuple[str, ...]) -> tuple[str, ...]:
        if not formats or set(formats) - set(FORMATS):
            expected = f"some of {', '.join(FORMATS)}"
            raise ConfigError(
                "--format", found=",".join(formats) or "nothing", expected=expected, remedy="Name them."
            )
        return formats


@dataclass(frozen=True)
class Meshed:
    """One class of one volume as a mesh.

    Attributes
    ----------
    case, name : str
        The volume and the class.
    volume, voxel_volume : float
        Of the mesh, and of the voxels it was made of; 0 where the volume lacks the class.
    surface : float
        Of the mesh.
    volume_unit, surface_unit : str
        ``ml`` and ``cm2``, or ``um3`` and ``um2``.
    n_triangles : int
        Of the mesh.
    files : tuple of str
        What was written, below the output folder.
    """

    case: str
    name: str
    volume: float
    voxel_volume: float
    surface: float
    volume_unit: str
    surface_unit: str
    n_triangles: int
    files: tuple[str, ...] = ()

    @property
    def facts(self) -> tuple[str, str, str, str]:
        """Volume, volume of the voxels, surface and triangles for a person."""
        volume, voxels = (f"{size:.4g} {self.volume_unit}" for size in (self.volume, self.voxel_volume))
        return volume, voxels, f"{self.surface:.4g} {self.surface_unit}", str(self.n_triangles)


def mesh(
    masks: Path | str,
    out: Path | str,
    config: MeshConfig | None = None,
    settings: Iterable[str] = (),
    tell: Tell = quiet,
) -> list[Meshed]:
    """Make surfaces of masks: files of meshes, a picture of each volume, and a page ``index.html``.

    Parameters
    ----------
    masks : Path
        Folder of masks from any tool, or one mask; a dataset, whose true masks are taken; or a run, whose
        predictions are.
    out : Path
        Folder outside of the masks'.
    config : MeshConfig or None
        What is made, and how.
    settings : iterable of str
        ``layout…=`` and ``masks…=``, as in a recipe, where masks are not understood by themselves.
    tell : callable
        Hears of progress.

    Returns
    -------
    list of Meshed
        One for each volume and class, also for classes that a volume lacks.

    Raises
    ------
    ConfigError
        If a class is not known, or a setting makes no sense.
    GeometryError
        If a spacing is not known, or slices of one stack differ in size.
    DatasetError
        If `out` is among the masks, or as `seglet.stacking.find_volumes` does.
    MissingExtra
        If trimesh or fast-simplification is not installed.
    """
    source, out, config = Path(masks), Path(out), config or MeshConfig()
    for package in ("trimesh", "fast_simplification"):
        need(package, "mesh", "mesh files")
    spacing, unit = parse_spacing(config.spacing)
    dataset, labels = _open(source, read_recipe("auto", settings), tell)
    chosen = _chosen(labels, config.classes)
    volumes = find_volumes(dataset)
    _require_places(volumes, dataset.root, out)
    meshed: list[Meshed] = []
    sections: list[SurfaceSection] = []
    for number, volume in enumerate(volumes):
        tell(Event("meshing", volume.id, number, len(volumes)))
        classes, grid = read_volume(volume, labels, spacing, unit)
        surfaces = [_surface(classes == k, k, name, grid, config) for k, name in chosen.items()]
        files = _write(out, volume.id, surfaces, grid.unit, config.formats)
        rows = [
            _measured(volume.id, one, int(np.count_nonzero(classes == k)), grid, files[one.name])
            for k, one in zip(chosen, surfaces, strict=True)
        ]
        sections.append(_section(out, volume.id, rows, surfaces))
        meshed += rows
    title = f"Surfaces of {source.resolve().name}"
    write_mesh_page(MeshPage(title, COLUMNS, tuple(sections), (WORLD,)), out / PAGE)
    n_meshes = sum(bool(row.files) for row in meshed)
    tell(Event("meshing", f"{n_meshes} meshes in {out}", len(volumes), len(volumes)))
    return meshed


def _open(source: Path, told: Recipe, tell: Tell) -> tuple[Dataset, Labels]:
    """The masks at a path, and how they are written."""
    run = Run(source)
    if (run.model / "model.yaml").is_file():
        if not run.predictions.is_dir():
            remedy = "Predict first, and give the folder of the masks."
            expected = f"masks in {run.predictions}"
            raise DatasetError(source, found="a run without any", expected=expected, remedy=remedy)
        return _masks(run.predictions, None), labels_of_run(run)
    dataset = _masks(source, told.layout)
    labelled = [case for case in dataset.cases if case.labels]
    return dataset, labels_of(dataset, labelled, told.masks, tell)


def _masks(source: Path, layout: Layout | None) -> Dataset:
    """The masks at a path, without the probabilities beside them."""
    if source.is_file() and source.suffix.lower() not in OF_MANY:
        file = as_file(source)
        return as_truth(Dataset(source, Layout(), (Case(id=file.stem, images=(file,)),)))
    dataset = as_truth(open_dataset(source, layout))
    cases = tuple(case for case in dataset.cases if not case.image.stem.endswith(PROBABILITIES))
    return replace(dataset, cases=cases)


def _chosen(labels: Labels, names: Sequence[str]) -> dict[int, str]:
    """Index and name of each class that is asked for."""
    known = {k: name for k, name in enumerate(labels.names) if k > 0}
    strange = sorted(set(names) - set(known.values()))
    if strange:
        remedy = "Take one of these, or name the classes: --set 'masks.classes={background: 0, liver: 1}'."
        expected = f"some of {', '.join(known.values())}"
        raise ConfigError("--classes", found=", ".join(strange), expected=expected, remedy=remedy)
    return {k: name for k, name in known.items() if not names or name in names}


def _require_places(volumes: Sequence[Volume], root: Path, out: Path) -> None:
    """Refuse to write where pictures could be taken for masks, or over each other."""
    if root.is_dir() and out.resolve().is_relative_to(root.resolve()):
        found = f"a folder inside {root}, whose masks are read"
        remedy = "Choose an output folder outside."
        raise DatasetError(out, found=found, expected="a folder of its own", remedy=remedy)
    names = [_file_name(volume.id).lower() for volume in volumes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        found = f"several volumes called {', '.join(twice)}"
        raise DatasetError(root, found=found, expected="a name for each", remedy="Rename them.")


def _surface(inside: NDArray[np.bool_], k: int, name: str, grid: Image, config: MeshConfig) -> Surface:
    place = (grid.spacing, grid.origin, grid.direction)
    return Surface(name, extract_mesh(inside, *place, config.smoothing, config.reduction), class_color(k))


def _write(
    out: Path, case: str, surfaces: Sequence[Surface], unit: str, formats: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Write the surfaces that have triangles; the names of the files of each."""
    files: dict[str, tuple[str, ...]] = {one.name: () for one in surfaces}
    filled = [one for one in surfaces if len(one.mesh.faces)]
    for kind in formats:
        if kind == "glb" and filled:
            file = f"{_file_name(case)}.glb"
            write_scene(out / file, [Part(one.name, one.mesh, one.color) for one in filled], unit)
            files |= {one.name: (*files[one.name], file) for one in filled}
        for one in filled if kind != "glb" else ():
            file = f"{_file_name(case)}_{_file_name(one.name)}.{kind}"
            write_mesh(out / file, one.mesh)
            files[one.name] += (file,)
    return files


def _measured(case: str, one: Surface, n_voxels: int, grid: Image, files: tuple[str, ...]) -> Meshed:
    volume_unit, of_cube, surface_unit, of_square = UNITS[grid.unit]
    return Meshed(
        case=case,
        name=one.name,
        volume=mesh_volume(one.mesh) * of_cube,
        voxel_volume=n_voxels * float(np.prod(grid.spacing)) * of_cube,
        surface=mesh_surface(one.mesh) * of_square,
        volume_unit=volume_unit,
        surface_unit=surface_unit,
        n_triangles=len(one.mesh.faces),
        files=files,
    )


def _section(out: Path, case: str, rows: Sequence[Meshed], surfaces: Sequence[Surface]) -> SurfaceSection:
    """A volume on the page; its pictures are also written beside."""
    pictures = draw_surfaces({one.name: (one.mesh, one.color) for one in surfaces})
    if pictures:
        write_overlay(out / f"{_file_name(case)}.png", joined(pictures))
    shown = (replace(one, facts=row.facts, files=row.files) for one, row in zip(surfaces, rows, strict=True))
    return SurfaceSection(case, tuple(shown), tuple(pictures))


def _file_name(name: str) -> str:
    """A name without what file systems do not take."""
    return re.sub(r"[^\w.-]+", "_", name)
