from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seglet.choosing import Looked, _with_temperature, choose_outputs, pieces_to_choose_on
from seglet.core.events import Event, quiet
from seglet.core.image import IGNORE, Image, Sample, StoredSample
from seglet.data.crops import Crop, choose_crops
from seglet.data.synthetic import make_dataset
from seglet.io.pixels import in_memory
from seglet.metrics.instances import dsb_score, overlaps
from seglet.model import Model, PredictConfig, load_model
from seglet.patches.targets import TargetConfig
from seglet.planning import Planned, make_planned
from seglet.postprocessing.decode import decode
from seglet.postprocessing.fitting import Example, Fitted, fit_decoding
from seglet.postprocessing.settings import DecodingConfig
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.outputs import calibrated
from seglet.prediction.tiled import predict_image, predict_raw
from seglet.recipe import read_recipe


@pytest.fixture(scope="module")
def planned(cells: Path, tiny: tuple[str, ...]) -> Planned:
    return make_planned(cells, read_recipe("auto", tiny), quiet)


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory, tiny: tuple[str, ...]) -> Planned:
    """Data whose masks tell objects apart."""
    folder = make_dataset(tmp_path_factory.mktemp("apart"), layout="instances", n_images=5, shape=(96, 96))
    return make_planned(folder, read_recipe("auto", tiny), quiet)


@pytest.fixture
def model(run_folder: Path) -> Model:
    card = load_model(run_folder).card.model_copy(update={"temperature": 1.0})
    return Model(load_model(run_folder).network, card)


def dice(truth: np.ndarray, found: np.ndarray) -> float:
    return float(2 * (truth & found).sum() / (truth.sum() + found.sum()))


def on_disk(sample: Sample, side: int) -> list[Crop]:
    """Windows of a sample, as if it stood on disk."""
    labels = np.asarray(sample.labels)
    whole = StoredSample(sample.id, in_memory(sample.image), lambda box: labels[box])
    return list(choose_crops(whole, (side, side), 100))


def test_the_threshold_beats_its_neighbors_on_the_pixels_that_count(planned: Planned, model: Model) -> None:
    samples = [*planned.part("train"), *planned.part("validation")]
    labels = np.array(samples[0].labels)
    labels[:, :8] = IGNORE
    samples[0] = replace(samples[0], labels=labels)
    told: list[Event] = []
    chosen = choose_outputs(model, samples, [], "dice", told.append).card
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


def test_validation_images_alone_choose_the_threshold_where_there_are_two(
    planned: Planned, model: Model
) -> None:
    first, second, third, *_ = planned.part("train")
    assert pieces_to_choose_on([first], [second, third], model.card) == [second, third]
    assert pieces_to_choose_on([first, second], [third], model.card) == [first, second, third]
    chosen = choose_outputs(model, [first], [second, third], "dice", quiet).card
    assert "on 2 validation images" in chosen.threshold_from


def test_several_classes_need_no_threshold(planned: Planned, model: Model) -> None:
    card = model.card.model_copy(update={"plan": model.card.plan.model_copy(update={"n_classes": 3})})
    several = Model(model.network, card)
    assert choose_outputs(several, planned.part("train"), [], "dice", quiet) is several


def test_a_threshold_that_the_recipe_says_is_not_chosen_anew(planned: Planned, model: Model) -> None:
    card = model.card.model_copy(update={"predict": PredictConfig(threshold=0.3), "threshold": 0.3})
    said = Model(model.network, card)
    assert choose_outputs(said, planned.part("train"), [], "dice", quiet) is said
    assert pieces_to_choose_on(planned.part("train"), [], card) == []


def test_the_threshold_of_windows_is_that_of_their_images(planned: Planned, model: Model) -> None:
    samples = planned.part("train")
    crops = [crop for sample in samples for crop in on_disk(sample, 32)]
    told: list[Event] = []
    chosen = choose_outputs(model, crops, [], "dice", told.append).card
    assert chosen.threshold == pytest.approx(
        choose_outputs(model, samples, [], "dice", quiet).card.threshold, abs=0.02
    )
    assert f"{len(crops)} windows of training and validation images" in chosen.threshold_from
    assert len(pieces_to_choose_on(crops * 20, [], model.card)) == 48
    assert len(pieces_to_choose_on(samples * 20, [], model.card)) == 48
    large = [replace(one, image=Image(np.zeros((1, 1000, 1000), np.uint8))) for one in samples * 20]
    assert len(pieces_to_choose_on(large, [], model.card)) == 12


def test_of_very_many_pixels_a_part_chooses_the_same_threshold(planned: Planned, model: Model) -> None:
    samples = planned.part("train")
    exact = choose_outputs(model, samples, [], "dice", quiet).card.threshold
    few = choose_outputs(model, samples, [], "dice", quiet, most_pixels=1000 * len(samples))
    assert few.card.threshold == pytest.approx(exact, abs=0.1)


def test_the_temperature_makes_the_truth_of_validation_likelier(planned: Planned, model: Model) -> None:
    unseen = planned.part("validation")
    told: list[Event] = []
    chosen = choose_outputs(model, planned.part("train"), unseen, "dice", told.append)

    def surprise(one: Model) -> float:
        engine, total = TorchEngine(one, "fp32"), 0.0
        for sample in unseen:
            p = predict_image(sample.image, one, engine)[0]
            total -= float(np.log(np.where(np.asarray(sample.labels) == 1, p, 1 - p)).mean())
        return total

    assert chosen.card.temperature != 1
    assert surprise(chosen) < surprise(model)
    assert any(event.stage == "temperature" for event in told)


def test_without_validation_images_probabilities_stay_as_they_are(planned: Planned, model: Model) -> None:
    assert choose_outputs(model, planned.part("train"), [], "dice", quiet).card.temperature == 1


@pytest.mark.parametrize("headline", ["dsb", "seg"])
def test_where_objects_are_told_apart_the_way_to_them_is_fitted(
    apart: Planned, model: Model, headline: str
) -> None:
    card = model.card.model_copy(update={"decoding": DecodingConfig()})
    told: list[Event] = []
    seen, unseen = apart.part("train"), apart.part("validation")
    chosen = choose_outputs(Model(model.network, card), seen, unseen, headline, told.append)
    decoding = chosen.card.decoding
    assert decoding is not None
    assert decoding.method is not None
    assert decoding.threshold == chosen.card.threshold
    assert ("SEG" if headline == "seg" else "DSB score") in chosen.card.threshold_from
    engine = TorchEngine(chosen, "fp32")

    def score(config: DecodingConfig) -> float:
        scores = []
        for sample in pieces_to_choose_on(seen, unseen, card):
            assert isinstance(sample, Sample)
            assert sample.objects is not None
            found = decode(predict_raw(sample.image, chosen, engine), config)
            scores.append(dsb_score(overlaps(sample.objects, found, np.asarray(sample.labels) != IGNORE)))
        return float(np.mean(scores))

    if headline == "dsb":
        assert score(decoding) >= score(DecodingConfig(method="components"))
        assert f"{score(decoding):.3f}" in chosen.card.threshold_from


def test_of_a_large_image_the_way_to_objects_is_fitted_on_a_window(
    apart: Planned, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seglet.looking.MOST_DECODED", 5000)
    sizes = []

    def fit(examples: Sequence[Example], *rest: Any) -> Fitted:
        sizes.extend(one.truth.size for one in examples)
        assert all(one.planes[0].shape == one.truth.shape for one in examples)
        assert all(one.truth.any() for one in examples)
        return fit_decoding(examples, *rest)

    monkeypatch.setattr("seglet.choosing.fit_decoding", fit)
    told = Model(model.network, model.card.model_copy(update={"decoding": DecodingConfig()}))
    pieces = [*apart.part("train"), *apart.part("validation")]
    choose_outputs(told, pieces, [], "dsb", quiet)
    assert len(sizes) == len(pieces)
    assert 0 < max(sizes) <= 5000 // len(pieces)


def test_where_time_is_short_one_image_that_validates_is_enough_and_told(
    apart: Planned, model: Model
) -> None:
    heard: list[Event] = []
    told = Model(model.network, model.card.model_copy(update={"decoding": DecodingConfig()}))
    seen, unseen = apart.part("train"), apart.part("validation")
    chosen = choose_outputs(told, seen, unseen, "dsb", heard.append, choose_by=0.0)
    words = " | ".join(event.message for event in heard)
    assert f"time is short: 1 of {len(seen) + len(unseen)} images are looked at" in words
    assert "time is short: settings tried: 1" in words
    assert "likeliest truth of 1 validation images" in words
    assert chosen.card.decoding is not None


def test_borders_are_calibrated_as_they_will_be(model: Model) -> None:
    """Interior and border become bolder one by one; the threshold is that of their sum afterwards."""
    card = model.card.model_copy(update={"targets": TargetConfig(kind="borders")})
    planes = np.random.default_rng(0).dirichlet((1, 1, 1), 1000).T.astype(np.float32)
    looked = Looked((planes[0] < 0.4).astype(np.uint8), planes.copy(), True, None)
    chosen = _with_temperature(Model(model.network, card), [looked], quiet)
    assert chosen.card.temperature != 1
    np.testing.assert_array_equal(looked.planes, calibrated(planes, chosen.card))


def test_few_objects_in_validation_images_need_the_training_images_too(apart: Planned, model: Model) -> None:
    card = model.card.model_copy(update={"decoding": DecodingConfig()})
    seen, unseen = apart.part("train"), apart.part("validation")
    few = [replace(piece, objects=np.minimum(piece.objects, 1)) for piece in unseen]
    assert len(pieces_to_choose_on(seen, few, card)) == len(seen) + len(few)
    many = [replace(piece, objects=piece.objects + 100 * (piece.objects > 0)) for piece in unseen]
    assert pieces_to_choose_on(seen, many, card) == many
