from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_erosion

from seglet.core.events import quiet
from seglet.core.image import IGNORE, Sample
from seglet.data.synthetic import make_dataset
from seglet.metrics.evaluate import Prediction, evaluate
from seglet.metrics.protocols import PROTOCOLS
from seglet.metrics.scores import Scores
from seglet.patches.sampler import PatchSampler
from seglet.patches.sources import make_truth
from seglet.patches.targets import TargetConfig
from seglet.planning import Planned, make_planned, prepare_all
from seglet.recipe import read_recipe
from seglet.report.content import ReportContent
from seglet.showcase import N_PREVIEWED, data_facts, gather_report

ROWS = ({"step": 2.0, "train_loss": 1.0},)


@pytest.fixture(scope="module")
def planned(cells: Path, tiny: tuple[str, ...]) -> Planned:
    return make_planned(
        cells, read_recipe("auto", [*tiny, "split.test=last 4", "split.validation=none"]), quiet
    )


def scored(planned: Planned, wrong: tuple[int, ...]) -> tuple[Scores, list[Prediction]]:
    """Score true masks of which so many rows are missing."""
    pairs = []
    for sample, rows in zip(planned.part("test"), wrong, strict=True):
        labels = np.array(sample.labels)
        labels[:rows] = 0
        pairs.append((sample, Prediction(sample.id, labels)))
    return evaluate(pairs, planned.labels.names, PROTOCOLS["pixels"]), [p for _, p in pairs]


def content(planned: Planned, wrong: tuple[int, ...]) -> ReportContent:
    return gather_report(planned, ROWS, *scored(planned, wrong))


def test_what_was_measured_of_the_model_stands_beside_the_data(planned: Planned) -> None:
    card = planned.card().model_copy(update={"offset": (-0.6, 0.0)})
    words = "stand 0.60 px above what is seen; so do predictions"
    assert ("annotations", words) in gather_report(planned, ROWS, None, [], card).data
    assert "annotations" not in dict(gather_report(planned, ROWS, None, [], planned.card()).data)


def test_the_worst_median_and_best_images_are_shown(planned: Planned) -> None:
    found = content(planned, (40, 0, 25, 55))
    ids = [sample.id for sample in planned.part("test")]
    assert [(e.note, e.id) for e in found.examples] == [
        ("worst", ids[3]),
        ("median", ids[2]),
        ("best", ids[1]),
    ]
    assert [e.score for e in found.examples] == sorted(e.score for e in found.examples)
    for example in found.examples:
        np.testing.assert_array_equal(example.truth, planned.samples[example.id].labels)
        assert example.image.shape == (64, 64, 3)


def test_examples_are_ranked_by_what_stands_in_front(tmp_path: Path, tiny: tuple[str, ...]) -> None:
    """Objects of one image are cut in two, all pixels right; those of the other are whole, but too small."""
    data = make_dataset(tmp_path, layout="instances", n_images=3, shape=(96, 96))
    planned = make_planned(
        data, read_recipe("auto", [*tiny, "split.test=last 2", "split.validation=none"]), quiet
    )
    split, worn = planned.part("test")
    assert isinstance(split, Sample) and isinstance(worn, Sample)
    assert split.objects is not None and worn.objects is not None
    found = [np.array(sample.objects) for sample in (split, worn)]
    halved = np.where(np.arange(96) % 2, found[0], found[0] + found[0].max())  # columns in turn
    found[0] = np.where(found[0] > 0, halved, 0)
    found[1][~binary_erosion(found[1] > 0, iterations=2)] = 0
    pairs = [
        (sample, Prediction(sample.id, (objects > 0).astype(np.uint8), objects=objects))
        for sample, objects in zip((split, worn), found, strict=True)
    ]
    predictions = [predicted for _, predicted in pairs]
    for name, metric, worst in (("dsb2018", "dsb", split), ("pixels", "dice", worn)):
        scores = evaluate(pairs, planned.labels.names, PROTOCOLS[name])
        examples = gather_report(planned, ROWS, scores, predictions).examples
        assert (examples[0].note, examples[0].id, examples[0].metric) == ("worst", worst.id, metric)
        (image,) = (image for image in scores.images if image.id == worst.id)
        assert examples[0].score == (image.mean_dice if metric == "dice" else image.objects["dsb"])


def test_the_title_is_the_folder_s_name_wherever_one_stands(
    planned: Planned, cells: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(cells)
    here = replace(planned, dataset=replace(planned.dataset, root=Path()))
    assert gather_report(here, ROWS, None, []).title == cells.name


def test_an_image_is_shown_once_though_it_is_best_and_worst(cells: Path, tiny: tuple[str, ...]) -> None:
    planned = make_planned(cells, read_recipe("auto", tiny), quiet)
    found = content(planned, (5,))
    assert [e.note for e in found.examples] == ["worst"]
    assert found.scored_on == "1 test image"


def test_without_scores_nothing_is_shown_of_them(planned: Planned) -> None:
    found = gather_report(planned, ROWS, None, [])
    assert found.examples == ()
    assert found.scores is None
    assert found.history == ROWS


def test_patches_are_those_of_the_first_step(planned: Planned) -> None:
    preview = content(planned, (0, 0, 0, 0)).augmentation
    assert preview is not None
    assert len(preview.patches) == N_PREVIEWED
    assert all(image.shape == (32, 32, 3) and labels.shape == (32, 32) for image, labels in preview.patches)
    np.testing.assert_array_equal(preview.original_labels, planned.part("train")[0].labels)


def test_patches_are_turned_as_in_training(planned: Planned) -> None:
    """By the spacing of the grid: pixels four times as long as wide."""
    stretched = replace(planned, plan=planned.plan.model_copy(update={"steps": (4.0, 1.0)}))
    recipe = planned.recipe
    sampler = PatchSampler(
        prepare_all(planned.part("train"), planned.plan),
        (32, 32),
        N_PREVIEWED,
        recipe.patches,
        seed=recipe.fit.seed,
        device=torch.device("cpu"),
        spacing=(4.0, 1.0),
    )
    preview = content(stretched, (0, 0, 0, 0)).augmentation
    assert preview is not None
    np.testing.assert_array_equal(np.stack([shown for _, shown in preview.patches]), sampler.batch(0).labels)


def test_patches_are_of_the_first_image_with_a_labelled_pixel(cells: Path, tiny: tuple[str, ...]) -> None:
    planned = make_planned(cells, read_recipe("auto", tiny), quiet)
    first, second, _ = planned.part("train")
    planned.samples[first.id] = replace(first, labels=np.full_like(first.labels, IGNORE))
    preview = gather_report(planned, ROWS, None, []).augmentation
    assert preview is not None
    np.testing.assert_array_equal(preview.original_labels, second.labels)


def test_the_split_and_the_findings_are_told(planned: Planned) -> None:
    found = content(planned, (0, 0, 0, 0))
    assert found.split is not None
    assert [len(ids) for ids in found.split.values()] == [1, 0, 4]
    assert found.findings == planned.examination.findings
    assert "steps: 4" in found.recipe_text
    assert dict(found.environment)["seglet"]


def test_facts_say_what_the_data_and_the_plan_are(planned: Planned) -> None:
    facts = dict(data_facts(planned))
    assert facts["images"].startswith("5 labelled, 64x64 pixels")
    assert facts["split"] == "1 train, 0 validate, 4 test"
    assert "2 levels (4-8)" in facts["network"]
    assert "1 output channel" in facts["network"]
    assert facts["training"].startswith("2 patches of 32x32")
    assert facts["training"].endswith("about 1 MiB beside the images")
    assert facts["images are"].startswith("kept in memory: about")
    assert "own size" in facts["input"]
    assert facts["field of view"] == "all pixels count"


def test_border_weights_bring_a_map_of_weights(
    tmp_path: Path, tiny: tuple[str, ...], planned: Planned
) -> None:
    data = make_dataset(tmp_path, layout="instances", n_images=3, shape=(64, 64))
    settings = [*tiny, "split.test=none", "patches.border_weight={peak: 5}"]
    apart = make_planned(data, read_recipe("auto", settings), quiet)
    weights = gather_report(apart, ROWS, None, []).weights
    assert weights is not None
    assert weights.weights.shape == weights.image.shape[:2] == (64, 64)
    assert 1 <= weights.weights.min() < weights.weights.max() <= 6
    assert weights.labels.max() == 1
    assert weights.distances is None
    assert content(planned, (0, 0, 0, 0)).weights is None


@pytest.mark.parametrize("kind", ["borders", "distance"])
def test_targets_are_shown_as_they_are_learned(tmp_path: Path, tiny: tuple[str, ...], kind: str) -> None:
    data = make_dataset(tmp_path, layout="instances", n_images=3, shape=(64, 64))
    settings = [*tiny, "split.test=none", f"targets={{kind: {kind}, separation: 1}}"]
    planned = make_planned(data, read_recipe("auto", settings), quiet)
    found = gather_report(planned, ROWS, None, [])
    assert found.weights is not None
    assert found.augmentation is not None
    samples = [planned.samples[case.id] for case in planned.split.train]
    most = max(samples, key=lambda sample: int(sample.objects.max()))
    expected = make_truth(
        next(iter(prepare_all([most], planned.plan))), None, TargetConfig(kind=kind, separation=1)
    )
    np.testing.assert_array_equal(found.weights.labels, expected[0])
    assert (found.weights.distances is not None) == (kind == "distance")
    if kind == "distance":
        np.testing.assert_array_equal(found.weights.distances, expected[2])
    drawn = {int(c) for _, labels in found.augmentation.patches for c in np.unique(labels)}
    assert drawn == ({0, 1, 2} if kind == "borders" else {0, 1})
