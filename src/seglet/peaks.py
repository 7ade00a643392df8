"""What training and all that follows take of the memory, foretold stage by stage."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from torch import nn

from seglet.choosing import pieces_to_choose_on
from seglet.core.image import Sample, StoredImage
from seglet.data.crops import Piece
from seglet.data.stored import bytes_kept
from seglet.io.pixels import in_memory
from seglet.looking import MOST_PIXELS, N_FOR_OFFSET
from seglet.model import Model, ModelCard, untrained
from seglet.networks.registry import n_parameters
from seglet.planning import Planned
from seglet.prediction.memory import DECODING, LIBRARY, LIVE, MIB, image_memory, network_memory
from seglet.prediction.outputs import n_planes
from seglet.prediction.tiling import tiling_of
from seglet.preprocessing.levels import BYTES_PER_VALUE
from seglet.preprocessing.target import network_axes
from seglet.preprocessing.transform import grid_shape
from seglet.reading import memory_of_patches
from seglet.training.memory import step_memory

TRAINING = "training"  # the stage that the size of patches and of the network decides
N_SHOWN = 3  # images on the page
PAGE = 45 * MIB  # to draw a page, whatever it shows
SURFACES = 240 * MIB  # to draw the surfaces of a volume, whatever its size
SHOWN = 6  # bytes per pixel of all images on the page
DRAWN = 50  # bytes per pixel of the one that is being drawn: contours, colors over it, its packed picture
WEIGHED = 60  # bytes per pixel to weigh borders between objects: two distances, their order
RANKED = 9  # bytes per pixel to rank pixels by what is said of them: joined, and as keys
RANKED_FOREGROUND = 80  # bytes per pixel of the class: its place, the counts there, two curves
LISTED = 5  # bytes per pixel that is kept to be ranked
THRESHOLDED = 15  # bytes per pixel that a threshold is chosen on: copies, ranked in place
TEMPERED = 40  # bytes per probability that a temperature is fitted to, in float64
MOST_TEMPERED = 4_000_000  # see `seglet.postprocessing.calibration.fit_temperature`
SCORED = 20  # bytes per pixel of the image that is scored: which count, truth and prediction as one number


@dataclass(frozen=True)
class Peak:
    """What a stage of a training run takes at its worst moment.

    Attributes
    ----------
    stage : str
        In words.
    n_bytes : int
        Beside the process with its libraries.
    """

    stage: str
    n_bytes: int


def highest(planned: Planned) -> Peak:
    """The stage that takes most."""
    network = untrained(planned.card()).network
    return max(peaks(planned, network), key=lambda peak: peak.n_bytes)


def peaks(planned: Planned, network: nn.Module) -> tuple[Peak, ...]:
    """The stages that may take most, in the order of time; of folds those of the one that takes most.

    Parameters
    ----------
    planned : Planned
        What will be done.
    network : Module
        As it is planned; its weights are not asked.
    """
    ones = [planned.of_fold(fold) for fold in planned.folds] or [planned]
    model = Model(network, planned.card())
    held = LIBRARY + _held(planned)
    after = held + len(planned.folds) * n_parameters(network) * BYTES_PER_VALUE
    scored = planned.pieces(planned.scored_cases)
    kept = after + _masks_kept(scored, model.card)
    return (
        Peak(TRAINING, held + max(_training(one, model) for one in ones)),
        Peak("choosing the threshold", after + max(_choosing(one, model) for one in ones)),
        Peak("comparing windows with one pass", after + _comparing(planned, scored, model.card)),
        Peak("scoring", kept + _scoring(planned, scored, model)),
        Peak("the report", kept + _showing(planned, scored)),
    )


def _held(planned: Planned) -> int:
    """What is read and kept of all labelled cases as long as the run lasts."""
    cases = {case.id: case for case in planned.dataset.cases}
    total = 0
    for sample in planned.samples.values():
        if isinstance(sample, Sample):
            planes = (sample.image.pixels, sample.labels, sample.objects, sample.fov, sample.second)
            total += sum(plane.nbytes for plane in planes if plane is not None)
        else:
            total += bytes_kept(cases[sample.id], planned.labels)
    return total


def _training(planned: Planned, model: Model) -> int:
    plan, card = planned.plan, model.card
    steps = step_memory(plan, planned.recipe.fit, n_parameters(model.network))
    if plan.reading == "disk":
        return memory_of_patches(plan) + steps
    seen, checked = (_n_inside(planned.part(name), card) for name in ("train", "validation"))
    n_truth = 3 if planned.recipe.targets.kind == "distance" else 2
    images = BYTES_PER_VALUE * (plan.n_channels + n_truth) * (seen + checked)
    return images + max(steps, _weighing(planned))


def _weighing(planned: Planned) -> int:
    """The truth of the largest training image, where borders between objects weigh more or are learned."""
    border, targets = planned.recipe.patches.border_weight, planned.recipe.targets
    if not targets.needs_objects and (border is None or border.peak == 0):
        return 0
    return WEIGHED * max(map(_n_pixels, planned.part("train")), default=0)


def _choosing(planned: Planned, model: Model) -> int:
    card, unseen = model.card, planned.part("validation")
    pieces = pieces_to_choose_on(planned.part("train"), unseen, card)
    if not pieces:
        return 0
    planes, most = n_planes(card), min(MOST_PIXELS, planned.allowance.n_chosen_on // len(pieces))
    n_looked = sum(min(_n_pixels(piece), most // planes) for piece in pieces)
    n_unseen = sum(min(_n_pixels(piece), most // planes) for piece in unseen)
    said = 1 + planes * BYTES_PER_VALUE
    tempered = said * n_unseen + TEMPERED * min(card.plan.n_classes * n_unseen, MOST_TEMPERED)
    decoding = DECODING * min(max(map(_n_pixels, pieces)), most) if card.decoding is not None else 0
    chosen = max(tempered, decoding, (said + THRESHOLDED) * n_looked)
    sizes = sorted(planes * _n_pixels(piece) for piece in pieces)[-N_FOR_OFFSET:]
    held = BYTES_PER_VALUE * min(sum(sizes), planned.allowance.n_chosen_on) if card.predict.align else 0
    return _predicting(pieces, model) + max(said * n_looked + chosen, held)


def _comparing(planned: Planned, scored: Sequence[Piece], card: ModelCard) -> int:
    """The one pass over the first image, where it is cut into windows at all; see `seam_error`."""
    whole = next((piece for piece in scored if isinstance(piece, Sample)), None)
    if whole is None or card.predict.stride is not None:
        return 0
    axes, shape = network_axes(card.plan.mode, card.plan.slice_axis), grid_shape(whole.image, card.plan)
    along = tiling_of(card).stripes([shape[axis] for axis in axes])
    n_pixels = prod(side[-1].start + side[-1].extent - side[0].start for side in along)
    n_values = n_pixels * card.plan.channels[0]
    if prod(map(len, along)) == 1 or n_values > planned.allowance.n_compared:
        return 0
    passed = LIVE * n_values + n_pixels * (2 * card.plan.n_channels + 4 * n_planes(card))
    return LIBRARY + BYTES_PER_VALUE * passed


def _scoring(planned: Planned, scored: Sequence[Piece], model: Model) -> int:
    """The last image, beside the pixels of all before it that are kept; or the ranking of all of them."""
    shares = planned.fingerprint.class_fractions[1:]
    n_ranked = min(sum(map(_n_pixels, scored)), planned.allowance.n_ranked)
    one = _predicting(scored, model) + SCORED * max(map(_n_pixels, scored))
    ranking = int(n_ranked * (RANKED + RANKED_FOREGROUND * max(shares)))
    return LISTED * len(shares) * n_ranked + max(one, ranking)


def _showing(planned: Planned, scored: Sequence[Piece]) -> int:
    largest = sorted(map(_n_flat, scored))[-N_SHOWN:]
    surfaces = SURFACES if any(len(piece.image.shape) == 3 for piece in scored) else 0
    return PAGE + SHOWN * sum(largest) + max(DRAWN * largest[-1], _weighing(planned), surfaces)


def _predicting(pieces: Sequence[Piece], model: Model) -> int:
    """The largest piece, from its pixels to its mask."""
    largest = max(map(_as_stored, pieces), key=lambda image: prod(image.shape))
    return network_memory(model, largest) + image_memory(largest, model.card)


def _masks_kept(scored: Sequence[Piece], card: ModelCard) -> int:
    """Class indexes of all that is scored, and the objects of flat images, for the page."""
    per_pixel = 5 if card.decoding is not None and card.plan.mode == "2d" else 1
    return per_pixel * sum(map(_n_pixels, scored))


def _n_inside(pieces: Iterable[Piece], card: ModelCard) -> int:
    """Pixels on the plan's grid."""
    return sum(prod(grid_shape(piece.image, card.plan)) for piece in pieces)


def _n_pixels(piece: Piece) -> int:
    return prod(piece.image.shape)


def _n_flat(piece: Piece) -> int:
    """Pixels of an image; of the slices of a volume that are shown about as many as a large slice has."""
    return prod(sorted(piece.image.shape)[-2:])


def _as_stored(piece: Piece) -> StoredImage:
    image = piece.image
    return image if isinstance(image, StoredImage) else in_memory(image)
