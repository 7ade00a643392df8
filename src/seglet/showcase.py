"""What the report shows: facts in words, best and worst cases, augmentation and weights."""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
import torch
from numpy.typing import NDArray

from seglet.core.image import IGNORE, Image, Sample
from seglet.core.sizes import gibibytes
from seglet.data.crops import Piece, read_piece
from seglet.data.doctor import Examination
from seglet.data.encodings import describe
from seglet.metrics.evaluate import Prediction, Scores
from seglet.metrics.scores import ImageScores, count_images, rating_figure
from seglet.model import ModelCard, Seams, n_outputs, untrained
from seglet.networks.registry import n_parameters
from seglet.patches.sampler import PatchSampler
from seglet.patches.sources import counted, make_truth
from seglet.planning import Planned
from seglet.prediction.alignment import offset_in_words
from seglet.preprocessing.plan import Plan
from seglet.reading import patches_in_words, prepare, reading_in_words
from seglet.recipe import to_text
from seglet.report.content import AugmentationPreview, Example, Note, ReportContent, WeightPreview
from seglet.report.overlays import show_image
from seglet.report.surfaces import surface_pictures
from seglet.report.views import choose_view, lay_out
from seglet.run import environment

N_PREVIEWED = 8  # augmented patches
MOST_VOXELS = 30_000_000  # of a volume whose surface is drawn; more take too long
MAX_WEIGHED = 1024  # px; larger images are weighed in their middle

KINDS = {"train": "training", "folds": ""}  # of images that were scored, where the part's name is no word
REASONS = {
    "train": " (no others are left)",
    "folds": ", each by the model of a fold that has not seen it",
}


def gather_report(
    planned: Planned,
    history: Sequence[dict[str, float]],
    scores: Scores | None,
    predictions: Sequence[Prediction],
    card: ModelCard | None = None,
) -> ReportContent:
    """Collect everything that the report of a run shows.

    Parameters
    ----------
    planned : Planned
        The data, the split and the recipe.
    history : sequence of dict
        One row a round.
    scores : Scores or None
        Of the scored part.
    predictions : sequence of Prediction
        Class indexes of the scored images.
    card : ModelCard or None
        Of the model: what was measured beside its scores.
    """
    return ReportContent(
        title=planned.dataset.root.resolve().name,
        created=_now(),
        class_names=planned.labels.names,
        data=(*data_facts(planned), *(_measured(card) if card else ())),
        findings=planned.examination.findings,
        recipe_text=to_text(planned.recipe),
        split=_who(planned),
        history=tuple(dict(row) for row in history),
        scores=scores,
        scored_on=_scored_on(planned),
        examples=_examples(planned, scores, predictions),
        augmentation=_augmentation(planned),
        weights=_weights(planned),
        environment=tuple(environment().items()),
    )


def _scored_on(planned: Planned) -> str:
    """Which images, or windows of images, were scored."""
    part, cases = planned.scored_on, planned.scored_cases
    windows_of = len(cases) if planned.crops else None
    return count_images(len(planned.pieces(cases)), windows_of, KINDS.get(part, part)) + REASONS.get(part, "")


def _who(planned: Planned) -> dict[str, tuple[str, ...]]:
    """Ids of the cases of each part, or of each fold."""
    names = ("train", "validation", "test")
    parts = {name: tuple(c.id for c in getattr(planned.split, name)) for name in names}
    folds = {
        f"tested in fold {number}": tuple(c.id for c in fold.test)
        for number, fold in enumerate(planned.folds, start=1)
    }
    return {**folds, "test": parts["test"]} if folds else parts


def findings_page(found: Examination) -> ReportContent:
    """What the doctor found, as a page of its own."""
    dataset = found.dataset
    labelled = sum(bool(case.labels) for case in dataset.cases)
    facts = [
        ("data", str(dataset.root)),
        ("layout", dataset.layout.name),
        ("images", f"{len(dataset.cases)}, {labelled} of them labelled"),
    ]
    if found.labels is not None:
        facts.append(("masks", describe(found.labels)))
    return ReportContent(
        title=dataset.root.resolve().name,
        created=_now(),
        class_names=() if found.labels is None else found.labels.names,
        data=tuple(facts),
        findings=found.findings,
    )


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def data_facts(planned: Planned) -> tuple[tuple[str, str], ...]:
    """What the data and the plan are, in words, line by line."""
    seen, plan = planned.fingerprint, planned.plan
    n_cases = len(planned.split.train) + len(planned.split.validation) + len(planned.split.test)
    card = planned.card()
    model = untrained(card)
    sizes = " to ".join(dict.fromkeys(_size(shape) for shape in (seen.smallest, seen.largest)))
    fractions = zip(planned.labels.names, seen.class_fractions, strict=True)
    types = "/".join(seen.dtypes)
    channels = ", ".join(planned.dataset.channels) or _counted(seen.n_channels, "channel")
    return (
        ("data", str(planned.dataset.root)),
        ("layout", planned.dataset.layout.name),
        ("images", f"{n_cases} labelled, {sizes} {'pixels' if plan.mode == '2d' else 'voxels'}, "
         f"{channels}, {types}"),
        ("masks", describe(planned.labels)),
        ("pixels", ", ".join(f"{name} {share:.1%}" for name, share in fractions)),
        ("field of view", "given: only pixels inside count" if seen.has_fov else "all pixels count"),
        ("split", _split_in_words(planned)),
        ("network", f"{card.network.kind} of {_counted(len(plan.channels), 'level')} "
         f"({'-'.join(map(str, plan.channels))}), "
         f"{n_parameters(model.network) / 1e6:.2f} million weights, "
         + _counted(n_outputs(card), "output channel")),
        ("input", f"{_counted(plan.n_channels, 'channel')} ({plan.color}), {plan.normalization}, "
         + _grid_in_words(plan)),
        ("training", f"{patches_in_words(plan)}, about {gibibytes(plan.training_memory)} beside the images"),
        ("images are", reading_in_words(plan, planned.needed)),
        ("scored by", planned.recipe.protocol),
    )  # fmt: skip


def _measured(card: ModelCard) -> Iterator[tuple[str, str]]:
    """What was measured once the network was trained."""
    if card.offset is not None:
        yield "annotations", offset_in_words(card.offset, card.plan)
    if card.seams is not None:
        yield "seams", seams_in_words(card.seams)


def seams_in_words(seams: Seams) -> str:
    """Say what cutting an image into windows changed."""
    return (
        f"{seams.n_windows} windows differ from one pass by at most {seams.largest:.1g} of probability; "
        f"{seams.share_changed:.2g} of the pixels change their class"
    )


def _split_in_words(planned: Planned) -> str:
    split = planned.split
    if planned.folds:
        held = f", {len(split.test)} held out for the ensemble" if split.test else ""
        return f"{len(planned.folds)} folds over {len(split.train)} cases{held}"
    return f"{len(split.train)} train, {len(split.validation)} validate, {len(split.test)} test"


def _grid_in_words(plan: Plan) -> str:
    grid = f"resized to {_size(plan.resize)}" if plan.resize else "own size"
    if plan.spacing:
        grid = "resampled to a spacing of " + " x ".join(f"{step:g}" for step in reversed(plan.spacing))
    ways = {"2d": "", "3d": ", as volumes", "slices": f", slice by slice along axis {plan.slice_axis}"}
    return grid + ways[plan.mode]


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(str(n) for n in reversed(shape))


def _examples(
    planned: Planned, scores: Scores | None, predictions: Sequence[Prediction]
) -> tuple[Example, ...]:
    """The worst, median and best image by their own figure that stands in front, or mean Dice."""
    if scores is None:
        return ()
    metric = rating_figure(scores)
    figures = {image.id: _figure(image, metric) for image in scores.images}
    rated = sorted(
        (name for name, figure in figures.items() if not math.isnan(figure)), key=figures.__getitem__
    )
    if not rated:
        return ()
    places: dict[Note, int] = {"worst": 0, "median": len(rated) // 2, "best": len(rated) - 1}
    by_id = {p.id: p for p in predictions}
    pieces = {piece.id: piece for piece in planned.pieces(planned.scored_cases)}
    found: list[Example] = []
    for note, place in places.items():
        name = rated[place]
        if name in by_id and name not in {e.id for e in found}:
            sample = read_piece(pieces[name])
            found.append(_example(sample, by_id[name], note, metric, figures[name]))
    return tuple(found)


def _figure(image: ImageScores, metric: str) -> float:
    return (image.objects or {}).get(metric, image.mean_dice)


def _example(sample: Sample, predicted: Prediction, note: Note, metric: str, score: float) -> Example:
    image, truth, labels, fov = sample.image, np.asarray(sample.labels), predicted.labels, sample.fov
    name, surfaces = sample.id, _surfaces(sample, predicted) if note == "median" else ()
    if truth.ndim == 3:
        view = choose_view(image, ((truth > 0) & (truth != IGNORE)) | (labels > 0))
        name = f"{name}, {len(view.places)} of {truth.shape[view.how.permutation[view.axis]]} slices"
        image = Image(lay_out(image.pixels, view, gap=image.pixels.min()))
        truth, labels = lay_out(truth, view), lay_out(labels, view)
        fov = None if fov is None else lay_out(fov, view)
    objects = None
    if sample.objects is not None and predicted.objects is not None and sample.objects.ndim == 2:
        objects = sample.objects, predicted.objects
    return Example(name, show_image(image), truth, labels, fov, score, note, metric, objects, surfaces)


def _surfaces(sample: Sample, predicted: Prediction) -> tuple[tuple[str, NDArray[np.uint8]], ...]:
    """Truth and prediction of a volume as surfaces, from three sides."""
    image, truth = sample.image, np.asarray(sample.labels)
    if truth.ndim != 3 or min(truth.shape) < 2 or truth.size > MOST_VOXELS:
        return ()
    spacing = image.spacing or (1.0,) * 3
    names = [
        str(k) for k in range(int(max(truth[truth != IGNORE].max(initial=0), predicted.labels.max())) + 1)
    ]
    return tuple(
        (f"{told}, {'from above' if one.side == 'above' else f'from the {one.side}'}", one.picture)
        for told, labels in (("Truth", truth), ("Prediction", predicted.labels))
        for one in surface_pictures(labels, spacing, names, image.direction)
    )


def _augmentation(planned: Planned) -> AugmentationPreview:
    """The first training image with a labelled pixel, and patches of it as training draws them."""
    every = (prepared for piece in planned.part("train") for prepared in prepare(piece, planned.plan))
    prepared = next(one for one in every if counted(one).any())
    recipe, plan = planned.recipe, planned.plan
    sampler = PatchSampler(
        [prepared],
        plan.patch_size,
        N_PREVIEWED,
        recipe.patches,
        seed=recipe.fit.seed,
        device=torch.device("cpu"),
        spacing=plan.steps,
        targets=recipe.targets,
    )
    batch = sampler.batch(0)
    low, high = np.percentile(prepared.image, (0.5, 99.5))
    drawn = zip(batch.images.numpy(), batch.labels.numpy().astype(np.uint8), strict=True)
    flat = [_flat(image, labels) for image, labels in drawn]
    original, labels = _flat(prepared.image, np.asarray(prepared.labels))
    return AugmentationPreview(
        original=_shown(original, low, high),
        original_labels=labels,
        patches=tuple((_shown(image, low, high), shown) for image, shown in flat),
    )


def _flat(
    pixels: NDArray[np.float32], labels: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """A flat image as it is; of a volume the slice with the most foreground."""
    if labels.ndim == 2:
        return pixels, labels
    most = int(((labels > 0) & (labels != IGNORE)).sum(axis=(1, 2)).argmax())
    return pixels[:, most], labels[most]


def _shown(pixels: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    """Normalized patches on the gray scale of their image, so that changes of intensity can be seen."""
    stretched = np.clip((pixels - low) / max(high - low, 1e-6), 0, 1) * 255
    return show_image(Image(stretched.astype(np.uint8)))


def _weights(planned: Planned) -> WeightPreview | None:
    """What is learned of the training image with the most objects, and how much each pixel counts.

    None where that is its class alone, and every pixel counts the same.
    """
    piece = max(planned.part("train"), key=_n_objects)
    border, targets = planned.recipe.patches.border_weight, planned.recipe.targets
    made = ((one, make_truth(one, border, targets)) for one in prepare(piece, planned.plan))
    chosen, truth = max(made, key=lambda pair: float(pair[1][1].sum()))
    if truth[1].min() == truth[1].max() and not targets.needs_objects:
        return None
    pixels = chosen.image
    if truth.ndim == 4:
        most = int(truth[1].sum(axis=(1, 2)).argmax())
        pixels, truth = pixels[:, most], truth[:, most]
    middle = tuple(
        slice(max(0, (n - MAX_WEIGHED) // 2), max(0, (n - MAX_WEIGHED) // 2) + MAX_WEIGHED)
        for n in truth.shape[1:]
    )
    low, high = np.percentile(pixels, (0.5, 99.5))
    labels, weights, *distances = (plane[middle] for plane in truth)
    image = _shown(pixels, low, high)[middle]
    return WeightPreview(image, labels.astype(np.uint8), weights, distances[0] if distances else None)


def _n_objects(piece: Piece) -> int:
    """Objects are not told apart in windows of images on disk."""
    objects = piece.objects if isinstance(piece, Sample) else None
    return 0 if objects is None else int(objects.max())
