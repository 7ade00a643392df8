"""What is wrong with a dataset, each finding with its remedy."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar

import numpy as np

from seglet.core.config import Config
from seglet.core.errors import ConfigError, DatasetError, GeometryError, SegletError
from seglet.core.events import Tell, quiet
from seglet.core.image import Image, Labels
from seglet.data.cases import Case, Dataset
from seglet.data.layouts import Layout
from seglet.data.masks import MaskConfig, describe, labels_from, unknown_values
from seglet.data.parallel import read_all
from seglet.data.samples import check_size, read_fov
from seglet.data.survey import Survey, survey_mask
from seglet.io.files import File, read_image, read_mask

FEW_GROUPS = 5  # fewer make parts of very unlike sizes
REMEDY_FILE = "Copy or export these files again, or take them out of the dataset."

Severity = Literal["error", "warning", "note"]
Read = TypeVar("Read")


class Finding(Config):
    """One thing found out about a dataset.

    Attributes
    ----------
    severity : str
        ``error``: cannot be trained on. ``warning``: probably not meant so. ``note``: good to know.
    code : str
        Short name of the kind of finding.
    message : str
        What was found, in one sentence.
    files : tuple of str
        The files it is about.
    remedy : str
        What to do; may be empty for a note.
    """

    severity: Severity
    code: str
    message: str
    files: tuple[str, ...] = ()
    remedy: str = ""


@dataclass(frozen=True)
class Examination:
    """A dataset, how its masks are read (None where that is unknown), and what was found."""

    dataset: Dataset
    labels: Labels | None
    findings: tuple[Finding, ...]


def examine(dataset: Dataset, config: MaskConfig, tell: Tell = quiet) -> Examination:
    """Read every file of a dataset once and report what is wrong with it.

    Findings come in the order errors, warnings, notes. Nothing is raised for what stands in the files.
    """
    charts, _ = read_all(_look_at, dataset.cases, "checking", tell)  # a chart holds its errors
    labels, failure = _understood(dataset, charts, config)
    findings = [
        *_about_files(dataset, charts),
        *([] if failure is None else [failure]),
        *_about_masks(dataset, charts, labels),
        *_about_images(charts),
        *_about_groups(dataset),
        *_about_layout(dataset),
    ]
    order = ("error", "warning", "note")
    return Examination(dataset, labels, tuple(sorted(findings, key=lambda one: order.index(one.severity))))


def require_sound(examination: Examination) -> None:
    """Refuse a dataset with errors.

    Raises
    ------
    DatasetError
        Lists every error with its files.
    """
    errors = [one for one in examination.findings if one.severity == "error"]
    if errors:
        listed = "; ".join(
            f"{one.message} ({', '.join(one.files)})" if one.files else one.message for one in errors
        )
        remedies = dict.fromkeys(one.remedy for one in errors)
        raise DatasetError(
            examination.dataset.root, found=listed, expected="a sound dataset", remedy=" ".join(remedies)
        )


@dataclass(frozen=True, eq=False)
class _Chart:
    """What was seen of one case; small, whatever the size of its files."""

    case: Case
    n_channels: int = 0
    dtype: str = ""
    is_constant: bool = False
    is_finite: bool = True
    surveys: tuple[tuple[File, Survey], ...] = ()
    has_empty_fov: bool = False
    errors: tuple[SegletError, ...] = ()


def _look_at(case: Case) -> _Chart:
    errors: list[SegletError] = []
    image = _attempt(partial(read_image, case.image), errors)
    masks = [(file, _attempt(partial(_survey, file, case, image), errors)) for file in case.labels]
    if case.second is not None:
        _attempt(partial(_survey, case.second, case, image), errors)
    fov_is_filled = _attempt(partial(_look_at_fov, case, image), errors)
    return _Chart(
        case,
        n_channels=0 if image is None else image.n_channels,
        dtype="" if image is None else str(image.pixels.dtype),
        is_constant=image is not None and bool((image.pixels == image.pixels[:, :1, :1]).all()),
        is_finite=image is None or image.pixels.dtype.kind != "f" or bool(np.isfinite(image.pixels).all()),
        surveys=tuple((file, survey) for file, survey in masks if survey is not None),
        has_empty_fov=fov_is_filled is False,
        errors=tuple(errors),
    )


def _attempt(read: Callable[[], Read], errors: list[SegletError]) -> Read | None:
    try:
        return read()
    except SegletError as error:
        errors.append(error)
        return None


def _survey(file: File, case: Case, image: Image | None) -> Survey:
    mask = read_mask(file, keep_colors=True)
    if image is not None:
        check_size(mask.shape, file, image.shape, case.image)
    return survey_mask(mask)


def _look_at_fov(case: Case, image: Image | None) -> bool:
    if case.fov is None:
        return True
    fov = read_fov(case.fov)
    if image is not None:
        check_size(fov.shape, case.fov, image.shape, case.image)
    return bool(fov.any())


def _understood(
    dataset: Dataset, charts: Sequence[_Chart], config: MaskConfig
) -> tuple[Labels | None, Finding | None]:
    surveys = [survey for chart in charts for _, survey in chart.surveys]
    if not surveys:
        return None, None
    try:
        return labels_from(surveys, config, per_object=dataset.layout.objects), None
    except (DatasetError, ConfigError) as error:
        message = f"The masks are not understood: found {error.found}; expected {error.expected}."
        return None, Finding(severity="error", code="encoding", message=message, remedy=error.remedy)


def _about_files(dataset: Dataset, charts: Sequence[_Chart]) -> Iterator[Finding]:
    for error in (error for chart in charts for error in chart.errors):
        code = "geometry" if isinstance(error, GeometryError) else "unreadable"
        message = f"Found {error.found}, expected {error.expected}."
        yield Finding(severity="error", code=code, message=message, files=(error.where,), remedy=error.remedy)
    unlabelled = [str(chart.case.image) for chart in charts if not chart.case.labels]
    n_labelled = len(charts) - len(unlabelled)
    if unlabelled and n_labelled:
        yield _listing(
            "warning", "no-mask", "{n} images have no mask.", unlabelled, "They are left out of training."
        )
    if dataset.orphans:
        orphans = [str(file) for file in dataset.orphans]
        yield _listing("warning", "no-image", "{n} masks belong to no image.", orphans, "Check their names.")
    if n_labelled < 2:
        severity: Severity = "error" if not n_labelled and dataset.layout.labels else "warning"
        message = (
            f"1 of {len(charts)} images has a mask; the model will be scored on what it was trained on."
            if n_labelled
            else f"0 of {len(charts)} images have a mask; training needs some."
        )
        remedy = "Add masks, or check their names and the layout."
        yield Finding(severity=severity, code="few-labels", message=message, remedy=remedy)


def _about_masks(dataset: Dataset, charts: Sequence[_Chart], labels: Labels | None) -> Iterator[Finding]:
    if labels is None:
        return
    surveys = [item for chart in charts for item in chart.surveys]
    if labels.encoding == "objects":
        empty = [str(chart.case.image) for chart in charts if chart.surveys and not _has_any(chart)]
        blank = [str(file) for file, survey in surveys if not survey.values.any()]
        if blank:
            yield _listing("warning", "empty-object", "{n} object masks are empty.", blank, "Remove them.")
    else:
        empty = [str(file) for file, survey in surveys if len(survey.values) == 1]
    if empty:
        yield _listing(
            "warning", "empty-mask", "{n} masks show no object.", empty, "Check that this is meant so."
        )
    strange = [str(file) for file, survey in surveys if unknown_values(survey, labels)]
    if strange:
        remedy = "Add their values to masks.classes, set masks.ignore, or say masks.encoding: binary."
        yield _listing("error", "values", "{n} masks hold values that stand for no class.", strange, remedy)
    soft = [str(file) for file, survey in surveys if labels.threshold is not None and len(survey.values) > 2]
    if soft:
        remedy = (
            f"They are cut at {labels.threshold:g}; save masks as PNG, without smoothing." if soft else ""
        )
        yield _listing(
            "warning", "soft-mask", "{n} masks have gray levels between the classes.", soft, remedy
        )
    yield Finding(severity="note", code="encoding", message=describe(labels))


def _about_images(charts: Sequence[_Chart]) -> Iterator[Finding]:
    constant = [str(chart.case.image) for chart in charts if chart.is_constant]
    if constant:
        yield _listing(
            "warning", "constant", "{n} images have the same value everywhere.", constant, REMEDY_FILE
        )
    broken = [str(chart.case.image) for chart in charts if not chart.is_finite]
    if broken:
        yield _listing(
            "error", "not-finite", "{n} images hold infinite or undefined values.", broken, REMEDY_FILE
        )
    unseen = [str(chart.case.fov) for chart in charts if chart.has_empty_fov]
    if unseen:
        yield _listing("warning", "empty-fov", "{n} fields of view are empty.", unseen, "Check these files.")
    yield from _mixture("channels", "channels", [(chart, str(chart.n_channels)) for chart in charts])
    yield from _mixture("depth", "kinds of pixel", [(chart, chart.dtype) for chart in charts])


def _mixture(code: str, what: str, seen: Sequence[tuple[_Chart, str]]) -> Iterator[Finding]:
    """Note that images differ, naming those that are not like most."""
    values = [value for chart, value in seen if chart.n_channels]
    counts = {value: values.count(value) for value in sorted(set(values))}
    if len(counts) > 1:
        most = max(counts, key=lambda value: counts[value])
        files = [str(chart.case.image) for chart, value in seen if chart.n_channels and value != most]
        listed = ", ".join(f"{count} of {value}" for value, count in counts.items())
        remedy = "Make sure that the same values mean the same in all of them."
        yield _listing("note", code, f"The images differ in {what}: {listed}.", files, remedy)


def _about_groups(dataset: Dataset) -> Iterator[Finding]:
    """Warn where a few folders, taken for patients, are all there is to split by."""
    layout = dataset.layout
    labelled = [case for case in dataset.cases if case.labels]
    groups = sorted({case.group for case in labelled if case.group is not None})
    is_folder = "{group}" in layout.image.rpartition("/")[0]
    if is_folder and groups and len(groups) < min(FEW_GROUPS, len(labelled)):
        listed = ", ".join(groups)
        message = f"Cases are split by folder, and of folders there are only {len(groups)}: {listed}."
        freed = [
            f"--set 'layout.{role}={pattern.replace('{group}', '{key}')}'"
            for role, pattern in _patterns(layout).items()
        ]
        remedy = f"If the folders are no patients, give a layout without {{group}}: {' '.join(freed)}"
        yield Finding(severity="warning", code="groups", message=message, remedy=remedy)


def _about_layout(dataset: Dataset) -> Iterator[Finding]:
    layout = dataset.layout
    n_labelled = sum(bool(case.labels) for case in dataset.cases)
    listed = ", ".join(f"{role} {pattern}" for role, pattern in _patterns(layout).items())
    message = f"{len(dataset.cases)} images, {n_labelled} with masks; layout {layout.name}: {listed}."
    yield Finding(severity="note", code="layout", message=message)


def _patterns(layout: Layout) -> dict[str, str]:
    roles = {"image": layout.image, "labels": layout.labels, "fov": layout.fov, "second": layout.second}
    return {role: pattern for role, pattern in roles.items() if pattern is not None}


def _has_any(chart: _Chart) -> bool:
    return any(survey.values.any() for _, survey in chart.surveys)


def _listing(severity: Severity, code: str, message: str, files: Sequence[str], remedy: str) -> Finding:
    text = message.replace("{n}", str(len(files)))
    return Finding(severity=severity, code=code, message=text, files=tuple(files), remedy=remedy)
