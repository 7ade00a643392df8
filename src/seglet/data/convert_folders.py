"""A dataset as images and masks of the same names in folders beside each other, with a table of the cases."""

from pathlib import Path

from seglet.core.events import Event, Tell
from seglet.core.image import Labels, Sample
from seglet.data.cases import Case, Dataset
from seglet.data.convert_files import (
    describe_dataset,
    mask_suffix,
    names_of_files,
    put_image,
    put_mask,
)
from seglet.data.convert_masks import fov_values, labels_as_written, mask_values, second_values
from seglet.data.dataset_json import Addition
from seglet.data.samples import read_sample
from seglet.data.table import NAME, table_text


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
        places = {"image": image}
        if case.labels or case.fov is not None or case.second is not None:
            places |= _put_masks(case, read_sample(case, labels), written, image)
        cells = {column: path.relative_to(out).as_posix() for column, path in places.items()}
        lines.append({"id": case.id, **cells, "group": case.group or "", "split": case.split or ""})
    (out / NAME).write_text(table_text(lines), encoding="utf-8")
    addition = Addition(labels=written, layout=dataset.layout.name)
    describe_dataset(out, {}, addition, dataset.channels)


def _put_masks(case: Case, sample: Sample, written: Labels | None, image: Path) -> dict[str, Path]:
    """Write what belongs to an image, by the column of the table that names it."""
    found = {}
    if written is not None and sample.labels is not None:
        found["label"] = ("masks", mask_values(sample, written))
    if sample.fov is not None:
        found["mask"] = ("fov", fov_values(sample))
    if written is not None and sample.second is not None:
        found["second"] = ("second", second_values(sample, written))
    suffix, name = mask_suffix(image, sample.image, written), _stem(image)
    return {
        column: put_mask(image.parents[1] / folder / f"{name}{suffix}", values, case, sample.image)
        for column, (folder, values) in found.items()
    }
