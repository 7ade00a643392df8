"""Describe the network of a recipe or a trained model, without data."""

from collections.abc import Iterable
from math import prod
from pathlib import Path

from seglet.core.errors import ConfigError, GeometryError
from seglet.core.image import LabelClass, Labels
from seglet.model import ModelCard, load_model, n_outputs
from seglet.networks.summary import NetworkSummary
from seglet.networks.summary import summarize as measure
from seglet.preprocessing.fingerprint import Fingerprint
from seglet.preprocessing.plan import Plan, make_plan
from seglet.preprocessing.settings import PlanConfig
from seglet.recipe import Recipe, read_recipe

IMAGE, VOLUME = (256, 256), (64, 64, 64)  # where nobody says how large images are
ENOUGH = 2**60  # bytes; nothing is trained, so that memory is no limit


def summarize(
    source: str | Path,
    settings: Iterable[str] = (),
    size: tuple[int, ...] | None = None,
    n_channels: int | None = None,
    n_classes: int | None = None,
) -> NetworkSummary:
    """Describe a network.

    Parameters
    ----------
    source : str or Path
        Name of a shipped recipe, a YAML file, or a run or model folder.
    settings : iterable of str
        ``key=value`` changes of a recipe.
    size : (y, x) or (z, y, x) or None
        Of an image; a patch where None.
    n_channels, n_classes : int or None
        Of a recipe, whose data are not known: 1 channel where it does not say color, 2 classes.

    Raises
    ------
    SegletError
        If there is no such recipe or model, it has other channels or classes than said, or the network
        cannot take images of that size.
    """
    path, settings = Path(source), tuple(settings)
    if path.is_dir():
        _require_same("--set", " ".join(settings) or None, "no changes")
        card = load_model(path).card
    else:
        card = _card_of(read_recipe(source, settings), size, n_channels, n_classes)
    plan = card.plan
    _require_same("--channels", n_channels, plan.n_channels)
    _require_same("--classes", n_classes, plan.n_classes)
    _require_same("--input", _sides(size), _sides(plan.patch_size))
    try:
        return measure(card.network, plan, n_outputs(card), size or plan.patch_size)
    except GeometryError as error:
        raise ConfigError(
            f"--input, {error.where}", found=error.found, expected=error.expected, remedy=error.remedy
        ) from None


def _card_of(
    recipe: Recipe, size: tuple[int, ...] | None, n_channels: int | None, n_classes: int | None
) -> ModelCard:
    plan = _plan_of(recipe, size, n_channels or 1, n_classes or 2)
    labels = Labels(classes=tuple(LabelClass(name=f"class {n}", value=n) for n in range(plan.n_classes)))
    return ModelCard(
        recipe=recipe.name, network=recipe.network, plan=plan, labels=labels, targets=recipe.targets
    )


def _plan_of(recipe: Recipe, size: tuple[int, ...] | None, n_channels: int, n_classes: int) -> Plan:
    """Plan for images of one size; of the recipe's plan only what makes the network."""
    kept = {"color", "patch_size", "channels", "mode", "slice_axis", "strides", "kernels"}
    said = PlanConfig(**recipe.plan.model_dump(include=kept), batch_size=1)
    shape = size or said.patch_size or recipe.plan.resize or _usual(said)
    if said.mode == "slices":
        axis = said.slice_axis or 0
        shape = (*shape[:axis], VOLUME[0], *shape[axis:])
    facts = Fingerprint(
        n_cases=1,
        n_classes=n_classes,
        n_axes=len(shape),
        smallest=shape,
        median=shape,
        largest=shape,
        n_pixels=prod(shape),
        spacing=None,
        unit="px",
        size=shape,
        n_channels=n_channels,
        is_color=n_channels == 3,
        is_ct=False,
        intensity=None,
        dtypes=("uint8",),
        has_fov=False,
        class_fractions=(1 / n_classes,) * n_classes,
    )
    return make_plan(facts, said, ENOUGH, is_valid=recipe.network.kind == "unet2015")


def _usual(said: PlanConfig) -> tuple[int, ...]:
    is_volume = said.mode == "3d" or any(len(kernel) == 3 for kernel in said.kernels or said.strides or ())
    return VOLUME if is_volume else IMAGE


def _sides(size: tuple[int, ...] | None) -> str | None:
    return None if size is None else f"{len(size)} sides"


def _require_same(option: str, said: object, found: object) -> None:
    if said is not None and said != found:
        raise ConfigError(
            option,
            found=str(said),
            expected=f"{found}, as the recipe or model has it",
            remedy=f"Leave {option} out.",
        )
