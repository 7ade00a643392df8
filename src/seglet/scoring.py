"""Predict samples whose truth is known: to choose a threshold, to score, and to know what that costs."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from seglet.core.events import Event, Tell, quiet
from seglet.core.image import IGNORE, Sample
from seglet.metrics.curves import best_threshold
from seglet.metrics.evaluate import Prediction, Scores, evaluate
from seglet.metrics.protocols import Protocol
from seglet.model import Model
from seglet.postprocessing.labels import to_labels
from seglet.prediction.engines import TorchEngine
from seglet.prediction.tiled import predict_image

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


def score_samples(
    model: Model, samples: Sequence[Sample], protocol: Protocol, tell: Tell
) -> tuple[Scores, list[Prediction]]:
    """Predict and score; probabilities are dropped once they are counted."""
    engine, kept = TorchEngine(model), []

    def pairs() -> Iterator[tuple[Sample, Prediction]]:
        for number, sample in enumerate(samples):
            tell(Event("predicting", done=number, total=len(samples)))
            predicted = predict_sample(sample, model, engine)
            kept.append(replace(predicted, probabilities=None))
            yield sample, predicted

    threshold = model.card.threshold if model.card.plan.n_classes == 2 else None
    scores = evaluate(pairs(), model.card.labels.names, protocol, threshold)
    tell(Event("predicting", f"{len(samples)} images", len(samples), len(samples)))
    return scores, kept


def seconds_to_score(model: Model, samples: Sequence[Sample]) -> float:
    """Expected time of predicting these samples, by timing one window of the untrained network."""
    side = min(model.card.predict.window, max(max(s.image.shape) for s in samples))
    window = np.zeros((1, model.card.plan.n_channels, side, side), np.float32)
    engine = TorchEngine(model)
    engine.run(window)
    start = time.perf_counter()
    engine.run(window)
    per_pixel = (time.perf_counter() - start) / side**2
    n_pixels = sum(int(np.prod(model.card.plan.resize or s.image.shape)) for s in samples)
    return per_pixel * n_pixels


def _rarer_class_threshold(truth: NDArray[np.bool_], scores: NDArray[np.float32]) -> float:
    """The Dice of a class that covers most of an image hardly moves with the threshold; the other's does."""
    if truth.mean() <= 0.5:
        return best_threshold(truth, scores)
    return 1 - best_threshold(~truth, 1 - scores)


def _counted(sample: Sample) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    labelled = np.asarray(sample.labels) != IGNORE
    return np.asarray(labelled if sample.fov is None else labelled & sample.fov, np.bool_)
