"""A model, or the run that made it, scored on a dataset: its own or another."""

from collections.abc import Sequence
from pathlib import Path

from seglet.core.errors import DatasetError
from seglet.core.events import Event, Tell
from seglet.core.image import Labels
from seglet.data.cases import Case, find_cases
from seglet.data.masks import MaskConfig, understand_masks
from seglet.data.samples import read_samples
from seglet.data.splits import split_from_text
from seglet.metrics.scores import Scores
from seglet.model import Model, load_model
from seglet.planning import choose_protocol
from seglet.recipe import Recipe
from seglet.run import Run, read_facts, read_run_recipe, require_page
from seglet.scoring import score_samples


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
    dataset = find_cases(data, read_run_recipe(run).layout if own else told.layout)
    cases: Sequence[Case] = [case for case in dataset.cases if case.labels]
    if own:
        split = split_from_text(require_page(run.split).read_text(encoding="utf-8"), dataset.cases)
        cases = split.test or split.validation or split.train
    if not cases:
        raise DatasetError(
            data, found="no image with a mask", expected="images and their masks", remedy="Check the path."
        )
    tell(Event("evaluating", f"{len(cases)} images"))
    labels = model.card.labels if own else _labels_elsewhere(model, cases, told.masks, tell)
    samples = read_samples(cases, labels, tell)
    return score_samples(model, samples, choose_protocol(protocol, dataset), tell)[0]


def _labels_elsewhere(model: Model, cases: Sequence[Case], masks: MaskConfig, tell: Tell) -> Labels:
    """How masks of other data are written: any two values are two classes; of more, the model knows which."""
    known = model.card.labels
    if known.n_classes > 2 and masks.classes is None:
        return known
    found = understand_masks(cases, masks, tell)
    return found if found.n_classes == known.n_classes else known
