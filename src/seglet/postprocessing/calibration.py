"""One temperature that makes probabilities as bold as they are right, without moving the decision."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from seglet.core.errors import ConfigError, GeometryError

LOWEST, HIGHEST = 0.05, 20.0  # temperatures; where every pixel is right, the best one would be 0

_MOST_VALUES = 4_000_000  # probabilities that a temperature is fitted to
_AT_ONCE = 65_536  # probabilities that are changed at once: they stay in the processor's cache
_SMALLEST = float(np.finfo(np.float32).eps)  # a float32 near 1 knows no smaller step


def fit_temperature(
    truth: NDArray[np.integer] | NDArray[np.bool_], probabilities: NDArray[np.floating]
) -> float:
    """Find the temperature that makes the truth most likely.

    Logits are divided by it: above 1 probabilities become less extreme, below 1 more so; which class is the
    most probable stays.

    Parameters
    ----------
    truth : (n,) integer or bool array
        Class index of each pixel; for two classes, whether it is foreground. Only pixels that count, and none
        that the network was trained on.
    probabilities : (n,) or (k, n) float array
        Of the foreground of two classes (sigmoid); else one row per class (softmax). Where they are more
        than four million, a random part of the pixels is used, always the same.

    Returns
    -------
    float
        From `LOWEST` to `HIGHEST`; 1 where no other temperature is better, as where there is no pixel.

    Raises
    ------
    GeometryError
        If there is not one probability per pixel and class.

    References
    ----------
    .. [1] Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks", ICML 2017, section 4.2.
    """
    n_classes = 2 if probabilities.ndim == 1 else len(probabilities)
    _require_one_per_pixel(truth, probabilities, n_classes)
    most = _MOST_VALUES // n_classes
    if truth.size > most:
        drawn = np.random.default_rng(0).integers(truth.size, size=most)
        truth, probabilities = truth[drawn], probabilities[..., drawn]
    if not truth.size:
        return 1.0
    foreground = probabilities.astype(np.float64)
    of_classes = np.stack([1 - foreground, foreground]) if foreground.ndim == 1 else foreground
    logits = np.log(np.clip(of_classes, _SMALLEST, 1))
    behind = logits - np.take_along_axis(logits, truth.astype(np.int64)[None], axis=0)

    def surprise(log_temperature: float) -> float:
        # mean of -log(exp(true / T) / sum of exp(each / T)); no exponent is above 16 / 0.05: no overflow
        return float(np.log(np.exp(behind / math.exp(log_temperature)).sum(axis=0)).mean())

    found = minimize_scalar(surprise, bounds=(math.log(LOWEST), math.log(HIGHEST)), method="bounded")
    return math.exp(float(found.x)) if surprise(float(found.x)) < surprise(0.0) else 1.0


def tempered(probabilities: NDArray[np.floating], temperature: float) -> NDArray[np.floating]:
    """Divide the logits that probabilities came from by a temperature, in place.

    Parameters
    ----------
    probabilities : (k, [z,] y, x) float array
        k = 1: of the foreground of two classes; else one plane per class, 1 in sum. Overwritten, part by
        part, so that no second copy of a large volume is made.
    temperature : float
        Positive; 1 leaves every bit as it is.

    Returns
    -------
    (k, [z,] y, x) float array
        `probabilities` itself. 0 and 1 stay what they are.

    Raises
    ------
    ConfigError
        If the temperature is not a positive number.
    """
    if not 0 < temperature < math.inf:
        raise ConfigError(
            "temperature",
            found=f"{temperature:g}",
            expected="a positive number",
            remedy="Fit it on validation images, or choose 1 for probabilities as they are.",
        )
    if temperature == 1:
        return probabilities
    power = 1 / temperature
    n_rows = max(1, _AT_ONCE // max(1, math.prod(probabilities.shape[2:])))
    for start in range(0, probabilities.shape[1], n_rows):
        part = probabilities[:, start : start + n_rows]
        part[...] = _tempered_share(part, power) if len(part) == 1 else _tempered_part(part, power)
    return probabilities


def _tempered_share(share: NDArray[np.floating], power: float) -> NDArray[np.floating]:
    """Of two classes, by the odds against the foreground."""
    with np.errstate(divide="ignore", over="ignore"):  # of 0 they are infinite, and stay so
        odds = np.maximum(1 - share, 0)  # blended ones may be above 1 by a rounding
        odds /= share
        odds **= power
        odds += 1
        return np.asarray(np.divide(1, odds, out=odds))


def _tempered_part(part: NDArray[np.floating], power: float) -> NDArray[np.float64]:
    """Softmax of the logarithms times a power: each to that power, made 1 in sum."""
    raised = (part / part.max(axis=0).astype(np.float64)) ** power  # the largest is 1: the sum is never 0
    return np.asarray(raised / raised.sum(axis=0), np.float64)


def _require_one_per_pixel(
    truth: NDArray[np.integer] | NDArray[np.bool_], probabilities: NDArray[np.floating], n_classes: int
) -> None:
    highest = int(truth.max(initial=0))
    if probabilities.ndim > 2 or probabilities.shape[-1:] != truth.shape or highest >= n_classes:
        raise GeometryError(
            "temperature",
            found=f"{probabilities.shape} probabilities for {truth.shape} pixels of classes 0 to {highest}",
            expected="one per pixel of two classes, or one per class and pixel",
            remedy="Pass pixels in one row, and one row of probabilities per class.",
        )
