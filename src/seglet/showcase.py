"""What the report shows: facts in words, best and worst cases, augmentation and weights."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.transform import resize

from seglet.core.image import Image, Sample
from seglet.data.masks import describe
from seglet.metrics.evaluate import Prediction, Scores
from seglet.model import n_outputs, untrained
from seglet.networks.registry import n_parameters
from seglet.patches.sampler import PatchSampler, pixel_weights
from seglet.planning import Planned
from seglet.preprocessing.plan import image_memory
from seglet.preprocessing.transform import preprocess
from seglet.recipe import to_text
from seglet.report.content import AugmentationPreview, Example, Note, ReportContent, WeightPreview
from seglet.report.overlays import show_image
from seglet.run import environment

N_PREVIEWED = 8  # augmented patches
MAX_WEIGHED = 1024  # px; larger images are weighed in their middle

PARTS = {
    "test": "test images",
    "validation": "validation images",
    "train": "training images (no others are left)",
}


def gather_report(
    planned: Planned,
    history: Sequence[dict[str, float]],
    scores: Scores | None,
    predictions: Sequence[Prediction],
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
    """
    part = planned.scored_on
    n_scored = len(planned.part(part))
    return ReportContent(
        title=planned.dataset.root.resolve().name,
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        class_names=planned.labels.names,
        data=data_facts(planned),
        findings=planned.examination.findings,
        recipe_text=to_text(planned.recipe),
        split={
            name: tuple(c.id for c in getattr(planned.split, name))
            for name in ("train", "validation", "test")
        },
        history=tuple(dict(row) for row in history),
        scores=scores,
        scored_on=f"{n_scored} {PARTS[part]}",
        examples=_examples(planned, scores, predictions),
        augmentation=_augmentation(planned),
        weights=_weights(planned),
        environment=tuple(environment().items()),
    )


def data_facts(planned: Planned) -> tuple[tuple[str, str], ...]:
    """What the data and the plan are, in words, line by line."""
    seen, plan = planned.fingerprint, planned.plan
    n_cases = len(planned.split.train) + len(planned.split.validation) + len(planned.split.test)
    model = untrained(planned.card())
    sizes = " to ".join(dict.fromkeys(_size(shape) for shape in (seen.smallest, seen.largest)))
    fractions = zip(planned.labels.names, seen.class_fractions, strict=True)
    split, types = planned.split, "/".join(seen.dtypes)
    images = image_memory(seen, plan.resize, plan.n_channels)
    return (
        ("data", str(planned.dataset.root)),
        ("layout", planned.dataset.layout.name),
        ("images", f"{n_cases} labelled, {sizes} pixels, {_counted(seen.n_channels, 'channel')}, {types}"),
        ("masks", describe(planned.labels)),
        ("pixels", ", ".join(f"{name} {share:.1%}" for name, share in fractions)),
        ("field of view", "given: only pixels inside count" if seen.has_fov else "all pixels count"),
        ("split", f"{len(split.train)} train, {len(split.validation)} validate, {len(split.test)} test"),
        ("network", f"U-Net of {len(plan.channels)} levels ({'-'.join(map(str, plan.channels))}), "
         f"{n_parameters(model.network) / 1e6:.2f} million weights, "
         + _counted(n_outputs(plan), "output channel")),
        ("input", f"{_counted(plan.n_channels, 'channel')} ({plan.color}), {plan.normalization}, "
         + (f"resized to {_size(plan.resize)}" if plan.resize else "own size")),
        ("training", f"{plan.batch_size} patches of {_size(plan.patch_size)} a step, "
         f"about {plan.training_memory / 2**30:.1f} GiB beside {images / 2**30:.1f} GiB of images"),
        ("scored by", planned.recipe.protocol),
    )  # fmt: skip


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(str(n) for n in reversed(shape))


def _examples(
    planned: Planned, scores: Scores | None, predictions: Sequence[Prediction]
) -> tuple[Example, ...]:
    """The worst, median and best image by mean Dice."""
    if scores is None:
        return ()
    rated = sorted((i for i in scores.images if not math.isnan(i.mean_dice)), key=lambda i: i.mean_dice)
    if not rated:
        return ()
    places: dict[Note, int] = {"worst": 0, "median": len(rated) // 2, "best": len(rated) - 1}
    by_id = {p.id: p for p in predictions}
    found: list[Example] = []
    for note, place in places.items():
        image = rated[place]
        if image.id in by_id and image.id not in {e.id for e in found}:
            found.append(_example(planned.samples[image.id], by_id[image.id], image.mean_dice, note))
    return tuple(found)


def _example(sample: Sample, predicted: Prediction, score: float, note: Note) -> Example:
    return Example(
        id=sample.id,
        image=show_image(sample.image),
        truth=np.asarray(sample.labels),
        predicted=predicted.labels,
        fov=sample.fov,
        score=score,
        note=note,
    )


def _augmentation(planned: Planned) -> AugmentationPreview:
    """The first training image with a labelled pixel, and patches of it as training draws them."""
    both = ((sample, preprocess(sample, planned.plan)) for sample in planned.part("train"))
    sample, prepared = next((s, p) for s, p in both if pixel_weights(p, None).any())
    recipe, plan = planned.recipe, planned.plan
    sampler = PatchSampler(
        [prepared],
        plan.patch_size,
        N_PREVIEWED,
        recipe.patches,
        seed=recipe.fit.seed,
        device=torch.device("cpu"),
    )
    batch = sampler.batch(0)
    low, high = np.percentile(prepared.image, (0.5, 99.5))
    pictures = [_shown(image, low, high) for image in batch.images.numpy()]
    labels = batch.labels.numpy().astype(np.uint8)
    return AugmentationPreview(
        original=show_image(sample.image),
        original_labels=np.asarray(sample.labels),
        patches=tuple(zip(pictures, labels, strict=True)),
    )


def _shown(pixels: NDArray[np.float32], low: float, high: float) -> NDArray[np.uint8]:
    """Normalized patches on the gray scale of their image, so that changes of intensity can be seen."""
    stretched = np.clip((pixels - low) / max(high - low, 1e-6), 0, 1) * 255
    return show_image(Image(stretched.astype(np.uint8)))


def _weights(planned: Planned) -> WeightPreview | None:
    """Pixel weights of the training image with the most objects; None where every pixel counts the same."""
    sample = max(planned.part("train"), key=_n_objects)
    middle = tuple(
        slice(max(0, (n - MAX_WEIGHED) // 2), max(0, (n - MAX_WEIGHED) // 2) + MAX_WEIGHED)
        for n in sample.image.shape
    )
    weights = pixel_weights(preprocess(sample, planned.plan), planned.recipe.patches.border_weight)
    if weights.min() == weights.max():
        return None
    if planned.plan.resize is None:
        return WeightPreview(show_image(sample.image)[middle], weights[middle])
    shown = resize(show_image(sample.image), weights.shape, order=1, preserve_range=True)
    return WeightPreview(np.asarray(shown, np.uint8), weights)


def _n_objects(sample: Sample) -> int:
    return 0 if sample.objects is None else int(sample.objects.max())
