"""The one value that says a whole experiment; composes the small settings; YAML in and out."""

from collections.abc import Iterable
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from seglet.core.config import Config
from seglet.core.errors import ConfigError
from seglet.data.layouts import Layout
from seglet.data.masks import MaskConfig
from seglet.data.splits import SplitConfig
from seglet.losses.combined import LossConfig
from seglet.model import PredictConfig
from seglet.networks.registry import NetworkConfig
from seglet.networks.unet import UNetConfig
from seglet.patches.sampler import PatchConfig
from seglet.patches.targets import TargetConfig
from seglet.postprocessing.settings import DecodingConfig
from seglet.preprocessing.settings import PlanConfig
from seglet.training.settings import FitConfig


class Recipe(Config):
    """A whole experiment.

    Attributes
    ----------
    name, description : str
        For people.
    layout : Layout or None
        Where images and masks stand; recognized by itself where None.
    masks : MaskConfig
        How masks are written; understood by itself where not said.
    split : SplitConfig
        Who trains, validates and tests.
    plan : PlanConfig
        Sizes and intensities; decided from the data where not said.
    targets : TargetConfig
        What the network learns of each pixel.
    decoding : DecodingConfig
        How objects come apart, where the masks tell them apart; fitted after training where not said.
    patches, network, loss, fit, predict
        Settings of each room.
    protocol : str
        How scores are computed; ``auto`` takes the dataset's own where it is known, else ``pixels``.
    """

    name: str = "auto"
    description: str = ""
    layout: Layout | None = None
    masks: MaskConfig = MaskConfig()
    split: SplitConfig = SplitConfig()
    plan: PlanConfig = PlanConfig()
    targets: TargetConfig = TargetConfig()
    patches: PatchConfig = PatchConfig()
    network: NetworkConfig = UNetConfig()
    loss: LossConfig = LossConfig()
    fit: FitConfig = FitConfig()
    predict: PredictConfig = PredictConfig()
    decoding: DecodingConfig = DecodingConfig()
    protocol: str = "auto"


def recipe_names() -> dict[str, str]:
    """The shipped recipes and what they are, by name."""
    folder = resources.files("seglet") / "recipes"
    texts = {
        f.name.removesuffix(".yaml"): f.read_text("utf-8")
        for f in folder.iterdir()
        if f.name.endswith(".yaml")
    }
    return {name: yaml.safe_load(text).get("description", "") for name, text in sorted(texts.items())}


def recipe_text(name: str) -> str:
    """The YAML of a shipped recipe, with its comments.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    if name not in recipe_names():
        raise _no_recipe(name)
    return (resources.files("seglet") / "recipes" / f"{name}.yaml").read_text("utf-8")


def read_recipe(source: str | Path | Recipe, settings: Iterable[str] = ()) -> Recipe:
    """Read a recipe and change single settings.

    Parameters
    ----------
    source : str, Path or Recipe
        Name of a shipped recipe, a YAML file, or a recipe.
    settings : iterable of str
        ``key=value`` with the key's path joined by dots (``fit.learning_rate=0.01``); values are YAML.

    Raises
    ------
    ConfigError
        If the file cannot be read, a key is unknown (the nearest valid one is named) or a value impossible.
    """
    content, where = _content(source)
    for setting in settings:
        _set(content, setting)
    return parse_recipe(content, where)


def parse_recipe(content: dict[str, Any], where: str) -> Recipe:
    """Make a recipe of plain values; `where` is named in messages."""
    try:
        return Recipe(**content)
    except ValidationError as error:
        raise _explain(error, where) from None
    except TypeError:  # keys that are no words
        raise _no_settings(where, content) from None


def to_text(recipe: Recipe) -> str:
    """The recipe as YAML, every setting said."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=110)


SEE_AUTO = "Start from what `seglet plan DATA -o my.yaml` writes."


def _content(source: str | Path | Recipe) -> tuple[dict[str, Any], str]:
    if isinstance(source, Recipe):
        return source.model_dump(mode="json"), f"recipe {source.name}"
    path = Path(source)
    if path.suffix not in (".yaml", ".yml"):
        return yaml.safe_load(recipe_text(str(source))), f"recipe {source}"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            path, found=f"no readable file ({error.strerror})", expected="a recipe in YAML", remedy=SEE_AUTO
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(
            path,
            found=f"text that is not YAML ({' '.join(str(error).split())})",
            expected="YAML",
            remedy=SEE_AUTO,
        ) from None
    if not isinstance(content, dict | None):
        raise _no_settings(str(path), content)
    return content or {}, str(path)


def _no_settings(where: str, content: Any) -> ConfigError:
    expected = "settings, one `key: value` a line"
    return ConfigError(where, found=f"{content!r:.80}", expected=expected, remedy=SEE_AUTO)


def _set(content: dict[str, Any], setting: str) -> None:
    key, equals, value = setting.partition("=")
    if not equals or not key.strip():
        raise ConfigError(
            f"--set {setting}",
            found="no `=`" if not equals else "no key",
            expected="key=value",
            remedy="For example: --set fit.learning_rate=0.01",
        )
    *parents, last = key.strip().split(".")
    for parent in parents:
        inner = content.get(parent)
        content[parent] = inner if isinstance(inner, dict) else {}
        content = content[parent]
    try:
        content[last] = yaml.safe_load(value) if value else ""  # a shell turns key='' into key=
    except yaml.YAMLError:
        content[last] = value


def _explain(error: ValidationError, where: str) -> ConfigError:
    """The first problem in a person's words."""
    first = error.errors()[0]
    place, valid = _place(first["loc"])
    key = ".".join(place)
    if first["type"] == "network_kind":
        return ConfigError(
            f"{where}, key {key}.kind",
            found=repr(first["input"].get("kind"))
            if isinstance(first["input"], dict)
            else repr(first["input"]),
            expected=str(first["msg"]),
            remedy="Choose one of these.",
        )
    if first["type"] == "extra_forbidden":
        near = get_close_matches(place[-1], valid, n=1)
        remedy = f"Did you mean {'.'.join([*place[:-1], near[0]])}?" if near else _removing(first["loc"])
        return ConfigError(
            f"{where}, key {key}",
            found="an unknown key",
            expected=f"one of {', '.join(valid)}",
            remedy=remedy,
        )
    return ConfigError(
        f"{where}, key {key}",
        found=repr(first["input"]),
        expected=str(first["msg"]).removeprefix("Input should be ").removeprefix("Value error, "),
        remedy="Change the value or leave the key out.",
    )


def _removing(loc: tuple[int | str, ...]) -> str:
    """How to be rid of a key that came with another kind, which `--set` cannot take away."""
    is_of_kind = len(loc) == 3 and loc[0] == "network"
    return f"Remove it; --set 'network={{kind: {loc[1]}}}' starts anew." if is_of_kind else "Remove it."


def _place(loc: tuple[int | str, ...]) -> tuple[list[str], list[str]]:
    """The key as a person writes it, and the keys that are valid beside it.

    Where a value may be one of several things, `loc` says which was tried; that is no part of the key.
    """
    place: list[str] = []
    valid: list[str] = []
    choices: list[Any] = [Recipe]
    for part in loc:
        if len(choices) > 1:
            choices = [t for t in choices if _kind(t) == part]
            continue
        fields = choices[0].model_fields if choices and _is_model(choices[0]) else {}
        place, valid = [*place, str(part)], list(fields)
        inner = _flatten(fields[part].annotation) if part in fields else []
        choices = [t for t in inner if t is not NoneType]
    return place, valid


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _kind(annotation: Any) -> str | None:
    """What settings of one of several kinds are told apart by."""
    return annotation.model_fields["kind"].default if _is_model(annotation) else None


def _flatten(annotation: Any) -> list[Any]:
    if get_origin(annotation) in (Union, UnionType):
        return [t for part in get_args(annotation) for t in _flatten(part)]
    return [get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation]


def _no_recipe(name: str) -> ConfigError:
    names = recipe_names()
    near = get_close_matches(name, names, n=1)
    return ConfigError(
        f"recipe {name}",
        found="no shipped recipe of that name",
        expected=f"one of {', '.join(names)}, or a .yaml file",
        remedy=f"Did you mean {near[0]}?" if near else "See `seglet recipes`.",
    )
