"""Which layout a dataset has: a known one, or one read off the names of its folders and files."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from seglet.core.errors import DatasetError
from seglet.data.folder_layouts import in_folders, without_labels
from seglet.data.known_layouts import KNOWN
from seglet.data.layouts import Layout, count_pairs
from seglet.data.name_layouts import a_single_pair, one_file_per_contrast, side_by_side
from seglet.data.patterns import SYNTAX
from seglet.data.tree_layouts import in_case_folders, in_containers, in_derivatives
from seglet.io.files import SUFFIXES
from seglet.io.sources import File

READERS = (
    *(in_derivatives, in_containers, in_folders, one_file_per_contrast, side_by_side, in_case_folders),
    *(a_single_pair, without_labels),
)


def recognize(files: Sequence[File]) -> Layout:
    """Find the layout of a dataset from the names of its files alone.

    Parameters
    ----------
    files : sequence of File
        All files of the dataset.

    Raises
    ------
    DatasetError
        If images and masks cannot be told apart or paired; says what was seen.
    """
    names = [file.shown_name for file in files if is_readable(file)]
    for layout in KNOWN:
        if count_pairs(layout, names):
            return layout
    for read in READERS:
        if (found := read(names)) is not None:
            return found
    raise _unrecognized(files, names)


def is_readable(file: File) -> bool:
    """Whether a file may hold an image or a mask: by its suffix, or as a part of a container."""
    return bool(file.part) or file.suffix in SUFFIXES


def _unrecognized(files: Sequence[File], names: Sequence[str]) -> DatasetError:
    first_names: dict[str, str] = {}
    for name in names:
        first_names.setdefault(str(PurePosixPath(name).parent), PurePosixPath(name).name)
    folders = Counter(str(PurePosixPath(name).parent) for name in names)
    shown = [f"{folder}/ with {n} like {first_names[folder]}" for folder, n in sorted(folders.items())[:6]]
    more = f" and {len(folders) - 6} folders more" if len(folders) > 6 else ""
    suffixes = sorted({file.suffix or "no suffix" for file in files})[:6]
    found = "; ".join(shown) + more if names else f"no image files, only {', '.join(suffixes)}"
    known = ", ".join(layout.name for layout in KNOWN if not layout.name.startswith("folders"))
    expected = f"folders called images and labels (or masks), x.png beside x_mask.png, or one of {known}"
    root = files[0].root if files else "dataset"
    remedy = f"Give a layout, or a table of the cases. {SYNTAX}"
    return DatasetError(root, found=found, expected=expected, remedy=remedy)
