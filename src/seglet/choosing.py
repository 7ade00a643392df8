"""What is chosen once a network is trained: its temperature, its threshold, and how objects come apart."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seglet.core.events import Event, Tell
from seglet.core.image import IGNORE, Sample
from seglet.data.crops import Crop, Piece
from seglet.metrics.curves import best_threshold
from seglet.metrics.instances import dsb_score, overlaps, seg_scores
from seglet.model import Model, ModelCard
from seglet.patches.sampler import evenly
from seglet.postprocessing.calibration import fit_temperature, tempered
from seglet.postprocessing.fitting import Example, fit_decoding
from seglet.prediction.engines import TorchEngine
from seglet.prediction.outputs import calibrated, class_probabilities
from seglet.scoring import predict_planes

Objects = NDArray[np.int32]

N_IMAGES = 12  # enough pixels for a threshold to two digits; more would only cost time
N_CROPS = 48  # these are small
MOST_PIXELS = 4_000_000  # looked at of one image
N_FOR_TEMPERATURE = 4  # images of several classes
FEW_OBJECTS = 30  # fewer do not say how objects come apart
FIT_S = 20.0  # about what fitting the way to objects takes


@dataclass(frozen=True, eq=False)
class Looked:
    """What the network says of a piece that something is chosen on.

    Attributes
    ----------
    truth : (n,) uint8 array
        Class index of pixels that count; a random part where they are many.
    scores : (k, n) float32 array
        Their probabilities; k = 1: of the foreground, else one row per class.
    is_unseen : bool
        Whether the network was not trained on it.
    objects : Example or None
        All planes and the true objects, where the way to objects is to be chosen.
    """

    truth: NDArray[np.uint8]
    scores: NDArray[np.float32]
    is_unseen: bool
    objects: Example | None


def choose_outputs(
    model: Model, seen: Sequence[Piece], unseen: Sequence[Piece], headline: str, tell: Tell
) -> Model:
    """Choose how probabilities become answers, on images that are not tested on.

    The temperature by how likely it makes the truth of validation images. Then, of two classes, the threshold
    by Dice of the rarer class on training and validation images; where objects are told apart, the threshold
    and the way to objects together, by the score of objects.

    Parameters
    ----------
    model : Model
        As it was trained. Where its recipe says the threshold, nothing is left to choose.
    seen, unseen : sequence of Sample or Crop
        Training images, validation images; see `pieces_to_choose_on`.
    headline : str
        The protocol's figure in front: objects come apart by the largest SEG where it is ``seg``, else by the
        score of the Data Science Bowl 2018.
    tell : callable
        Hears of progress.
    """
    pieces = pieces_to_choose_on(seen, unseen, model.card)
    if not pieces:
        return model
    looked = _look(model, pieces, {piece.id for piece in unseen}, tell)
    model = _with_temperature(model, looked, tell)
    if model.card.plan.n_classes > 2:
        return model
    kind = f"{'windows of ' if is_on_disk(pieces) else ''}training and validation images"
    if model.card.decoding is not None and any(one.objects for one in looked):
        return _with_decoding(model, looked, headline, tell)
    return _with_threshold(model, looked, kind, tell)


def pieces_to_choose_on(seen: Sequence[Piece], unseen: Sequence[Piece], card: ModelCard) -> list[Piece]:
    """The even choice of pieces that is looked at.

    Validation images alone, of several classes, and where they show enough objects to say how these come
    apart; else training images too. None where the recipe says the threshold.
    """
    if card.predict.threshold is not None:
        return []
    every = [*seen, *unseen]
    n = N_CROPS if is_on_disk(every) else N_IMAGES
    if card.plan.n_classes > 2:
        return evenly(unseen, N_FOR_TEMPERATURE)
    alone = evenly(unseen, n)
    return alone if card.decoding and _n_objects(alone) >= FEW_OBJECTS else evenly(every, n)


def is_on_disk(pieces: Sequence[Piece]) -> bool:
    """Whether pieces are windows of images on disk."""
    return any(isinstance(piece, Crop) for piece in pieces)


def _look(model: Model, pieces: Sequence[Piece], unseen: set[str], tell: Tell) -> list[Looked]:
    engine = TorchEngine(model)
    looked = []
    for number, piece in enumerate(pieces):
        tell(Event("choosing", done=number, total=len(pieces)))
        sample, planes = predict_planes(piece, model, engine)
        labels = np.asarray(sample.labels)
        counted = labels != IGNORE if sample.fov is None else (labels != IGNORE) & sample.fov
        few = _few(counted, MOST_PIXELS // len(planes))
        scores = class_probabilities(planes, model.card)[:, few]
        told = sample.objects if model.card.decoding else None
        objects = None if told is None else Example(planes, told, counted)
        looked.append(Looked(labels[few], scores, piece.id in unseen, objects))
    return looked


def _with_temperature(model: Model, looked: Sequence[Looked], tell: Tell) -> Model:
    """Choose the temperature, and divide by it all that was looked at."""
    unseen = [one for one in looked if one.is_unseen]
    if not unseen:
        return model
    truth, scores = _joined(unseen)
    temperature = fit_temperature(truth, scores[0] if len(scores) == 1 else scores)
    told = f"likeliest truth of {len(unseen)} validation images"
    tell(Event("temperature", f"{temperature:.2f} ({told})"))
    model = _changed(model, temperature=temperature)
    for one in looked:
        tempered(one.scores, temperature)
        if one.objects is not None:
            calibrated(one.objects.planes, model.card)
    return model


def _with_threshold(model: Model, looked: Sequence[Looked], kind: str, tell: Tell) -> Model:
    truth, scores = _joined(looked)
    threshold = _rarer_class_threshold(truth == 1, scores[0])
    told = f"largest Dice of the rarer class on {len(looked)} {kind}"
    tell(Event("threshold", f"{threshold:.3f} ({told})", len(looked), len(looked)))
    return _changed(model, threshold=threshold, threshold_from=told)


def _with_decoding(model: Model, looked: Sequence[Looked], headline: str, tell: Tell) -> Model:
    assert model.card.decoding is not None
    score, named = (_seg, "SEG") if headline == "seg" else (_dsb, "DSB score")
    examples = [one.objects for one in looked if one.objects]
    fitted = fit_decoding(examples, model.card.decoding, score, named)
    parts = "validation" if all(one.is_unseen for one in looked) else "training and validation"
    told = f"largest {named} of objects on {len(looked)} {parts} images: {fitted.score:.3f}"
    found = fitted.config
    by_method = ", ".join(f"{method} {best:.3f}" for method, best in fitted.by_method.items())
    words = f"{found.method}, threshold {found.threshold:.2f}, at least {found.min_size} px"
    tell(Event("objects", f"{words} ({told}; {by_method})", len(looked), len(looked)))
    return _changed(model, decoding=found, threshold=found.threshold, threshold_from=told)


def _joined(looked: Sequence[Looked]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    return np.concatenate([one.truth for one in looked]), np.concatenate([one.scores for one in looked], 1)


def _changed(model: Model, **update: Any) -> Model:
    return replace(model, card=model.card.model_copy(update=update))


def _few(pixels: NDArray[np.bool_], most: int) -> NDArray[np.bool_]:
    """A random part of the pixels where they are too many."""
    step = min(-(-int(np.count_nonzero(pixels)) // most), 255)
    if step <= 1:
        return pixels
    drawn = np.random.default_rng(0).integers(0, step, pixels.shape, np.uint8)
    return np.asarray(pixels & (drawn == 0), np.bool_)


def _rarer_class_threshold(truth: NDArray[np.bool_], scores: NDArray[np.float32]) -> float:
    """The Dice of a class that covers most of an image hardly moves with the threshold; the other's does."""
    if truth.mean() <= 0.5:
        return best_threshold(truth, scores)
    return 1 - best_threshold(~truth, 1 - scores)


def _n_objects(pieces: Sequence[Piece]) -> int:
    return sum(
        int(piece.objects.max())
        for piece in pieces
        if isinstance(piece, Sample) and piece.objects is not None
    )


def _dsb(truth: Objects, predicted: Objects, counted: NDArray[np.bool_] | None) -> float:
    return dsb_score(overlaps(truth, predicted, counted))


def _seg(truth: Objects, predicted: Objects, counted: NDArray[np.bool_] | None) -> float:
    """Mean over the true objects of an image; 1 where neither has any."""
    found = overlaps(truth, predicted, counted)
    return float(seg_scores(found).mean()) if found.n_truth else float(not found.n_predicted)
