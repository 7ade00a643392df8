"""A dataset as images and masks of the same names in folders beside each other, with a table of the cases."""

from pathlib import Path

from seglet.core.events import Event, Tell
from seglet.core.image import Labels
from seglet.data.cases import Case, Dataset
from seglet.data.convert_files import describe_dataset, mask_suffix, names_of_files, put_image, put_mask
from seglet.data.convert_masks import labels_as_written, masks_of
from seglet.data.dataset_json import Addition
from seglet.data.samples import read_sample
from seglet.data.table import NAME, table_text

FOLDERS = {"labels": "masks", "fov": "fov", "second": "second"}
COLUMNS = {"labels": "label", "fov": "mask", "second": "second"}


def write_pairs(dataset: Dataset, labels: Labels | None, out: Path, tell: Tell) -> None:
    """Write ``images/x.*``, ``masks/x.*``, ``fov/x.*``, ``second/x.*`` and ``cases.csv``.

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
    written = None if labels is None else labels_as_written(dataset, labels, keep_colors=True)
    names = names_of_files(dataset.cases)
    lines = []
    for done, case in enumerate(dataset.cases):
        tell(Event("converting", case.id, done, len(dataset.cases)))
        image = put_image(case, out / "images", names[case.id])
        masks = _put_masks(case, labels, written, image, names[case.id])
        places = {column: path.relative_to(out).as_posix() for column, path in masks.items()}
        image_cell = {"id": case.id, "image": image.relative_to(out).as_posix()}
        lines.append({**image_cell, **places, "group": case.group or "", "split": case.split or ""})
    (out / NAME).write_text(table_text(lines), encoding="utf-8")
    describe_dataset(out, {}, Addition(labels=written, layout=dataset.layout.name), dataset.channels)


def _put_masks(
    case: Case, labels: Labels | None, written: Labels | None, image: Path, name: str
) -> dict[str, Path]:
    """Write what belongs to an image; gives where, by the column of the table that says so."""
    if not case.labels and case.fov is None and case.second is None:
        return {}
    sample = read_sample(case, labels)
    suffix, beside = mask_suffix(image, sample.image, written), image.parents[1]
    return {
        COLUMNS[role]: put_mask(beside / FOLDERS[role] / f"{name}{suffix}", values, case, sample.image)
        for role, values in masks_of(sample, written).items()
    }
