"""Train each published recipe and the planned one on the same split in the same time, and write one table.

Run by ``python benchmarks/published.py [ROW …] --budget 10m``; needs the real annotated images (SEGLET_DATA).
"""

import argparse
import os
import platform
from pathlib import Path
from typing import NamedTuple

import yaml
from accuracy import DATA, figure, tell

import seglet


class Row(NamedTuple):
    """Published recipes, the data they are run on, and the figures to report.

    A figure is ``pooled.CLASS.METRIC``, ``mean.CLASS.METRIC``, ``objects.NAME`` or ``partition.NAME``.
    """

    recipes: tuple[str, ...]
    data: str
    settings: tuple[str, ...]
    figures: tuple[str, ...]


ROWS = {
    "nuclei": Row(
        ("nuclei",),
        "dsb2018/stage1_train.zip",
        ("split.validation=every 10 from 0", "split.test=every 10 from 5", "protocol=dsb2018"),
        ("objects.dsb", "mean.object.dice"),
    ),
    "retina": Row(
        ("retina-patches", "retina"),
        "chasedb1",
        ("split.test=Image_1[1-4]*",),
        ("pooled.foreground.roc_auc", "pooled.foreground.f1"),
    ),
    "em": Row(
        ("unet2015-em",),
        "isbi2012",
        ("split.test=last 5", "masks.classes={membrane: 0, interior: 255}", "protocol=isbi2012"),
        ("partition.pixel_error", "partition.rand_error", "partition.v_rand", "partition.v_info"),
    ),
    "cells": Row(
        ("unet2015-cells",),
        "bbbc039",
        ("split.test=last 6", "protocol=ctc-seg"),
        ("objects.seg", "objects.merges_per_object", "mean.object.dice"),
    ),
    "liver": Row(
        ("liver", "liver-torch"),
        "ct/totalsegmentator",
        (  # slices of one patient: in one piece each, so that neighbors do not stand on both sides
            "layout={image: '{id}_ct_sm.nii.gz', labels: '{id}_seg.nii.gz', pages: true}",
            "masks.classes={background: 0, liver: 5}",
            "masks.others=background",
            "split.validation=first 4",
            "split.test=last 8",
            "split.train=first 16",
        ),
        ("mean.liver.dice", "pooled.liver.dice", "mean.liver.iou"),
    ),
    "multimodal": Row(("multimodal",), "lgg_mr", ("split.test=TCGA_DU_7010*",), ("pooled.foreground.dice",)),
}


def main() -> None:
    """Run the rows that were asked for, the published recipes and the planned one by turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", nargs="*", default=list(ROWS), help=f"of {', '.join(ROWS)}")
    parser.add_argument("--budget", default="10m", help="of each run")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/published"))
    options = parser.parse_args()
    print(f"{platform.platform()}, {os.cpu_count()} cores, seglet {seglet.__version__}\n")
    print("| data | recipe | steps | seconds | figures |\n|---|---|---|---|---|")
    for name in options.rows:
        for recipe in (*ROWS[name].recipes, "auto"):
            print(run(name, recipe, options.budget, options.seed, options.out), flush=True)


def run(name: str, recipe: str, budget: str, seed: int, out: Path) -> str:
    """Train one recipe on a row's data and give its line of the table."""
    row, folder = ROWS[name], out / f"{name}-{recipe}-{budget}-seed{seed}"
    settings = (*row.settings, f"fit.seed={seed}")
    trained = seglet.train(DATA / row.data, folder, recipe, settings, budget, tell=tell)
    facts = yaml.safe_load((folder / "run.yaml").read_text())
    figures = ", ".join(f"{key} {figure(trained.scores, key).mean:.4f}" for key in row.figures)
    return f"| {row.data} | {recipe} | {facts['steps']} | {facts['took_s']:.0f} | {figures} |"


if __name__ == "__main__":
    main()
