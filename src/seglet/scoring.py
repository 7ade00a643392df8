"""Predict samples whose truth is known: to choose a threshold, to score, and to know what that costs."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from seglet.core.events import Event, Tell, quiet
from seglet.core.image import IGNORE, Sample
from seglet.data.crops import Crop, Piece, read_piece
from seglet.metrics.curves import best_threshold
from seglet.metrics.evaluate import Prediction
from seglet.model import Model, ModelCard
from seglet.patches.sampler import evenly
from seglet.postprocessing.labels import to_labels
from seglet.prediction.blocks import block_around, predict_region
from seglet.prediction.engines import TorchEngine
from seglet.prediction.tiled import n_seen, predict_image
from seglet.prediction.tiling import tiling_of, windows_at_once
from seglet.preprocessing.target import network_axes
from seglet.preprocessing.transform import grid_shape

Pairs = Iterator[tuple[Sample, Prediction]]

N_THRESHOLD_IMAGES = 12  # enough pixels for a threshold to two digits; more would only cost time
N_THRESHOLD_CROPS = 48  # these are small
MOST_PIXELS = 4_000_000  # looked at of one image


def predict_sample(sample: Sample, model: Model, engine: TorchEngine, tell: Tell = quiet) -> Prediction:
    """Predict one sample at its original size; pixels outside its field of view are background."""
    return _as_prediction(sample, predict_image(sample.image, model, engine, tell), model)


def predict_piece(piece: Piece, model: Model, engine: TorchEngine) -> tuple[Sample, Prediction]:
    """Predict a sample, or a window of a case on disk with the surroundings that it has there."""
    sample = read_piece(piece)
    if isinstance(piece, Crop):
        probabilities = predict_region(piece.whole.image, piece.region, model, engine)
    else:
        probabilities = predict_image(sample.image, model, engine)
    return sample, _as_prediction(sample, probabilities, model)


def with_threshold(model: Model, pieces: Sequence[Piece], tell: Tell) -> Model:
    """Choose the probability above which a pixel is foreground, by Dice on training images.

    Parameters
    ----------
    model : Model
        For two classes; others decide by the largest probability and are returned as they are, as are those
        whose recipe says the threshold.
    pieces : sequence of Sample or Crop
        Training and validation images, never test images; an even choice of them is looked at.
    """
    chosen = chosen_for_threshold(pieces, model.card)
    if not chosen:
        return model
    engine = TorchEngine(model)
    truths, scores = [], []
    for number, piece in enumerate(chosen):
        tell(Event("threshold", done=number, total=len(chosen)))
        sample, predicted = predict_piece(piece, model, engine)
        counted = _few(_counted(sample))
        truths.append(np.asarray(sample.labels)[counted] == 1)
        scores.append(np.asarray(predicted.probabilities)[0][counted])
    threshold = _rarer_class_threshold(np.concatenate(truths), np.concatenate(scores))
    what = f"{len(chosen)} {'windows of ' if _is_on_disk(chosen) else ''}training and validation images"
    told = f"largest Dice of the rarer class on {what}"
    tell(Event("threshold", f"{threshold:.3f} ({told})", len(chosen), len(chosen)))
    return replace(model, card=model.card.model_copy(update={"threshold": threshold, "threshold_from": told}))


def chosen_for_threshold(pieces: Sequence[Piece], card: ModelCard) -> list[Piece]:
    """The even choice of pieces that a threshold is chosen on; none where there is nothing to choose."""
    if card.plan.n_classes != 2 or card.predict.threshold is not None:
        return []
    return evenly(pieces, N_THRESHOLD_CROPS if _is_on_disk(pieces) else N_THRESHOLD_IMAGES)


def predict_all(model: Model, pieces: Sequence[Piece], tell: Tell) -> Pairs:
    """Predict pieces one at a time; probabilities live as long as their pair."""
    engine = TorchEngine(model)
    for number, piece in enumerate(pieces):
        tell(Event("predicting", done=number, total=len(pieces)))
        yield predict_piece(piece, model, engine)
    what = "windows" if _is_on_disk(pieces) else "images"
    tell(Event("predicting", f"{len(pieces)} {what}", len(pieces), len(pieces)))


def seconds_to_score(model: Model, pieces: Sequence[Piece]) -> float:
    """Expected time of predicting these pieces, by timing one batch of windows of the untrained network."""
    plan, tiling = model.card.plan, tiling_of(model.card)
    shapes = [_predicted_shape(piece, model.card) for piece in pieces]
    largest = [max(sides) for sides in zip(*(shape[-len(tiling.window) :] for shape in shapes), strict=True)]
    along = tiling.stripes(largest)
    n_windows = min(windows_at_once(along), prod(map(len, along)))
    windows = np.zeros((n_windows, plan.n_channels, *(side[0].extent for side in along)), np.float32)
    engine = TorchEngine(model)
    engine.run(windows)
    start = time.perf_counter()
    engine.run(windows)
    per_pixel = (time.perf_counter() - start) / windows[:, 0].size
    return float(per_pixel * sum(n_seen(shape, model.card) for shape in shapes))


def _is_on_disk(pieces: Sequence[Piece]) -> bool:
    return any(isinstance(piece, Crop) for piece in pieces)


def _predicted_shape(piece: Piece, card: ModelCard) -> tuple[int, ...]:
    """Extent of what is predicted for a piece, the axis of slices first; with the margin that it shares."""
    if not isinstance(piece, Crop):
        shape = grid_shape(piece.image, card.plan)
    elif card.plan.is_valid:
        shape = piece.region.shape
    else:
        shape = block_around(piece.whole.image, piece.region, card).shape
    axes = network_axes(card.plan.mode, card.plan.slice_axis)
    slices = tuple(n for axis, n in enumerate(shape) if axis not in axes)
    return slices + tuple(shape[axis] for axis in axes)


def _as_prediction(sample: Sample, probabilities: NDArray[np.float32], model: Model) -> Prediction:
    if sample.fov is not None:
        probabilities[:, ~sample.fov] = 0  # class 0 wins there, by threshold and by argmax alike
    return Prediction(sample.id, to_labels(probabilities, model.card.threshold), probabilities)


def _rarer_class_threshold(truth: NDArray[np.bool_], scores: NDArray[np.float32]) -> float:
    """The Dice of a class that covers most of an image hardly moves with the threshold; the other's does."""
    if truth.mean() <= 0.5:
        return best_threshold(truth, scores)
    return 1 - best_threshold(~truth, 1 - scores)


def _few(pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A random part of the pixels where they are too many."""
    step = min(-(-int(np.count_nonzero(pixels)) // MOST_PIXELS), 255)
    if step <= 1:
        return pixels
    drawn = np.random.default_rng(0).integers(0, step, pixels.shape, np.uint8)
    return np.asarray(pixels & (drawn == 0), np.bool_)


def _counted(sample: Sample) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    labelled = np.asarray(sample.labels) != IGNORE
    return np.asarray(labelled if sample.fov is None else labelled & sample.fov, np.bool_)
