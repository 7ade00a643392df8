"""Try all engines on an image, and say what each is worth on this machine."""

from pathlib import Path

from seglet.core.config import Config
from seglet.core.errors import DatasetError
from seglet.core.events import Tell, quiet
from seglet.data.samples import read_sample
from seglet.model import load_model
from seglet.prediction.engines.choice import AutoEngine, available, fastest, known
from seglet.prediction.engines.trial import Trial
from seglet.prediction.tiled import predict_raw
from seglet.writing import unlabelled


class Tried(Config):
    """What every engine is worth for a model, on one machine.

    Attributes
    ----------
    trials : tuple of Trial
        The first is PyTorch in float32, which all others are compared with.
    chosen : Trial
        What ``auto`` takes from now on.
    """

    trials: tuple[Trial, ...]
    chosen: Trial


def try_engines(source: Path, path: Path, tell: Tell = quiet) -> Tried:
    """Predict an image, and measure on its windows what each engine is worth; both are kept for later.

    Parameters
    ----------
    source : Path
        Run or model folder.
    path : Path
        An image.
    tell : callable
        Hears of progress.

    Raises
    ------
    DatasetError
        If there is not exactly one image.
    """
    model = load_model(source)
    cases = unlabelled(path, model.card.channels)
    if len(cases) != 1:
        raise DatasetError(path, found=f"{len(cases)} images", expected="one", remedy="Give a single file.")
    image = read_sample(cases[0], None).image
    predict_raw(image, model, AutoEngine(model, tell, patience_s=0, choices=available(model)))
    trials = known(model)
    return Tried(trials=tuple(trials), chosen=fastest(trials))
