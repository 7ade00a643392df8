"""The one door to datasets: a folder, a zip archive, a table of files or a pack."""

from collections.abc import Sequence
from pathlib import Path

from seglet.core.events import Tell, quiet
from seglet.core.image import Labels
from seglet.data.cases import Case, Dataset, find_cases
from seglet.data.layouts import Layout
from seglet.data.masks import MaskConfig, understand_masks
from seglet.data.pack import is_pack, open_pack


def open_dataset(root: Path, layout: Layout | None = None) -> Dataset:
    """Find the cases at a path.

    Parameters
    ----------
    root : Path
        Folder, zip archive, ``.csv`` table, HDF5 pack or a single file.
    layout : Layout or None
        Where images and masks stand; recognized where None, and not asked of a pack, which knows.

    Raises
    ------
    SegletError
        If there is nothing, or nothing that can be understood.
    """
    return open_pack(root) if is_pack(root) else find_cases(root, layout)


def labels_of(dataset: Dataset, cases: Sequence[Case], config: MaskConfig, tell: Tell = quiet) -> Labels:
    """Find out how the masks of some cases are written: what the dataset itself says, or what they show.

    Parameters
    ----------
    dataset : Dataset
        To which the cases belong.
    cases : sequence of Case
        Whose masks are looked at, if need be.
    config : MaskConfig
        What the user says; then the dataset is not asked.
    tell : callable
        Hears of progress.

    Raises
    ------
    SegletError
        As `understand_masks` does.
    """
    if dataset.labels is not None and config == MaskConfig():
        return dataset.labels
    return understand_masks(cases, config, tell, dataset.classes)
