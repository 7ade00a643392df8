"""Which cases stand on disk, and which file of each is what."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from seglet.core.errors import DatasetError
from seglet.core.image import Labels
from seglet.data.dataset_json import NAME, Description, read_description
from seglet.data.groups import group_of, guess_groups
from seglet.data.layouts import Layout, changed
from seglet.data.matching import Found, Matches, match_files
from seglet.data.patterns import SYNTAX
from seglet.data.recognition import is_readable, recognize
from seglet.data.table import Row, is_table, read_table
from seglet.io.files import open_image
from seglet.io.listing import list_files
from seglet.io.sources import File


@dataclass(frozen=True)
class Case:
    """The files of one image.

    Attributes
    ----------
    id : str
        Name, unique in its dataset.
    images : tuple of File
        The image: one file with all channels, or one file per channel in the order of `Dataset.channels`.
    labels : tuple of File
        Its mask, one mask per object, or one per class in the order of `Dataset.class_files`; empty where
        nobody labelled it.
    channels : tuple of str
        Name of the channel in each file of `images` where each has its own; where one is missing, fewer
        than `Dataset.channels`.
    classes : tuple of str
        Name of the class in each file of `labels` where each has its own.
    fov, second, tracks : File or None
        Field of view; a second observer's mask; markers of objects that may lack a mask (Cell Tracking
        Challenge).
    page : int or None
        Which page (slice along the first axis) of these files the case is; None for whole files.
    missing : tuple of int
        Places in `Dataset.channels` that no file of `images` fills; they are read as zeros.
    split : str or None
        ``train``, ``validation`` or ``test``, where the dataset says so.
    group : str or None
        Cases of one group (a patient) must not be split.
    """

    id: str
    images: tuple[File, ...]
    labels: tuple[File, ...] = ()
    channels: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    fov: File | None = None
    second: File | None = None
    tracks: File | None = None
    page: int | None = None
    missing: tuple[int, ...] = ()
    split: str | None = None
    group: str | None = None

    @property
    def image(self) -> File:
        """The file that stands for the image in messages and names: that of the first channel."""
        return self.images[0]


@dataclass(frozen=True)
class Dataset:
    """All cases of a folder, archive or pack, sorted.

    Attributes
    ----------
    orphans : tuple of File
        Masks that belong to no image.
    channels : tuple of str
        Names of the channels where each has a file of its own, or where the dataset names them.
    class_files : tuple of str
        Names of the foreground classes where each has a mask file of its own.
    classes : dict
        Name and mask value of each class where the dataset says them (``dataset.json``).
    labels : Labels or None
        How the masks are written, where the dataset says it all itself (a pack).
    """

    root: Path
    layout: Layout
    cases: tuple[Case, ...]
    orphans: tuple[File, ...] = ()
    channels: tuple[str, ...] = ()
    class_files: tuple[str, ...] = ()
    classes: dict[str, int] = field(default_factory=dict)
    labels: Labels | None = None


def find_cases(root: Path, layout: Layout | None = None) -> Dataset:
    """Find the cases below a folder, in a zip archive or in a table.

    Parameters
    ----------
    root : Path
        Folder or archive, or a CSV file that lists the cases.
    layout : Layout or None
        Where images and masks are; recognized from the names if None. A table ``cases.csv`` at the top of
        the folder is then taken at its word.

    Raises
    ------
    DatasetError
        If nothing matches, if two files claim the same place in a case, or if a case lacks a channel.
    FormatError
        If a table, a ``dataset.json`` or, where every page is a case, a stack cannot be read.
    """
    if root.suffix.lower() == ".csv" and root.is_file():
        return _from_table(
            root.parent, (layout or _tabled(root.name)).model_copy(update={"table": Path(root.name)})
        )
    if layout is not None and layout.table is not None:
        return _from_table(root, layout)
    files = list_files(root)
    if layout is not None and layout.image:
        return _from_patterns(root, layout, files)
    if root.is_dir() and (tables := [file for file in files if is_table(file)]):
        found = _tabled(tables[0].name)
        return _from_table(root, found if layout is None else changed(found, layout))
    found = recognize(files)
    return _from_patterns(root, found if layout is None else changed(found, layout), files)


def _tabled(name: str) -> Layout:
    return Layout(name=f"table {name}", table=Path(name))


def _from_table(root: Path, layout: Layout) -> Dataset:
    cases = _uniquely_named([_case_of_row(row) for row in read_table(root / (layout.table or ""))])
    said = read_description([File(root, NAME)] if (root / NAME).is_file() else [])
    if said.own.layout is not None:
        layout = layout.model_copy(update={"name": said.own.layout, "group": layout.group or ""})
    found = Dataset(root, layout, _sorted(cases, root), classes=said.classes, labels=said.own.labels)
    return _grouped(replace(found, channels=said.channels))


def _case_of_row(row: Row) -> Case:
    case = Case(row.id, row.images, row.labels, fov=row.fov, second=row.second)
    return replace(case, split=row.split, group=row.group)


def _from_patterns(root: Path, layout: Layout, files: Sequence[File]) -> Dataset:
    readable = [file for file in files if is_readable(file)]
    found = match_files(layout, readable)
    if not found.images:
        what = f"{len(readable)} images, none of which matches {layout.image!r}"
        raise DatasetError(root, found=what, expected=f"images as in {layout.image!r}", remedy=SYNTAX)
    said = read_description(files)
    cases = [_case(members, layout, found, root) for members in found.images]
    cases = _uniquely_named([_with_channel_names(case, said.channels) for case in cases])
    _require_used_once(cases, root)
    channels = tuple(sorted({name for case in cases for name in case.channels}, key=_place_in(said.channels)))
    if layout.missing == "error":
        _require_channels(cases, channels, root)
    cases = [_as_said(_in_order(case, channels) if case.channels else case, said) for case in cases]
    class_files = tuple(sorted({name for case in cases for name in case.classes}))
    strays = found.strays(layout.label_patterns, layout)
    orphans = sorted(one.file for one in strays if one.values.get("class") in (None, *class_files))
    dataset = Dataset(
        root,
        layout,
        _sorted(_turned_pages(cases) if layout.pages else cases, root),
        tuple(orphans),
        channels or said.channels,
        class_files,
        said.classes,
        said.own.labels,
    )
    return dataset if said.own.cases else _grouped(dataset)


def _case(members: Sequence[Found], layout: Layout, found: Matches, root: Path) -> Case:
    image = members[0]
    channels = [one.values["channel"] for one in members if "channel" in one.values]
    if len({name.lower() for name in channels}) < len(channels):
        raise _ambiguous(root, "channels of one image", [one.file for one in members])
    partners: dict[str, list[Found]] = {}
    for role, patterns in layout.partners.items():
        fitting = (found.of(image, pattern, layout) for pattern in patterns)
        partners[role] = sorted(next(filter(None, fitting), []), key=_by_class)
        classes = [one.values.get("class", "").lower() for one in partners[role]]
        if len(set(classes)) < len(classes) and not (role == "labels" and layout.objects):
            raise _ambiguous(root, f"{role} of {image.file}", [one.file for one in partners[role]])
    labels = partners.get("labels", [])
    single = {role: one[0].file for role, one in partners.items() if one}
    return Case(
        id=image.values.get("id") or image.file.stem,
        images=tuple(one.file for one in members),
        labels=tuple(one.file for one in labels),
        channels=tuple(channels),
        classes=tuple(one.values["class"] for one in labels if "class" in one.values),
        split=image.values.get("split"),
        group=image.values.get("group"),
        fov=single.get("fov"),
        second=single.get("second"),
        tracks=single.get("tracks"),
    )


def _by_class(one: Found) -> tuple[str, File]:
    return one.values.get("class", ""), one.file


def _with_channel_names(case: Case, names: Sequence[str]) -> Case:
    """Name numbered channels as the dataset's description does."""
    if not names or not all(name.isdecimal() and int(name) < len(names) for name in case.channels):
        return case
    return replace(case, channels=tuple(names[int(name)] for name in case.channels))


def _as_said(case: Case, said: Description) -> Case:
    """Name a case and say where it belongs as the dataset's description does."""
    own = said.own.cases.get(case.image.shown_name)
    named = case if own is None else replace(case, id=own.id, group=own.group, split=own.split)
    return replace(named, split=said.split.get(case.id, named.split))


def _place_in(names: Sequence[str]) -> Callable[[str], tuple[int, str]]:
    return lambda name: (names.index(name) if name in names else len(names), name)


def _in_order(case: Case, channels: Sequence[str]) -> Case:
    """Put the files of a case in the order of the channels, and note the places that none fills."""
    images = dict(zip(case.channels, case.images, strict=True))
    return replace(
        case,
        images=tuple(images[name] for name in channels if name in images),
        channels=tuple(name for name in channels if name in images),
        missing=tuple(place for place, name in enumerate(channels) if name not in images),
    )


def _require_channels(cases: Sequence[Case], channels: Sequence[str], root: Path) -> None:
    lacking = [case for case in cases if case.channels and len(case.channels) < len(channels)]
    if lacking:
        listed = [
            f"{case.id} lacks {', '.join(name for name in channels if name not in case.channels)} "
            f"(it has {', '.join(case.channels)})"
            for case in lacking
        ]
        more = f" and {len(listed) - 10} more" if len(listed) > 10 else ""
        remedy = "Add their files, or say layout.missing: allow, which reads a missing channel as zeros."
        raise DatasetError(
            root,
            found=f"{len(lacking)} cases that lack channels: {'; '.join(listed[:10])}{more}",
            expected=f"{', '.join(channels)} for each",
            remedy=remedy,
        )


def _turned_pages(cases: Sequence[Case]) -> list[Case]:
    """Make each page of a stack a case; the stacks are the groups where several are labelled."""
    several = sum(bool(case.labels) for case in cases) > 1
    return [page for case in cases for page in _pages(replace(case, group=case.id) if several else case)]


def _pages(case: Case) -> Iterator[Case]:
    shape = open_image(case.image).shape
    if len(shape) == 2:
        yield case
    else:
        yield from (replace(case, id=f"{case.id}_{page:03}", page=page) for page in range(shape[0]))


def _grouped(dataset: Dataset) -> Dataset:
    """Group cases by their ids: as the layout says, or, where nothing says it, as the ids plainly do."""
    layout, pattern = dataset.layout, dataset.layout.group
    if pattern is None and all(case.group is None and case.page is None for case in dataset.cases):
        pattern = guess_groups([case.id for case in dataset.cases])
        said = {"group": pattern, "name": f"{layout.name}, groups {pattern}"}
        layout = layout.model_copy(update=said) if pattern else layout
    if not pattern:
        return dataset
    cases = tuple(replace(case, group=group_of(pattern, case.id)) for case in dataset.cases)
    return replace(dataset, cases=cases, layout=layout)


def _require_used_once(cases: Sequence[Case], root: Path) -> None:
    """Refuse a mask that several images claim: it would train most of them on another's truth."""
    owners: dict[File, Case] = {}
    for case in cases:
        for file in case.labels:
            owner = owners.setdefault(file, case)
            if owner is not case:
                raise _ambiguous(root, f"images of the mask {file}", [owner.image, case.image])


def _uniquely_named(cases: Sequence[Case]) -> list[Case]:
    """Put the split, the group or the folder before ids that occur twice."""
    named = list(cases)
    prefixes = (
        lambda case: case.split,
        lambda case: case.group,
        lambda case: "_".join(PurePosixPath(case.image.shown_name).parts[:-1]),
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
