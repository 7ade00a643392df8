"""Ensembles: the mean of what their members say, and of what was chosen for them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from seglet.core.errors import ModelError
from seglet.core.image import LabelClass, Labels
from seglet.ensembling import ensemble_of
from seglet.model import WEIGHTS, Model, ModelCard, PredictConfig, load_model, save_model, untrained
from seglet.networks.unet import UNetConfig
from seglet.preprocessing.plan import Plan

LABELS = Labels(
    encoding="values", classes=(LabelClass(name="a", value=0), LabelClass(name="b", value=1)), ignore=255
)


def _plan(**changed: Any) -> Plan:
    plan = Plan(
        color="gray",
        normalization="standardize",
        resize=None,
        patch_size=(8, 8),
        batch_size=2,
        channels=(4, 8),
        strides=((2, 2),),
        kernels=((3, 3), (3, 3)),
        n_channels=1,
        n_classes=2,
        training_memory=1,
    )
    return plan.model_copy(update=changed)


def _card(**changed: Any) -> ModelCard:
    card = ModelCard(recipe="auto", network=UNetConfig(), plan=_plan(), labels=LABELS, scores={"dice": 0.8})
    return card.model_copy(update=changed)


def _trained(seed: int = 3) -> Model:
    """A model whose running statistics have moved, too."""
    model = untrained(_card(), seed=seed)
    model.network.train()
    with torch.no_grad():
        model.network(torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(seed)))
    return model


def _assert_same(first: Model, second: Model) -> None:
    a, b = first.network.state_dict(), second.network.state_dict()
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert first.card == second.card


def _probabilities(model: Model, image: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return torch.sigmoid(model.network.eval()(image))


def test_ensemble_averages_its_models_and_survives_its_folder(tmp_path: Path) -> None:
    models = [_trained(seed) for seed in (1, 2, 3)]
    image = torch.randn(1, 1, 16, 16)
    expected = torch.stack([_probabilities(model, image) for model in models]).mean(0)
    ensemble = ensemble_of(models)
    torch.testing.assert_close(_probabilities(ensemble, image), expected)
    again = load_model(save_model(ensemble, tmp_path / "model"))
    _assert_same(again, ensemble)
    assert again.card.members == 3
    assert torch.equal(_probabilities(again, image), _probabilities(ensemble, image))


def test_an_ensemble_of_older_times_has_no_temperatures(tmp_path: Path) -> None:
    ensemble = ensemble_of([_trained(seed) for seed in (1, 2)])
    folder = save_model(ensemble, tmp_path / "model")
    weights = {name: tensor.clone() for name, tensor in load_file(folder / WEIGHTS).items()}
    del weights["temperatures"]
    save_file(weights, folder / WEIGHTS)
    _assert_same(load_model(folder), ensemble)


def test_ensembles_are_joined_member_by_member() -> None:
    first, second, third = (_trained(seed) for seed in (1, 2, 3))
    joined = ensemble_of([ensemble_of([first, second]), third])
    image = torch.randn(1, 1, 8, 8)
    expected = torch.stack([_probabilities(model, image) for model in (first, second, third)]).mean(0)
    torch.testing.assert_close(_probabilities(joined, image), expected)


def test_ensemble_takes_the_mean_threshold_and_no_ones_scores() -> None:
    models = [Model(_trained().network, _card(threshold=value)) for value in (0.2, 0.4)]
    card = ensemble_of(models).card
    assert (card.threshold, card.threshold_from) == (pytest.approx(0.3), "mean of 2 models")
    assert card.scores == {}


def test_the_offset_is_the_mean_of_all_members() -> None:
    network = _trained().network
    models = [Model(network, _card(offset=offset)) for offset in ((-0.6, 0.2), (-0.3, 0.0), None)]
    np.testing.assert_allclose(ensemble_of(models).card.offset or (), (-0.3, 0.2 / 3))
    assert ensemble_of(models[2:] * 2).card.offset is None


def test_a_threshold_that_the_recipe_says_is_the_ensemble_s_too() -> None:
    said = _card(threshold=0.1, threshold_from="the recipe", predict=PredictConfig(threshold=0.1))
    card = ensemble_of([Model(_trained().network, said) for _ in range(3)]).card
    assert (card.threshold, card.threshold_from) == (0.1, "the recipe")


def test_ensemble_of_one_is_that_model() -> None:
    model = _trained()
    assert ensemble_of([model]) is model


@pytest.mark.parametrize(
    "changed",
    [
        {"plan": _plan(normalization="rescale")},
        {"plan": _plan(channels=(4, 9))},
        {"labels": LABELS.model_copy(update={"ignore": None})},
    ],
)
def test_models_that_see_images_differently_make_no_ensemble(changed: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="ensemble"):
        ensemble_of([_trained(), Model(_trained().network, _card(**changed))])


def test_sizes_of_training_may_differ_in_an_ensemble() -> None:
    other = _card(
        plan=_plan(batch_size=3, training_memory=9, image_memory=7, reading="disk", steps=(0.5, 0.5))
    )
    assert ensemble_of([_trained(), untrained(other)]).card.members == 2
