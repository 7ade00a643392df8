from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seglet.core.events import Event, quiet
from seglet.core.image import IGNORE, Sample, StoredSample
from seglet.data.crops import Crop, choose_crops
from seglet.io.pixels import in_memory
from seglet.model import Model, PredictConfig, load_model, untrained
from seglet.networks.unet2015 import UNet2015Config
from seglet.planning import Planned, make_planned
from seglet.prediction.engines import TorchEngine
from seglet.prediction.tiled import predict_image
from seglet.recipe import read_recipe
from seglet.scoring import (
    chosen_for_threshold,
    predict_all,
    predict_piece,
    predict_sample,
    seconds_to_score,
    with_threshold,
)


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


def test_a_threshold_that_the_recipe_says_is_not_chosen_anew(planned: Planned, model: Model) -> None:
    card = model.card.model_copy(update={"predict": PredictConfig(threshold=0.3), "threshold": 0.3})
    said = Model(model.network, card)
    assert with_threshold(said, planned.part("train"), quiet) is said
    assert chosen_for_threshold(planned.part("train"), card) == []


def test_samples_are_predicted_one_by_one_at_their_own_size(planned: Planned, model: Model) -> None:
    samples: list[Sample] = planned.part("train")
    pairs = list(predict_all(model, samples, quiet))
    assert [predicted.id for _, predicted in pairs] == [s.id for s in samples]
    for sample, predicted in pairs:
        alone = predict_sample(sample, model, TorchEngine(model))
        assert np.array_equal(predicted.labels, alone.labels)
        assert predicted.labels.shape == sample.image.shape


def test_the_time_of_scoring_grows_with_the_pixels(planned: Planned, model: Model) -> None:
    one, many = planned.part("test"), planned.part("test") * 2000
    assert 0 < seconds_to_score(model, one) < seconds_to_score(model, many)


def test_the_time_of_unpadded_convolutions_is_that_of_legal_windows(planned: Planned) -> None:
    plan = planned.plan.model_copy(update={"is_valid": True})
    card = planned.card().model_copy(update={"plan": plan, "network": UNet2015Config()})
    one, many = planned.part("test"), planned.part("test") * 2000
    assert 0 < seconds_to_score(untrained(card), one) < seconds_to_score(untrained(card), many)


def on_disk(sample: Sample, side: int) -> list[Crop]:
    """Windows of a sample, as if it stood on disk."""
    labels = np.asarray(sample.labels)
    whole = StoredSample(sample.id, in_memory(sample.image), lambda box: labels[box])
    return list(choose_crops(whole, (side, side), 100))


def test_a_window_is_predicted_with_its_surroundings(planned: Planned, model: Model) -> None:
    sample = planned.part("test")[0]
    engine = TorchEngine(model, "fp32")
    expected = predict_image(sample.image, model, engine)
    crops = on_disk(sample, 32)
    assert len(crops) == 4
    for crop in crops:
        read, found = predict_piece(crop, model, engine)
        assert read.id == found.id == crop.id
        assert found.probabilities is not None
        difference = np.zeros(sample.image.shape, np.float32)
        difference[crop.region.slices] = found.probabilities[0] - expected[0][crop.region.slices]
        assert np.abs(difference[10:-10, 10:-10]).max() < 1e-3, (
            "at the image's border both mirror, not as far"
        )
        np.testing.assert_array_equal(read.labels, np.asarray(sample.labels)[crop.region.slices])


def test_the_threshold_of_windows_is_that_of_their_images(planned: Planned, model: Model) -> None:
    samples = planned.part("train")
    crops = [crop for sample in samples for crop in on_disk(sample, 32)]
    told: list[Event] = []
    chosen = with_threshold(model, crops, told.append).card
    assert chosen.threshold == pytest.approx(with_threshold(model, samples, quiet).card.threshold, abs=0.02)
    assert f"{len(crops)} windows of training and validation images" in chosen.threshold_from
    assert len(chosen_for_threshold(crops * 20, model.card)) == 48
    assert len(chosen_for_threshold(samples * 20, model.card)) == 12


def test_windows_are_told_and_cost_their_surroundings_too(planned: Planned, model: Model) -> None:
    sample = planned.part("test")[0]
    crops = on_disk(sample, 32)
    told: list[Event] = []
    assert len(list(predict_all(model, crops, told.append))) == 4
    assert told[-1].message == "4 windows"
    assert seconds_to_score(model, crops * 2000) > seconds_to_score(model, [sample])


def test_of_very_many_pixels_a_part_chooses_the_same_threshold(
    planned: Planned, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = planned.part("train")
    exact = with_threshold(model, samples, quiet).card.threshold
    monkeypatch.setattr("seglet.scoring.MOST_PIXELS", 1000)
    assert with_threshold(model, samples, quiet).card.threshold == pytest.approx(exact, abs=0.1)
