"""The command ``mesh``."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from seglet.console import door, print_json, print_line, print_table
from seglet.options import AsJson, Settings


def mesh(
    masks: Annotated[
        Path, typer.Argument(help="Folder of masks from any tool, a dataset (its true masks) or a run.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for meshes, pictures and a page.")],
    formats: Annotated[str, typer.Option("--format", help="Some of stl,ply,obj,glb.")] = "stl",
    classes: Annotated[str, typer.Option(help="Names of classes, liver,tumor; all if left out.")] = "",
    spacing: Annotated[
        str, typer.Option(help="Distance between voxels: 5mm,0.8mm,0.8mm (z, y, x), or 0.2um for all.")
    ] = "",
    smooth: Annotated[float, typer.Option(min=0.0, help="Voxels smoothed over; 0 leaves their steps.")] = 1.0,
    reduce: Annotated[
        float, typer.Option(min=0.0, max=0.99, help="Share of the triangles to leave out.")
    ] = 0.7,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Make closed surfaces of masks in 3D: volumes, or slices stacked by the numbers in their names."""
    from seglet import pipeline
    from seglet.meshing import PAGE, MeshConfig

    with door(as_json) as tell:
        said = {"formats": _listed(formats), "classes": _listed(classes), "spacing": spacing}
        config = MeshConfig.model_validate(said | {"smoothing": smooth, "reduction": reduce})
        meshed = pipeline.mesh(masks, out, config, settings or [], tell)
    if as_json:
        print_json({"meshes": [asdict(row) for row in meshed], "page": str(out / PAGE)})
        return
    rows: list[tuple[str, ...]] = [
        (row.case, row.name, *row.facts, ", ".join(row.files) or "–") for row in meshed
    ]
    print_table("Surfaces", ("volume", "class", "size", "voxels", "surface", "triangles", "files"), rows)
    print_line(f"Page: {out / PAGE}")


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
