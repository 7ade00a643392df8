"""What a change of the planned recipe brings: each on several data sets, for the same number of patches.

Run by ``python benchmarks/experiments.py --steps 1500 --jobs 2``; needs the real annotated images
(SEGLET_DATA). A run is a command of its own on one thread. Beside the figures of the test images stands the
Dice of the validation windows, by which a change is judged, and the processor time as a multiple of that
without any change. What was run stays in the folder and is not run again.
"""

import argparse
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean
from typing import IO, NamedTuple

from accuracy import DATA, TASKS, Task, figure

from seglet.metrics.scores import read_scores
from seglet.recipe import read_recipe, to_text
from seglet.training.callbacks import read_history

LATE = 2 / 3  # of the steps, where a change is one of the end of training


class Change(NamedTuple):
    """What is set, what from LATE on, and by what steps are multiplied so that as many patches are seen."""

    settings: tuple[str, ...] = ()
    steps: float = 1
    late: tuple[str, ...] = ()


CHANGES = {
    "none": Change(),
    "predicted without mirrored versions": Change(("predict.flips=false",)),
    "batch 8, half as many steps": Change(("plan.batch_size=8",), 0.5),
    "batch 2, twice as many": Change(("plan.batch_size=2",), 2),
    "learning rate 0.005": Change(("fit.learning_rate=0.005",)),
    "learning rate 0.001": Change(("fit.learning_rate=0.001",)),
    "one cycle": Change(("fit.schedule=one_cycle",)),
    "no averaging": Change(("fit.ema=0",)),
    "weight decay 0.01": Change(("fit.weight_decay=0.01",)),
    "clDice 0.5": Change(("loss.cl_dice=0.5",)),
    "cross-entropy alone": Change(("loss.dice=0",)),
    "residual encoder": Change(("network={kind: residual_unet, n_blocks: [1, 2, 2, 2], norm: batch}",)),
    "instance normalization": Change(("network.norm=instance",)),
    "group normalization": Change(("network.norm=group",)),
    "leaky ReLU": Change(("network.activation=leaky_relu",)),
    "deep supervision": Change(("network.deep_supervision=true",)),
    "dropout 0.1": Change(("network.dropout=0.1",)),
    "24 to 192 channels": Change(("plan.channels=[24,48,96,192]",)),
    "32 to 256 channels": Change(("plan.channels=[32,64,128,256]",)),
    "five levels, 16 to 256": Change(("plan.channels=[16,32,64,128,256]",)),
    "patches of 192, batch 2": Change(("plan.patch_size=[192,192]", "plan.batch_size=2"), 8 / 9),
    "patches of 256, batch 1": Change(("plan.patch_size=[256,256]", "plan.batch_size=1")),
    "patches of 256, batch 1, in the last third": Change(
        late=("plan.patch_size=[256,256]", "plan.batch_size=1")
    ),
    "no elastic deformation": Change(("patches.augment.elastic=0",)),
    "elastic deformation twice as strong": Change(("patches.augment.elastic=12",)),
    "every change on a quarter of the patches": Change(("patches.augment.probability=0.25",)),
    "intensities half as strong": Change(
        (
            "patches.augment.brightness=0.1",
            "patches.augment.contrast=[0.87, 1.15]",
            "patches.augment.gamma=[0.85, 1.2]",
            "patches.augment.noise=0.07",
            "patches.augment.blur=0.5",
        )
    ),
    "no patches of the foreground": Change(("patches.foreground=0",)),
    "two thirds of the foreground": Change(("patches.foreground=0.67",)),
}


def main() -> None:
    """Run what was asked for and was not run before, and print a Markdown table for each dataset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("changes", nargs="*", help=f"of {', '.join(CHANGES)}; all where none is named")
    parser.add_argument("--tasks", nargs="*", default=["chasedb1", "isbi2012"], help=f"of {', '.join(TASKS)}")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="runs at once")
    parser.add_argument("--out", type=Path, default=Path("runs/experiments"))
    options = parser.parse_args()
    changes = list(dict.fromkeys(["none", *(options.changes or CHANGES)]))
    runs = [
        (change, task, seed) for seed in range(options.seeds) for change in changes for task in options.tasks
    ]
    with ThreadPoolExecutor(options.jobs) as pool:
        done = pool.map(lambda each: run(*each, options.steps, options.out), runs)
        found = dict(zip(runs, done, strict=True))
    for task in options.tasks:
        print_table(task, {c: [found[c, task, seed] for seed in range(options.seeds)] for c in changes})


def run(name: str, task: str, seed: int, steps: int, out: Path) -> dict[str, float]:
    """The figures of one run, which is trained where it was not before."""
    change, of = CHANGES[name], TASKS[task]
    folder = out / f"{task}-{name.replace(' ', '-').replace(',', '')}-{steps}-seed{seed}"
    if not (folder / "cpu_s").exists():
        steps = round(steps * change.steps)
        fit = f"fit.steps={steps}", f"fit.seed={seed}"
        said = [part for setting in (*of.settings, *change.settings, *fit) for part in ("--set", setting)]
        command = [sys.executable, "-m", "seglet", "train", DATA / of.data, "-o", folder]
        out.mkdir(parents=True, exist_ok=True)
        with (out / f"{folder.name}.log").open("w") as log:
            used = 0.0
            if change.late:
                used = command_s([*command, *said], log, folder / "history.csv", round(LATE * steps))
                (folder / "recipe.yaml").write_text(to_text(read_recipe(folder / "recipe.yaml", change.late)))
                said = ["--resume"]
            used += command_s([*command, *said], log)
        (folder / "cpu_s").write_text(str(used))
    return figures(folder, of)


def command_s(command: list[object], log: IO[str], history: Path | None = None, until: int = 0) -> float:
    """Processor seconds of a command; of a training that is interrupted after a step where one is given."""
    child = subprocess.Popen(
        [*map(str, command)], stdout=log, stderr=log, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    if history is not None:
        while not ended(child.pid) and steps_done(history) < until:
            time.sleep(0.1)
        child.terminate()
    _, status, used = os.wait4(child.pid, 0)
    if status and history is None:
        raise SystemExit(f"A run failed: see {log.name}")
    return used.ru_utime + used.ru_stime


def ended(pid: int) -> bool:
    """Whether a child has ended, which is still to be waited for."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def steps_done(history: Path) -> int:
    """As the last whole row says."""
    rows = read_history(history) if history.exists() else []
    return int(rows[-1]["step"]) if rows else 0


def figures(folder: Path, task: Task) -> dict[str, float]:
    """Figures of the test images, the best Dice of the validation windows, and processor seconds."""
    scores = read_scores(folder / "scores.json")
    validated = [row["val_dice"] for row in read_history(folder / "history.csv") if "val_dice" in row]
    found = {title: figure(scores, path).mean for title, path in task.figures}
    return {"validation Dice": max(validated), **found, "time": float((folder / "cpu_s").read_text())}


def print_table(task: str, found: dict[str, list[dict[str, float]]]) -> None:
    """One row for each change: means over seeds, and the smallest and largest where there are several."""
    plain = found["none"]
    names = list(plain[0])
    print(f"\n| {task} | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}")
    for change, runs in found.items():
        cells = [_cell([run[name] for run in runs]) for name in names[:-1]]
        factor = mean(run["time"] for run in runs) / mean(run["time"] for run in plain)
        print(f"| {change} | {' | '.join(cells)} | {factor:.2f}x |")


def _cell(values: list[float]) -> str:
    spread = f" ({min(values):.4f} to {max(values):.4f})" if len(values) > 1 else ""
    return f"{mean(values):.4f}{spread}"


if __name__ == "__main__":
    main()
