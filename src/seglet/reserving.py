"""How much of the time is set aside for what comes after training; measured while the run goes on."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf, prod
from statistics import median

import numpy as np
import torch

from seglet.core.events import Event, Tell
from seglet.core.image import IGNORE, Sample
from seglet.data.crops import Piece, read_piece
from seglet.looking import FEWEST, MOST_DECODED, MOST_PIXELS
from seglet.metrics.curves import best_threshold
from seglet.metrics.evaluate import Prediction, evaluate
from seglet.metrics.instances import dsb_score, overlaps
from seglet.model import Model, ModelCard
from seglet.networks.hardware import choose_threads
from seglet.planning import Planned
from seglet.postprocessing.decode import decode
from seglet.postprocessing.settings import DecodingConfig
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.seams import MOST_VALUES
from seglet.prediction.tiling import tiling_of
from seglet.scoring import n_seen_of
from seglet.settling import choose_protocol
from seglet.training.clock import Pace

AFTER_S = 2.0  # of one core: drawing the page, writing model and figures, ending the process
PAGE_S = 0.4  # of one core, for each million pixels that the page shows
N_SHOWN = 3  # images on the page
N_TRIED = 55  # settings of the way to objects that are tried, of at most 64
FP32 = 2  # times as long as the arithmetic that was chosen, about
OVERHEAD = 1.15  # on the network's time: cutting, blending, resampling
MOST_REHEARSED = 500_000  # pixels
LARGEST = 0.75  # share of the time that may be set aside: less training makes no model
LARGE = 1 / 3  # share from which on it is told
SLACK = 0.02  # share of the time that choosing may take beyond its own
SELDOM = 50  # times its own duration passes before the network is measured again
N_RECENT = 3  # measurements of how busy cores are whose median counts
NEAR_S = 5.0  # of training before a measurement, whose steps it is compared with
LATE_S = 60.0  # of training, whose pace is taken for that of what comes after it
PROBE = 400_000  # numbers that are sorted to know how busy the machine is


@dataclass(frozen=True)
class Work:
    """What is to be done after training.

    Attributes
    ----------
    n_looked, n_scored : int
        Pixels that the network sees while outputs are chosen, and while images are scored.
    looked_s, scored_s : float
        Seconds of one undisturbed core beside the network: to choose; to score, and for all after it.
    """

    n_looked: int
    n_scored: int
    looked_s: float
    scored_s: float


def rehearse(planned: Planned, card: ModelCard, looked: Sequence[Piece], scored: Sequence[Piece]) -> Work:
    """Measure scoring and choosing on a part of one image, its truth taken for the prediction.

    Parameters
    ----------
    planned : Planned
        Whose protocol scores.
    card : ModelCard
        Of the model to come.
    looked, scored : sequences of Sample or Crop
        What outputs are chosen on, see `seglet.choosing.pieces_to_choose_on`; what is scored.
    """
    usual = sorted(scored, key=lambda piece: prod(piece.image.shape))[len(scored) // 2]
    part = _part(read_piece(usual), MOST_REHEARSED)
    shown = sum(sorted(prod(piece.image.shape) for piece in scored)[-N_SHOWN:])
    work = Work(
        n_looked=n_seen_of(looked, card) + _n_compared(scored, card),
        n_scored=n_seen_of(scored, card),
        looked_s=_seconds_to_choose(part, card, [prod(piece.image.shape) for piece in looked]),
        scored_s=AFTER_S + PAGE_S * shown / 1e6,
    )
    once = _core_seconds(lambda: _score([part], planned, card))
    thrice = _core_seconds(lambda: _score([part] * 3, planned, card))
    each = max(thrice - once, 0.0) / 2
    n_parts = sum(prod(piece.image.shape) for piece in scored) / prod(part.image.shape)
    return replace(work, scored_s=work.scored_s + max(once - each, 0.0) + each * n_parts)


class Reserve:
    """Seconds that all after training will take, at the speed that this process has now.

    The network is timed again whenever `SELDOM` times that has passed, beside the steps of training just
    before it; how many of these a prediction takes as long as is then known ever better, and how long they
    took in the last minute says what it will take. What one core does beside it is stretched by how busy the
    machine is: other programs may come and go while training lasts. With them come and go all threads but
    one; see `choose_threads`.

    Parameters
    ----------
    model : Model
        In training; it is left as it was found.
    work : Work
        What is to be done.
    ends : float
        When everything is to be over, by `time.monotonic`.
    tell : callable
        Hears where much of the time is set aside.
    """

    def __init__(self, model: Model, work: Work, ends: float, tell: Tell) -> None:
        self.work, self.ends = work, ends
        self._model, self._tell = model, tell
        self._engine: TorchEngine | None = None
        self._n_threads = torch.get_num_threads()
        self._steps_per_pixel: list[float] = []  # steps of training that take as long
        self._rate = 0.0  # seconds per pixel
        self._busy: list[float] = []
        self._next = -inf  # when to measure again
        self._whole_s = max(ends - time.monotonic(), 1.0)
        self._is_told = False

    def __call__(self, pace: Pace) -> float:
        """Seconds to keep, at the pace of training of late; at most `LARGEST` of all."""
        self._measure(pace)
        step_s = pace.step_s(LATE_S)
        if step_s is not None and self._steps_per_pixel:
            self._rate = step_s * median(self._steps_per_pixel)
        wanted = self.choosing_s + self.scoring_s
        self._warn(wanted)
        return min(wanted, LARGEST * self._whole_s)

    @property
    def choosing_s(self) -> float:
        """Seconds to choose temperature, threshold and the way to objects."""
        return self._seconds(self.work.n_looked, self.work.looked_s)

    @property
    def scoring_s(self) -> float:
        """Seconds to score, to write everything, and to end."""
        return self._seconds(self.work.n_scored, self.work.scored_s)

    @property
    def choose_by(self) -> float:
        """When choosing is to be over, by `time.monotonic`; a little late is better than chosen on less."""
        return self.ends - self.scoring_s + SLACK * self._whole_s

    def _seconds(self, n_pixels: int, core_s: float) -> float:
        return OVERHEAD * n_pixels * self._rate + core_s * median(self._busy)

    def _measure(self, pace: Pace) -> None:
        started = time.monotonic()
        if started < self._next:
            return
        measured, step_s = self._seconds_per_pixel(), pace.step_s(NEAR_S)
        if step_s is None:
            self._rate = measured
        else:
            self._steps_per_pixel.append(measured / step_s)
        self._busy = [*self._busy, busyness()][-N_RECENT:]
        ended = time.monotonic()
        self._next = ended + SELDOM * (ended - started)

    def _seconds_per_pixel(self) -> float:
        """Time one batch of training's size, as it is predicted."""
        network, plan = self._model.network, self._model.card.plan
        was_training = network.training
        batch = np.zeros((plan.batch_size, plan.n_channels, *plan.patch_size), np.float32)
        engine = self._engine = self._engine or TorchEngine(self._model)
        if engine.precision is None:
            torch.set_num_threads(1)
            engine.run(batch[:1])  # chooses the arithmetic
        network.eval()
        took_s = choose_threads(lambda: engine.run(batch), self._n_threads)
        network.train(was_training)
        return took_s / batch[:, 0].size

    def _warn(self, wanted: float) -> None:
        if self._is_told or wanted <= LARGE * self._whole_s:
            return
        self._is_told = True
        words = f"choosing and scoring take about {wanted:.0f} s of the {self._whole_s:.0f} s that are left"
        if wanted <= LARGEST * self._whole_s:
            self._tell(Event("budget", f"{words}; training is shortened for them"))
        else:
            late = wanted - LARGEST * self._whole_s
            told = f"training keeps a quarter, less is chosen, and the run may end {late:.0f} s late"
            self._tell(Event("budget", f"{words}; {told}: give it more --budget, or fewer test images"))


def _n_compared(scored: Sequence[Piece], card: ModelCard) -> int:
    """Pixels that the network sees to know what cutting into windows changes; see `seam_error`."""
    whole = next((piece for piece in scored if isinstance(piece, Sample)), None)
    if whole is None or card.predict.stride is not None:
        return 0
    n_pixels = prod(whole.image.shape)
    is_cut = prod(tiling_of(card).window) < n_pixels <= MOST_VALUES // card.plan.channels[0]
    return FP32 * 2 * n_seen_of([whole], card) if is_cut else 0


def busyness() -> float:
    """How many times longer one core's work takes than if nobody else were there; 1 at least."""
    numbers = np.random.default_rng(0).random(PROBE)
    wall, core = time.perf_counter(), time.thread_time()
    np.sort(numbers)
    used = time.thread_time() - core
    return max((time.perf_counter() - wall) / used, 1.0) if used > 0 else 1.0


def _core_seconds(run: Callable[[], object]) -> float:
    """Seconds of this thread, whatever others do; of a second run: the first loads and compiles code."""
    run()
    started = time.thread_time()
    run()
    return time.thread_time() - started


def _score(parts: Sequence[Sample], planned: Planned, card: ModelCard) -> None:
    names = planned.labels.names
    protocol = choose_protocol(planned.recipe.protocol, planned.dataset)
    evaluate(((part, _as_predicted(part, card)) for part in parts), names, protocol)


def _as_predicted(part: Sample, card: ModelCard) -> Prediction:
    """The truth, as if it were a prediction that had to be decoded."""
    labels = np.asarray(part.labels)
    found = np.where(labels == IGNORE, 0, labels).astype(np.uint8)
    classes = range(1, 2) if card.plan.n_classes == 2 else range(card.plan.n_classes)
    probabilities = np.stack([found == number for number in classes]).astype(np.float32)
    objects = decode(probabilities, DecodingConfig(method="depth")) if card.decoding is not None else None
    return Prediction(part.id, found, probabilities, objects)


def _seconds_to_choose(part: Sample, card: ModelCard, sizes: Sequence[int]) -> float:
    """Of one core: all settings of the way to objects, or one threshold."""
    if not sizes:
        return 0.0
    labels, objects = np.asarray(part.labels), part.objects
    if card.decoding is not None and card.plan.n_classes == 2 and objects is not None:
        planes = (objects > 0)[None].astype(np.float32)

        def try_one() -> None:
            found = decode(planes, DecodingConfig(method="depth"))
            dsb_score(overlaps(objects, found, labels != IGNORE))

        n_decoded = sum(min(size, MOST_DECODED // min(len(sizes), FEWEST)) for size in sizes)
        return N_TRIED * _core_seconds(try_one) * n_decoded / objects.size
    scores = np.random.default_rng(0).random(labels.size, np.float32)
    truth = (labels == 1).ravel()
    n_looked = sum(min(size, MOST_PIXELS) for size in sizes)
    return _core_seconds(lambda: best_threshold(truth, scores)) * n_looked / labels.size


def _part(sample: Sample, most: int) -> Sample:
    """The middle of a sample, of about so many pixels at most."""
    shape = sample.image.shape
    share = min(1.0, (most / prod(shape)) ** (1 / len(shape)))
    sides = [max(1, round(n * share)) for n in shape]
    box = tuple(slice((n - side) // 2, (n - side) // 2 + side) for n, side in zip(shape, sides, strict=True))
    planes = ("labels", "objects", "fov", "second")
    cut = {name: plane[box] for name in planes if (plane := getattr(sample, name)) is not None}
    image = replace(sample.image, pixels=sample.image.pixels[(slice(None), *box)])
    return replace(sample, image=image, **cut)
