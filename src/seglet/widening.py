"""A wider network where the time allows it: of what a budget buys, width and steps are balanced."""

from math import prod

from seglet.core.errors import ConfigError
from seglet.core.events import Event, Tell
from seglet.expecting import seconds_per_pixel, step_seconds
from seglet.model import untrained
from seglet.planning import Planned
from seglet.recipe import Recipe

FACTORS = (1.5, 2, 3, 4)  # of the planned widths, narrowest first
# Found by experiment, see docs/decisions/0017: what a wider network needs to be ahead.
ENOUGH = 100  # times that each pixel of the training images is seen
FEWEST = 4000  # steps


def widened(planned: Planned, said: Recipe, tell: Tell) -> Planned:
    """Plan the widest network that still sees each training pixel often enough, as timed on this machine.

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
        if wider is None or not _is_worthwhile(*_expected(wider)):
            break
        chosen = wider
    if chosen is not planned:
        widths = "-".join(map(str, chosen.plan.channels))
        tell(Event("plan", f"U-Net {widths}: the time allows a wider one"))
    return chosen


def _wider(planned: Planned, factor: float) -> Planned | None:
    """The same with a wider network; None where the memory does not hold it."""
    said = planned.recipe.plan
    channels = tuple(round(width * factor) for width in planned.plan.channels)
    wider = planned.recipe.model_copy(update={"plan": said.model_copy(update={"channels": channels})})
    try:
        return planned.replanned(wider)
    except ConfigError:
        return None


def _is_worthwhile(n_steps: float, n_times: float) -> bool:
    return n_steps >= FEWEST and n_times >= ENOUGH


def _expected(planned: Planned) -> tuple[float, float]:
    """How many steps training takes in its time, and how often it sees each pixel in them, on average."""
    plan, fit = planned.plan, planned.recipe.fit
    step_s = step_seconds(planned, seconds_per_pixel(untrained(planned.card())))
    n_steps = fit.budget_s / max(1, len(planned.folds)) / step_s
    per_step = fit.accumulate * plan.batch_size * prod(plan.patch_size)
    return n_steps, n_steps * per_step / planned.fingerprint.n_pixels
