"""The command ``measure``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seglet.console import door, print_json, print_line, print_table, show_figure
from seglet.options import AsJson, Settings

if TYPE_CHECKING:
    from seglet.measuring import Measured

N_SHOWN = 10  # images
N_COLUMNS = 6  # figures of each


def measure(
    masks: Annotated[
        Path, typer.Argument(help="Folder of masks from any tool, a dataset (its true masks) or a run.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the tables.")],
    images: Annotated[
        Path | None, typer.Argument(help="Images named like the masks, for intensities and pixel sizes.")
    ] = None,
    what: Annotated[str, typer.Option(help="objects, vessels, organs or auto.")] = "auto",
    spacing: Annotated[
        str, typer.Option(help="Distance between pixels: 0.65um, or 5mm,0.8mm,0.8mm (z, y, x).")
    ] = "",
    parquet: Annotated[bool, typer.Option("--parquet", help="Tables as Parquet too.")] = False,
    geojson: Annotated[bool, typer.Option("--geojson", help="Outlines for QuPath.")] = False,
    coco: Annotated[bool, typer.Option("--coco", help="Outlines as COCO annotations.")] = False,
    imagej: Annotated[bool, typer.Option("--imagej", help="Outlines as regions of ImageJ.")] = False,
    kaggle: Annotated[bool, typer.Option("--kaggle", help="Objects as Kaggle's run lengths.")] = False,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Measure masks: a row per object, vessel segment or organ, and a row per image."""
    from seglet import pipeline
    from seglet.measurements import MeasureConfig

    with door(as_json) as tell:
        config = MeasureConfig(
            what=what,
            spacing=spacing,
            parquet=parquet,
            geojson=geojson,
            coco=coco,
            imagej=imagej,
            kaggle=kaggle,
        )
        measured = pipeline.measure(masks, out, images, config, settings or [], tell)
    if as_json:
        files = [str(path) for path in measured.files]
        rows = {"n_rows": measured.n_rows, "images": measured.images}
        print_json({"what": measured.what, **rows, "files": files})
    else:
        _print_measured(measured)


def _print_measured(measured: "Measured") -> None:
    shown = measured.images[:N_SHOWN]
    known = list(dict.fromkeys(name for row in shown for name in row if name != "image"))
    in_ml = measured.what == "organs" and any("_ml_" in name for name in known)
    names = [name for name in known if not (in_ml and "_mm3_" in name)][:N_COLUMNS]  # the same in other units
    rows = [(str(row["image"]), *(_shown(row.get(name)) for name in names)) for row in shown]
    titles = (name.removeprefix("n_").replace("_", " ") for name in names)  # may be broken between words
    print_table(measured.what.capitalize(), ("image", *titles), rows)
    n_more = len(measured.images) - len(shown)
    counted = "segments" if measured.what == "vessels" else measured.what
    more = f"… and {n_more} more {'image' if n_more == 1 else 'images'}. " if n_more else ""
    print_line(f"{more}{measured.n_rows} {counted} in all.")
    for path in measured.files:
        print_line(f"Written: {path}")


def _shown(value: float | None) -> str:
    """About four digits: sizes run from shares to thousands."""
    if value is None or isinstance(value, int) or abs(value) < 10 or value != value:
        return str(value) if isinstance(value, int) else show_figure(value)
    decimals = 2 if abs(value) < 100 else 1 if abs(value) < 1000 else 0
    return f"{value:.{decimals}f}"
