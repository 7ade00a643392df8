"""A model, or the run that made it, scored on a dataset: its own or another."""

from collections.abc import Sequence
from pathlib import Path

from seglet.core.errors import DatasetError
from seglet.core.events import Event, Tell
from seglet.core.image import Labels
from seglet.data.cases import Case, Dataset
from seglet.data.channels import open_case
from seglet.data.crops import Piece, images_of
from seglet.data.datasets import labels_of, open_dataset
from seglet.data.folds import read_folds
from seglet.data.masks import MaskConfig
from seglet.data.splits import split_from_text
from seglet.metrics.evaluate import evaluate
from seglet.metrics.protocols import Protocol
from seglet.metrics.scores import Scores
from seglet.model import CARD, Model, load_model
from seglet.preprocessing.plan import Plan
from seglet.preprocessing.settings import PlanConfig, Reading
from seglet.reading import choose_reading, crops_of, memory_of, pieces_of, read_or_open
from seglet.recipe import Recipe
from seglet.run import Run, read_facts, read_run_recipe, require_page
from seglet.scoring import Pairs, predict_all
from seglet.settling import choose_protocol


def is_model(source: Path) -> bool:
    """Whether a folder is a model, or a run that holds one; else it is one of masks."""
    return any((source / name).is_file() for name in (f"model/{CARD}", CARD))


def evaluate_model(source: Path, data: Path, protocol: str, told: Recipe, tell: Tell) -> Scores:
    """Predict a dataset by a run or a model, and score it.

    Parameters
    ----------
    source : Path
        Run or model folder.
    data : Path
        Dataset; where it is the run's own, only the images that it set aside are scored.
    protocol : str
        Name of a protocol, or ``auto``.
    told : Recipe
        Layout and masks of other data, as far as the user says them.
    tell : callable
        Hears of progress.

    Raises
    ------
    DatasetError
        If no image of the dataset has a mask.
    """
    model, run = load_model(source), Run(source)
    own = run.facts.is_file() and Path(read_facts(run)["data"]) == data.resolve()
    dataset = open_dataset(data, read_run_recipe(run).layout if own else told.layout)
    rule = choose_protocol(protocol, dataset)
    cases: Sequence[Case] = [case for case in dataset.cases if case.labels]
    if own and run.folds.is_file():
        return _evaluate_folds(run, model.card.labels, dataset, rule, tell)
    if own:
        split = split_from_text(require_page(run.split).read_text(encoding="utf-8"), dataset.cases)
        cases = split.test or split.validation or split.train
    if not cases:
        raise DatasetError(
            data, found="no image with a mask", expected="images and their masks", remedy="Check the path."
        )
    tell(Event("evaluating", f"{len(cases)} images"))
    labels = model.card.labels if own else labels_elsewhere(model, dataset, cases, told.masks, tell)
    reading = model.card.plan.reading if own else _reading_elsewhere(model, cases, labels)
    pieces = _pieces(cases, labels, model.card.plan, reading, dataset, tell)
    pairs = predict_all(model, pieces, tell)
    return evaluate(pairs, model.card.labels.names, rule, model.threshold, images=images_of(pieces))


def _evaluate_folds(run: Run, labels: Labels, dataset: Dataset, rule: Protocol, tell: Tell) -> Scores:
    """Score each case by the model of the fold that has not seen it."""
    images: dict[str, str] = {}

    def pairs() -> Pairs:
        for number, fold in enumerate(read_folds(run.folds, dataset.cases), start=1):
            model = load_model(run.fold(number).folder)
            plan = model.card.plan
            pieces = _pieces(fold.test, labels, plan, plan.reading, dataset, tell)
            images.update(images_of(pieces))
            yield from predict_all(model, pieces, tell)

    return evaluate(pairs(), labels.names, rule, images=images)


def _pieces(
    cases: Sequence[Case], labels: Labels, plan: Plan, reading: Reading, dataset: Dataset, tell: Tell
) -> list[Piece]:
    """Read what is scored; of images on disk the same windows as in training."""
    samples = read_or_open(cases, labels, reading, tell)
    n_labelled = sum(bool(case.labels) for case in dataset.cases)
    return pieces_of(samples.values(), crops_of(samples, plan, n_labelled, tell))


def _reading_elsewhere(model: Model, cases: Sequence[Case], labels: Labels) -> Reading:
    needed = memory_of(open_case(case) for case in cases)
    plan = model.card.plan
    is_whole = plan.needs_whole or model.card.rules is not None
    said = PlanConfig(resize=plan.resize, reading="memory" if is_whole else None)
    return choose_reading(said, cases, labels, needed)


def labels_elsewhere(
    model: Model, dataset: Dataset, cases: Sequence[Case], masks: MaskConfig, tell: Tell
) -> Labels:
    """How masks of other data are written: any two values are two classes; of more, the model knows which.

    What the data themselves say in full comes first.
    """
    known = model.card.labels
    if known.n_classes > 2 and masks.classes is None and dataset.labels is None:
        return known
    found = labels_of(dataset, cases, masks, tell)
    return found if found.n_classes == known.n_classes else known
