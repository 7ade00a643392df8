"""A small report with everything on it."""

import math

import numpy as np
import pytest

from seglet.data.findings import Finding
from seglet.metrics.calibration import Calibration, ReliabilityBin
from seglet.metrics.curves import Curve
from seglet.metrics.scores import METRICS, ImageScores, ObserverScores, Scores
from seglet.metrics.statistics import Interval
from seglet.report.content import AugmentationPreview, Example, ReportContent, WeightPreview

N_IMAGES = 4


@pytest.fixture
def scores() -> Scores:
    """Four images of one foreground class, the last without any of it."""
    return make_scores(("vessel",))


@pytest.fixture
def two_class_scores() -> Scores:
    """Four images of two foreground classes."""
    return make_scores(("liver", "tumor"))


@pytest.fixture
def object_scores(scores: Scores) -> Scores:
    """The same four images by the rule of the Data Science Bowl, with objects."""
    means = {"dsb": around(0.4), "f1_50": around(0.6), "seg": around(0.5)}
    counts = {"n_truth": 9, "n_predicted": 8, "n_matched": 5, "missed": 1, "merges": 3, "splits": 2}
    quality = {"pq": 0.35, "sq": 0.7, "rq": 0.5}
    precision = {f"ap_{k}": 0.8 - k / 200 for k in range(50, 100, 5)}
    objects = {**means, **quality, **precision, **counts, "merges_per_object": 1 / 3}
    return scores.model_copy(update={"protocol": "dsb2018", "headline": "dsb", "objects": objects})


@pytest.fixture
def parted_scores(scores: Scores) -> Scores:
    """The same four images by the rule of ISBI 2012."""
    cells = {"rand_error": 0.05, "pixel_error": 0.08, "v_rand": 0.95, "v_info": 0.97}
    figures = {**cells, "warping_error": 0.00123, "splits_mergers": 0.000456}
    thresholds = {f"{name}_threshold": 0.4 for name in figures}
    update = {"protocol": "isbi2012", "headline": "rand_error", "partition": {**figures, **thresholds}}
    return scores.model_copy(update=update)


@pytest.fixture
def organ_scores(two_class_scores: Scores) -> Scores:
    """Liver and tumor by the rule of LiTS, the tumor in two of three cases."""
    surface = {"assd": around(1.2), "hd95": around(4.5), "truth_volume": around(1500), "voe": around(0.2)}
    fewer = {name: interval.model_copy(update={"n": 2}) for name, interval in surface.items()}
    shapes = {"liver": surface, "tumor": {**fewer, "voe": around(0.4)}}
    images = tuple(
        image.model_copy(update={"shapes": {name: {"hd95": 4.5, "assd": 1.2} for name in shapes}})
        for image in two_class_scores.images
    )
    return two_class_scores.model_copy(update={"protocol": "lits", "shapes": shapes, "images": images})


@pytest.fixture
def vessel_scores(scores: Scores) -> Scores:
    """The vessels with centerlines, a second observer and a calibration."""
    lines = {"cldice": around(0.8), "centerline_precision": around(0.9)}
    observer = ObserverScores(
        n_images=4,
        pooled=scores.pooled,
        mean=scores.mean,
        shapes={"vessel": {**lines, "cldice": around(0.7)}},
    )
    bins = (
        ReliabilityBin(probability=0.1, share=0.05, count=1000),
        ReliabilityBin(probability=math.nan, share=math.nan, count=0),
        ReliabilityBin(probability=0.9, share=0.8, count=10),
    )
    update = {
        "protocol": "chasedb1",
        "pooled_first": True,
        "shapes": {"vessel": lines},
        "second_observer": observer,
        "calibration": Calibration(ece=0.0505, bins=bins),
    }
    return scores.model_copy(update=update)


@pytest.fixture
def examples() -> tuple[Example, ...]:
    """Three images of 64 x 80 pixels with a square each; the prediction is shifted."""
    rng = np.random.default_rng(0)
    truth = np.zeros((64, 80), np.uint8)
    truth[10:40, 20:50] = 1
    image = rng.integers(0, 255, (64, 80, 3), dtype=np.uint8)
    fov = np.ones(truth.shape, bool)
    fov[:5] = False
    predicted = np.roll(truth, 4, axis=0)
    return tuple(
        Example(f"case_{note}", image, truth, predicted, fov, score, note)
        for note, score in (("best", 0.9), ("median", 0.8), ("worst", math.nan))
    )


@pytest.fixture
def content(scores: Scores, examples: tuple[Example, ...]) -> ReportContent:
    """A report with every section."""
    example = examples[0]
    patch = (example.image[:32, :32], example.truth[:32, :32])
    return ReportContent(
        title="Vessels of the retina",
        created="21 November 2025",
        class_names=("background", "vessel"),
        data=(("Images", "28"), ("Layout", "pairs")),
        findings=(
            Finding(severity="note", code="layout", message="Read as pairs.", files=(), remedy=""),
            Finding(
                severity="error", code="cut", message="Ends early.", files=("a.png",), remedy="Copy it again."
            ),
        ),
        recipe_text="seed: 0\nloss: dice\n",
        split={"train": ("a", "b"), "validation": (), "test": ("c",)},
        history=(
            {"step": 10, "seconds": 60.0, "learning_rate": 0.001, "train_loss": 1.0, "val_loss": None},
            {"step": 20, "seconds": 120.0, "train_loss": math.nan, "val_loss": 0.8, "val_dice": 0.5},
            {"step": 30, "seconds": 180.0, "train_loss": 0.5, "val_loss": 0.7, "val_dice": 0.6},
        ),
        scores=scores,
        scored_on="4 test images",
        examples=examples,
        augmentation=AugmentationPreview(example.image, example.truth, (patch, patch)),
        weights=WeightPreview(example.image, example.truth, np.ones((64, 80), np.float32)),
        environment=(("seglet", "0.1.0"),),
    )


def make_scores(names: tuple[str, ...]) -> Scores:
    """Scores of the first class 0.8, of the second 0.6, by the pixel protocol."""
    level = dict(zip(names, (0.8, 0.6), strict=False))
    pooled = {name: dict.fromkeys(METRICS, level[name]) for name in names}
    middle = sum(level[name] for name in names) / len(names)
    images = []
    for n in range(N_IMAGES):
        worth = {name: math.nan if n == N_IMAGES - 1 else level[name] + 0.01 * n for name in names}
        figures = {name: dict.fromkeys(METRICS, worth[name]) for name in names}
        mean = sum(worth.values()) / len(names)
        images.append(ImageScores(id=f"case_{n}", classes=figures, mean_dice=mean, n_pixels=5120))
    curve = Curve(x=(0.0, 0.1, 1.0), y=(0.0, 0.9, 1.0), thresholds=(1.0, 0.5, 0.0), area=0.95)
    return Scores(
        protocol="pixels",
        version="1",
        rule="All pixels count.",
        pooled_first=False,
        threshold=0.5,
        n_images=N_IMAGES,
        class_names=("background", *names),
        images=tuple(images),
        pooled=pooled,
        mean={name: dict.fromkeys(METRICS, around(level[name])) for name in names},
        mean_dice=around(middle),
        pooled_mean_dice=middle,
        curves={name: {"roc": curve, "pr": curve} for name in names},
        second_observer=None,
        all_pixels=None,
    )


def around(value: float) -> Interval:
    """A mean over three images, slightly above `value`."""
    return Interval(mean=value + 0.01, low=0.55, high=0.85, n=3, n_absent=1)
