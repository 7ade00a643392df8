"""What is measured in one image, and all images' figures as tables and outlines."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator

from seglet.core.config import Config
from seglet.core.errors import ConfigError
from seglet.core.image import IGNORE, Sample
from seglet.core.storage import whole_file, write_text
from seglet.data.run_lengths import write_runs
from seglet.io.packages import need
from seglet.postprocessing.measure import ML_PER, Table, connect, measure_objects, size_column, summarize
from seglet.postprocessing.outlines import annotate_coco, to_coco, to_geojson, trace_outlines, write_imagej
from seglet.postprocessing.vessels import measure_vessels

Kind = Literal["objects", "vessels", "organs"]
Row = dict[str, Any]


class MeasureConfig(Config):
    """What is measured, and which files are written besides the two CSV tables.

    Attributes
    ----------
    what : str
        ``objects``: what masks number, else what is connected by sides. ``vessels``: lines along their
        skeleton. ``organs``: each class as a whole. ``auto``: objects where masks number them; organs where
        there are several classes, or volumes in mm; vessels in datasets known for them; else objects.
    spacing : str
        Distance between pixels where files do not say it, or say it wrongly: ``0.65um`` along all axes,
        ``5mm,0.8mm,0.8mm`` along z, y and x.
    parquet : bool
        Whether the tables are written as Parquet too.
    geojson, coco, imagej, kaggle : bool
        Whether objects of flat images are written as GeoJSON (QuPath), COCO annotations, ImageJ's regions,
        run lengths of Kaggle's competitions.
    """

    what: Kind | Literal["auto"] = "auto"
    spacing: str = ""
    parquet: bool = False
    geojson: bool = False
    coco: bool = False
    imagej: bool = False
    kaggle: bool = False

    @field_validator("what", mode="before")
    @classmethod
    def _check_what(cls, what: object) -> object:
        kinds = ("auto", *get_args(Kind))
        if what not in kinds:
            remedy = "Say one of these, or leave it out."
            raise ConfigError("--what", found=repr(what), expected=", ".join(kinds), remedy=remedy)
        return what

    @property
    def has_outlines(self) -> bool:
        """Whether objects are written as polygons."""
        return self.geojson or self.coco or self.imagej


@dataclass(frozen=True, eq=False)
class Measurement:
    """What was measured in one image.

    Attributes
    ----------
    id : str
        Of the image.
    file : str
        Its file's name.
    table : dict
        A row per object, segment or organ.
    summary : dict
        Figures of the whole image.
    objects : ([z,] y, x) integer array
        What the rows are about: object numbers, class indexes of organs, pieces of vessels.
    """

    id: str
    file: str
    table: Table
    summary: Row
    objects: NDArray[np.integer]


def measure_sample(
    sample: Sample, what: Kind, names: Sequence[str], *, is_bright: bool, file: str
) -> Measurement:
    """Measure one image.

    Parameters
    ----------
    sample : Sample
        Its mask; pixels that nobody labelled or that are outside of the field of view are left out.
    what : str
        See `MeasureConfig`.
    names : sequence of str
        Of the classes, the background first.
    is_bright : bool
        Whether the image has intensities to measure; else it is the mask itself.
    file : str
        Name of the image's file.

    Raises
    ------
    GeometryError
        If vessels are asked for in a volume, or the spacing does not fit the image.
    """
    classes = np.asarray(sample.labels)
    counted = classes != IGNORE if sample.fov is None else (classes != IGNORE) & sample.fov
    classes = np.where(counted, classes, 0)
    n_counted = int(np.count_nonzero(counted))
    spacing, unit = sample.image.spacing, sample.image.unit
    pixels = sample.image.pixels if is_bright else None
    if what == "vessels":
        found = measure_vessels(classes > 0, spacing, unit, counted)
        pieces = connect(np.minimum(classes, 1))
        return Measurement(sample.id, file, found.segments, dict(found.figures), pieces)
    if what == "organs":
        table = _with_class(measure_objects(classes, pixels, spacing, unit), classes, classes, names)
        factor = ML_PER.get(unit) if classes.ndim == 3 else None
        if factor is not None:
            table["volume_ml"] = np.asarray(table[size_column(table)], np.float64) * factor
        return Measurement(sample.id, file, table, _organ_figures(table, names, n_counted), classes)
    objects = connect(classes) if sample.objects is None else sample.objects * counted
    table = measure_objects(objects, pixels, spacing, unit)
    figures = summarize(table, n_counted)
    if len(names) > 2:
        table = _with_class(table, objects, classes, names)
        of_class = np.asarray(table["class"])
        figures |= {f"n_{name}": int(np.count_nonzero(of_class == name)) for name in names[1:]}
    return Measurement(sample.id, file, table, figures, objects)


def _with_class(
    table: Table, objects: NDArray[np.integer], classes: NDArray[np.integer], names: Sequence[str]
) -> Table:
    """Add the class of each object, that of its first pixel."""
    numbers, firsts = np.unique(objects, return_index=True)
    indexes = classes.flat[firsts[numbers > 0]]
    named = np.array([names[index] for index in indexes.tolist()], np.str_)
    return {"number": table["number"], "class": named, **table}


def _organ_figures(table: Table, names: Sequence[str], n_counted: int) -> Row:
    """Size and share of every class; 0 of one that is absent."""
    columns = [size_column(table), *(["volume_ml"] if "volume_ml" in table else []), "n_pixels"]
    places = {name: place for place, name in enumerate(np.asarray(table["class"]).tolist())}
    row: Row = {}
    for name in names[1:]:
        sizes = {
            column: float(np.asarray(table[column], np.float64)[places[name]]) if name in places else 0.0
            for column in columns
        }
        share = sizes.pop("n_pixels") / n_counted if n_counted else np.nan
        row |= {f"{column}_{name}": size for column, size in sizes.items()} | {f"share_{name}": share}
    return row


def write_measurements(
    found: Sequence[Measurement], what: Kind, names: Sequence[str], config: MeasureConfig, out: Path
) -> list[Path]:
    """Write the tables of all images, and their objects in the formats that are asked for.

    Returns
    -------
    list of Path
        The files; a folder where each image has a file of its own.

    Raises
    ------
    GeometryError
        If the objects of volumes are asked for in a format of flat images.
    MissingExtra
        If Parquet is asked for without pyarrow.
    StorageError
        If the folder cannot be written.
    """
    written: list[Path] = []
    outlines = [trace_outlines(one.objects) if config.has_outlines else [] for one in found]
    if config.kaggle:
        write_runs(out / "kaggle.csv", {one.id: one.objects for one in found})
        written.append(out / "kaggle.csv")
    rows = {
        "segments" if what == "vessels" else "objects": [row for one in found for row in _rows(one)],
        "images": [{"image": one.id, **one.summary} for one in found],
    }
    for name, table in rows.items():
        written.append(_write_csv(out / f"{name}.csv", table))
        if config.parquet:
            written.append(_write_parquet(out / f"{name}.parquet", table))
    stems = [one.id.replace("/", "_") for one in found]
    if config.geojson:
        for one, stem, traced in zip(found, stems, outlines, strict=True):
            measured = {} if what == "vessels" else {row["number"]: _known(row) for row in _rows(one)}
            write_text(out / "geojson" / f"{stem}.geojson", to_geojson(traced, measured, one.id))
        written.append(out / "geojson")
    if config.imagej:
        for stem, traced in zip(stems, outlines, strict=True):
            write_imagej(out / "imagej" / f"{stem}.zip", traced)
        written.append(out / "imagej")
    if config.coco:
        images = [
            (one.file, one.objects.shape, annotate_coco(traced, one.objects, _categories(one, names)))
            for one, traced in zip(found, outlines, strict=True)
        ]
        write_text(out / "coco.json", to_coco(images, names[1:]))
        written.append(out / "coco.json")
    return written


def _rows(one: Measurement) -> Iterator[Row]:
    columns = {name: column.tolist() for name, column in one.table.items()}
    for values in zip(*columns.values(), strict=True):
        yield {"image": one.id, **dict(zip(columns, values, strict=True))}


def _known(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in ("image", "number")}


def _categories(one: Measurement, names: Sequence[str]) -> Mapping[int, int]:
    if "class" not in one.table:
        return {}
    numbers, classes = one.table["number"].tolist(), one.table["class"].tolist()
    return {number: names.index(name) for number, name in zip(numbers, classes, strict=True)}


def _columns(rows: Sequence[Row]) -> list[str]:
    """All columns that any row has, in the order in which they come first."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _write_csv(path: Path, rows: Sequence[Row]) -> Path:
    """One line per row; empty where there is no number."""
    with whole_file(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, _columns(rows), restval="", lineterminator="\n")
        table.writeheader()
        table.writerows(
            {name: "" if value != value else value for name, value in row.items()} for row in rows
        )
    return path


def _write_parquet(path: Path, rows: Sequence[Row]) -> Path:
    pyarrow = need("pyarrow", "parquet", "Parquet files")
    parquet = need("pyarrow.parquet", "parquet", "Parquet files")
    table = pyarrow.table({name: [row.get(name) for row in rows] for name in _columns(rows)})
    with whole_file(path) as aside:
        parquet.write_table(table, aside)
    return path
