"""Try all engines on an image, and say what each is worth on this machine."""

from pathlib import Path

from seglet.core.config import Config
from seglet.core.errors import DatasetError
from seglet.core.events import Event, Tell, quiet
from seglet.data.samples import read_sample
from seglet.model import Model, load_model
from seglet.prediction.engines.choice import AutoEngine, Seen, available, engine_for, fastest, in_words, tried
from seglet.prediction.engines.engine import Engine, Windows
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.engines.trial import Trial
from seglet.prediction.tiled import predict_raw
from seglet.writing import unlabelled


class Tried(Config):
    """What every engine is worth for a model on the CPU of one machine.

    Attributes
    ----------
    trials : tuple of Trial
        The first is PyTorch in float32, which all others are compared with.
    chosen : Trial
        The fastest that says what PyTorch says.
    is_taken : bool
        Whether predicting takes it from now on: not on a GPU, nor where the model's settings name an engine.
    """

    trials: tuple[Trial, ...]
    chosen: Trial
    is_taken: bool


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
    trials = tried(model, available(model), seeing.seen.windows, anew=True)
    chosen = fastest(trials)
    tell(Event("engine", in_words(chosen)))
    is_taken = isinstance(engine_for(model), AutoEngine)
    return Tried(trials=tuple(trials), chosen=chosen, is_taken=is_taken)


class _Seeing:
    """PyTorch, which remembers some of the windows that it ran."""

    def __init__(self, model: Model) -> None:
        self._engine, self.seen = TorchEngine(model), Seen()

    def abreast(self, shape: tuple[int, ...], lanes: int) -> tuple[Engine, int]:
        return self, 1

    def run(self, windows: Windows) -> Windows:
        self.seen.add(windows)
        return self._engine.run(windows)
