"""The recipe with every setting said: what it left open follows from the data and the plan."""

from typing import Any

from seglet.core.image import Labels
from seglet.data.cases import Dataset
from seglet.losses.balance import balanced
from seglet.losses.combined import LossConfig
from seglet.metrics.protocols import Protocol, protocol_named, protocol_of_layout
from seglet.patches.targets import BorderWeightConfig
from seglet.preprocessing.elongation import LONG
from seglet.preprocessing.fingerprint import Fingerprint
from seglet.preprocessing.plan import Plan
from seglet.recipe import Recipe

CENTER_LINES = 0.5  # factor of clDice where all that is to be found is long and thin


def settle(recipe: Recipe, dataset: Dataset, labels: Labels, fingerprint: Fingerprint, plan: Plan) -> Recipe:
    """Say every setting that the recipe left open.

    Parameters
    ----------
    recipe : Recipe
        What is already said.
    dataset, labels : Dataset, Labels
        The cases, and how their masks are written.
    fingerprint, plan : Fingerprint, Plan
        Facts of the training images, and what was decided by them.
    """
    protocol = choose_protocol(recipe.protocol, dataset).name
    augment = recipe.patches.augment.settled(
        plan.patch_size, is_oriented=fingerprint.is_oriented, spacing=plan.steps
    )
    tells_apart = _tells_apart(labels, plan)
    border = BorderWeightConfig() if tells_apart and plan.mode != "3d" else BorderWeightConfig(peak=0)
    patches = {"augment": augment, "border_weight": recipe.patches.border_weight or border}
    targets, predict = recipe.targets, recipe.predict
    if targets.separation is None:
        targets = targets.model_copy(update={"separation": int(tells_apart)})
    if predict.flips is None:
        predict = predict.model_copy(update={"flips": bool(augment.flip) and plan.mode != "3d"})
    if predict.align is None:
        is_blind = bool(augment.flip) and not plan.is_valid
        predict = predict.model_copy(update={"align": is_blind and predict.threshold is None})
    resolved = {
        "plan": plan.settings,
        "targets": targets,
        "predict": predict,
        "patches": recipe.patches.model_copy(update=patches),
        "loss": _loss(recipe.loss, fingerprint, tells_apart=tells_apart),
        "layout": dataset.layout,
        "protocol": protocol,
    }
    return recipe.model_copy(update=resolved)


def choose_protocol(name: str, dataset: Dataset) -> Protocol:
    """The protocol of that name; for ``auto`` the dataset's own, known by its layout, else ``pixels``."""
    if name != "auto":
        return protocol_named(name)
    return protocol_of_layout(dataset.layout.name)


def decisions(recipe: Recipe, labels: Labels, plan: Plan) -> dict[str, Any]:
    """What a model card says, before anything is fitted, of how masks and objects are decided."""
    threshold, decoding, said = recipe.predict.threshold, recipe.decoding, dict[str, Any]()
    if threshold is not None:
        decoding = decoding.model_copy(update={"threshold": threshold})
        said = {"threshold": threshold, "threshold_from": "the recipe"}
    if _tells_apart(labels, plan):
        return said | {"decoding": decoding}
    return said | ({"rules": decoding} if decoding.has_rules else {})


def _tells_apart(labels: Labels, plan: Plan) -> bool:
    """Whether objects are told apart: by the masks, of images that are seen whole."""
    return labels.tell_objects_apart and plan.reading == "memory"


def _loss(loss: LossConfig, facts: Fingerprint, *, tells_apart: bool) -> LossConfig:
    """The loss with every factor said."""
    if loss.cl_dice is None:
        is_long = min(facts.elongations[1:], default=0) > LONG and not tells_apart
        loss = loss.model_copy(update={"cl_dice": CENTER_LINES if is_long else 0.0})
    return balanced(loss, facts.class_fractions)
