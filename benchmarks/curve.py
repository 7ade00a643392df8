"""What more time brings: `auto` trained for each of several budgets, as a table and a figure.

Run by ``python benchmarks/curve.py [TASK …] --budgets 2m 5m 10m 20m 40m``; needs the real annotated images
(SEGLET_DATA). Each run is a command ``seglet train`` of its own, one after the other; its figures are kept in
``curve.csv``, beside the commit they are of. What is kept there is not trained again unless ``--again`` says
so: the whole need not be measured in one go.
"""

import argparse
import csv
import io
import math
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import yaml
from accuracy import DATA, TASKS, figure, words
from accuracy import Figure as Measured
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

import seglet
from seglet.core.storage import write_text
from seglet.metrics.protocols import PROTOCOLS
from seglet.metrics.scores import read_scores
from seglet.metrics.statistics import Interval
from seglet.report.figures import INK, MUTED, RULE, SERIES
from seglet.training.settings import seconds

SHOWN = ("chasedb1", "dsb2018", "isbi2012", "hippocampus")
BUDGETS = ("2m", "5m", "10m", "20m", "40m")
COLUMNS = ("task", "budget", "commit", "steps", "seconds", "figure", "mean", "low", "high", "images")
HERE = Path(__file__).parent
RECORD, PICTURE = HERE / "curve.csv", HERE.parent / "docs" / "images" / "curve.svg"


class Run(NamedTuple):
    """A finished run: its task, its budget as said, the code it is of, and what it took and reached.

    `figures` go by the paths of the task's figures.
    """

    task: str
    budget: str
    commit: str
    steps: int
    seconds: float
    figures: dict[str, Interval]


class Panel(NamedTuple):
    """A figure of a task over the budget, beside published ones.

    `others` are labels of the protocol's published rows, and what the line of each is called; a star says
    that it is of other test images, and only gives the scale.
    """

    title: str
    task: str
    figure: Measured
    protocol: str
    others: dict[str, str]


AREA, F1 = TASKS["chasedb1"].figures
SYSTEMS = {name: name for name in ("U-Net", "LadderNet", "IterNet", "nnU-Net", "nnWNet")}
PANELS = (
    Panel("CHASE_DB1 vessels: in-FOV ROC area", "chasedb1", AREA, "chasedb1", SYSTEMS),
    Panel("CHASE_DB1 vessels: in-FOV F1", "chasedb1", F1, "chasedb1", SYSTEMS),
    Panel(
        "DSB 2018 nuclei: competition score",
        "dsb2018",
        TASKS["dsb2018"].figures[0],
        "dsb2018",
        {"best of the competition": "winner*", "starter kernels with a U-Net": "starter kernels*"},
    ),
    Panel(
        "ISBI 2012 membranes: V_Rand, thinned",
        "isbi2012",
        TASKS["isbi2012"].figures[0],
        "isbi2012",
        {"U-Net": "U-Net*", "best of the challenge by V_Rand": "winner*"},
    ),
    Panel("ISBI 2012 membranes: Dice", "isbi2012", TASKS["isbi2012"].figures[-1], "isbi2012", {}),
    Panel(
        "Hippocampus: mean Dice of both parts",
        "hippocampus",
        TASKS["hippocampus"].figures[0],
        "lits",
        {
            "nnU-Net, anterior hippocampus (about)": "nnU-Net, ant.*",
            "nnU-Net, posterior hippocampus (about)": "nnU-Net, post.*",
        },
    ),
)
CAPTION = (
    "Minutes for everything; each dot a run of its own, its band the 95 % interval of the test images."
    "\nDashed: published, with any time on any machine; * on other test images, which only gives the scale."
)
N_COLUMNS, WIDTH, HEIGHT = 2, 8.33, 2.3  # panels beside each other; inches: 800 px, and of a row of panels
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "curve",  # the same file from the same figures
    "font.family": "sans-serif",
    "font.size": 8.25,  # pt; 11 px
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}


def main() -> None:
    """Train what is not trained yet, print a Markdown table, and draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=list(SHOWN), help=f"of {', '.join(SHOWN)}")
    parser.add_argument("--budgets", nargs="+", default=list(BUDGETS))
    parser.add_argument("--again", action="store_true", help="also train what is kept already")
    parser.add_argument("--out", type=Path, default=Path("runs/curve"))
    options = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, seglet {seglet.__version__}\n")
    print("| data | budget | commit | steps | seconds | figures (95 % interval over images) |")
    print("|---|---|---|---|---|---|")
    for task in options.tasks:
        for budget in sorted(options.budgets, key=seconds):
            runs = {(run.task, run.budget): run for run in kept()}
            if options.again or (task, budget) not in runs:
                runs[task, budget] = trained(task, budget, options.out)
                keep(runs.values())
            print(row(runs[task, budget]), flush=True)
    draw(kept(), PICTURE)


def trained(task: str, budget: str, out: Path) -> Run:
    """A run of its own, by the command a user would give."""
    folder, setup = out / f"{task}-{budget}", TASKS[task]
    shutil.rmtree(folder, ignore_errors=True)
    said = [part for setting in setup.settings for part in ("--set", setting)]
    command = [sys.executable, "-m", "seglet", "train", str(DATA / setup.data), "-o", str(folder)]
    subprocess.run([*command, "--budget", budget, *said], stdout=sys.stderr, check=True)
    facts, scores = yaml.safe_load((folder / "run.yaml").read_text()), read_scores(folder / "scores.json")
    reached = {path: figure(scores, path) for _, path in setup.figures}
    return Run(task, budget, commit(), facts["steps"], facts["took_s"], reached)


def commit() -> str:
    """The last commit that changed seglet itself, and whether it stands changed."""
    found, changed = (
        subprocess.check_output(["git", *asked, "--", "src"], cwd=HERE.parent, text=True).strip()
        for asked in (("log", "-1", "--format=%h"), ("status", "--porcelain"))
    )
    return f"{found}-dirty" if changed else found


def place(run: Run) -> tuple[str, float]:
    """Where it stands in the record: the budgets of a task by their length."""
    return run.task, seconds(run.budget)


def kept() -> list[Run]:
    """The runs of the record, by task and budget; each figure stands in a line of its own."""
    runs: dict[tuple[str, str], Run] = {}
    with RECORD.open(newline="") as file:
        for line in csv.DictReader(file):
            task, budget = line["task"], line["budget"]
            about = (line["commit"], int(line["steps"]), float(line["seconds"]))
            run = runs.setdefault((task, budget), Run(task, budget, *about, {}))
            reached = {key: float(line[key]) for key in ("mean", "low", "high")}
            run.figures[line["figure"]] = Interval(**reached, n=int(line["images"]), n_absent=0)
    return sorted(runs.values(), key=place)


def keep(runs: Iterable[Run]) -> None:
    """Write the record."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for run in sorted(runs, key=place):
        for path, found in run.figures.items():
            reached = [f"{each:.4f}" for each in (found.mean, found.low, found.high)]
            about = [run.task, run.budget, run.commit, run.steps, f"{run.seconds:.0f}"]
            writer.writerow([*about, path, *reached, found.n])
    write_text(RECORD, text.getvalue())


def row(run: Run) -> str:
    """Its line of the table."""
    figures = ", ".join(f"{title} {words(run.figures[path])}" for title, path in TASKS[run.task].figures)
    return f"| {run.task} | {run.budget} | {run.commit} | {run.steps} | {run.seconds:.0f} | {figures} |"


def draw(runs: Sequence[Run], path: Path) -> None:
    """Draw a panel for each figure of the tasks that have a run."""
    found = {task: [run for run in runs if run.task == task] for task in SHOWN}
    shown = [panel for panel in PANELS if found[panel.task]]
    n_rows = math.ceil(len(shown) / N_COLUMNS)
    height = n_rows * HEIGHT + 0.6
    with mpl.rc_context(STYLE):
        picture = Figure(figsize=(WIDTH, height), facecolor="white")
        grid = picture.subplots(n_rows, N_COLUMNS, squeeze=False)
        picture.subplots_adjust(0.075, 0.75 / height, 0.84, 1 - 0.3 / height, wspace=0.78, hspace=0.45)
        for axes in grid.flat[len(shown) :]:
            axes.remove()
        for axes, panel in zip(grid.flat, shown, strict=False):
            _draw_panel(axes, panel, found[panel.task])
        picture.text(0.01, 0.12 / height, CAPTION, color=MUTED)
        text = io.StringIO()
        picture.savefig(text, format="svg", metadata={"Date": None})
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text.getvalue())


def _draw_panel(axes: Axes, panel: Panel, runs: Sequence[Run]) -> None:
    minutes = [seconds(run.budget) / 60 for run in runs]
    reached = [run.figures[panel.figure.path] for run in runs]
    low, high = [one.low for one in reached], [one.high for one in reached]
    axes.fill_between(minutes, low, high, color=SERIES[0], alpha=0.2, linewidth=0)
    axes.plot(minutes, [one.mean for one in reached], color=SERIES[0], marker="o", markersize=4)
    axes.set(title=panel.title, xscale="log", xlim=(minutes[0] / 1.2, minutes[-1] * 1.2))
    axes.xaxis.set(major_locator=FixedLocator(minutes), minor_locator=NullLocator())
    axes.set_xticks(minutes, [f"{each:.3g}" for each in minutes])
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.grid(color=RULE, linewidth=0.6)
    axes.set_axisbelow(True)
    rows = [one for one in PROTOCOLS[panel.protocol].published if one.label in panel.others]
    metric = panel.figure.path.split(".")[-1].replace("mean_dice", "dice")
    values = {panel.others[row.label]: row.figures[metric] for row in rows if metric in row.figures}
    for value in values.values():
        axes.axhline(value, color=SERIES[1], linewidth=0.8, linestyle=(0, (4, 3)))
    _label(axes, values)


def _label(axes: Axes, values: dict[str, float]) -> None:
    """Name lines at the right end of each, moved up so far that no name covers another."""
    low, high = axes.get_ylim()
    line, before = (high - low) * 0.085, -math.inf  # room for a line of text
    for name, value in sorted(values.items(), key=lambda item: item[1]):
        before = max(value, before + line)
        axes.annotate(
            f"{name} {value:.4f}".removesuffix("0").replace(" 0.", " ."),
            (1, value),
            (1.06, before),
            xycoords=("axes fraction", "data"),
            textcoords=("axes fraction", "data"),
            va="center",
            arrowprops={"arrowstyle": "-", "color": SERIES[1], "linewidth": 0.5},
            annotation_clip=False,
        )


if __name__ == "__main__":
    main()
