"""What a search tries: sizes, learning rate and loss around those of the recipe."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from seglet.core.config import Config
from seglet.core.errors import SegletError
from seglet.losses.combined import CLASS_TERMS, LossConfig
from seglet.model import untrained
from seglet.planning import Planned
from seglet.preprocessing.levels import MIN_BOTTOM, total_stride
from seglet.preprocessing.plan import Plan
from seglet.recipe import Recipe, read_recipe
from seglet.training.settings import NotNegative, Positive, seconds

OWN = "own"  # the loss of a recipe that is no plain sum of terms
Factors = Annotated[tuple[Positive, ...], Field(min_length=1)]


def _known_terms(composition: str) -> str:
    if unknown := set(composition.split("+")) - set(CLASS_TERMS):
        raise ValueError(f"terms joined by +, of {', '.join(CLASS_TERMS)}; not {', '.join(sorted(unknown))}")
    return composition


class TuneConfig(Config):
    """How long is searched, and how far from the recipe.

    Attributes
    ----------
    trials : int
        Trainings; the first is the recipe as it is.
    budget_s : float
        Wall-clock seconds of the whole search, reading included; also written as 90s, 10m, 1h30m.
    seed : int
        Of what is tried; weights and patches keep the seed of the recipe.
    levels : int
        By how many levels a network may be shallower or deeper.
    widths : tuple of float
        Factors on the width of all levels.
    learning_rate : (low, high)
        Factors between which the learning rate lies, on a logarithmic scale.
    batch_sizes : tuple of float
        Factors on the patches in a step.
    losses : tuple of str
        Terms of the loss, each with the factor 1, joined by ``+``.
    """

    trials: Annotated[int, Field(gt=0)] = 20
    budget_s: Annotated[NotNegative, BeforeValidator(seconds)] = 1800.0
    seed: Annotated[int, Field(ge=0)] = 0
    levels: Annotated[int, Field(ge=0)] = 1
    widths: Factors = (0.5, 1.0, 2.0)
    learning_rate: tuple[Positive, Positive] = (0.1, 10.0)
    batch_sizes: Factors = (0.5, 1.0, 2.0)
    losses: tuple[Annotated[str, AfterValidator(_known_terms)], ...] = (
        "cross_entropy+dice",
        "cross_entropy",
        "dice",
        "focal+dice",
        "focal+tversky",
    )


class Space(Config):
    """What is tried on one dataset by one recipe; a single choice is none.

    Attributes
    ----------
    levels : tuple of int
        Depths, shallowest first.
    widths : tuple of int
        Of the finest level; each level has twice the width of the one above. Empty where the recipe's
        network is of another shape, which is kept then.
    learning_rate : (low, high)
        Ends of the range.
    batch_sizes : tuple of int
        Patches in a step.
    losses : tuple of str
        Terms joined by ``+``; ``own`` is the loss of the recipe.
    first : dict
        What the recipe itself says: the first trial.
    """

    levels: tuple[int, ...]
    widths: tuple[int, ...]
    learning_rate: tuple[float, float]
    batch_sizes: tuple[int, ...]
    losses: tuple[str, ...]
    first: dict[str, Any]


def space_around(planned: Planned, said: Recipe, config: TuneConfig) -> Space:
    """Find what can be tried.

    Parameters
    ----------
    planned : Planned
        The dataset, and the recipe with every setting said.
    said : Recipe
        The recipe before that: sizes that it says are kept where they cannot go with others.
    config : TuneConfig
        How far from the recipe.
    """
    plan, rate = planned.plan, planned.recipe.fit.learning_rate
    is_doubling = all(b == 2 * a for a, b in pairwise(plan.channels))
    widths = _multiples(plan.channels[0], config.widths) if is_doubling else ()
    loss = _composition(planned.recipe.loss)
    first = {"learning_rate": rate, "batch_size": plan.batch_size, "loss": loss}
    shape = {"levels": len(plan.channels), "width": plan.channels[0]} if is_doubling else {}
    low, high = config.learning_rate
    return Space(
        levels=_levels(planned, said, config.levels, widths),
        widths=widths,
        learning_rate=(rate * min(low, 1), rate * max(high, 1)),
        batch_sizes=_multiples(plan.batch_size, config.batch_sizes),
        losses=tuple(dict.fromkeys((loss, *config.losses))),
        first={**shape, **first},
    )


def settings_of(params: Mapping[str, Any], said: Recipe) -> list[str]:
    """The settings of a trial, as ``--set`` takes them.

    Parameters
    ----------
    params : mapping
        Of a trial: levels, width, learning_rate, loss, batch_size.
    said : Recipe
        The recipe as it was given; the patch it says is kept, else it follows the depth.
    """
    settings = [f"fit.learning_rate={params['learning_rate']}", f"plan.batch_size={params['batch_size']}"]
    if params["loss"] != OWN:
        terms = params["loss"].split("+")
        settings += [f"loss.{term}={float(term in terms)}" for term in CLASS_TERMS]
    if "width" in params:
        settings.append(f"plan.channels={[params['width'] * 2**k for k in range(params['levels'])]}")
    if "width" in params and not _is_depth_said(said):
        settings += ["plan.strides=null", "plan.kernels=null"]
        settings += [] if said.plan.patch_size else ["plan.patch_size=null"]
    return settings


def replanned(planned: Planned, settings: Sequence[str]) -> Planned:
    """The same data by other settings of sizes, loss and training.

    Raises
    ------
    ConfigError
        If the settings do not fit the images or the memory.
    """
    return planned.replanned(read_recipe(planned.recipe, settings))


def _composition(loss: LossConfig) -> str:
    factors = {term: getattr(loss, term) for term in CLASS_TERMS}
    return "+".join(t for t, f in factors.items() if f) if set(factors.values()) <= {0, 1} else OWN


def _multiples(own: int, factors: Sequence[float]) -> tuple[int, ...]:
    return tuple(sorted({own, *(max(1, round(own * factor)) for factor in factors)}))


def _is_depth_said(said: Recipe) -> bool:
    return said.plan.strides is not None or said.plan.kernels is not None


def _levels(planned: Planned, said: Recipe, most: int, widths: Sequence[int]) -> tuple[int, ...]:
    """Depths without a gap around the recipe's own, for which plan and network can be made."""
    own = len(planned.plan.channels)
    if not widths or _is_depth_said(said):
        return (own,)
    found = [own]
    for direction in (-1, 1):
        for depth in range(own + direction, own + direction * (most + 1), direction):
            if not _is_possible(planned, said, depth, widths[0]):
                break
            found.append(depth)
    return tuple(sorted(found))


def _is_possible(planned: Planned, said: Recipe, depth: int, width: int) -> bool:
    own = {"learning_rate": planned.recipe.fit.learning_rate, "batch_size": planned.plan.batch_size}
    try:
        tried = replanned(planned, settings_of({**own, "loss": OWN, "levels": depth, "width": width}, said))
        untrained(tried.card())
    except SegletError:
        return False
    return _is_halved_sensibly(tried.plan)


def _is_halved_sensibly(plan: Plan) -> bool:
    """Whether each level is smaller than the one above, and the last no mere padding."""
    multiples = total_stride(plan.strides, len(plan.patch_size))
    bottom = [side // m for side, m in zip(plan.patch_size, multiples, strict=True) if m > 1]
    return all(2 in stride for stride in plan.strides) and all(side >= MIN_BOTTOM for side in bottom)
