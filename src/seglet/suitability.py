"""What a recipe says, beside what the data and the plan are; refused before anything is written."""

from collections.abc import Iterable

import torch

from seglet.core.errors import ConfigError, DatasetError
from seglet.core.image import Labels
from seglet.io.sources import File
from seglet.losses.combined import LossConfig
from seglet.model import ModelCard, untrained
from seglet.patches.stored import require_in_memory
from seglet.postprocessing.settings import DecodingConfig
from seglet.postprocessing.splitting import require_method
from seglet.prediction.outputs import n_planes
from seglet.prediction.tiling import tiling_of
from seglet.preprocessing.plan import Plan
from seglet.recipe import Recipe


def require_channels(counted: Iterable[tuple[File, int]], plan: Plan) -> None:
    """Gray and color images go together; any other number of channels only with its own kind.

    Parameters
    ----------
    counted : iterable of (File, int)
        Each image and its channels.
    plan : Plan
        Channels that the network sees.

    Raises
    ------
    DatasetError
        Lists all images that do not fit.
    """
    counted = list(counted)
    fitting = (plan.n_channels,) if plan.color == "as_is" else (1, 3)
    if bad := [f"{file} ({n} channels)" for file, n in counted if n not in fitting]:
        are_alike = len({n for _, n in counted}) == 1
        raise DatasetError(
            "dataset",
            found=f"{len(bad)} images whose channels do not fit: {'; '.join(bad)}",
            expected=f"{' or '.join(map(str, fitting))} channels ({plan.color})",
            remedy="Say plan.color=as_is to use all channels."
            if are_alike
            else "Export these images like the others, or take them out of the dataset.",
        )


def require_suited(recipe: Recipe, plan: Plan, labels: Labels) -> None:
    """Compare what the recipe says of targets and weights with the classes of the data.

    Raises
    ------
    ConfigError
        If they do not fit.
    """
    targets, loss, names = recipe.targets, recipe.loss, labels.names
    if plan.reading == "disk":
        require_in_memory(recipe.patches.border_weight, targets)
        _require_no_rules(recipe.decoding)
    if plan.is_valid and recipe.predict.align:
        raise ConfigError(
            "predict.align",
            found="true, for a network of unpadded convolutions",
            expected="false: beyond the border of a block it says nothing that could be moved inside",
            remedy="Leave predict.align out.",
        )
    if targets.kind == "borders":
        _require_borders(labels, loss)
        names = (*names, "border")
    if loss.class_weights is not None and len(loss.class_weights) != len(names):
        raise ConfigError(
            "loss.class_weights",
            found=f"{len(loss.class_weights)} weights",
            expected=f"{len(names)}, one for each of {', '.join(names)}",
            remedy="Give every class its weight, the background first, or leave the key out.",
        )


def require_network(card: ModelCard) -> None:
    """Build the network without memory for its weights, and cut an image into its windows.

    Raises
    ------
    ConfigError
        If the settings do not fit the plan's levels, or the way to objects not the targets.
    GeometryError
        If nothing is left of a window between its margins.
    """
    with torch.device("meta"):
        untrained(card)
    tiling = tiling_of(card)
    tiling.stripes(tiling.window)
    if card.decoding is not None:
        require_method(n_planes(card), card.decoding)


def _require_no_rules(decoding: DecodingConfig) -> None:
    if decoding.has_rules:
        raise ConfigError(
            "decoding",
            found="parts to be filled or removed in images that are read from disk window by window",
            expected="images kept in memory, where parts are seen whole",
            remedy="Set plan.reading=memory, or leave min_size, max_hole, keep and edge out.",
        )


def _require_borders(labels: Labels, loss: LossConfig) -> None:
    if labels.n_classes != 2:
        raise ConfigError(
            "targets.kind",
            found=f"borders for the {labels.n_classes} classes {', '.join(labels.names)}",
            expected="background and one class of objects",
            remedy="Say targets.kind=distance or classes, or merge the classes by masks.encoding=binary.",
        )
    if loss.class_balance != "none":
        raise ConfigError(
            "loss.class_balance",
            found=f"{loss.class_balance} beside targets.kind=borders",
            expected="none: the border's share of the pixels is not known beforehand",
            remedy="Give three loss.class_weights instead: background, interior, border.",
        )
