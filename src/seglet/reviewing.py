"""Quality where no truth is known: which predictions to look at first, and which images to annotate next."""

import csv
import io
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seglet.core.config import Config
from seglet.core.errors import DatasetError, FormatError, GeometryError
from seglet.core.events import Event, Tell
from seglet.core.image import IGNORE, Image, Labels, Sample
from seglet.core.storage import write_text
from seglet.data.cases import Case
from seglet.data.datasets import open_dataset
from seglet.data.masks import MaskConfig
from seglet.data.samples import read_sample
from seglet.data.splits import split_from_text
from seglet.evaluation import labels_elsewhere
from seglet.io.sources import File
from seglet.metrics.confidence import RankCorrelation, agreement, entropy, expected_dice, rank_correlation
from seglet.metrics.instances import dsb_score, overlaps
from seglet.metrics.pixels import dice
from seglet.metrics.statistics import Number
from seglet.model import Model, load_model
from seglet.prediction.alignment import aligned
from seglet.prediction.engines.engine import Engine
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.outputs import answer
from seglet.prediction.tiled import predict_raw
from seglet.run import Run, read_facts, read_run_recipe
from seglet.writing import unlabelled

COLUMNS = (
    "review",
    "annotate",
    "image",
    "predicted_dice",
    "predicted_dsb",
    "agreement",
    "entropy",
    "objects",
    "dice",
    "dsb",
    "trained_on",
)
LEAST = 0.1  # smaller probabilities, summed over the background, say nothing of the mask

Planes = NDArray[np.float32]


class Reviewed(Config):
    """What a prediction says of its own quality.

    Attributes
    ----------
    id, file : str
        The image.
    predicted_dice : float
        Dice that may be expected of the mask, by its probabilities; nan where nothing is found, nor nearly.
    predicted_dsb : float or None
        Score of objects that may be expected, as of the Data Science Bowl 2018, where the model tells objects
        apart: `predicted_dice` times the mean score of the objects in the mirrored versions against each
        other. For the order of images; most real scores are lower.
    agreement : float
        Mean Dice between the masks of the image and of its mirrored versions.
    entropy : float
        Mean over the pixels that are foreground in any version: 0 decided, 1 undecided.
    n_objects : int or None
        Where the model tells objects apart.
    dice, dsb : float or None
        Real Dice, where the image has a mask; real score of objects, where the mask tells them apart.
    is_trained_on : bool
        Whether the run learned from its mask: then it says more of itself than of new images.
    """

    id: str
    file: str
    predicted_dice: Number
    agreement: Number
    entropy: Number
    predicted_dsb: Number | None = None
    n_objects: int | None = None
    dice: Number | None = None
    dsb: Number | None = None
    is_trained_on: bool = False

    @property
    def quality(self) -> float:
        """What images are ordered by: of objects where they are told apart, else the predicted Dice."""
        return self.predicted_dice if self.predicted_dsb is None else self.predicted_dsb


class Review(Config):
    """Images in the order in which they are to be looked at, the most doubtful first.

    Attributes
    ----------
    images : tuple of Reviewed
        By `Reviewed.quality`; what says nothing of itself comes first.
    correlation, correlation_dsb : RankCorrelation or None
        Of predicted with real Dice, and score of objects, over images that were not trained on; None where
        none of them has both.
    bad : tuple of str
        What is wrong with each image that could not be predicted.
    """

    images: tuple[Reviewed, ...]
    correlation: RankCorrelation | None = None
    correlation_dsb: RankCorrelation | None = None
    bad: tuple[str, ...] = ()

    @property
    def to_annotate(self) -> tuple[Reviewed, ...]:
        """The same images in the order in which masks of them would teach most: least agreement first."""
        return tuple(sorted(self.images, key=lambda one: _rank(one.agreement)))


def review(source: Path, paths: Sequence[Path], tell: Tell) -> Review:
    """Predict images several times, mirrored, and say how far each prediction can be trusted.

    Parameters
    ----------
    source : Path
        Run or model folder.
    paths : sequence of Path
        Images, folders, datasets; where there are masks, the real Dice is told too.
    tell : callable
        Hears of each image.

    Raises
    ------
    DatasetError
        If no image can be predicted; lists every one.
    """
    model = load_model(source)
    engine = TorchEngine(replace(model, card=model.card.predicting(flips=False)))
    cases = [pair for path in paths for pair in _cases(path, source, model, tell)]
    trained_on = _trained_on(Run(source))
    found: list[Reviewed] = []
    bad: list[str] = []
    for number, (case, labels) in enumerate(cases):
        tell(Event("reviewing", done=number, total=len(cases)))
        try:
            one = review_sample(read_sample(case, labels), model, engine)
            seen = {"file": str(case.image), "is_trained_on": case.image in trained_on}
            found.append(one.model_copy(update=seen))
        except (FormatError, GeometryError) as error:
            bad.append(str(error))
    tell(Event("reviewing", f"{len(found)} images", len(cases), len(cases)))
    if not found:
        raise DatasetError(
            "review",
            found=f"{len(bad)} of {len(cases)} images that cannot be predicted: {'; '.join(bad)}",
            expected="images like those that the model was trained on",
            remedy="Repair these images or leave them out.",
        )
    new = [one for one in found if not one.is_trained_on]
    return Review(
        images=tuple(sorted(found, key=lambda one: _rank(one.quality))),
        correlation=_correlation((one.predicted_dice, one.dice) for one in new),
        correlation_dsb=_correlation((one.predicted_dsb, one.dsb) for one in new),
        bad=tuple(bad),
    )


def review_sample(sample: Sample, model: Model, engine: Engine) -> Reviewed:
    """Say how far the prediction of one image can be trusted; see `Reviewed`.

    `engine` says what the network says of each version alone, whatever the model averages.
    """
    found = replace(model, card=model.card.model_copy(update={"offset": None}))  # mirrored, it is another
    each = _versions(sample.image, found, engine)
    averaged = aligned(_averaged(each, model), sample.image, model.card)
    labels, probabilities, objects = answer(averaged, model.card)
    versions = [answer(planes, model.card) for planes in each]
    counted = np.ones(labels.shape, bool) if sample.fov is None else sample.fov
    classes = range(1, model.card.plan.n_classes)
    plane_of = {k: probabilities[0] if len(probabilities) == 1 else probabilities[k] for k in classes}
    promised = _mean([expected_dice(plane_of[k], labels == k, counted, LEAST) for k in classes])
    doubtful = np.any([one[0] > 0 for one in versions], axis=0) & counted
    told_apart = [one[2] for one in versions if one[2] is not None]
    return Reviewed(
        id=sample.id,
        file="",
        predicted_dice=promised,
        predicted_dsb=promised * _agreement_of_objects(told_apart, counted) if told_apart else None,
        agreement=_mean([agreement([(one[0] == k) & counted for one in versions]) for k in classes]),
        entropy=float(entropy(probabilities[:, doubtful]).mean()) if doubtful.any() else math.nan,
        n_objects=None if objects is None else int(objects.max(initial=0)),
        dice=_real_dice(sample, labels, counted, classes),
        dsb=_real_dsb(sample, objects, counted),
    )


def write_review(found: Review, path: Path) -> Path:
    """Write one row an image as CSV, in the order of `Review.images`; empty where there is no figure."""
    places = {one.id: place for place, one in enumerate(found.to_annotate, start=1)}
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for place, one in enumerate(found.images, start=1):
        predicted = (one.predicted_dice, one.predicted_dsb)
        figures = (*predicted, one.agreement, one.entropy, one.n_objects, one.dice, one.dsb)
        rows.writerow((place, places[one.id], one.file, *map(_cell, figures), int(one.is_trained_on)))
    write_text(path, text.getvalue())
    return path


def _cases(path: Path, source: Path, model: Model, tell: Tell) -> Iterator[tuple[Case, Labels | None]]:
    """The images at a path, with how their masks are written; those of a run that it trained on are left."""
    if path.is_file() and path.suffix.lower() not in (".zip", ".csv", ".h5", ".hdf5"):
        yield from ((case, None) for case in unlabelled(path, model.card.channels))
        return
    run = Run(source)
    is_own = run.facts.is_file() and Path(read_facts(run)["data"]) == path.resolve()
    dataset = open_dataset(path, read_run_recipe(run).layout if is_own else None)
    labelled = [case for case in dataset.cases if case.labels]
    if not labelled:
        yield from ((case, None) for case in unlabelled(path, model.card.channels))
        return
    labels = model.card.labels if is_own else labels_elsewhere(model, dataset, labelled, MaskConfig(), tell)
    yield from ((replace(case, second=None), labels if case.labels else None) for case in dataset.cases)


def _trained_on(run: Run) -> set[File]:
    """The images that a run learned from, where they still are."""
    if not run.facts.is_file() or not run.split.is_file():
        return set()
    data = Path(read_facts(run)["data"])
    if not data.exists():
        return set()
    dataset = open_dataset(data, read_run_recipe(run).layout)
    split = split_from_text(run.split.read_text(encoding="utf-8"), dataset.cases)
    return {case.image for case in (*split.train, *split.validation)}


def _versions(image: Image, model: Model, engine: Engine) -> list[Planes]:
    """What the network says of the image, and of its mirror images along its last two axes."""
    versions = []
    for axes in ((), (-1,), (-2,), (-2, -1)) if model.card.predict.flips else ((), (-1,), (-2,)):
        mirrored = replace(image, pixels=np.ascontiguousarray(np.flip(image.pixels, axes)))
        versions.append(np.ascontiguousarray(np.flip(predict_raw(mirrored, model, engine), axes)))
    return versions


def _averaged(versions: Sequence[Planes], model: Model) -> Planes:
    """What the model answers with: the mean of mirrored versions, or the first alone."""
    return np.mean(versions, axis=0) if model.card.predict.flips else versions[0].copy()


def _agreement_of_objects(versions: Sequence[NDArray[np.int32]], counted: NDArray[np.bool_]) -> float:
    """Mean score between each two versions, the one taken for the truth of the other."""
    return _mean([dsb_score(overlaps(*pair, counted)) for pair in combinations(versions, 2)])


def _real_dice(
    sample: Sample, labels: NDArray[np.uint8], counted: NDArray[np.bool_], classes: range
) -> float | None:
    if sample.labels is None:
        return None
    known = counted & (sample.labels != IGNORE)
    return _mean([dice((sample.labels == k) & known, (labels == k) & known) for k in classes])


def _real_dsb(sample: Sample, objects: NDArray[np.int32] | None, counted: NDArray[np.bool_]) -> float | None:
    if objects is None or sample.objects is None or sample.labels is None:
        return None
    return dsb_score(overlaps(sample.objects, objects, counted & (sample.labels != IGNORE)))


def _correlation(figures: Iterable[tuple[float | None, float | None]]) -> RankCorrelation | None:
    """Of predicted with real ones, where there are both."""
    both = [(predicted, real) for predicted, real in figures if predicted is not None and real is not None]
    return rank_correlation([one for one, _ in both], [real for _, real in both]) if both else None


def _mean(values: Sequence[float]) -> float:
    present = [value for value in values if not math.isnan(value)]
    return sum(present) / len(present) if present else math.nan


def _rank(value: float) -> float:
    return -1.0 if math.isnan(value) else value


def _cell(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.6g}"
