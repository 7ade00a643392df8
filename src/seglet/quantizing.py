"""Bring a run's model to 8 bits, and keep it only if that costs next to nothing."""

from collections.abc import Sequence
from pathlib import Path

from seglet.core.config import Config
from seglet.core.errors import EngineError, ModelError
from seglet.core.events import Event, Tell, quiet
from seglet.core.storage import write_text
from seglet.data.crops import Piece, images_of
from seglet.metrics.evaluate import evaluate
from seglet.model import Model, load_model
from seglet.patches.sampler import evenly, fixed_windows
from seglet.planning import Planned, make_planned, training_cases
from seglet.prediction.engines.cache import read_trials, write_trials
from seglet.prediction.engines.engine import Engine
from seglet.prediction.engines.making import INT8
from seglet.prediction.engines.openvino import OpenVinoEngine, write_graph
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.engines.quantized import quantized
from seglet.run import Run, read_facts, read_run_recipe
from seglet.scoring import predict_piece
from seglet.settling import choose_protocol

N_WINDOWS = 64  # that calibrate
N_CHECKED = 16  # images
LARGEST_DROP = 0.002  # of the mean Dice
FIGURES = "quantized.json"


class Quantized(Config):
    """What 8 bits cost.

    Attributes
    ----------
    part : str
        Whose images were scored: ``validation``, or ``train`` where there are none.
    n_images, n_windows : int
        Scored, and looked at for the ranges of activations.
    exact, int8 : float
        Mean Dice in float32 and in 8 bits.
    """

    part: str
    n_images: int
    n_windows: int
    exact: float
    int8: float

    @property
    def drop(self) -> float:
        """By how much the mean Dice falls."""
        return self.exact - self.int8


def quantize(source: Path, tell: Tell = quiet) -> Quantized:
    """Quantize a run's model into a folder beside its weights; `seglet predict` then may use it.

    Parameters
    ----------
    source : Path
        Run folder, whose data are still where they were.
    tell : callable
        Hears of progress.

    Raises
    ------
    EngineError
        If the mean Dice falls by more than `LARGEST_DROP`; nothing is written then.
    ModelError
        If the network takes sizes that 8 bits cannot be calibrated for, or the folder is no run.
    MissingExtra
        If OpenVINO or NNCF is not installed.
    """
    run, model = Run(source), load_model(source)
    planned = make_planned(Path(read_facts(run)["data"]), read_run_recipe(run), tell, run.written_split)
    plan = model.card.plan
    if model.folder is None or plan.is_valid:
        raise ModelError(
            source,
            found="a network of unpadded convolutions",
            expected="one that takes windows of any size",
            remedy="Predict with --precision bf16.",
        )
    windows = fixed_windows(training_cases(planned), plan.patch_size, N_WINDOWS, targets=model.card.targets)
    tell(Event("quantizing", f"on {len(windows)} windows of training images"))
    graph = quantized(model, [window.images.numpy() for window in windows])
    found = _compared(model, OpenVinoEngine(graph, model.card, "int8"), planned, len(windows))
    if found.drop > LARGEST_DROP:
        raise EngineError(
            source,
            found=f"a mean Dice of {found.int8:.4f} in 8 bits and {found.exact:.4f} in float32",
            expected=f"a drop of at most {LARGEST_DROP}",
            remedy="Predict with --precision bf16; nothing was written.",
        )
    folder = write_graph(graph, model.folder / INT8)
    write_trials(model, tuple(trial for trial in read_trials(model) if trial.precision != INT8))  # of others
    write_text(folder / FIGURES, found.model_dump_json(indent=1) + "\n")
    return found


def _compared(model: Model, engine: Engine, planned: Planned, n_windows: int) -> Quantized:
    part = "validation" if planned.split.validation else "train"
    pieces = evenly(planned.part(part), N_CHECKED)
    exact, int8 = (_mean_dice(model, each, pieces, planned) for each in (TorchEngine(model, "fp32"), engine))
    return Quantized(part=part, n_images=len(pieces), n_windows=n_windows, exact=exact, int8=int8)


def _mean_dice(model: Model, engine: Engine, pieces: Sequence[Piece], planned: Planned) -> float:
    rule = choose_protocol(planned.recipe.protocol, planned.dataset)
    pairs = (predict_piece(piece, model, engine) for piece in pieces)
    return evaluate(
        pairs, planned.labels.names, rule, model.threshold, images=images_of(pieces)
    ).mean_dice.mean
