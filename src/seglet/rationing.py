"""The memory contract of training: planned within it, or refused before anything is trained."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from seglet.allowance import Allowance
from seglet.core.errors import ConfigError
from seglet.core.events import Event, Tell
from seglet.core.sizes import gibibytes, n_bytes
from seglet.limiting import SPARE, smaller_windows
from seglet.model import untrained
from seglet.networks.hardware import free_memory
from seglet.peaks import TRAINING, Peak, highest, peaks
from seglet.planning import Planned, make_planned
from seglet.recipe import Recipe
from seglet.widening import widened

ALLOWANCES = (1, 1 / 4, 1 / 16, 1 / 64)  # of what is usually looked at together, largest first
FEWEST = 2  # patches at once, as long as another way is open: a batch of one normalizes by itself alone


@dataclass(frozen=True)
class Limit:
    """What a process may take of the memory.

    Attributes
    ----------
    most : int
        Bytes in all.
    taken : int
        Bytes that were taken already when the limit was said.
    """

    most: int
    taken: int

    @property
    def left(self) -> int:
        """Bytes for all that follows."""
        return self.most - self.taken


def limit_of(said: str | int | Limit | None) -> Limit | None:
    """Read a limit, and look at what this process takes so far; None where nothing was said.

    Raises
    ------
    ConfigError
        If it is no amount of memory.
    """
    if said is None or isinstance(said, Limit):
        return said
    free_memory()  # what a device's own library takes is taken from here on
    return Limit(n_bytes(said), int(psutil.Process().memory_info().rss) + SPARE)


def plan_within(
    limit: Limit | None,
    data: Path,
    recipe: Recipe,
    tell: Tell,
    written: Path | None = None,
    *,
    begun: bool = False,
) -> Planned:
    """Plan as `make_planned` does, so that training and all that follows keep to a limit.

    What costs least gives way first: pixels that are looked at together once training is over; windows that
    images are predicted by; patches at once, of which a step then adds up as many as before; what blocks
    compute, which is computed twice then; images in memory, which are read patch by patch then. Without a
    limit the network is as wide as the time allows.

    Parameters
    ----------
    limit : Limit or None
        What may be taken; None where that was not said.
    data, recipe, tell, written
        See `make_planned`.
    begun : bool
        Whether the run has begun: its batches stay as they are.

    Raises
    ------
    ConfigError
        If nothing of this helps; says what takes most, and how much.
    SegletError
        As `make_planned` does.
    """
    if limit is None:
        return widened(make_planned(data, recipe, tell, written), recipe, tell)
    _require_any(limit)
    planned = make_planned(data, recipe, tell, written, limit.left)
    found = _narrowed(planned, limit, begun)
    over = _over(found, limit)
    if over is not None and planned.plan.reading == "memory" and _may_stay_on_disk(recipe):
        told = f"with images in memory {over.stage} would take {gibibytes(over.n_bytes)}: they stay on disk"
        tell(Event("memory", told))
        del planned, found
        recipe = recipe.model_copy(update={"plan": recipe.plan.model_copy(update={"reading": "disk"})})
        planned = make_planned(data, recipe, tell, written, limit.left)
        found = _narrowed(planned, limit, begun)
        over = _over(found, limit)
    if over is not None:
        raise _refused(over, found, limit)
    tell(Event("memory", _in_words(planned, found, limit)))
    return found


def _require_any(limit: Limit) -> None:
    if limit.left <= 0:
        raise ConfigError(
            "max-ram",
            found=gibibytes(limit.most),
            expected=f"more than the {gibibytes(limit.taken)} that the program itself takes",
            remedy="Allow more memory.",
        )


def _over(planned: Planned, limit: Limit) -> Peak | None:
    """The stage that takes most, if it takes too much."""
    peak = highest(planned)
    return peak if peak.n_bytes > limit.left else None


def _may_stay_on_disk(recipe: Recipe) -> bool:
    said = recipe.plan
    return said.reading is None and said.resize is None


def _narrowed(planned: Planned, limit: Limit, begun: bool) -> Planned:
    """The first way that keeps to the limit; that which takes least where none does."""
    network = untrained(planned.card()).network
    trained = found = planned
    for trained in _ways_to_train(planned, begun):
        if peaks(trained, network)[0].n_bytes <= limit.left:
            break
    for found in _ways_to_look(trained):
        if all(peak.n_bytes <= limit.left for peak in peaks(found, network)[1:]):
            break
    return found


def _ways_to_train(planned: Planned, begun: bool) -> Iterator[Planned]:
    """As planned, then by fewer patches at once, then computing twice, by fewer patches still."""
    n, fit = planned.plan.batch_size, planned.recipe.fit
    sizes = [n] if begun else [size for size in range(n, 0, -1) if n % size == 0]
    several = [size for size in sizes if size >= min(FEWEST, n)]
    for some in (several, sizes[len(several) :]):
        for checkpointing in dict.fromkeys((fit.checkpointing, True)):
            for size in some:
                yield _with_patches(planned, size, checkpointing)


def _with_patches(planned: Planned, size: int, checkpointing: bool) -> Planned:
    """So many patches at once; a step sees as many as before."""
    plan, recipe = planned.plan, planned.recipe
    n = plan.batch_size
    fit = {"accumulate": recipe.fit.accumulate * n // size, "checkpointing": checkpointing}
    changed = {
        "plan": recipe.plan.model_copy(update={"batch_size": size}),
        "fit": recipe.fit.model_copy(update=fit),
    }
    plan = plan.model_copy(update={"batch_size": size, "training_memory": plan.training_memory // n * size})
    return replace(planned, plan=plan, recipe=recipe.model_copy(update=changed))


def _ways_to_look(planned: Planned) -> Iterator[Planned]:
    """As planned, then with fewer pixels together, then by smaller windows too."""
    usual = planned.allowance
    for card in smaller_windows(planned.card()):
        recipe = planned.recipe.model_copy(update={"predict": card.predict})
        for share in ALLOWANCES:
            some = Allowance(*(int(share * n) for n in (usual.n_chosen_on, usual.n_ranked, usual.n_compared)))
            yield replace(planned, recipe=recipe, allowance=some)


def _in_words(usual: Planned, found: Planned, limit: Limit) -> str:
    """What the run will take, and what gave way for it."""
    plan, fit, predict = found.plan, found.recipe.fit, found.recipe.predict
    ways = []
    if found.allowance != usual.allowance:
        ways.append(f"curves from {found.allowance.n_ranked / 1e6:.2g} million pixels")
    if predict.window != usual.recipe.predict.window:
        ways.append(f"windows of {predict.window} pixels")
    elif predict.batch != usual.recipe.predict.batch:
        ways.append("windows one at a time")
    if plan.batch_size != usual.plan.batch_size:
        ways.append(f"{plan.batch_size} of the {usual.plan.batch_size} patches of a step at once")
    if fit.checkpointing != usual.recipe.fit.checkpointing:
        ways.append("activations computed twice")
    peak = highest(found)
    taken = gibibytes(limit.taken + peak.n_bytes)
    told = f"at most about {taken} of {gibibytes(limit.most)}, for {peak.stage}"
    return "; ".join([told, *ways])


def _refused(over: Peak, planned: Planned, limit: Limit) -> ConfigError:
    plan = planned.plan
    remedies = ["Allow more memory"]
    if over.stage == TRAINING:
        remedies.append("set a smaller plan.patch_size or plan.channels")
    if plan.reading == "memory":
        remedies.append("convert the data to OME-Zarr, which is read patch by patch (seglet convert)")
    return ConfigError(
        "max-ram",
        found=gibibytes(limit.most),
        expected=f"at least {gibibytes(limit.taken + over.n_bytes)}: {over.stage} takes "
        f"{gibibytes(over.n_bytes)} at the least, beside {gibibytes(limit.taken)} for the program itself",
        remedy=f"{', or '.join(remedies)}.",
    )
