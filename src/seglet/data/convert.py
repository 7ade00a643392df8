"""A dataset in another layout: nnU-Net, pairs of folders, HDF5, OME-Zarr, Cell Tracking Challenge."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from seglet.core.errors import ConfigError, FormatError
from seglet.core.events import Event, Tell, quiet
from seglet.core.image import Labels
from seglet.core.storage import whole_folder
from seglet.data.cases import Case, Dataset
from seglet.data.convert_ctc import write_ctc
from seglet.data.convert_folders import write_pairs
from seglet.data.convert_nnunet import write_nnunet
from seglet.data.convert_ome_zarr import write_ome_zarr
from seglet.data.copying import require_apart
from seglet.data.drawing import classes_in
from seglet.data.folds import read_folds
from seglet.data.pack import write_pack
from seglet.data.samples import read_sample
from seglet.data.splits import ROLES, Split, SplitConfig, split_cases
from seglet.io import hdf5
from seglet.io.sources import suffix_of

Writer = Callable[[Dataset, Labels | None, Path, Tell], None]

FOLDERS: Mapping[str, Writer] = {
    "nnunet": write_nnunet,
    "pairs": write_pairs,
    "ome-zarr": write_ome_zarr,
    "ctc": write_ctc,
}
HDF5 = "hdf5"
TARGETS = (*FOLDERS, HDF5)


def write_as(to: str, dataset: Dataset, labels: Labels | None, out: Path, tell: Tell = quiet) -> None:
    """Write a dataset in another layout, whole or not at all; one case is in memory at a time.

    Parameters
    ----------
    to : str
        One of ``TARGETS``.
    dataset : Dataset
        What is written; see `divided` for its split.
    labels : Labels or None
        How its masks are written; None where there are none.
    out : Path
        New or empty folder outside of the dataset; for ``hdf5`` a new file.
    tell : callable
        Hears of progress.

    Raises
    ------
    ConfigError, FormatError, DatasetError
        As `require_place` does, or if the dataset does not fit the layout.
    SegletError
        If a file of the dataset cannot be read.
    StorageError
        If the disk is full.
    """
    require_place(to, dataset, out)
    if labels is not None and labels.encoding in ("files", "objects"):
        tell(
            Event("converting", "the mask files of an image become one: where they overlap, the last stands")
        )
    if to == HDF5:
        write_pack(dataset, labels, out, tell)
        return
    with whole_folder(out) as aside:
        FOLDERS[to](dataset, labels, aside, tell)
    tell(Event("converting", f"{len(dataset.cases)} cases in {out}", len(dataset.cases), len(dataset.cases)))


def require_place(to: str, dataset: Dataset, out: Path) -> None:
    """Refuse an unknown layout and a place that cannot be written to.

    Raises
    ------
    ConfigError
        If there is no such layout.
    DatasetError
        If `out` is in use or inside the dataset.
    FormatError
        If `out` is not named as an HDF5 file is, and is to be one.
    """
    if to not in TARGETS:
        expected = f"one of {', '.join(TARGETS)}"
        raise ConfigError("--to", found=repr(to), expected=expected, remedy="Choose one of these.")
    table = dataset.layout.table
    require_apart(dataset.root if table is None else dataset.root / table, out)
    if to == HDF5 and suffix_of(out.name) not in hdf5.SUFFIXES:
        expected = f"a name that ends in {' or '.join(hdf5.SUFFIXES)}"
        raise FormatError(out, found=f"suffix {out.suffix!r}", expected=expected, remedy="Rename the output.")


def divided(dataset: Dataset, labels: Labels | None, config: SplitConfig, tell: Tell = quiet) -> Dataset:
    """Give each labelled case the part that a split says; without labels nothing changes.

    Where neither the dataset nor a rule says who tests or validates, it stays undivided. Of folds only the
    part that stays out of all of them is written. Labelled cases that are in no part are left out.

    Parameters
    ----------
    dataset : Dataset
        What is divided.
    labels : Labels or None
        How its masks are written.
    config : SplitConfig
        Rules.
    tell : callable
        Hears which cases are left out.

    Raises
    ------
    ConfigError
        As `seglet.data.splits.split_cases` does, or if a file holds several folds.
    """
    labelled = [case for case in dataset.cases if case.labels]
    is_given = any(case.split in ("test", "validation") for case in labelled)
    is_said = config.file is not None or (config.train, config.validation, config.test) != _unsaid()
    if labels is None or not labelled or not (is_given or is_said):
        return dataset
    split = _split(labelled, labels, config)
    roles = {case.id: role for role in ROLES for case in getattr(split, role)}
    kept = [case for case in dataset.cases if not case.labels or case.id in roles]
    if len(kept) < len(dataset.cases):
        tell(Event("split", f"{len(dataset.cases) - len(kept)} labelled cases are in no part and left out"))
    cases = tuple(replace(case, split=roles.get(case.id, case.split)) for case in kept)
    return replace(dataset, cases=cases)


def _unsaid() -> tuple[object, object, object]:
    plain = SplitConfig()
    return plain.train, plain.validation, plain.test


def _split(labelled: list[Case], labels: Labels, config: SplitConfig) -> Split:
    if config.file is not None:
        folds = read_folds(config.file, labelled)
        if len(folds) > 1:
            raise ConfigError(
                "split.file",
                found=f"{len(folds)} folds in {config.file}",
                expected="one split",
                remedy="Give the split.yaml of a run without folds.",
            )
        return folds[0]
    if isinstance(config.folds, int):
        config = config.model_copy(update={"validation": "none"})
    classes = {case.id: classes_in(read_sample(case, labels)) for case in labelled}
    return split_cases(labelled, config, classes)
