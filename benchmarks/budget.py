"""Whether a budget is kept: the wall-clock time of whole commands `seglet train`, from start to end.

Fails where a run ends more than 8 % early or 5.5 % late: at three minutes, before 2:45 or after 3:10. With
``--busy 2`` as many processes that never rest compete for the cores, from the first second on.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml
from accuracy import DATA, TASKS

from seglet.data.synthetic import make_dataset
from seglet.training.settings import seconds

EARLIEST, LATEST = 1 - 0.08, 1 + 0.055  # share of the budget
N_IMAGES = 20  # synthetic


def main() -> None:
    """Run the command again and again, print a Markdown table, and fail where a budget is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=["synthetic"], help=f"of synthetic, {', '.join(TASKS)}")
    parser.add_argument("--budget", default="3m")
    parser.add_argument("-n", type=int, default=10, dest="n_runs", help="runs of each task")
    parser.add_argument("--busy", type=int, default=0, help="processes that compete for the cores")
    options = parser.parse_args()
    print("| data | busy processes | budget | wall-clock [s] | share | steps |\n|---|---|---|---|---|---|")
    budget_s, shares = float(seconds(options.budget)), []
    with tempfile.TemporaryDirectory() as place, competitors(options.busy):
        for task in options.tasks:
            for number in range(options.n_runs):
                took_s, steps = run(task, options.budget, number, Path(place))
                shares.append(took_s / budget_s)
                cells = (task, options.busy, options.budget, f"{took_s:.1f}", f"{shares[-1]:.1%}", steps)
                print("| " + " | ".join(map(str, cells)) + " |", flush=True)
    n_kept = sum(EARLIEST <= share <= LATEST for share in shares)
    print(f"\n{n_kept} of {len(shares)} kept; {min(shares):.1%} to {max(shares):.1%} of the budget")
    sys.exit(n_kept < len(shares))


def run(task: str, budget: str, number: int, place: Path) -> tuple[float, int]:
    """Wall-clock seconds of one command, and the steps that it trained."""
    out = place / f"{task}-{number}"
    if task == "synthetic":
        data, settings = place / "synthetic", ()
        if not data.exists():
            make_dataset(data, "cells", n_images=N_IMAGES)
    else:
        data, settings = DATA / TASKS[task].data, TASKS[task].settings
    said = [part for setting in (*settings, f"fit.seed={number}") for part in ("--set", setting)]
    command = [sys.executable, "-m", "seglet", "train", data, "-o", out, "--budget", budget, *said]
    log = place / f"{task}-{number}.log"
    with log.open("w") as told:
        started = time.monotonic()
        ended = subprocess.run(command, stdout=told, stderr=subprocess.STDOUT, check=False)
        took_s = time.monotonic() - started
    if ended.returncode:
        sys.exit(log.read_text())
    return took_s, yaml.safe_load((out / "run.yaml").read_text())["steps"]


@contextmanager
def competitors(n: int) -> Iterator[None]:
    """Processes that compute without a rest."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(n)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main()
