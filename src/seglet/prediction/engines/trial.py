"""What an engine is worth: how fast it is, and how far from PyTorch in float32."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seglet.core.config import Config
from seglet.metrics.pixels import dice
from seglet.model import EngineName, EnginePrecision, ModelCard
from seglet.postprocessing.labels import to_labels
from seglet.prediction.engines.engine import NetworkEngine, Windows
from seglet.prediction.outputs import calibrated, class_probabilities

LEAST_DICE = 0.995  # of an engine's masks with those of PyTorch in float32
LEAST_DICE_INT8 = 0.97  # what 8 bits cost was measured against the truth before


class Trial(Config):
    """An engine beside PyTorch in float32, on the same windows of real images.

    Attributes
    ----------
    engine, precision : str
        As they are chosen by.
    milliseconds : float
        For one of these windows: that of which a pixel took least.
    n_pixels : int
        Of that window; trials on windows of different sizes are compared by the pixel.
    largest_logit, largest_probability : float
        Largest absolute difference.
    dice : float
        Of its masks with the others', the least over foreground classes; 1 where both are empty.
    """

    engine: EngineName
    precision: EnginePrecision
    milliseconds: float
    n_pixels: int
    largest_logit: float
    largest_probability: float
    dice: float

    @property
    def name(self) -> str:
        """How it is chosen by."""
        return f"{self.engine} {self.precision}"

    @property
    def nanoseconds(self) -> float:
        """For one pixel."""
        return 1e6 * self.milliseconds / self.n_pixels

    @property
    def least_dice(self) -> float:
        """The Dice that it must have to stand in for PyTorch in float32."""
        return LEAST_DICE_INT8 if self.precision == "int8" else LEAST_DICE

    @property
    def is_close(self) -> bool:
        """Whether it may."""
        return self.dice >= self.least_dice


@dataclass(frozen=True, eq=False)
class Expected:
    """What PyTorch says of some windows in float32.

    Attributes
    ----------
    windows : list of (1, c, [z,] y, x) float32 array
        Of real images.
    logits : list of (1, outputs, [z,] y, x) float32 array
        As of `NetworkEngine.logits`.
    planes : list of (k, [z,] y, x) float32 array
        The probabilities that decide on masks.
    """

    windows: Sequence[Windows]
    logits: Sequence[Windows]
    planes: Sequence[Windows]


def expect(exact: NetworkEngine, windows: Sequence[Windows], card: ModelCard) -> Expected:
    """Run PyTorch in float32, once for all engines that are compared with it; a window at a time."""
    logits = [exact.logits(window) for window in windows]
    return Expected(windows, logits, _probabilities(exact, windows, card))


def try_engine(
    choice: tuple[EngineName, EnginePrecision], engine: NetworkEngine, expected: Expected, card: ModelCard
) -> Trial:
    """Run an engine on windows, and compare what it says.

    Parameters
    ----------
    choice : (str, str)
        Engine and precision as they are chosen by.
    engine : NetworkEngine
        The one on trial.
    expected : Expected
        What PyTorch says of the same windows.
    card : ModelCard
        What decides on masks.
    """
    planes = _probabilities(engine, expected.windows, card)  # compiles, and fills caches
    taken, logits = [], []
    for window in expected.windows:
        start = time.perf_counter()
        logits.append(engine.logits(window))
        taken.append((time.perf_counter() - start, window[0, 0].size))
    seconds, n_pixels = min(taken, key=lambda each: each[0] / each[1])
    return Trial(
        engine=choice[0],
        precision=choice[1],
        milliseconds=1000 * seconds,
        n_pixels=n_pixels,
        largest_logit=_largest(logits, expected.logits),
        largest_probability=_largest(planes, expected.planes),
        dice=agreement(planes, expected.planes, card),
    )


def agreement(planes: Sequence[Windows], expected: Sequence[Windows], card: ModelCard) -> float:
    """Dice of the masks of (k, [z,] y, x) probabilities, all windows together; the least of all classes."""
    found, true = (_masks(each, card) for each in (planes, expected))
    each = [dice(true == index, found == index) for index in range(1, card.plan.n_classes)]
    present = [value for value in each if not np.isnan(value)]
    return min(present, default=1.0)


def _probabilities(engine: NetworkEngine, windows: Sequence[Windows], card: ModelCard) -> list[Windows]:
    said = (engine.run(window)[0] for window in windows)
    return [class_probabilities(calibrated(planes, card), card) for planes in said]


def _masks(planes: Sequence[Windows], card: ModelCard) -> NDArray[np.uint8]:
    return np.concatenate([to_labels(each, card.threshold).ravel() for each in planes])


def _largest(one: Sequence[Windows], other: Sequence[Windows]) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))
