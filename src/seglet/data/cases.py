"""Which cases stand on disk, and which file of each is what."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from seglet.core.errors import DatasetError
from seglet.data.layouts import Layout, recognize
from seglet.data.patterns import SYNTAX, match, variables
from seglet.io.files import File, list_files
from seglet.io.raster import SUFFIXES

Key = tuple[str, ...]


@dataclass(frozen=True)
class Case:
    """The files of one image.

    Attributes
    ----------
    id : str
        Name, unique in its dataset.
    image : File
        The image.
    labels : tuple of File
        Its mask, or one mask per object; empty where nobody labelled it.
    fov, second : File or None
        Field of view; a second observer's mask.
    split : str or None
        ``train``, ``validation`` or ``test``, where the dataset says so.
    group : str or None
        Cases of one group (a patient) must not be split.
    """

    id: str
    image: File
    labels: tuple[File, ...] = ()
    fov: File | None = None
    second: File | None = None
    split: str | None = None
    group: str | None = None


@dataclass(frozen=True)
class Dataset:
    """All cases of a folder or archive, sorted; `orphans` are masks that belong to no image."""

    root: Path
    layout: Layout
    cases: tuple[Case, ...]
    orphans: tuple[File, ...]


def find_cases(root: Path, layout: Layout | None = None) -> Dataset:
    """Find the cases below a folder or in a zip archive.

    Parameters
    ----------
    root : Path
        Folder or archive.
    layout : Layout or None
        Where images and masks are; recognized from the names if None.

    Raises
    ------
    DatasetError
        If nothing matches, or if two files claim the same place in a case.
    """
    files = list_files(root)
    layout = layout or recognize(files)
    pictures = [file for file in files if file.suffix in SUFFIXES]
    roles: dict[str, dict[Key, list[File]]] = {}
    taken: set[File] = set()
    for role, pattern in (("labels", layout.labels), ("fov", layout.fov), ("second", layout.second)):
        roles[role] = _by_key(pattern, layout.image, [file for file in pictures if file not in taken])
        taken |= {file for group in roles[role].values() for file in group}
    images = [(file, match(layout.image, file.name)) for file in pictures if file not in taken]
    matched = [(file, values) for file, values in images if values is not None]
    if not matched:
        found = f"{len(pictures)} images, none of which matches {layout.image!r}"
        raise DatasetError(root, found=found, expected=f"images as in {layout.image!r}", remedy=SYNTAX)
    cases = _uniquely_named([_case(file, values, layout, roles, root) for file, values in matched])
    used = _used_once(cases, root)
    orphans = sorted(file for group in roles["labels"].values() for file in group if file not in used)
    return Dataset(root, layout, _sorted(cases, root), tuple(orphans))


def _by_key(pattern: str | None, image_pattern: str, files: Sequence[File]) -> dict[Key, list[File]]:
    """Sort the files of one role by the variables that they share with their image."""
    by_key: dict[Key, list[File]] = {}
    if pattern is not None:
        shared = _shared(pattern, image_pattern)
        for file in files:
            values = match(pattern, file.name)
            if values is not None:
                by_key.setdefault(_key(values, shared), []).append(file)
    return by_key


def _shared(pattern: str, image_pattern: str) -> list[str]:
    return sorted(variables(pattern) & variables(image_pattern))


def _key(values: dict[str, str], names: Sequence[str]) -> Key:
    return tuple(values[name].lower() for name in names)


def _case(
    image: File,
    values: dict[str, str],
    layout: Layout,
    roles: dict[str, dict[Key, list[File]]],
    root: Path,
) -> Case:
    partners = {}
    for role, pattern in (("labels", layout.labels), ("fov", layout.fov), ("second", layout.second)):
        key = _key(values, _shared(pattern, layout.image)) if pattern else ()
        partners[role] = sorted(roles[role].get(key, []))
        if len(partners[role]) > 1 and not (role == "labels" and layout.objects):
            raise _ambiguous(root, f"{role} of {image}", partners[role])
    return Case(
        id=values.get("id") or image.stem,
        image=image,
        labels=tuple(partners["labels"]),
        fov=next(iter(partners["fov"]), None),
        second=next(iter(partners["second"]), None),
        split=values.get("split"),
        group=values.get("group"),
    )


def _used_once(cases: Sequence[Case], root: Path) -> set[File]:
    """Collect the masks; one that several images claim would train most of them on another's truth."""
    owners: dict[File, Case] = {}
    for case in cases:
        for file in case.labels:
            owner = owners.setdefault(file, case)
            if owner is not case:
                raise _ambiguous(root, f"images of the mask {file}", [owner.image, case.image])
    return set(owners)


def _uniquely_named(cases: Sequence[Case]) -> list[Case]:
    """Put the split, the group or the folder before ids that occur twice."""
    named = list(cases)
    prefixes = (
        lambda case: case.split,
        lambda case: case.group,
        lambda case: "_".join(PurePosixPath(case.image.name).parts[:-1]),
    )
    for prefix in prefixes:
        counts = Counter(case.id.lower() for case in named)
        named = [
            replace(case, id=f"{prefix(case)}_{case.id}")
            if counts[case.id.lower()] > 1 and prefix(case)
            else case
            for case in named
        ]
    return named


def _sorted(cases: Sequence[Case], root: Path) -> tuple[Case, ...]:
    """Sort by id: by the numbers in them where all ids are alike but for these, plainly otherwise."""
    by_id: dict[str, Case] = {}
    for case in cases:
        if case.id in by_id:
            raise _ambiguous(root, f"image of case {case.id}", [by_id[case.id].image, case.image])
        by_id[case.id] = case
    shapes = {re.sub(r"[0-9]+", "0", name) for name in by_id}
    natural = len(shapes) == 1
    return tuple(by_id[name] for name in sorted(by_id, key=_natural_key if natural else None))


def _natural_key(name: str) -> tuple[list[int], str]:
    return [int(digits) for digits in re.findall(r"[0-9]+", name)], name


def _ambiguous(root: Path, what: str, files: Sequence[File]) -> DatasetError:
    listed = ", ".join(str(file) for file in files[:5])
    remedy = "Remove or rename all but one, or give a layout that tells them apart."
    return DatasetError(root, found=f"{len(files)} files as {what}: {listed}", expected="one", remedy=remedy)
