from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seglet.core.events import Event, quiet
from seglet.core.image import IGNORE, Sample
from seglet.data.synthetic import make_dataset
from seglet.metrics.protocols import PROTOCOLS
from seglet.model import Model, load_model, untrained
from seglet.planning import Planned, make_planned
from seglet.prediction.engines import TorchEngine
from seglet.prediction.tiled import predict_image
from seglet.recipe import read_recipe
from seglet.scoring import predict_sample, score_samples, seconds_to_score, with_threshold


@pytest.fixture(scope="module")
def planned(cells: Path, tiny: tuple[str, ...]) -> Planned:
    return make_planned(cells, read_recipe("auto", tiny), quiet)


@pytest.fixture
def model(run_folder: Path) -> Model:
    return load_model(run_folder)


def dice(truth: np.ndarray, found: np.ndarray) -> float:
    return float(2 * (truth & found).sum() / (truth.sum() + found.sum()))


def test_a_sample_is_predicted_at_its_own_size(planned: Planned, model: Model) -> None:
    sample = planned.part("test")[0]
    engine = TorchEngine(model, "fp32")
    found = predict_sample(sample, model, engine)
    expected = predict_image(sample.image, model, engine)
    assert found.id == sample.id
    np.testing.assert_array_equal(found.probabilities, expected)
    np.testing.assert_array_equal(found.labels, expected[0] > model.card.threshold)


def test_pixels_outside_the_field_of_view_are_background(planned: Planned, model: Model) -> None:
    sample = planned.part("test")[0]
    fov = np.zeros(sample.image.shape, bool)
    fov[:20] = True
    eager = Model(model.network, model.card.model_copy(update={"threshold": 0.0}))
    found = predict_sample(replace(sample, fov=fov), eager, TorchEngine(eager, "fp32"))
    assert not found.labels[20:].any()
    assert found.labels[:20].all()
    assert found.probabilities is not None
    assert not found.probabilities[:, 20:].any()


def test_the_threshold_beats_its_neighbors_on_the_pixels_that_count(planned: Planned, model: Model) -> None:
    samples = [*planned.part("train"), *planned.part("validation")]
    labels = np.array(samples[0].labels)
    labels[:, :8] = IGNORE
    samples[0] = replace(samples[0], labels=labels)
    told: list[Event] = []
    chosen = with_threshold(model, samples, told.append).card
    engine = TorchEngine(model, "fp32")
    counted = [np.asarray(s.labels) != IGNORE for s in samples]
    truth = np.concatenate([np.asarray(s.labels)[c] == 1 for s, c in zip(samples, counted, strict=True)])
    scores = np.concatenate(
        [predict_image(s.image, model, engine)[0][c] for s, c in zip(samples, counted, strict=True)]
    )
    rarer = truth if truth.mean() <= 0.5 else ~truth

    def rarer_dice(threshold: float) -> float:
        above = scores > threshold
        return dice(rarer, above if truth.mean() <= 0.5 else ~above)

    others = np.quantile(scores, np.linspace(0.02, 0.98, 25))
    assert rarer_dice(chosen.threshold) >= max(map(rarer_dice, others)) - 0.005
    assert f"{len(samples)} training and validation images" in chosen.threshold_from
    assert told[-1].done == told[-1].total


def test_several_classes_need_no_threshold(planned: Planned, model: Model) -> None:
    card = model.card.model_copy(update={"plan": model.card.plan.model_copy(update={"n_classes": 3})})
    several = Model(model.network, card)
    assert with_threshold(several, planned.part("train"), quiet) is several


def test_scores_are_of_the_masks_that_are_kept(planned: Planned, model: Model) -> None:
    samples: list[Sample] = planned.part("train")
    scores, kept = score_samples(model, samples, PROTOCOLS["pixels"], quiet)
    assert [p.id for p in kept] == [s.id for s in samples] == [i.id for i in scores.images]
    assert all(p.probabilities is None for p in kept)
    for sample, predicted, image in zip(samples, kept, scores.images, strict=True):
        expected = dice(np.asarray(sample.labels) == 1, predicted.labels == 1)
        assert image.classes["foreground"]["dice"] == pytest.approx(expected)
    assert scores.threshold == model.card.threshold
    assert set(scores.curves) == {"foreground"}


def test_several_classes_are_scored_without_a_threshold(tiny: tuple[str, ...], tmp_path: Path) -> None:
    data = make_dataset(tmp_path, layout="palette", n_images=3, shape=(48, 48))
    several = make_planned(data, read_recipe("auto", tiny), quiet)
    model = untrained(several.card())
    scores, _ = score_samples(model, several.part("test"), PROTOCOLS["pixels"], quiet)
    assert len(scores.class_names) == 3
    assert scores.threshold is None


def test_the_time_of_scoring_grows_with_the_pixels(planned: Planned, model: Model) -> None:
    one, many = planned.part("test"), planned.part("test") * 2000
    assert 0 < seconds_to_score(model, one) < seconds_to_score(model, many)
