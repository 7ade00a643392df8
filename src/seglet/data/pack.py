"""A dataset in one HDF5 file: images, truth, fields of view, groups, splits and what the masks mean."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from seglet import __version__
from seglet.core.errors import FormatError
from seglet.core.events import Event, Tell, quiet
from seglet.core.image import Labels
from seglet.core.storage import whole_file
from seglet.data.cases import Case, Dataset
from seglet.data.convert_masks import labels_as_written, masks_of
from seglet.data.layouts import Layout
from seglet.data.samples import read_sample
from seglet.io import hdf5
from seglet.io.sources import File

PACK_VERSION = 1
MARK = "seglet_pack"  # attribute that tells a pack from other HDF5 files
LAYOUT = Layout(name="HDF5 pack", image="{id}.h5")


def write_pack(dataset: Dataset, labels: Labels | None, out: Path, tell: Tell = quiet) -> None:
    """Write a dataset as one file, chunked and compressed; one case is in memory at a time.

    Parameters
    ----------
    dataset : Dataset
        What is packed, unlabelled cases too.
    labels : Labels or None
        How its masks are written; None where there are none.
    out : Path
        The file, whole or not at all.
    tell : callable
        Hears of progress.

    Raises
    ------
    SegletError
        If a file of the dataset cannot be read.
    StorageError
        If the disk is full.
    """
    written = None if labels is None else labels_as_written(dataset, labels)
    with whole_file(out) as aside:
        for number, case in enumerate(dataset.cases):
            tell(Event("packing", case.id, number, len(dataset.cases)))
            place = f"cases/{number:05}"
            sample = read_sample(case, labels)
            hdf5.write(aside, sample.image, f"{place}/image")
            for role, values in masks_of(sample, written).items():
                hdf5.write(aside, replace(sample.image, pixels=values[None]), f"{place}/{role}")
            _mark(aside, place, {"id": case.id, "group": case.group, "split": case.split})
        about = {
            "layout": dataset.layout.name,
            "channels": list(dataset.channels),
            "labels": None if written is None else written.model_dump(mode="json"),
            "seglet": __version__,
        }
        _mark(aside, "", {MARK: PACK_VERSION, **{key: json.dumps(value) for key, value in about.items()}})
    tell(Event("packing", f"{len(dataset.cases)} cases in {out}", len(dataset.cases), len(dataset.cases)))


def is_pack(path: Path) -> bool:
    """Whether a file is a pack, rather than any other HDF5 file or none at all."""
    if path.suffix.lower() not in hdf5.SUFFIXES or not path.is_file():
        return False
    library = hdf5.h5py()
    try:
        with library.File(path, "r") as file:
            return MARK in file.attrs
    except OSError:
        return False


def open_pack(path: Path) -> Dataset:
    """List the cases of a pack.

    Raises
    ------
    FormatError
        If it is damaged, or was written by a newer version.
    """
    try:
        with hdf5.h5py().File(path, "r") as file:
            version = int(file.attrs[MARK])
            if version > PACK_VERSION:
                raise FormatError(
                    path,
                    found=f"a pack of version {version}",
                    expected=f"at most {PACK_VERSION}",
                    remedy="Install a newer seglet.",
                )
            about = {key: json.loads(file.attrs[key]) for key in ("layout", "channels", "labels")}
            cases = [_case(path, f"cases/{key}", group) for key, group in sorted(file["cases"].items())]
    except (OSError, KeyError, ValueError) as error:
        raise FormatError(
            path,
            found=f"a pack that cannot be read ({error})",
            expected="the file as `seglet pack` wrote it",
            remedy="Copy the file again, or pack the dataset anew.",
        ) from error
    labels = None if about["labels"] is None else Labels(**about["labels"])
    layout = LAYOUT.model_copy(update={"name": about["layout"]})
    return Dataset(path, layout, tuple(cases), channels=tuple(about["channels"]), labels=labels)


def _case(path: Path, place: str, group: Any) -> Case:
    name = str(group.attrs["id"])
    files = {
        role: File(path.parent, path.name, f"{place}/{role}", f"{path.name}/{name}{suffix}.h5")
        for role, suffix in (("image", ""), ("labels", "_labels"), ("fov", "_fov"), ("second", "_second"))
        if role in group
    }
    return Case(
        id=name,
        images=(files["image"],),
        labels=(files["labels"],) if "labels" in files else (),
        fov=files.get("fov"),
        second=files.get("second"),
        split=group.attrs.get("split"),
        group=group.attrs.get("group"),
    )


def _mark(path: Path, place: str, attributes: Mapping[str, object]) -> None:
    with hdf5.h5py().File(path, "r+") as file:
        node = file[place] if place else file
        node.attrs.update({key: value for key, value in attributes.items() if value is not None})
