"""Do masks that networks drew of the test images teach another one? From scratch, for as many steps.

Run by ``python benchmarks/teaching.py --steps 1200``; needs the real annotated images (SEGLET_DATA). Images
and masks are written as plain PNG, so that fields of view and protocols play no part; all arms validate on
the same images and are scored on the true masks of the same test images.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from accuracy import DATA, figure, tell
from numpy.typing import NDArray
from PIL import Image as Picture

import seglet
from seglet.data.datasets import labels_of, open_dataset
from seglet.data.masks import MaskConfig
from seglet.data.samples import read_samples
from seglet.io.files import read_probabilities
from seglet.io.listing import as_file
from seglet.metrics.curves import roc_curve
from seglet.metrics.pixels import dice
from seglet.writing import PROBABILITIES

Floats = NDArray[np.floating]

N_TEST = {"chasedb1": 8, "isbi2012": 5}  # the last ones, as for all figures
VALIDATES = 6  # every so many of the others
FIGURES = ("pooled.foreground.roc_auc", "pooled.foreground.dice")


def main() -> None:
    """Train all arms on each dataset and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tasks", nargs="*", default=list(N_TEST), help=f"of {', '.join(N_TEST)}")
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--teachers", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/teaching"))
    options = parser.parse_args()
    print(f"| data | arm | {' | '.join(FIGURES)} |\n|---|---|{'---|' * len(FIGURES)}")
    for task in options.tasks:
        for arm, scores in arms(task, options.steps, options.teachers, options.out / task):
            print(f"| {task} | {arm} | {' | '.join(f'{score:.4f}' for score in scores)} |", flush=True)


def arms(task: str, steps: int, n_teachers: int, out: Path) -> Iterator[tuple[str, list[float]]]:
    """Each arm and its FIGURES."""
    shown = export(task, out / "labelled")
    for seed in range(n_teachers):
        yield f"labels alone, seed {seed}", train(out / "labelled", out / f"teacher-{seed}", steps, seed)
    yield "labels alone, twice the steps", train(out / "labelled", out / "longer", 2 * steps, 0)
    for n in sorted({1, n_teachers}):
        found = draw(out / f"drawn-by-{n}", shown, [out / f"teacher-{seed}" for seed in range(n)])
        yield f"mean of {n}, at 0.5", together(shown, found)
        export(task, out / f"drawn-by-{n}")
        yield f"masks drawn by {n} too", train(out / f"drawn-by-{n}", out / f"student-of-{n}", steps, 0)


def export(task: str, folder: Path) -> list[Path]:
    """Write images and masks; their names say their roles. Gives the images that test."""
    dataset = open_dataset(DATA / task)
    cases = [case for case in dataset.cases if case.labels]
    samples = read_samples(cases, labels_of(dataset, cases, MaskConfig()))
    for number, sample in enumerate(samples):
        is_test = number >= len(samples) - N_TEST[task]
        role = "test" if is_test else "train" if number % VALIDATES else "validation"
        assert sample.labels is not None
        thin = sample.labels > 0
        write(folder, f"{role}_{number:02}", sample.image.pixels, ~thin if thin.mean() > 0.5 else thin)
    return sorted((folder / "images").glob("test_*"))


def draw(folder: Path, images: Sequence[Path], teachers: Sequence[Path]) -> list[Floats]:
    """Write copies of images as more to train on, with the masks that teachers draw together.

    Gives the mean of the teachers' (y, x) probabilities of each image.
    """
    masks = [seglet.predict(one, images, folder.parent / f"by-{one.name}", True) for one in teachers]
    found = []
    for place, image in enumerate(images):
        drawn = [read_probabilities(as_file(probabilities_of(by[place]))) for by in masks]
        found.append(np.mean(drawn, 0)[-1])
        pixels = np.atleast_3d(np.asarray(Picture.open(image))).transpose(2, 0, 1)
        write(folder, f"train_drawn_{place:02}", pixels, found[-1] > 0.5)
    return found


def together(images: Sequence[Path], found: Sequence[Floats]) -> list[float]:
    """FIGURES of probabilities, over the pixels of all images."""
    masks = [np.asarray(Picture.open(image.parents[1] / "masks" / image.name)) > 0 for image in images]
    truth, scores = (np.concatenate([one.ravel() for one in each]) for each in (masks, found))
    return [roc_curve(truth, scores).area, dice(truth, scores > 0.5)]


def probabilities_of(mask: Path) -> Path:
    """What stands beside a mask."""
    return next(mask.parent.glob(f"{mask.stem}{PROBABILITIES}*"))


def write(folder: Path, name: str, pixels: NDArray[np.generic], mask: NDArray[np.bool_]) -> None:
    """Write (c, y, x) pixels and a (y, x) mask."""
    files = {"images": pixels.transpose(1, 2, 0).squeeze(), "masks": mask.astype(np.uint8) * 255}
    for kind, values in files.items():
        (folder / kind).mkdir(parents=True, exist_ok=True)
        Picture.fromarray(values).save(folder / kind / f"{name}.png")


def train(data: Path, folder: Path, steps: int, seed: int) -> list[float]:
    """Train the planned recipe; its FIGURES."""
    roles = "split.test=test_*", "split.validation=validation_*"
    settings = (*roles, f"fit.steps={steps}", f"fit.seed={seed}")
    scores = seglet.train(data, folder, settings=settings, tell=tell).scores
    return [figure(scores, path).mean for path in FIGURES]


if __name__ == "__main__":
    main()
