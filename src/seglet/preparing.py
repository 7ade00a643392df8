"""The use cases that end before training: findings as a page; data repaired, packed, in another layout."""

from collections.abc import Iterable
from pathlib import Path

from seglet.core.events import Tell, quiet
from seglet.data.cases import Dataset
from seglet.data.convert import divided, require_place, write_as
from seglet.data.datasets import open_dataset
from seglet.data.doctor import Examination, examine, require_sound
from seglet.data.repair import RepairLog
from seglet.data.repair import repair as mend
from seglet.recipe import Recipe, read_recipe
from seglet.report.page import write_report
from seglet.showcase import findings_page


def report_findings(found: Examination, page: Path) -> Path:
    """Write what was found about a dataset as an HTML page."""
    return write_report(findings_page(found), page)


def repair(found: Examination, out: Path | None = None, tell: Tell = quiet) -> RepairLog:
    """Write a repaired copy of a dataset, and a log; the original is never touched.

    Parameters
    ----------
    found : Examination
        From `check`.
    out : Path or None
        New or empty folder; beside the dataset where None.
    """
    root = found.dataset.root.resolve()
    return mend(found, out or root.with_name(f"{root.stem}_repaired"), tell)


def pack(
    data: Path | str,
    out: Path | str,
    recipe: str | Path | Recipe = "auto",
    settings: Iterable[str] = (),
    tell: Tell = quiet,
) -> Dataset:
    """Put a dataset into one HDF5 file, which every use case takes in place of a folder; see `convert`."""
    return convert(data, out, "hdf5", recipe, settings, tell)


def convert(
    data: Path | str,
    out: Path | str,
    to: str,
    recipe: str | Path | Recipe = "auto",
    settings: Iterable[str] = (),
    tell: Tell = quiet,
) -> Dataset:
    """Write a sound dataset in another layout, with its split.

    Parameters
    ----------
    data : Path
        Dataset.
    out : Path
        New or empty folder; a new file for ``hdf5``.
    to : str
        ``nnunet``, ``pairs``, ``hdf5``, ``ome-zarr`` or ``ctc``.
    recipe, settings
        How the dataset is read and split; undivided where neither they nor the dataset say who tests.

    Returns
    -------
    Dataset
        What was written.

    Raises
    ------
    SegletError
        If anything is wrong with the data or the recipe, or `out` is in use; nothing is written then.
    """
    chosen = read_recipe(recipe, settings)
    dataset = open_dataset(Path(data), chosen.layout)
    require_place(to, dataset, Path(out))
    found = examine(dataset, chosen.masks, tell)
    require_sound(found)
    dataset = divided(found.dataset, found.labels, chosen.split, tell)
    write_as(to, dataset, found.labels, Path(out), tell)
    return dataset
