"""The way to objects that suits a model best, found on images whose truth is known."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seglet.core.config import Config
from seglet.core.errors import ConfigError
from seglet.postprocessing.decode import decode
from seglet.postprocessing.settings import DecodingConfig, Method
from seglet.postprocessing.splitting import Planes, methods_for

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
SMOOTHINGS = (0.0, 1.0, 2.0, 3.0)  # px
SEEDS: dict[Method, tuple[float, ...]] = {
    "probability": (0.6, 0.7, 0.8, 0.9, 0.95),
    "depth": (1.5, 2.0, 3.0, 4.5, 6.5, 9.0),  # px
    "waist": (0.6, 0.7, 0.8, 0.9),
    "interior": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
    "distance": (0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
}
SMALLEST = (1, 5)  # percentiles of the sizes of true objects; half of them is what may be too small
LEAST_GAIN = 1e-9

Score = Callable[[NDArray[np.int32], NDArray[np.int32], NDArray[np.bool_] | None], float]


class Example(NamedTuple):
    """An image whose truth is known.

    Attributes
    ----------
    planes : (planes, [z,] y, x) float array
        What the network says of it.
    truth : ([z,] y, x) int32 array
        True object per pixel; 0 is the background.
    counted : ([z,] y, x) bool array or None
        The only pixels that count.
    """

    planes: Planes
    truth: NDArray[np.int32]
    counted: NDArray[np.bool_] | None = None


class Fitted(Config):
    """What was chosen, and by what.

    Attributes
    ----------
    config : DecodingConfig
        The best that was tried.
    metric : str
        What was scored.
    score : float
        Its mean over the images, of `config`.
    by_method : dict
        The largest mean of each method.
    tried : int
        Number of settings that were scored.
    n_images : int
        On which.
    """

    config: DecodingConfig
    metric: str
    score: float
    by_method: dict[str, float]
    tried: int
    n_images: int


def fit_decoding(
    examples: Sequence[Example],
    base: DecodingConfig,
    score: Score,
    metric: str = "score",
    has_time: Callable[[], bool] = lambda: True,
) -> Fitted:
    """Choose the method and its settings by the largest mean score.

    One setting after the other: of components, then of each other method from there on, then the best
    method's again; of equally good ones the simpler method, and what is nearer to where it started. Always
    the same for the same images. Decodes all images at most 64 times. Seeds by ``depth`` are tried only where
    the base says so: a ratio, as ``waist`` has it, fits the sizes of other images better than pixels do.

    Parameters
    ----------
    examples : sequence of Example
        Images that the network was not trained on; their planes are all of one kind.
    base : DecodingConfig
        Where to start. Its method, where it has one, and what it keeps stay.
    score : callable
        Takes true objects, decoded objects and counted pixels; larger is better, nan where it says nothing.
    metric : str
        What it is called.
    has_time : callable
        Whether there is time to try another setting; the best so far is taken where not.

    Raises
    ------
    ConfigError
        If there are no images, or the base's method needs a plane that is not there.
    """
    if not examples:
        raise ConfigError(
            "decoding",
            found="no image whose truth tells objects apart",
            expected="at least one to choose the method on",
            remedy="Label objects in a validation image, or say decoding.method.",
        )
    search = _Search(examples, score, has_time)
    every = methods_for(len(examples[0].planes))
    methods = tuple(m for m in every if m != "depth") if base.method is None else (base.method,)
    sizes = _small_sizes(examples)
    found = search.best(base.model_copy(update={"method": methods[0]}), threshold=THRESHOLDS)
    found = search.best(found, min_size=sizes, max_hole=sizes[-1:])
    rivals = [_seeded(search, found, method) for method in methods if method != "components"]
    if rivals:
        leader = max(rivals, key=search.mean)  # the first of equals
        leader = search.best(leader, threshold=THRESHOLDS)
        leader = search.best(leader, seed_threshold=SEEDS[leader.method or "depth"], min_size=sizes)
        found = max(found, leader, key=search.mean)
    return Fitted(
        config=found,
        metric=metric,
        score=search.mean(found),
        by_method=search.by_method(),
        tried=len(search.means),
        n_images=len(examples),
    )


class _Search:
    """Mean scores of all that was tried."""

    def __init__(self, examples: Sequence[Example], score: Score, has_time: Callable[[], bool]) -> None:
        self.examples, self.score, self.has_time = examples, score, has_time
        self.means: dict[DecodingConfig, float] = {}

    def mean(self, config: DecodingConfig) -> float:
        """Mean score over the images; that of no image, or of no time to try, is the worst there is."""
        if config not in self.means:
            if self.means and not self.has_time():
                return -np.inf
            scores = [
                self.score(truth, decode(planes, config), counted) for planes, truth, counted in self.examples
            ]
            said = [score for score in scores if not np.isnan(score)]
            self.means[config] = float(np.mean(said)) if said else -np.inf
        return self.means[config]

    def best(self, config: DecodingConfig, **settings: Iterable[Any]) -> DecodingConfig:
        """Try the values of each setting, one setting after the other, and keep what is better."""
        for name, values in settings.items():
            start = getattr(config, name)
            for value in sorted(values, key=lambda value: (abs(value - (start or 0)), value)):
                changed = config.model_copy(update={name: value})
                if self.mean(changed) > self.mean(config) + LEAST_GAIN:
                    config = changed
        return config

    def by_method(self) -> dict[str, float]:
        """The largest mean of each method."""
        found: dict[str, float] = {}
        for config, mean in self.means.items():
            method = config.method or "components"
            found[method] = max(mean, found.get(method, -np.inf))
        return found


def _seeded(search: _Search, base: DecodingConfig, method: Method) -> DecodingConfig:
    """A method at its best, its threshold and rules given."""
    start = base.model_copy(update={"method": method})
    start = start.model_copy(update={"seed_threshold": start.seeds_above})
    return search.best(start, seed_threshold=SEEDS[method], smoothing=SMOOTHINGS)


def _small_sizes(examples: Sequence[Example]) -> list[int]:
    """Pixels below which hardly any true object is."""
    counts = [np.unique(truth[truth > 0], return_counts=True)[1] for _, truth, _ in examples]
    sizes = np.concatenate(counts)
    if len(sizes) == 0:
        return [0]
    return [int(np.percentile(sizes, percent) / 2) for percent in SMALLEST]
