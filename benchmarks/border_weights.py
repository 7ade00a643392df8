"""Does the border weight map keep touching nuclei apart? The planned recipe with and without it, three seeds.

Run by ``python benchmarks/border_weights.py``; needs the real annotated images (SEGLET_DATA). BBBC039, the
last six images test; in both arms a pixel of background is drawn between touching nuclei.
"""

import argparse
import os
from pathlib import Path
from statistics import mean

import seglet

DATA = Path(os.environ.get("SEGLET_DATA", Path(__file__).parents[2] / "shared" / "data"))
ARMS = {
    "without": ("patches.border_weight={peak: 0}",),
    "with": ("patches.border_weight={peak: 10, sigma: 5}",),
}
FIGURES = ("merges_per_object", "splits", "missed", "seg", "dsb")


def main() -> None:
    """Train every arm with every seed, by turns, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/border_weights"))
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    print("| map | seed | " + " | ".join(FIGURES) + " | pixel Dice |")
    print("|---" * (len(FIGURES) + 3) + "|")
    rows: dict[str, list[list[float]]] = {arm: [] for arm in ARMS}
    for seed in range(options.seeds):
        for arm, of_arm in ARMS.items():
            said = (f"fit.steps={options.steps}", f"fit.seed={seed}", *of_arm, *options.settings)
            settings = ("split.test=last 6", "targets.separation=1", *said)
            scores = seglet.train(DATA / "bbbc039", options.out / f"{arm}-{seed}", settings=settings).scores
            found = [figure(scores.objects[name]) for name in FIGURES] + [scores.mean_dice.mean]
            rows[arm].append(found)
            print(line(arm, str(seed), found), flush=True)
    for arm, found_rows in rows.items():
        print(line(arm, "mean", [mean(column) for column in zip(*found_rows, strict=True)]))


def figure(value: object) -> float:
    """The number of a figure, of an interval its middle."""
    return float(getattr(value, "mean", value))


def line(arm: str, seed: str, found: list[float]) -> str:
    """One line of the table."""
    return f"| {arm} | {seed} | " + " | ".join(f"{value:.4f}" for value in found) + " |"


if __name__ == "__main__":
    main()
