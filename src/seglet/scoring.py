"""Predict samples whose truth is known: to choose by, to score, and to know what that costs."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from seglet.core.events import Event, Tell, quiet
from seglet.core.image import Sample
from seglet.core.profile import timed
from seglet.data.crops import Crop, Piece, read_piece
from seglet.metrics.evaluate import Prediction
from seglet.model import Model, ModelCard
from seglet.prediction.blocks import block_around, predict_region
from seglet.prediction.engines.engine import Engine
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.outputs import answer
from seglet.prediction.tiled import n_seen, predict_raw
from seglet.preprocessing.target import network_axes
from seglet.preprocessing.transform import grid_shape

Pairs = Iterator[tuple[Sample, Prediction]]


def predict_sample(sample: Sample, model: Model, engine: Engine, tell: Tell = quiet) -> Prediction:
    """Predict one sample at its original size; pixels outside its field of view are background."""
    return as_prediction(sample, predict_raw(sample.image, model, engine, tell), model)


def predict_piece(piece: Piece, model: Model, engine: Engine) -> tuple[Sample, Prediction]:
    """Predict a sample, or a window of a case on disk with the surroundings that it has there."""
    sample, planes = predict_planes(piece, model, engine)
    return sample, as_prediction(sample, planes, model)


def predict_planes(piece: Piece, model: Model, engine: Engine) -> tuple[Sample, NDArray[np.float32]]:
    """As `predict_piece`, but all that the network says; see `seglet.prediction.outputs.raw_planes`."""
    sample = read_piece(piece)
    if isinstance(piece, Crop):
        return sample, predict_region(piece.whole.image, piece.region, model, engine)
    return sample, predict_raw(sample.image, model, engine)


def predict_all(model: Model, pieces: Sequence[Piece], tell: Tell) -> Pairs:
    """Predict pieces one at a time; probabilities live as long as their pair."""
    engine = TorchEngine(model)
    for number, piece in enumerate(pieces):
        tell(Event("predicting", done=number, total=len(pieces)))
        yield predict_piece(piece, model, engine)
    what = "windows" if _is_on_disk(pieces) else "images"
    tell(Event("predicting", f"{len(pieces)} {what}", len(pieces), len(pieces)))


def n_seen_of(pieces: Sequence[Piece], card: ModelCard) -> int:
    """Pixels that the network sees of these pieces; see `seglet.prediction.tiled.n_seen`."""
    return sum(n_seen(_predicted_shape(piece, card), card) for piece in pieces)


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


@timed("decide")
def as_prediction(sample: Sample, planes: NDArray[np.float32], model: Model) -> Prediction:
    """Decide on what the network says of a sample, in place: of `seglet.prediction.tiled.predict_raw`."""
    if sample.fov is not None:
        planes[:, ~sample.fov] = 0  # class 0 wins there, by threshold and by argmax alike
    return Prediction(sample.id, *answer(planes, model.card))
