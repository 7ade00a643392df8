"""The use case `measure`: which masks stand where, how they are read, and what is measured in them."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seglet.core.errors import ConfigError, DatasetError, FormatError, GeometryError
from seglet.core.events import Event, Tell, quiet
from seglet.core.image import Labels, Sample
from seglet.data.cases import Case, Dataset
from seglet.data.datasets import labels_of, open_dataset
from seglet.data.masks import MaskConfig, understand_masks
from seglet.data.samples import read_sample
from seglet.io.axes import LENGTHS
from seglet.io.files import SUFFIXES
from seglet.io.listing import list_files
from seglet.io.packages import need
from seglet.measurements import Kind, MeasureConfig, Measurement, Row, measure_sample, write_measurements
from seglet.metrics.protocols import protocol_of_layout
from seglet.model import read_card
from seglet.predicted import as_truth
from seglet.recipe import Recipe, read_recipe
from seglet.run import Run, read_facts, read_run_recipe
from seglet.writing import PROBABILITIES

_SPACING = re.compile(r"\s*([0-9.]+(?:e-?[0-9]+)?)\s*([a-zµμ]*)\s*", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Measured:
    """What was measured.

    Attributes
    ----------
    what : str
        ``objects``, ``vessels`` or ``organs``.
    images : list of dict
        A row per image.
    n_rows : int
        How many objects, segments or organs there are in all images.
    files : list of Path
        What was written.
    """

    what: Kind
    images: list[Row]
    n_rows: int
    files: list[Path]


@dataclass(frozen=True, eq=False)
class _Masks:
    """Masks as cases whose image gives the intensities, or is the mask itself."""

    cases: Sequence[Case]
    labels: Labels
    layout: str


def measure(
    masks: Path | str,
    out: Path | str,
    images: Path | str | None = None,
    config: MeasureConfig | None = None,
    settings: Iterable[str] = (),
    tell: Tell = quiet,
) -> Measured:
    """Measure what masks show, in physical units where the files or the user say how large pixels are.

    Parameters
    ----------
    masks : Path
        Folder of masks from any tool; a dataset, whose true masks are measured; or a run, whose predictions
        are.
    out : Path
        Folder for ``objects.csv`` (of vessels ``segments.csv``), ``images.csv`` and what else is asked for.
    images : Path or None
        Images named like the masks, for intensities and pixel sizes; a dataset and a run know their own.
    config : MeasureConfig or None
        What is measured, and written.
    settings : iterable of str
        ``layout…=`` and ``masks…=``, as in a recipe, where masks are not understood by themselves.
    tell : callable
        Hears of progress.

    Raises
    ------
    DatasetError
        If there are no masks, or some match no image or cannot be measured; lists every one, and nothing is
        written.
    ConfigError
        If the spacing cannot be understood.
    MissingExtra
        If Parquet is asked for without pyarrow.
    """
    config = config or MeasureConfig()
    spacing, unit = parse_spacing(config.spacing)
    if config.parquet:
        need("pyarrow", "parquet", "Parquet files")
    read = _find(Path(masks), None if images is None else Path(images), read_recipe("auto", settings), tell)
    what = None if config.what == "auto" else config.what
    found: list[Measurement] = []
    bad: list[str] = []
    for number, case in enumerate(read.cases):
        tell(Event("measuring", done=number, total=len(read.cases)))
        try:
            sample = _with_spacing(read_sample(case, read.labels), spacing, unit)
            what = what or _choose(sample, read, tell)
            is_bright = case.image not in case.labels
            names = read.labels.names
            found.append(measure_sample(sample, what, names, is_bright=is_bright, file=case.image.name))
        except (FormatError, GeometryError) as error:
            bad.append(f"{case.id}: {error}")
    if bad or what is None:
        raise DatasetError(
            masks,
            found=f"{len(bad)} of {len(read.cases)} masks that cannot be measured: {'; '.join(bad[:10])}",
            expected="masks that can be read, and are such as --what and --spacing say",
            remedy="Repair these masks or take them out, or say --what and --spacing otherwise.",
        )
    files = write_measurements(found, what, read.labels.names, config, Path(out))
    n_rows = sum(len(one.table["number"]) for one in found)
    counted = f"{n_rows} {'segments' if what == 'vessels' else what}"
    images = "1 image" if len(found) == 1 else f"{len(found)} images"
    tell(Event("measuring", f"{counted} in {images}", len(found), len(found)))
    return Measured(what, [{"image": one.id, **one.summary} for one in found], n_rows, files)


def parse_spacing(text: str) -> tuple[tuple[float, ...], str]:
    """Understand ``0.65um`` or ``5mm,0.8mm,0.8mm``.

    Returns
    -------
    tuple of float, str
        Numbers, one for all axes or one for each, and ``"um"`` or ``"mm"``; ``(), "px"`` of an empty text.

    Raises
    ------
    ConfigError
        If a number is not positive, a unit unknown, or there are two units.
    """
    if not text.strip():
        return (), "px"
    parts = [_SPACING.fullmatch(part) for part in text.split(",")]
    units = {part[2].lower() for part in parts if part and part[2]}
    try:
        numbers = [float(part[1]) for part in parts if part]
    except ValueError:
        numbers = []
    is_clear = len(numbers) == len(parts) in (1, 2, 3) and len(units) == 1 and units <= LENGTHS.keys()
    if not is_clear or min(numbers) <= 0:
        raise ConfigError(
            "--spacing",
            found=repr(text),
            expected="positive numbers and one unit of length, such as 0.65um or 5mm,0.8mm,0.8mm",
            remedy="Give one number for all axes, or one for each in the order z, y, x.",
        )
    unit, factor = LENGTHS[units.pop()]
    return tuple(number * factor for number in numbers), unit


def _find(masks: Path, images: Path | None, told: Recipe, tell: Tell) -> _Masks:
    """The masks at a path, beside their images where these are known."""
    run = Run(masks)
    if run.facts.is_file():
        images = images or Path(read_facts(run)["data"])
        dataset = _paired(run.predictions, open_dataset(images, read_run_recipe(run).layout))
        return _Masks(dataset.cases, labels_of_run(run), dataset.layout.name)
    if images is not None:
        truth = open_dataset(images, told.layout)
        dataset = _paired(masks, truth)
        labelled = [case for case in truth.cases if case.labels]
        if labelled and told.masks == MaskConfig():
            known = labels_of(truth, labelled, told.masks, tell)
            if known.n_classes > 2:  # only the truth says which value is which class
                return _Masks(dataset.cases, known, truth.layout.name)
        return _Masks(dataset.cases, understand_masks(dataset.cases, told.masks, tell), truth.layout.name)
    dataset = as_truth(open_dataset(masks, told.layout))
    cases = [case for case in dataset.cases if case.labels]
    return _Masks(cases, labels_of(dataset, cases, told.masks, tell), dataset.layout.name)


def labels_of_run(run: Run) -> Labels:
    """How the predictions of a run are written: as its training masks, or with a number per object."""
    card = read_card(run.model)
    if card.decoding is None and card.labels.encoding != "objects":
        return card.labels
    return card.labels.model_copy(update={"encoding": "instances", "threshold": None})


def _paired(masks: Path, images: Dataset) -> Dataset:
    """The images that have a mask of their name in a folder, with that mask in place of any of their own.

    Raises
    ------
    DatasetError
        If there are no masks, or some are named like no image or like several.
    """
    files = [f for f in list_files(masks) if f.suffix in SUFFIXES and not f.stem.endswith(PROBABILITIES)]
    n_of_stem = Counter(case.image.stem for case in images.cases)
    cases = {case.image.stem: case for case in images.cases if n_of_stem[case.image.stem] == 1}
    cases |= {case.id.replace("/", "_"): case for case in images.cases}
    strangers = [file for file in files if file.stem not in cases]
    if strangers or not files:
        raise DatasetError(
            masks,
            found=f"{len(strangers)} of {len(files)} masks named like no image in {images.root}: "
            f"{', '.join(file.name for file in strangers[:10]) or 'no masks at all'}",
            expected=f"names such as {', '.join(list(cases)[:3])}",
            remedy="Name each mask like its image, or leave the images out.",
        )
    paired = [
        replace(cases[file.stem], labels=(file,), classes=(), second=None, tracks=None) for file in files
    ]
    return replace(images, cases=tuple(paired), labels=None)


def _with_spacing(sample: Sample, spacing: Sequence[float], unit: str) -> Sample:
    if not spacing:
        return sample
    n_axes = len(sample.image.shape)
    each = tuple(spacing) * n_axes if len(spacing) == 1 else tuple(spacing)
    return replace(sample, image=replace(sample.image, spacing=each, unit=unit))


def _choose(sample: Sample, read: _Masks, tell: Tell) -> Kind:
    """What to measure, by the first image and what is known of all."""
    what: Kind = "objects"
    if sample.objects is not None:
        reason = "the masks number them"
    elif read.labels.n_classes > 2:
        what, reason = "organs", f"the masks have {read.labels.n_classes - 1} classes"
    elif protocol_of_layout(read.layout).shape == "centerlines":
        what, reason = "vessels", f"the data are {read.layout}"
    elif len(sample.image.shape) == 3 and sample.image.unit == "mm":
        what, reason = "organs", "the masks are volumes in mm"
    else:
        reason = "pixels that share a side are one"
    tell(Event("measuring", f"{what}: {reason}; --what says it otherwise"))
    if sample.image.unit == "px" or not sample.image.spacing:
        tell(Event("measuring", "in pixels: the files do not say their size; --spacing 0.65um does"))
    return what
