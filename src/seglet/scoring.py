"""Predict samples whose truth is known: to choose a threshold, to score, and to know what that costs."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from seglet.core.events import Event, Tell, quiet
from seglet.core.image import IGNORE, Sample
from seglet.metrics.curves import best_threshold
from seglet.metrics.evaluate import Prediction
from seglet.model import Model
from seglet.postprocessing.labels import to_labels
from seglet.prediction.engines import TorchEngine
from seglet.prediction.tiled import predict_image, tiling_of
from seglet.preprocessing.transform import grid_shape

Pairs = Iterator[tuple[Sample, Prediction]]

N_THRESHOLD_IMAGES = 12  # enough pixels for a threshold to two digits; more would only cost time


def predict_sample(sample: Sample, model: Model, engine: TorchEngine, tell: Tell = quiet) -> Prediction:
    """Predict one sample at its original size; pixels outside its field of view are background."""
    probabilities = predict_image(sample.image, model, engine, tell)
    if sample.fov is not None:
        probabilities[:, ~sample.fov] = 0  # class 0 wins there, by threshold and by argmax alike
    return Prediction(sample.id, to_labels(probabilities, model.card.threshold), probabilities)


def with_threshold(model: Model, samples: Sequence[Sample], tell: Tell) -> Model:
    """Choose the probability above which a pixel is foreground, by Dice on training images.

    Parameters
    ----------
    model : Model
        For two classes; others decide by the largest probability and are returned as they are.
    samples : sequence of Sample
        Training and validation images, never test images; an even choice of them is looked at.
    """
    if model.card.plan.n_classes != 2:
        return model
    engine = TorchEngine(model)
    chosen = [samples[i] for i in np.unique(np.linspace(0, len(samples) - 1, N_THRESHOLD_IMAGES).astype(int))]
    truths, scores = [], []
    for number, sample in enumerate(chosen):
        tell(Event("threshold", done=number, total=len(chosen)))
        counted = _counted(sample)
        probabilities = predict_image(sample.image, model, engine)
        truths.append(np.asarray(sample.labels)[counted] == 1)
        scores.append(probabilities[0][counted])
    threshold = _rarer_class_threshold(np.concatenate(truths), np.concatenate(scores))
    told = f"largest Dice of the rarer class on {len(chosen)} training and validation images"
    tell(Event("threshold", f"{threshold:.3f} ({told})", len(chosen), len(chosen)))
    return replace(model, card=model.card.model_copy(update={"threshold": threshold, "threshold_from": told}))


def predict_all(model: Model, samples: Sequence[Sample], tell: Tell) -> Pairs:
    """Predict samples one at a time; probabilities live as long as their pair."""
    engine = TorchEngine(model)
    for number, sample in enumerate(samples):
        tell(Event("predicting", done=number, total=len(samples)))
        yield sample, predict_sample(sample, model, engine)
    tell(Event("predicting", f"{len(samples)} images", len(samples), len(samples)))


def seconds_to_score(model: Model, samples: Sequence[Sample]) -> float:
    """Expected time of predicting these samples, by timing one window of the untrained network."""
    plan, tiling = model.card.plan, tiling_of(model.card)
    shapes = [grid_shape(sample.image, plan) for sample in samples]
    largest = [max(sides) for sides in zip(*(shape[-len(tiling.window) :] for shape in shapes), strict=True)]
    sides = [
        -(-min(*pair) // multiple) * multiple
        for *pair, multiple in zip(tiling.window, largest, tiling.multiple, strict=True)
    ]
    window = np.zeros((1, plan.n_channels, *sides), np.float32)
    engine = TorchEngine(model)
    engine.run(window)
    start = time.perf_counter()
    engine.run(window)
    per_pixel = (time.perf_counter() - start) / prod(sides)
    return float(per_pixel * sum(prod(shape) for shape in shapes))


def _rarer_class_threshold(truth: NDArray[np.bool_], scores: NDArray[np.float32]) -> float:
    """The Dice of a class that covers most of an image hardly moves with the threshold; the other's does."""
    if truth.mean() <= 0.5:
        return best_threshold(truth, scores)
    return 1 - best_threshold(~truth, 1 - scores)


def _counted(sample: Sample) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    labelled = np.asarray(sample.labels) != IGNORE
    return np.asarray(labelled if sample.fov is None else labelled & sample.fov, np.bool_)
