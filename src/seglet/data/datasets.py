"""The one door to datasets: a folder, a zip archive, a table of files or a pack."""

from pathlib import Path

from seglet.data.cases import Dataset, find_cases
from seglet.data.layouts import Layout
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
