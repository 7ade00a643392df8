"""Train the planned recipe on real data within a budget, and write what it reached as a table.

Run by ``make bench``; needs the real annotated images (SEGLET_DATA). The splits are those of every figure.
"""

import argparse
import math
import os
import platform
from pathlib import Path
from typing import Any, NamedTuple

import seglet
from seglet.core.events import Event
from seglet.metrics.scores import ObserverScores, Scores
from seglet.metrics.statistics import Interval

DATA = Path(os.environ.get("SEGLET_DATA", Path(__file__).parents[2] / "shared" / "data"))


class Figure(NamedTuple):
    """One figure of `Scores`: its title, and where it stands.

    `path` is ``mean_dice``, ``pooled.CLASS.METRIC``, ``mean.CLASS.METRIC``, ``objects.NAME`` or
    ``partition.NAME``.
    """

    title: str
    path: str


class Task(NamedTuple):
    """A dataset, its split and protocol, the figures to report, and a budget of its own."""

    data: str
    settings: tuple[str, ...]
    figures: tuple[Figure, ...]
    budget: str = "10m"


TASKS = {
    "chasedb1": Task(
        "chasedb1",
        ("split.test=Image_1[1-4]*", "protocol=chasedb1"),
        (
            Figure("in-FOV ROC area", "pooled.foreground.roc_auc"),
            Figure("in-FOV F1", "pooled.foreground.f1"),
        ),
    ),
    "dsb2018": Task(
        "dsb2018/stage1_train.zip",
        ("split.validation=every 10 from 0", "split.test=every 10 from 5", "protocol=dsb2018"),
        (Figure("competition score", "objects.dsb"), Figure("mean Dice", "mean.object.dice")),
    ),
    "isbi2012": Task(  # the second class is the foreground; which one is the inside, its name says
        "isbi2012",
        ("split.test=last 5", "masks.classes={interior: 255, membrane: 0}", "protocol=isbi2012"),
        (
            Figure("V_Rand, thinned", "partition.v_rand"),
            Figure("pixel error", "partition.pixel_error"),
            Figure("adapted Rand error", "partition.rand_error"),
            Figure("membrane Dice", "pooled.membrane.dice"),
        ),
    ),
    "hippocampus": Task(
        "hippocampus", ("split.test=every 5",), (Figure("mean Dice of both classes", "mean_dice"),), "15m"
    ),
    "lgg_mr": Task(
        "lgg_mr",
        ("split.test=TCGA_DU_7010*",),
        (Figure("tumor Dice, pooled", "pooled.foreground.dice"),),
    ),
    "vnc_em": Task(
        "vnc_em",
        ("split.test=last 3",),
        (Figure("mean Dice of eight classes", "mean_dice"),),
    ),
}


def main() -> None:
    """Run the tasks that were asked for, one after the other, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=list(TASKS), help=f"of {', '.join(TASKS)}")
    parser.add_argument("--budget", help="in place of each task's own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, seglet {seglet.__version__}\n")
    print("| data | budget | steps | figure | test (95 % interval over images) | second observer |")
    print("|---|---|---|---|---|---|")
    for name in options.tasks:
        for row in run(name, options.budget, options.seed, options.out, options.settings):
            print("| " + " | ".join(row) + " |", flush=True)


def run(name: str, said: str | None, seed: int, out: Path, settings: list[str]) -> list[tuple[str, ...]]:
    """Train one task and give its rows."""
    task = TASKS[name]
    budget = said or task.budget
    folder = out / f"{name}-{budget}-seed{seed}"
    chosen = (*task.settings, f"fit.seed={seed}", *settings)
    scores = seglet.train(DATA / task.data, folder, settings=chosen, budget=budget, tell=tell).scores
    steps = (folder / "history.csv").read_text().splitlines()[-1].split(",")[0]
    second = scores.second_observer
    human = ["" if second is None else words(figure(second, path)) for _, path in task.figures]
    reached = [(title, words(figure(scores, path))) for title, path in task.figures]
    return [(name, budget, steps, *row, other) for row, other in zip(reached, human, strict=True)]


def figure(scores: Scores | ObserverScores, path: str) -> Interval:
    """A figure, whose interval is nan where it has none: a pooled one of a protocol that averages images."""
    group, *keys = path.split(".")
    found: Any = None
    for place in (f"{group}_intervals", group):
        found = getattr(scores, place, None)
        for key in keys if found is not None else ():
            found = found[key]
        if isinstance(found, Interval):
            return found
    return Interval(mean=found, low=math.nan, high=math.nan, n=scores.n_images, n_absent=0)


def words(found: Interval) -> str:
    """A figure and its interval: ``0.8053 (0.7962 to 0.8150)``; a dash where it does not exist."""
    if math.isnan(found.mean):
        return "–"
    return f"{found.mean:.4f}" + ("" if math.isnan(found.low) else f" ({found.low:.4f} to {found.high:.4f})")


def tell(event: Event) -> None:
    """Say the rounds of training on standard error."""
    if event.message:
        os.write(2, f"{event.stage}: {event.message}\n".encode())


if __name__ == "__main__":
    main()
