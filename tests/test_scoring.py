from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seglet.core.events import Event, quiet
from seglet.core.image import Sample, StoredSample
from seglet.data.crops import Crop, choose_crops
from seglet.io.pixels import in_memory
from seglet.model import Model, load_model
from seglet.networks.unet2015 import UNet2015Config
from seglet.planning import Planned, make_planned
from seglet.prediction.engines.pytorch import TorchEngine
from seglet.prediction.tiled import predict_image
from seglet.recipe import read_recipe
from seglet.scoring import n_seen_of, predict_all, predict_piece, predict_sample


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


def test_samples_are_predicted_one_by_one_at_their_own_size(planned: Planned, model: Model) -> None:
    samples: list[Sample] = planned.part("train")
    pairs = list(predict_all(model, samples, quiet))
    assert [predicted.id for _, predicted in pairs] == [s.id for s in samples]
    for sample, predicted in pairs:
        alone = predict_sample(sample, model, TorchEngine(model))
        assert np.array_equal(predicted.labels, alone.labels)
        assert predicted.labels.shape == sample.image.shape


def test_the_network_sees_all_pixels_of_all_pieces(planned: Planned, model: Model) -> None:
    one, card = planned.part("test"), model.card
    assert n_seen_of(one, card) >= 64 * 64
    assert n_seen_of(one * 3, card) == 3 * n_seen_of(one, card)
    assert n_seen_of([], card) == 0


def test_unpadded_convolutions_see_legal_windows(planned: Planned) -> None:
    plan = planned.plan.model_copy(update={"is_valid": True})
    card = planned.card().model_copy(update={"plan": plan, "network": UNet2015Config()})
    assert n_seen_of(planned.part("test"), card) > n_seen_of(planned.part("test"), planned.card())


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


def test_windows_are_told_and_seen_with_their_surroundings(planned: Planned, model: Model) -> None:
    sample = planned.part("test")[0]
    crops = on_disk(sample, 32)
    told: list[Event] = []
    assert len(list(predict_all(model, crops, told.append))) == 4
    assert told[-1].message == "4 windows"
    assert n_seen_of(crops, model.card) > n_seen_of([sample], model.card)
