"""What is wrong with a dataset, each finding with its remedy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from seglet.core.errors import ConfigError, DatasetError
from seglet.core.events import Tell, quiet
from seglet.core.image import Labels
from seglet.data.cases import Dataset
from seglet.data.chart import Chart, look_at
from seglet.data.check_files import check_files, check_groups
from seglet.data.check_geometry import check_geometry
from seglet.data.check_images import check_images
from seglet.data.check_masks import check_masks, check_writing
from seglet.data.duplicates import Twins, check_duplicates, check_leaks, find_twins
from seglet.data.findings import ORDER, Finding, finding
from seglet.data.looks import ImageLook
from seglet.data.masks import MaskConfig, labels_from
from seglet.data.parallel import read_all


@dataclass(frozen=True)
class Examination:
    """A dataset, how its masks are read (None where that is unknown), and what was found.

    Attributes
    ----------
    twins : tuple of Twins
        Cases with the same image, for `with_split`.
    looks : dict
        What was seen of the image files of each case, by its id.
    """

    dataset: Dataset
    labels: Labels | None
    findings: tuple[Finding, ...]
    twins: tuple[Twins, ...] = ()
    looks: Mapping[str, tuple[ImageLook, ...]] = field(default_factory=dict)


def examine(
    dataset: Dataset, config: MaskConfig, tell: Tell = quiet, split: Mapping[str, str] | None = None
) -> Examination:
    """Read every file of a dataset once and report what is wrong with it.

    Findings come in the order errors, warnings, notes. Nothing is raised for what stands in the files.

    Parameters
    ----------
    dataset : Dataset
        What was found on disk.
    config : MaskConfig
        What is said of its masks.
    tell : callable
        Hears of progress.
    split : mapping or None
        Part (``train``, ``validation``, ``test``) of each case by its id; the dataset's own if None.
    """
    charts, _ = read_all(look_at, dataset.cases, "checking", tell)  # a chart holds its errors
    labels, failure = _understood(dataset, charts, config)
    looks = [look for chart in charts for look in chart.masks]
    said = (config.classes, config.ignore, dataset.classes or None, dataset.labels)
    is_told = any(one is not None for one in said)
    asked = labels if not is_told and labels and labels.encoding in ("values", "colors") else None
    twins = find_twins(charts)
    findings = [
        *check_files(dataset, charts),
        *check_geometry(charts),
        *([] if failure is None else [failure]),
        *([] if asked is None else check_writing(looks, asked)),
        *check_masks(charts, labels),
        *check_images(charts),
        *check_duplicates(twins),
        *check_leaks(twins, split or {}),
        *check_groups(dataset),
    ]
    seen = {chart.case.id: chart.images for chart in charts}
    return Examination(dataset, labels, _ordered(findings), twins, seen)


def with_split(examination: Examination, split: Mapping[str, str]) -> Examination:
    """Add what a split makes of the copies in a dataset; `split` gives the part of each case by its id."""
    others = [one for one in examination.findings if one.code != "leak"]
    return replace(examination, findings=_ordered([*others, *check_leaks(examination.twins, split)]))


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


def _understood(
    dataset: Dataset, charts: Sequence[Chart], config: MaskConfig
) -> tuple[Labels | None, Finding | None]:
    surveys = [look.survey for chart in charts for look in chart.masks]
    if not surveys:
        return dataset.labels, None
    if dataset.labels is not None and config == MaskConfig():
        return dataset.labels, None
    cases = dataset.cases
    is_split = dataset.layout.objects or any(len(case.labels) > 1 for case in cases)
    try:
        return labels_from(surveys, config, per_object=is_split, cases=cases, classes=dataset.classes), None
    except (DatasetError, ConfigError) as error:
        message = f"The masks are not understood: found {error.found}; expected {error.expected}."
        return None, finding("error", "encoding", message, (), error.remedy)


def _ordered(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(findings, key=lambda one: ORDER.index(one.severity)))
