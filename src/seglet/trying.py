"""Try all engines on an image, and say what each is worth on this machine."""

from pathlib import Path

from seglet.core.config import Config
from seglet.core.errors import DatasetError
from seglet.core.events import Event, Tell, quiet
from seglet.data.samples import read_sample
from seglet.model import Model, load_model
from seglet.prediction.engines.choice import Seen, available, fastest, in_words, tried
from seglet.prediction.engines.engine import Engine, Windows
from seglet.prediction.engines.pytorch import TorchEngine
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
    seeing = _Seeing(model)
    predict_raw(image, model, seeing)
    trials = tried(model, available(model), seeing.seen.windows)
    chosen = fastest(trials)
    tell(Event("engine", in_words(chosen)))
    return Tried(trials=tuple(trials), chosen=chosen)


class _Seeing:
    """PyTorch, which remembers some of the windows that it ran."""

    def __init__(self, model: Model) -> None:
        self._engine, self.seen = TorchEngine(model), Seen()

    def abreast(self, shape: tuple[int, ...], lanes: int) -> tuple[Engine, int]:
        return self, 1

    def run(self, windows: Windows) -> Windows:
        self.seen.add(windows)
        return self._engine.run(windows)
