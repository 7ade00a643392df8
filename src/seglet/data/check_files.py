"""Findings about which files there are, and which cannot be read."""

from collections.abc import Iterator, Sequence

from seglet.core.errors import GeometryError
from seglet.data.cases import Dataset
from seglet.data.chart import Chart
from seglet.data.findings import Finding, Severity, finding
from seglet.data.layouts import Layout

FEW_GROUPS = 5  # fewer make parts of very unlike sizes


def check_files(dataset: Dataset, charts: Sequence[Chart]) -> Iterator[Finding]:
    """Find files that cannot be read, images and masks without their partner, and too few of both."""
    yield from _unreadable(charts)
    unlabelled = [chart.case.image for chart in charts if not chart.case.labels]
    n_labelled = len(charts) - len(unlabelled)
    if unlabelled and n_labelled:
        remedy = "They are left out of training."
        yield finding("note", "no-mask", "{n} images have no mask.", unlabelled, remedy)
    if dataset.orphans:
        remedy = "Check their names."
        yield finding("warning", "no-image", "{n} masks belong to no image.", dataset.orphans, remedy)
    if n_labelled < 2:
        yield _few_labels(dataset, n_labelled)
    yield from _missing_channels(dataset)


def check_groups(dataset: Dataset) -> Iterator[Finding]:
    """Warn where a few folders, taken for patients, are all there is to split by; say what was read."""
    layout = dataset.layout
    labelled = [case for case in dataset.cases if case.labels]
    groups = sorted({case.group for case in labelled if case.group is not None})
    patterns = _patterns(layout)
    is_folder = "{group}" in layout.image.rpartition("/")[0]
    if is_folder and groups and len(groups) < min(FEW_GROUPS, len(labelled)):
        listed = ", ".join(groups)
        message = f"Cases are split by folder, and of folders there are only {len(groups)}: {listed}."
        freed = [
            f"--set 'layout.{role}={pattern.replace('{group}', '{key}')}'"
            for role, pattern in patterns.items()
        ]
        remedy = f"If the folders are no patients, give a layout without {{group}}: {' '.join(freed)}"
        yield finding("warning", "groups", message, (), remedy)
    elif layout.group and groups and len(groups) < min(FEW_GROUPS, len(labelled)):
        listed = ", ".join(groups)
        message = f"Cases are split by {layout.group}, and of these there are only {len(groups)}: {listed}."
        remedy = "If they are no patients, animals or slides: --set layout.group=''"
        yield finding("warning", "groups", message, (), remedy)
    listed = ", ".join(f"{role} {pattern}" for role, pattern in patterns.items())
    grouped = f", {len(groups)} groups" if groups else ""
    counted = f"{len(dataset.cases)} images, {len(labelled)} with masks{grouped}"
    yield finding("note", "layout", f"{counted}; layout {layout.name}: {listed}.")


def _unreadable(charts: Sequence[Chart]) -> Iterator[Finding]:
    for problem in (problem for chart in charts for problem in chart.problems):
        error = problem.error
        code = "geometry" if isinstance(error, GeometryError) else "unreadable"
        within = "" if error.where == str(problem.file) else f" in {error.where}"
        message = f"Found {error.found}{within}, expected {error.expected}."
        yield finding("error", code, message, [problem.file], error.remedy)


def _few_labels(dataset: Dataset, n_labelled: int) -> Finding:
    severity: Severity = "error" if not n_labelled and dataset.layout.labels else "warning"
    n_cases = len(dataset.cases)
    remedy = "Add masks, or check their names and the layout."
    if dataset.layout.table is not None and all(case.fov is not None for case in dataset.cases):
        remedy = "In the table, mask is the field of view; call the column of the masks label."
    if n_labelled:
        message = f"1 of {n_cases} images has a mask; the model will be scored on what it was trained on."
        return finding(severity, "few-labels", message, (), remedy)
    message = (
        f"{'The image has' if n_cases == 1 else f'All {n_cases} images have'} no mask; training needs some."
    )
    return finding(severity, "no-labels", message, (), remedy)


def _missing_channels(dataset: Dataset) -> Iterator[Finding]:
    most = max((len(case.images) for case in dataset.cases), default=1)
    partial = [case.image for case in dataset.cases if len(case.images) < most]
    if partial:
        remedy = "Add the missing files, or leave these cases out."
        message = f"{{n}} cases have fewer than the {most} channels of the others; zeros take their place."
        yield finding("warning", "missing-channel", message, partial, remedy)


def _patterns(layout: Layout) -> dict[str, str]:
    """Patterns by role; where several are tried for one role, as a list."""
    roles = {"image": layout.image, "labels": layout.labels, "fov": layout.fov, "second": layout.second}
    return {
        role: pattern if isinstance(pattern, str) else f"[{','.join(pattern)}]"
        for role, pattern in roles.items()
        if pattern is not None
    }
