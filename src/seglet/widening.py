"""A wider network where the time allows it: of what a budget buys, width and steps are balanced."""

from dataclasses import replace
from math import prod

from seglet.core.errors import ConfigError
from seglet.core.events import Event, Tell
from seglet.expecting import seconds_per_pixel, step_seconds
from seglet.model import untrained
from seglet.networks.hardware import free_memory
from seglet.planning import Planned
from seglet.preprocessing.plan import make_plan
from seglet.recipe import Recipe

FACTORS = (1.5, 2, 3, 4)  # of the planned widths, narrowest first
ENOUGH = 24_000 * 128**2  # pixels of patches that a network is to see; see benchmarks/RESULTS.md


def widened(planned: Planned, said: Recipe, tell: Tell) -> Planned:
    """Plan the widest network that still sees enough patches in the time, as timed on this machine.

    Only where time decides how long training lasts, nobody said how wide the network is, and images are flat:
    for volumes it was not tried.

    Parameters
    ----------
    planned : Planned
        What would be done.
    said : Recipe
        The recipe before it was settled.
    tell : callable
        Hears of a wider network.
    """
    if said.fit.steps is not None or said.plan.channels is not None or planned.plan.mode == "3d":
        return planned
    chosen = planned
    for factor in FACTORS:
        wider = _wider(planned, factor)
        if wider is None or _pixels_seen(wider) < ENOUGH:
            break
        chosen = wider
    if chosen is not planned:
        widths = "-".join(map(str, chosen.plan.channels))
        tell(Event("plan", f"U-Net {widths}: the time allows a wider one"))
    return chosen


def _wider(planned: Planned, factor: float) -> Planned | None:
    """The same with a wider network; None where the memory does not hold it."""
    before = planned.plan
    channels = tuple(round(width * factor) for width in before.channels)
    settings = before.settings.model_copy(update={"channels": channels})
    is_on_disk = before.reading == "disk"
    try:
        plan = make_plan(
            planned.fingerprint, settings, free_memory(), is_on_disk=is_on_disk, is_valid=before.is_valid
        )
    except ConfigError:
        return None
    return replace(planned, plan=plan, recipe=planned.recipe.model_copy(update={"plan": plan.settings}))


def _pixels_seen(planned: Planned) -> float:
    """Pixels of all patches that training would see in its time."""
    plan, fit = planned.plan, planned.recipe.fit
    step_s = step_seconds(planned, seconds_per_pixel(untrained(planned.card())))
    n_steps = fit.budget_s / max(1, len(planned.folds)) / step_s
    return n_steps * fit.accumulate * plan.batch_size * prod(plan.patch_size)
