"""Several models that see images alike, made one."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import nn

from seglet.core.errors import ModelError
from seglet.model import Model, ModelCard, joined
from seglet.networks.ensemble import Ensemble
from seglet.postprocessing.settings import DecodingConfig


def ensemble_of(models: Sequence[Model]) -> Model:
    """One model that averages the probabilities of several; what was chosen for each is averaged too.

    Raises
    ------
    ModelError
        If they do not see images alike, or name other classes.
    """
    cards = [model.card for model in models]
    if any(_sight(card) != _sight(cards[0]) for card in cards):
        raise ModelError(
            "ensemble",
            found="models that differ in their network, preparation of images or classes",
            expected="models of the same recipe and plan",
            remedy="Train all of them with the same settings.",
        )
    if len(models) == 1:
        return models[0]
    changed: dict[str, Any] = {
        "members": sum(card.members for card in cards),
        "scores": {},
        "temperature": 1.0,  # the members have their own
        "offset": _joint_offset(cards),
    }
    if cards[0].predict.threshold is None:
        mean = float(np.mean([card.threshold for card in cards]))
        changed |= {"threshold": mean, "threshold_from": f"mean of {len(cards)} models"}
        if cards[0].decoding is not None:
            changed["decoding"] = _joint_decoding([card.decoding for card in cards if card.decoding], mean)
    members = [member for model in models for member in _members(model)]
    networks, temperatures = zip(*members, strict=True)
    return Model(joined(networks, cards[0], temperatures).eval(), cards[0].model_copy(update=changed))


def _members(model: Model) -> list[tuple[nn.Module, float]]:
    """The networks of a model, each with its temperature."""
    network, temperature = model.network, model.card.temperature
    if not isinstance(network, Ensemble):
        return [(network, temperature)]
    own = [temperature * float(one) for one in network.temperatures]
    return list(zip(network.members, own, strict=True))


def _joint_offset(cards: Sequence[ModelCard]) -> tuple[float, ...] | None:
    """The mean; models without one stand for none at all."""
    known = [card.offset for card in cards if card.offset is not None]
    return tuple(float(n) for n in np.sum(known, axis=0) / len(cards)) if known else None


def _joint_decoding(configs: Sequence[DecodingConfig], threshold: float) -> DecodingConfig:
    """The way to objects that most members chose, with the median of their numbers."""
    methods = Counter(config.method for config in configs)
    most = [config for config in configs if config.method == methods.most_common(1)[0][0]]
    medians = {
        name: type(getattr(most[0], name))(np.median([getattr(config, name) for config in most]))
        for name in ("smoothing", "min_size", "max_hole")
    }
    seeds = [config.seeds_above for config in most]
    above = float(np.median(seeds)) if most[0].is_split else None
    return most[0].model_copy(update={**medians, "threshold": threshold, "seed_threshold": above})


def _sight(card: ModelCard) -> dict[str, Any]:
    """All of a card that the members of an ensemble have in common."""
    of_training = {"batch_size", "training_memory", "image_memory", "reading", "steps"}
    return card.model_dump(include={"network", "labels", "targets", "predict"}) | card.plan.model_dump(
        exclude=of_training
    )
