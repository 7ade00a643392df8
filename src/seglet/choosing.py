"""What is chosen once a network is trained: its temperature, its threshold, and how objects come apart."""

import time
from collections.abc import Sequence
from dataclasses import replace
from math import inf, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seglet.core.events import Event, Tell
from seglet.core.image import Sample
from seglet.core.profile import timed
from seglet.data.crops import Crop, Piece
from seglet.looking import FEW_UNSEEN, FEWEST, MOST_PIXELS, Looked, look_at
from seglet.metrics.curves import best_threshold
from seglet.metrics.instances import dsb_score, overlaps, seg_scores
from seglet.model import Model, ModelCard
from seglet.patches.sampler import evenly
from seglet.postprocessing.calibration import fit_temperature
from seglet.postprocessing.fitting import fit_decoding
from seglet.prediction.outputs import calibrated, class_probabilities

Objects = NDArray[np.int32]

MOST = 48  # images to look at, and `FEWEST`: as many as have about so many pixels
N_PIXELS = 3_000_000
N_FOR_TEMPERATURE = 4  # images of several classes
MOST_CHOSEN_ON = FEWEST * MOST_PIXELS  # of all images together
FEW_OBJECTS = 30  # fewer do not say how objects come apart


@timed("choose")
def choose_outputs(
    model: Model,
    seen: Sequence[Piece],
    unseen: Sequence[Piece],
    headline: str,
    tell: Tell,
    choose_by: float = inf,
    most_pixels: int = MOST_CHOSEN_ON,
) -> Model:
    """Choose how probabilities become answers, on images that are not tested on.

    First how far annotations stand beside what is seen, where the recipe has it measured; on validation
    images alone where there are two. The temperature by how likely it makes the truth of validation images.
    Then, of two classes, the threshold by Dice of the rarer class; where objects are told apart, the
    threshold and the way to objects together, by the score of objects.

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
    choose_by : float
        When to be done, by `time.monotonic`: from then on no further image is looked at, beyond one that
        validates, and no further setting is tried; both are told. The same choice every time where inf.
    most_pixels : int
        Looked at of all images together; a random part of each where they have more.
    """
    pieces = pieces_to_choose_on(seen, unseen, model.card)
    if not pieces:
        return model
    names = {piece.id for piece in unseen}
    model, looked = look_at(pieces, names, model, tell, choose_by, most_pixels)
    model = _with_temperature(model, looked, tell)
    if model.card.plan.n_classes > 2:
        return model
    if model.card.decoding is not None and any(one.objects for one in looked):
        return _with_decoding(model, looked, headline, tell, choose_by)
    return _with_threshold(model, looked, "windows of " if is_on_disk(pieces) else "", tell)


def pieces_to_choose_on(seen: Sequence[Piece], unseen: Sequence[Piece], card: ModelCard) -> list[Piece]:
    """The even choice of pieces that is looked at.

    Validation images alone where they are more than one, and show enough objects, where these are told apart;
    else training images too, on which the network is surer than on any other. None where the recipe says
    the threshold.
    """
    if card.predict.threshold is not None:
        return []
    every = [*seen, *unseen]
    n = _n_to_look_at(every)
    if card.plan.n_classes > 2:
        return evenly(unseen, N_FOR_TEMPERATURE)
    alone = evenly(unseen, n)
    is_enough = _n_objects(alone) >= FEW_OBJECTS if card.decoding else len(alone) >= FEW_UNSEEN
    return alone if is_enough else evenly(every, n)


def _n_to_look_at(pieces: Sequence[Piece]) -> int:
    """Enough pixels for a threshold to two digits; more would only cost time."""
    if is_on_disk(pieces):
        return MOST
    n_pixels = sum(prod(piece.image.shape) for piece in pieces if isinstance(piece, Sample))
    return min(max(N_PIXELS * len(pieces) // max(n_pixels, 1), FEWEST), MOST)


def is_on_disk(pieces: Sequence[Piece]) -> bool:
    """Whether pieces are windows of images on disk."""
    return any(isinstance(piece, Crop) for piece in pieces)


def _with_temperature(model: Model, looked: Sequence[Looked], tell: Tell) -> Model:
    """Choose the temperature, and divide by it all that was looked at."""
    unseen = [one for one in looked if one.is_unseen]
    if not unseen:
        return model
    truth, scores = _joined(unseen, model.card)
    temperature = fit_temperature(truth, scores[0] if len(scores) == 1 else scores)
    told = f"likeliest truth of {len(unseen)} validation images"
    tell(Event("temperature", f"{temperature:.2f} ({told})"))
    model = _changed(model, temperature=temperature)
    for one in looked:
        calibrated(one.planes, model.card)
        if one.objects is not None:
            calibrated(one.objects.planes, model.card)
    return model


def _with_threshold(model: Model, looked: Sequence[Looked], kind: str, tell: Tell) -> Model:
    truth, scores = _joined(looked, model.card)
    threshold = _rarer_class_threshold(truth == 1, scores[0])
    told = f"largest Dice of the rarer class on {len(looked)} {kind}{_parts(looked)} images"
    tell(Event("threshold", f"{threshold:.3f} ({told})", len(looked), len(looked)))
    return _changed(model, threshold=threshold, threshold_from=told)


def _with_decoding(
    model: Model, looked: Sequence[Looked], headline: str, tell: Tell, choose_by: float
) -> Model:
    assert model.card.decoding is not None
    score, named = (_seg, "SEG") if headline == "seg" else (_dsb, "DSB score")
    examples = [one.objects for one in looked if one.objects]
    fitted = fit_decoding(examples, model.card.decoding, score, named, lambda: time.monotonic() < choose_by)
    if time.monotonic() >= choose_by:
        tell(Event("objects", f"time is short: settings tried: {fitted.tried}"))
    told = f"largest {named} of objects on {len(looked)} {_parts(looked)} images: {fitted.score:.3f}"
    found = fitted.config
    by_method = ", ".join(f"{method} {best:.3f}" for method, best in fitted.by_method.items())
    words = f"{found.method}, threshold {found.threshold:.2f}, at least {found.min_size} px"
    tell(Event("objects", f"{words} ({told}; {by_method})", len(looked), len(looked)))
    return _changed(model, decoding=found, threshold=found.threshold, threshold_from=told)


def _parts(looked: Sequence[Looked]) -> str:
    """Which images those are, in words."""
    return "validation" if all(one.is_unseen for one in looked) else "training and validation"


def _joined(looked: Sequence[Looked], card: ModelCard) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """True classes of all pixels, and their probabilities: of the foreground (1, n), or one row per class."""
    planes = np.concatenate([one.planes for one in looked], axis=1)
    return np.concatenate([one.truth for one in looked]), class_probabilities(planes, card)


def _changed(model: Model, **update: Any) -> Model:
    return replace(model, card=model.card.model_copy(update=update))


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
