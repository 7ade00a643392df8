"""What a trained network says of images whose truth is known, and how far annotations stand beside it."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from seglet.core.events import Event, Tell
from seglet.core.grid import Cover
from seglet.core.image import IGNORE, Sample
from seglet.data.crops import Piece
from seglet.model import Model, ModelCard
from seglet.postprocessing.fitting import Example
from seglet.prediction.alignment import aligned, common_offset, measured_offset, offset_in_words
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.outputs import class_probabilities
from seglet.scoring import predict_planes

Objects = NDArray[np.int32]

FEWEST = 12  # images
MOST_PIXELS = 4_000_000  # looked at of one image
MOST_DECODED = 3_000_000  # pixels that the way to objects is fitted on, which decodes them up to 64 times
N_FOR_OFFSET = 6  # images, whose planes are held at once
FEW_UNSEEN = 2  # a single image does not say what all have in common


@dataclass(frozen=True, eq=False)
class Looked:
    """What the network says of a piece that something is chosen on.

    Attributes
    ----------
    truth : (n,) uint8 array
        Class index of pixels that count; a random part where they are many.
    planes : (planes, n) float32 array
        What the network says of them; see `seglet.prediction.outputs.raw_planes`.
    is_unseen : bool
        Whether the network was not trained on it.
    objects : Example or None
        All planes and the true objects, where the way to objects is to be chosen; a window of large images.
    """

    truth: NDArray[np.uint8]
    planes: NDArray[np.float32]
    is_unseen: bool
    objects: Example | None


def look_at(
    pieces: Sequence[Piece], unseen: set[str], model: Model, tell: Tell, choose_by: float, most_pixels: int
) -> tuple[Model, list[Looked]]:
    """Predict pieces whose truth is known, those that the network was not trained on first.

    Parameters
    ----------
    pieces : sequence of Sample or Crop
        One or more.
    unseen : set of str
        Ids of those that the network was not trained on.
    model : Model
        As it was trained.
    tell : callable
        Hears of progress.
    choose_by : float
        From then on, by `time.monotonic`, no further piece is looked at, beyond the first.
    most_pixels : int
        Kept of all pieces together; a random part of each where they have more.

    Returns
    -------
    Model, list of Looked
        The model knows its offset, where its recipe has it measured and there is one; all is moved by it.
    """
    most = min(MOST_PIXELS, most_pixels // len(pieces))
    pieces = sorted(pieces, key=lambda piece: piece.id not in unseen)
    said, first = _predicted(model, pieces, tell, choose_by), list[_Said]()
    if model.card.predict.align:
        for one in islice(said, N_FOR_OFFSET):
            first.append(one)
            if sum(held.planes.size for held in first) >= most_pixels:
                break
        model = _with_offset(model, first, unseen, tell)
    looked = []
    for one in chain(_released(first), said):
        aligned(one.planes, one.sample.image, model.card)
        looked.append(_looked(one, model.card, most, len(pieces), is_unseen=one.piece.id in unseen))
    return model, looked


@dataclass(frozen=True, eq=False)
class _Said:
    """A piece, read, and all that the network says of it."""

    piece: Piece
    sample: Sample
    planes: NDArray[np.float32]

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Pixels whose truth is known, inside the field of view."""
        counted: NDArray[np.bool_] = np.asarray(self.sample.labels) != IGNORE
        return counted if self.sample.fov is None else counted & self.sample.fov


def _predicted(model: Model, pieces: Sequence[Piece], tell: Tell, choose_by: float) -> Iterator[_Said]:
    """What the network says of the pieces, one after the other, as long as there is time."""
    engine = TorchEngine(model)
    for number, piece in enumerate(pieces):
        if number and time.monotonic() >= choose_by:
            tell(Event("choosing", f"time is short: {number} of {len(pieces)} images are looked at"))
            break
        tell(Event("choosing", done=number, total=len(pieces)))
        yield _Said(piece, *predict_planes(piece, model, engine))


def _released(said: list[_Said]) -> Iterator[_Said]:
    """Each in turn; none is held any longer."""
    while said:
        yield said.pop(0)


def _with_offset(model: Model, said: Sequence[_Said], unseen: set[str], tell: Tell) -> Model:
    """Measure how far annotations stand beside what the network found."""
    alone = [one for one in said if one.piece.id in unseen]
    card = model.card
    measured = [
        measured_offset(
            np.asarray(one.sample.labels),
            class_probabilities(one.planes, card),
            one.counted,
            one.sample.image,
            card.plan,
        )
        for one in (alone if len(alone) >= FEW_UNSEEN else said)
    ]
    offset = common_offset([one for one in measured if one is not None])
    if offset is None:
        return model
    tell(Event("offset", f"annotations {offset_in_words(offset, card.plan)}"))
    return replace(model, card=card.model_copy(update={"offset": offset}))


def _looked(said: _Said, card: ModelCard, most: int, n_pieces: int, *, is_unseen: bool) -> Looked:
    sample, planes, counted = said.sample, said.planes, said.counted
    few = _few(counted, max(most // len(planes), 1))
    told = sample.objects if card.decoding else None
    decoded = min(most, MOST_DECODED // min(n_pieces, FEWEST))
    objects = None if told is None else _example(planes, told, counted, decoded)
    return Looked(np.asarray(sample.labels)[few], planes[:, few], is_unseen, objects)


def _example(planes: NDArray[np.float32], objects: Objects, counted: NDArray[np.bool_], most: int) -> Example:
    """All of an image; of one with more pixels than `most` the window of so many with most in objects."""
    if objects.size <= most:
        return Example(planes, objects, counted)
    share = (most / objects.size) ** (1 / objects.ndim)
    cover = Cover(objects.shape, tuple(max(1, int(n * share)) for n in objects.shape))
    boxes = [region.within(objects.shape).slices for region in cover]
    box = max(boxes, key=lambda box: np.count_nonzero(objects[box]))
    return Example(planes[(slice(None), *box)].copy(), objects[box].copy(), counted[box].copy())


def _few(pixels: NDArray[np.bool_], most: int) -> NDArray[np.bool_]:
    """A random part of the pixels where they are too many."""
    step = min(-(-int(np.count_nonzero(pixels)) // most), 255)
    if step <= 1:
        return pixels
    drawn = np.random.default_rng(0).integers(0, step, pixels.shape, np.uint8)
    return np.asarray(pixels & (drawn == 0), np.bool_)
