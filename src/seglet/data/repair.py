"""Write a repaired copy of a dataset, and a log of what was done; the original stays as it is."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seglet.core.config import Config
from seglet.core.errors import DatasetError, SegletError
from seglet.core.events import Event, Tell, quiet
from seglet.core.image import Image
from seglet.core.storage import whole_folder
from seglet.data.cases import Case
from seglet.data.copying import all_files, copy_file, files_of, place_in_copy, require_apart
from seglet.data.doctor import Examination
from seglet.data.looks import place_of
from seglet.data.mending import fill_undefined, mend_mask, onto, with_channels
from seglet.data.table import NAME, SEPARATOR, table_text
from seglet.io import tiff
from seglet.io.files import open_image, read_image, read_mask, write_image, write_mask
from seglet.io.sources import File

LOG = "repairs.csv"
LEAVE_CASE = ("unreadable", "geometry", "constant", "duplicate")
LEAVE_STACK = ("unreadable", "geometry")  # the others are about a page of it, and all would go
LEAVE_FILE = ("no-image", "empty-object")
MEND_MASK = {
    "transposed": "rows and columns exchanged",
    "orientation": "turned like its image",
    "grid": "given the spacing and origin of its image",
    "soft-mask": "cut into two values",
    "mixed-encodings": "written as 0 and 255",
    "off-by-one": "every value lowered by one",
    "inverted": "foreground and background exchanged",
}
MEND_IMAGE = {
    "not-finite": "undefined values replaced by the median",
    "channels": "channels made like those of the others",
}
REPAIRABLE = frozenset((*LEAVE_CASE, *LEAVE_FILE, *MEND_MASK, *MEND_IMAGE))
ONTO_IMAGE = ("transposed", "orientation", "grid")  # what can be wrong with a channel, too
LOSSLESS = (".png", *tiff.SUFFIXES, ".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")


class Repair(Config):
    """One entry of the log: what was done about one finding in one file, or why nothing was."""

    file: str
    code: str
    action: str
    is_done: bool = True


class RepairLog(Config):
    """What `repair` did; `out` is the copy, `n_copied` counts the files that stayed as they were."""

    out: Path
    repairs: tuple[Repair, ...]
    n_copied: int


@dataclass(frozen=True, eq=False)
class _Plan:
    """What is to be done: the cases and files to keep, and what to mend in which file of which case."""

    cases: tuple[Case, ...]
    left_out: Mapping[File, Repair]
    mended: Mapping[File, tuple[Case, tuple[str, ...]]]


def repair(examination: Examination, out: Path, tell: Tell = quiet) -> RepairLog:
    """Write a copy of a dataset without what can be repaired.

    All files keep their names, so that layout, groups and split are recognized as before; only what cannot
    be written in its own format, such as a mask in JPEG, becomes PNG. ``repairs.csv`` in `out` lists every
    change and every finding that is left.

    Parameters
    ----------
    examination : Examination
        From `seglet.data.doctor.examine`.
    out : Path
        New or empty folder, outside of the dataset.
    tell : callable
        Hears of progress.

    Raises
    ------
    DatasetError
        If `out` is in use or inside the dataset, or if no case would be left.
    StorageError
        If the copy cannot be written; nothing stands at `out` then.
    """
    dataset = examination.dataset
    require_apart(dataset.root, out)
    plan = _plan(examination)
    gone = {file for file, one in plan.left_out.items() if one.is_done}
    files = [file for file in all_files(dataset) if file not in gone]
    repairs, places = list(plan.left_out.values()), dict[File, Path]()
    with whole_folder(out) as aside:
        for done, file in enumerate(files, 1):
            places[file], entries = _write(file, plan, examination, aside)
            repairs += entries
            tell(Event("repairing", done=done, total=len(files)))
        repairs += _remaining(examination, plan)
        log = RepairLog(out=out, repairs=tuple(repairs), n_copied=_n_copied(files, repairs))
        if dataset.layout.table is not None:
            (aside / NAME).write_text(_to_table(plan.cases, places), encoding="utf-8")
        (aside / LOG).write_text(_to_csv(log.repairs), encoding="utf-8")
    return log


def _plan(examination: Examination) -> _Plan:
    """Decide about every file; the first finding that makes a case useless names the reason."""
    dataset, codes = examination.dataset, _codes_by_file(examination)
    reasons = {case.id: reason for case in dataset.cases if (reason := _reason(case, codes)) is not None}
    kept = tuple(case for case in dataset.cases if case.id not in reasons)
    if not kept:
        expected = "at least one case that can be kept"
        raise DatasetError(dataset.root, found="none", expected=expected, remedy="Export the files again.")
    in_use = {(file.root, file.name) for case in kept for file in files_of(case)}
    left_out: dict[File, Repair] = {}
    for case in dataset.cases:
        if case.id in reasons:
            left_out |= {file: _left(file, *reasons[case.id], in_use) for file in files_of(case)}
    stacks = {(f.root, f.name) for case in kept if case.page is not None for f in _needed(case)}
    for file in dict.fromkeys((*dataset.orphans, *(file for case in kept for file in files_of(case)))):
        if found := [code for code in codes.get(str(file), ()) if code in (*LEAVE_FILE, *LEAVE_CASE)]:
            left_out[file] = _left(file, found[0], file, stacks)
    mended = {
        file: (case, tuple(some))
        for case in kept
        for file in files_of(case)
        if file not in left_out
        and (some := [code for code in codes.get(str(file), ()) if code in MEND_MASK or code in MEND_IMAGE])
    }
    return _Plan(tuple(_without(case, left_out) for case in kept), left_out, mended)


def _codes_by_file(examination: Examination) -> dict[str, list[str]]:
    """Codes of the findings about each file; all masks are rewritten where they write one class two ways."""
    codes: dict[str, list[str]] = {}
    for one in examination.findings:
        names: Sequence[str] = one.files
        if one.code == "mixed-encodings":
            names = [str(file) for case in examination.dataset.cases for file in case.labels]
        if one.code == "channels" and one.severity == "error":
            continue
        for name in names:
            codes.setdefault(name, []).append(one.code)
    return codes


def _reason(case: Case, codes: Mapping[str, Sequence[str]]) -> tuple[str, File] | None:
    """Say why a case cannot be kept, and which of its files is to blame."""
    reasons = LEAVE_CASE if case.page is None else LEAVE_STACK
    for file in _needed(case):
        for code in codes.get(str(file), ()):
            if code in reasons:
                return code, file
    return None


def _needed(case: Case) -> list[File]:
    """The files without which there is no case: all but those of a second observer."""
    return [file for file in files_of(case) if file != case.second]


def _left(file: File, code: str, cause: File, in_use: Collection[tuple[Path, str]]) -> Repair:
    if (file.root, file.name) in in_use:
        return Repair(
            file=str(file), code=code, action="kept: other cases are in the same file", is_done=False
        )
    action = "left out" if file == cause else f"left out with {cause}"
    return Repair(file=str(file), code=code, action=action)


def _without(case: Case, left_out: Mapping[File, Repair]) -> Case:
    second = None if case.second in left_out else case.second
    labels = tuple(file for file in case.labels if file not in left_out)
    return Case(case.id, case.images, labels, fov=case.fov, second=second, split=case.split, group=case.group)


def _write(file: File, plan: _Plan, examination: Examination, out: Path) -> tuple[Path, list[Repair]]:
    """Copy or mend one file; gives its place below `out`."""
    place = place_in_copy(file, examination.dataset)
    if file not in plan.mended:
        copy_file(file, out / place)
        return place, []
    case, codes = plan.mended[file]
    try:
        new = _mended(file, case, codes, examination, out / place)
        actions = {**MEND_MASK, **MEND_IMAGE}
        renamed = "" if new.name == place.name else f"; now {new.name}"
        done = [Repair(file=str(file), code=code, action=actions[code] + renamed) for code in codes]
        return place.with_name(new.name), done
    except SegletError as error:
        copy_file(file, out / place)
        action = f"not repaired: {error.found}; {error.remedy}"
        return place, [Repair(file=str(file), code=code, action=action, is_done=False) for code in codes]


def _mended(file: File, case: Case, codes: Collection[str], examination: Examination, target: Path) -> Path:
    """Write what one file should hold; gives where it stands."""
    if case.page is not None or file.part:
        raise _unmended(file, "one of several images in a file")
    if file in case.images:
        if file.suffix not in LOSSLESS:
            raise _unmended(file, f"a {file.suffix} image, which cannot be written again without loss")
        is_moved = bool(set(codes) & set(ONTO_IMAGE))
        write_image(target, _mended_image(file, case, codes), like=case.image if is_moved else file)
        return target
    own, like = place_of(open_image(file)), case.image
    values = mend_mask(
        read_mask(file, keep_colors=True), codes, examination.labels, own, place_of(open_image(like))
    )
    if file.suffix not in LOSSLESS:
        target = target.with_name(f"{file.stem}{'.png' if len(own.shape) == 2 else '.nii.gz'}")
    write_mask(target, values, like=like)
    return target


def _mended_image(file: File, case: Case, codes: Collection[str]) -> Image:
    image = read_image(file)
    if set(codes) & set(ONTO_IMAGE):
        image = onto(image, open_image(case.image))
    if "not-finite" in codes:
        image = fill_undefined(image)
    if "channels" in codes:
        changed = with_channels(image)
        if changed is None:
            raise _unmended(file, "an image whose colors tell different things")
        image = changed
    return image


def _unmended(file: File, found: str) -> DatasetError:
    expected = "a file of its own that can be written again"
    return DatasetError(str(file), found=found, expected=expected, remedy="Mend it by hand if need be.")


def _remaining(examination: Examination, plan: _Plan) -> list[Repair]:
    """List the errors and warnings that a person has to decide about."""
    gone = {str(file) for file in plan.left_out}
    return [
        Repair(file=name, code=one.code, action=f"not repaired: {one.remedy}", is_done=False)
        for one in examination.findings
        if one.severity != "note" and one.code not in REPAIRABLE
        for name in one.files or ("",)
        if name not in gone
    ]


def _n_copied(files: Sequence[File], repairs: Sequence[Repair]) -> int:
    changed = {one.file for one in repairs if one.is_done}
    return sum(str(file) not in changed for file in files)


def _to_table(cases: Sequence[Case], places: Mapping[File, Path]) -> str:
    """List the cases that are left, as the dataset's own table did."""

    def cell(files: Sequence[File | None]) -> str:
        return SEPARATOR.join(places[file].as_posix() for file in files if file is not None)

    return table_text(
        {
            "id": case.id,
            "group": case.group or "",
            "split": case.split or "",
            "image": cell(case.images),
            "label": cell(case.labels),
            "mask": cell([case.fov]),
            "second": cell([case.second]),
        }
        for case in cases
    )


def _to_csv(repairs: Sequence[Repair]) -> str:
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(["file", "finding", "done", "action"])
    writer.writerows([one.file, one.code, "yes" if one.is_done else "no", one.action] for one in repairs)
    return lines.getvalue()
