"""Train the planned recipe on real data within a budget, and write what it reached as a table.

Run by ``make bench``; needs the real annotated images (SEGLET_DATA). The splits are those of every figure.
"""

import argparse
import os
import platform
from pathlib import Path
from typing import NamedTuple

import seglet
from seglet.core.events import Event

DATA = Path(os.environ.get("SEGLET_DATA", Path(__file__).parents[2] / "shared" / "data"))


class Task(NamedTuple):
    """A dataset, its split, and the figures to report: (title, class, metric, pooled).

    Without a class, the figure is the mean Dice over classes, then over images. `budget` is the task's own.
    """

    data: str
    settings: tuple[str, ...]
    figures: tuple[tuple[str, str, str, bool], ...]
    budget: str = "10m"


TASKS = {
    "chasedb1": Task(
        "chasedb1",
        ("split.test=Image_1[1-4]*",),
        (("in-FOV ROC area", "foreground", "roc_auc", True), ("in-FOV F1", "foreground", "f1", True)),
    ),
    "dsb2018": Task(
        "dsb2018/stage1_train.zip",
        ("split.validation=every 10 from 0", "split.test=every 10 from 5"),
        (("mean Dice", "object", "dice", False),),
    ),
    "isbi2012": Task(
        "isbi2012",
        ("split.test=last 5", "masks.classes={interior: 255, membrane: 0}"),
        (("membrane Dice", "membrane", "dice", True),),
    ),
    "hippocampus": Task(
        "hippocampus", ("split.test=every 5",), (("mean Dice of both classes", "", "dice", False),), "15m"
    ),
    "lgg_mr": Task(
        "lgg_mr",
        ("split.test=TCGA_DU_7010*",),
        (("tumour Dice, pooled", "foreground", "dice", True),),
    ),
    "vnc_em": Task(
        "vnc_em",
        ("split.test=last 3",),
        (("mean Dice of eight classes", "", "dice", False),),
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
    print("| data | budget | steps | figure | test | second observer |\n|---|---|---|---|---|---|")
    for name in options.tasks:
        for row in run(name, options.budget, options.seed, options.out, options.settings):
            print("| " + " | ".join(row) + " |", flush=True)


def run(name: str, said: str | None, seed: int, out: Path, settings: list[str]) -> list[tuple[str, ...]]:
    """Train one task and give its rows."""
    task = TASKS[name]
    budget = said or task.budget
    folder = out / f"{name}-{budget}-seed{seed}"
    chosen = (*task.settings, f"fit.seed={seed}", *settings)
    trained = seglet.train(DATA / task.data, folder, settings=chosen, budget=budget, tell=tell)
    steps = (folder / "history.csv").read_text().splitlines()[-1].split(",")[0]
    rows = []
    for title, of_class, metric, is_pooled in task.figures:
        scores, second = trained.scores, trained.scores.second_observer
        if not of_class:
            rows.append((name, budget, steps, title, f"{scores.mean_dice.mean:.4f}", ""))
            continue
        value = scores.pooled[of_class][metric] if is_pooled else scores.mean[of_class][metric].mean
        human = "" if second is None else f"{second.pooled[of_class][metric]:.4f}"
        rows.append((name, budget, steps, title, f"{value:.4f}", human.replace("nan", "–")))
    return rows


def tell(event: Event) -> None:
    """Say the rounds of training on standard error."""
    if event.message:
        os.write(2, f"{event.stage}: {event.message}\n".encode())


if __name__ == "__main__":
    main()
