"""Which engine runs a model: the one asked for, or the fastest of those that say the same."""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from importlib.util import find_spec
from typing import TypeVar, get_args

import numpy as np

from seglet.core.errors import ConfigError, EngineError, SegletError
from seglet.core.events import Event, Tell, quiet
from seglet.core.overlap import begun
from seglet.model import EngineName, EnginePrecision, Model
from seglet.networks.hardware import best_device, has_bf16
from seglet.prediction.engines import openvino
from seglet.prediction.engines.cache import read_trials, write_trials
from seglet.prediction.engines.engine import Engine, NetworkEngine, Windows
from seglet.prediction.engines.making import CPU, Choice, int8_folder, make_engine
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.engines.trial import Trial, expect, try_engine

Word = TypeVar("Word", bound=str)

PATIENCE_S = 6.0  # of PyTorch, before other engines are tried: about what that takes
N_COMPARED = 4  # windows of different batches that engines are compared on: a corner alone says little
WORTHWHILE = 1.1  # another engine must be this much faster than PyTorch
PRECISIONS: dict[EngineName, tuple[EnginePrecision, ...]] = {
    "torch": ("fp32", "bf16", "fp16"),
    "openvino": ("fp32", "bf16", "int8"),
    "onnx": ("fp32",),
}


def engine_for(
    model: Model,
    engine: str | None = None,
    precision: str | None = None,
    tell: Tell = quiet,
) -> Engine:
    """What runs a model.

    Parameters
    ----------
    model : Model
        What to run.
    engine, precision : str or None
        As in `seglet.model.PredictConfig`; the model's own settings where None.
    tell : callable
        Hears which engine was chosen, and why.

    Raises
    ------
    ConfigError
        If there is no such engine, or it has no such precision.
    """
    said = model.card.predict
    name = _one_of("predict.engine", engine or said.engine, get_args(EngineName))
    kind = _one_of("predict.precision", precision or said.precision, get_args(EnginePrecision))
    if name == "auto" and kind == "auto" and best_device().type == "cpu":
        return AutoEngine(model, tell)
    if name == "auto":
        name = "openvino" if kind == "int8" else "torch"
    if kind != "auto" and kind not in PRECISIONS[name]:
        raise ConfigError(
            "predict.precision",
            found=f"{kind} with the engine {name}",
            expected=f"auto or one of {', '.join(PRECISIONS[name])}",
            remedy="Choose another precision, or another engine.",
        )
    if name == "torch" and kind != "int8":
        return TorchEngine(model, kind)
    if kind == "auto":
        kind = "bf16" if name == "openvino" and openvino.has_bf16() else "fp32"
    return CheckedEngine(model, (name, kind), tell)


class Seen:
    """A few of all windows that were run, any as likely as any other; the same every time."""

    def __init__(self) -> None:
        self._kept: list[Windows] = []
        self._n, self._rng = 0, np.random.default_rng(0)

    def add(self, windows: Windows) -> None:
        """Perhaps keep the first window of a batch."""
        self._n += 1
        if not self.is_enough:
            self._kept.append(windows[:1].copy())
        elif (place := int(self._rng.integers(self._n))) < N_COMPARED:
            self._kept[place] = windows[:1].copy()

    @property
    def is_enough(self) -> bool:
        """Whether engines can be compared on what was seen."""
        return len(self._kept) >= N_COMPARED

    @property
    def windows(self) -> list[Windows]:
        """At most `N_COMPARED`, each (1, c, [z,] y, x); of images of several sizes, several sizes."""
        return list(self._kept)


class CheckedEngine:
    """The engine that was asked for; refused where its masks are not those of PyTorch in float32.

    Until it has been compared on a few batches, PyTorch computes them.

    Parameters
    ----------
    model : Model
        What to run.
    choice : (str, str)
        Engine and precision.
    tell : callable
        Hears how far it is from PyTorch.
    """

    def __init__(self, model: Model, choice: Choice, tell: Tell = quiet) -> None:
        self._model, self._choice, self._tell = model, choice, tell
        self._engine: NetworkEngine | None = None
        self._exact, self._seen = TorchEngine(model, "fp32", CPU), Seen()
        self._is_checked = False

    def run(self, windows: Windows) -> Windows:
        """Compute what the network says; see `NetworkEngine.run`.

        Raises
        ------
        EngineError
            If the engine differs too much.
        ModelError
            If it is ``int8`` and the model is not quantized.
        MissingExtra
            If it is not installed.
        """
        if not self._is_checked:
            self._seen.add(windows)
        engine = self._checked(windows.shape)
        return (engine if self._is_checked else self._exact).run(windows)

    def abreast(self, shape: tuple[int, ...], lanes: int) -> tuple[Engine, int]:
        """As of the engine that was asked for, once it has been compared."""
        engine = self._checked(shape)
        return engine.abreast(shape, lanes) if self._is_checked else (self, 1)

    def _checked(self, shape: tuple[int, ...]) -> NetworkEngine:
        """What was asked for, compared if enough has been seen, or in an earlier command."""
        if self._engine is None:
            self._engine = make_engine(self._model, self._choice, shape)
        if not self._is_checked and (self._seen.is_enough or self._choice in _kept(self._model)):
            self._check()
        return self._engine

    def _check(self) -> None:
        trial = tried(self._model, [self._choice], self._seen.windows)[0]
        _require_close(trial)
        self._is_checked = True
        self._tell(Event("engine", in_words(trial)))


class AutoEngine:
    """PyTorch, until another engine is known to be faster on this machine.

    Which is fastest is measured once for a model and kept, of the engines that can be expected to be. It is
    not measured before PyTorch has taken some seconds: converting a network takes as long, and most images
    are done by then.

    Parameters
    ----------
    model : Model
        What to run.
    tell : callable
        Hears which engine was chosen.
    patience_s : float
        Seconds of PyTorch before other engines are tried.
    """

    def __init__(self, model: Model, tell: Tell = quiet, patience_s: float = PATIENCE_S) -> None:
        self._model, self._tell, self._patience_s = model, tell, patience_s
        self._known = begun(lambda: _known(model))  # importing libraries and hashing weights take time
        self._ahead: Future[NetworkEngine | None] | None = None
        self._engine: NetworkEngine | None = None
        self._spent = 0.0
        self._seen, self._is_settled = Seen(), False

    def expect(self, shape: tuple[int, ...], lanes: int) -> None:
        """Begin to prepare for batches of this shape, by the engine that is known: while images are read."""
        self._ahead = begun(lambda: self._prepared(shape, lanes))

    def run(self, windows: Windows) -> Windows:
        """Compute what the network says; see `NetworkEngine.run`."""
        if not self._is_settled:
            self._settle(windows)
        if self._engine is None:
            self._engine = TorchEngine(self._model, "auto")
        start = time.perf_counter()
        planes = self._engine.run(windows)
        self._spent += time.perf_counter() - start
        return planes

    def abreast(self, shape: tuple[int, ...], lanes: int) -> tuple[Engine, int]:
        """As of the engine that was chosen, or is known from an earlier command."""
        if not self._is_settled and self._engine is None and (trials := self._known.result()[1]):
            self._take(fastest(trials), shape)
        if self._engine is None or not self._is_settled:
            return self, 1
        return self._engine.abreast(shape, lanes)

    def _settle(self, windows: Windows) -> None:
        self._seen.add(windows)
        choices, trials = self._known.result()
        if self._engine is not None or not trials:
            if self._spent < self._patience_s or not self._seen.is_enough:
                return
            trials = tried(self._model, choices, self._seen.windows)
            if len(trials) < len(choices) or not all(trial.is_close for trial in trials):
                trials = tried(self._model, available(self._model), self._seen.windows)
        self._take(fastest(trials), windows.shape)

    def _take(self, best: Trial, shape: tuple[int, ...]) -> None:
        self._is_settled = True
        ahead = self._ahead.result() if self._ahead is not None else None
        self._engine = ahead or self._made(best, shape)
        self._tell(Event("engine", in_words(best)))

    def _prepared(self, shape: tuple[int, ...], lanes: int) -> NetworkEngine | None:
        _, trials = self._known.result()
        if not trials:
            return None
        engine = self._made(fastest(trials), shape)
        engine.prepare(shape, lanes)
        return engine

    def _made(self, best: Trial, shape: tuple[int, ...]) -> NetworkEngine:
        return make_engine(self._model, (best.engine, best.precision), shape)


def available(model: Model) -> list[Choice]:
    """The engines that can run a model on this machine's CPU."""
    choices: list[Choice] = [("torch", "fp32")]
    if has_bf16(CPU):
        choices.append(("torch", "bf16"))
    if find_spec("openvino"):
        kinds: list[EnginePrecision] = ["bf16"] if openvino.has_bf16() else []
        kinds.append("fp32")
        if int8_folder(model):
            kinds.append("int8")
        choices += [("openvino", kind) for kind in kinds]
    if find_spec("onnxruntime") and find_spec("onnxscript"):
        choices.append(("onnx", "fp32"))
    return choices


def promising(choices: Sequence[Choice]) -> list[Choice]:
    """What is tried unasked: float32 only where there is no bf16, and ONNX only without OpenVINO.

    The others were slower wherever these run (benchmarks/RESULTS.md), and each costs seconds.
    """
    short = {engine for engine, precision in choices if precision == "bf16"}
    engines = {engine for engine, _ in choices}
    return [
        (engine, precision)
        for engine, precision in choices
        if not (precision == "fp32" and engine in short) and not (engine == "onnx" and "openvino" in engines)
    ]


def tried(
    model: Model, choices: Sequence[Choice], windows: Sequence[Windows], *, anew: bool = False
) -> list[Trial]:
    """The trial of each choice, in their order: as it was kept, or made now on these windows and kept.

    All are made now if one of them was not kept, for they are compared; or if that is asked for. An engine
    that cannot run the network is left out, unless it is the only choice.
    """
    kept = _kept(model)
    if not anew and kept.keys() >= set(choices):
        return [kept[choice] for choice in choices]
    expected = expect(TorchEngine(model, "fp32", CPU), windows, model.card)
    for choice in choices:
        kept.pop(choice, None)
        try:
            kept[choice] = try_engine(
                choice, make_engine(model, choice, windows[0].shape), expected, model.card
            )
        except (SegletError, RuntimeError):  # a library's own error, of operations that it does not know
            if len(choices) == 1:
                raise
    write_trials(model, tuple(kept.values()))
    return [kept[choice] for choice in choices if choice in kept]


def fastest(trials: Sequence[Trial]) -> Trial:
    """The fastest engine of those that say what PyTorch says; not PyTorch only where it clearly gains."""
    close = [trial for trial in trials if trial.is_close]
    best = min(close, key=lambda trial: trial.nanoseconds)
    own = min((one for one in close if one.engine == "torch"), key=lambda trial: trial.nanoseconds)
    return best if own.nanoseconds > WORTHWHILE * best.nanoseconds else own


def _one_of(setting: str, said: str, allowed: tuple[Word, ...]) -> Word:
    for word in allowed:
        if word == said:
            return word
    raise ConfigError(
        setting, found=said, expected=f"one of {', '.join(allowed)}", remedy="Choose one of them."
    )


def _known(model: Model) -> tuple[list[Choice], list[Trial]]:
    """What is tried unasked, and what was tried of the model, where that is all of it; else nothing."""
    of_machine, kept = available(model), _kept(model)
    choices = promising(of_machine)
    trials = [kept[choice] for choice in of_machine if choice in kept]
    is_complete = kept.keys() >= set(choices) and any(one.is_close for one in trials if one.engine == "torch")
    return choices, trials if is_complete else []


def _kept(model: Model) -> dict[Choice, Trial]:
    """Trials of earlier commands, by what was tried."""
    return {(trial.engine, trial.precision): trial for trial in read_trials(model)}


def _require_close(trial: Trial) -> None:
    if trial.is_close:
        return
    raise EngineError(
        f"engine {trial.name}",
        found=f"masks whose Dice with those of PyTorch in float32 is {trial.dice:.4f}",
        expected=f"at least {trial.least_dice}",
        remedy="Predict with --engine torch, or with --precision fp32.",
    )


def in_words(trial: Trial) -> str:
    """An engine, how fast it is, and how far from PyTorch."""
    same = f"Dice {trial.dice:.4f} with the masks of PyTorch fp32"
    return f"{trial.name}, {trial.milliseconds:.0f} ms a window ({same})"
