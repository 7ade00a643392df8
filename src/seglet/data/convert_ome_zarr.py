"""A dataset as OME-Zarr: an image each, with its masks among its labels, and a table of the cases."""

from pathlib import Path

from seglet.core.events import Event, Tell
from seglet.core.image import Labels
from seglet.data.cases import Case, Dataset
from seglet.data.channels import open_case
from seglet.data.convert_files import LARGEST, describe_dataset, names_of_files
from seglet.data.convert_masks import labels_as_written, masks_of
from seglet.data.dataset_json import Addition
from seglet.data.samples import read_sample
from seglet.data.table import NAME, table_text
from seglet.io import ome_zarr
from seglet.io.axes import blocks
from seglet.io.dtypes import smallest
from seglet.io.pixels import in_memory

COLUMNS = {"labels": "label", "fov": "mask", "second": "second"}
NAMES = {"labels": "masks", "fov": "fov", "second": "second"}


def write_ome_zarr(dataset: Dataset, labels: Labels | None, out: Path, tell: Tell) -> None:
    """Write ``x.ome.zarr`` with ``labels/masks``, ``labels/fov`` and ``labels/second``, and ``cases.csv``.

    Parameters
    ----------
    dataset : Dataset
        What is written.
    labels : Labels or None
        How its masks are written; None where there are none.
    out : Path
        The folder to fill.
    tell : callable
        Hears of progress.
    """
    written = None if labels is None else labels_as_written(dataset, labels)
    names = names_of_files(dataset.cases)
    lines = []
    for done, case in enumerate(dataset.cases):
        tell(Event("converting", case.id, done, len(dataset.cases)))
        path = out / f"{names[case.id]}.ome.zarr"
        _put_image(case, path)
        places = _put_masks(case, labels, written, path)
        told = {"group": case.group or "", "split": case.split or ""}
        lines.append({"id": case.id, "image": path.name, **places, **told})
    (out / NAME).write_text(table_text(lines), encoding="utf-8")
    describe_dataset(out, {}, Addition(labels=written, layout=dataset.layout.name), dataset.channels)


def _put_image(case: Case, path: Path) -> None:
    """Write chunk after chunk what can be read so, and all else from memory."""
    stored = open_case(case)
    source = stored if stored.is_random else in_memory(stored.load())
    with ome_zarr.new_image(path, source.extent, source.dtype, source) as canvas:
        sides = (1, *canvas.chunks)[-len(source.shape) :]
        for box in blocks(source.shape, sides):
            canvas[box] = source.read(box)


def _put_masks(case: Case, labels: Labels | None, written: Labels | None, path: Path) -> dict[str, str]:
    """Write what belongs to an image; gives where, by the column of the table that says so."""
    if not case.labels and case.fov is None and case.second is None:
        return {}
    places = {}
    for role, values in masks_of(read_sample(case, labels), written).items():
        meanings = {255: "field of view"} if role == "fov" else _meanings(written)
        ome_zarr.write_labels(path, NAMES[role], smallest(values, LARGEST, str(path)), meanings)
        places[COLUMNS[role]] = f"{path.name}/labels/{NAMES[role]}"
    return places


def _meanings(written: Labels | None) -> dict[int, str]:
    """Name the values of classes; objects have none."""
    if written is None or written.encoding != "values":
        return {}
    return {one.value: one.name for one in written.classes if isinstance(one.value, int)}
