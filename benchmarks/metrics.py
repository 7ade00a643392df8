"""Are the metrics fast? Each against another implementation, by turns in one process on one core.

Run by ``python benchmarks/metrics.py [NAME ...]``; needs the packages that the tests compare with, and for
some the real annotated images (SEGLET_DATA). Times are CPU seconds, the best of several runs; a ratio below 1
means that ours is faster.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from monai.metrics import compute_hausdorff_distance
from scipy import ndimage
from sklearn.metrics import roc_auc_score

from seglet.data.datasets import labels_of, open_dataset
from seglet.data.masks import MaskConfig
from seglet.data.samples import read_samples
from seglet.io.files import read_mask
from seglet.io.sources import File
from seglet.metrics.curves import roc_curve
from seglet.metrics.instances import THRESHOLDS, dsb_score, overlaps
from seglet.metrics.partition import PartitionTally
from seglet.metrics.surface import surface_figures

DATA = Path(os.environ.get("SEGLET_DATA", Path(__file__).parents[2] / "shared" / "data"))
JAVA_S = 8.0  # CPU seconds of the figures below on r10_network_like_s28: shared/oracles/isbi2012/README.md
Mask = np.ndarray


def main() -> None:
    """Run the named comparisons, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(COMPARISONS))
    torch.set_num_threads(1)
    print("| figure | on | ours | theirs | ratio |")
    print("|---|---|---|---|---|")
    for name in parser.parse_args().names or COMPARISONS:
        COMPARISONS[name]()


def hd95() -> None:
    """All five surface figures against MONAI's 95th percentile alone."""
    hippocampi = sorted((DATA / "hippocampus" / "labelsTr").glob("*.nii.gz"))[::9]
    spleen = DATA / "ct/spleen_bids/derivatives/labels/sub-spleen2/ct/sub-spleen2_ct_seg-manual.nii.gz"
    _compare_hd95("10 hippocampi", [_mask(file) for file in hippocampi], (1.0, 1.0, 1.0), n_runs=5)
    _compare_hd95("a spleen", [_mask(spleen)], (5.0, 0.8, 0.8), n_runs=5)
    _compare_hd95("an ellipsoid, 80 x 256 x 256", [_ellipsoid()], (2.5, 0.7, 0.7), n_runs=2)


def _compare_hd95(on: str, masks: list[Mask], spacing: tuple[float, ...], n_runs: int) -> None:
    pairs = [(mask, _perturbed(mask, seed)) for seed, mask in enumerate(masks)]
    theirs = [tuple(torch.from_numpy(np.stack([~mask, mask]))[None] for mask in pair) for pair in pairs]

    def of_ours() -> list[float]:
        return [surface_figures(*pair, spacing, 1.0)["hd95"] for pair in pairs]

    def of_monai() -> list[float]:
        return [
            compute_hausdorff_distance(predicted, truth, percentile=95, spacing=spacing).item()
            for truth, predicted in theirs
        ]

    np.testing.assert_allclose(of_ours(), of_monai(), rtol=1e-6)
    _print_row("hd95", on, of_ours, of_monai, n_runs)


def dsb() -> None:
    """The score of the Data Science Bowl against StarDist's matching, and against two loops over masks."""
    truths = _nuclei()
    predictions = [_paired(truth) for truth in truths]
    pairs = list(zip(truths, predictions, strict=True))
    on = f"{len(pairs)} images, {_n_objects(truths)} true and {_n_objects(predictions)} predicted objects"

    def of_ours() -> list[float]:
        return [dsb_score(overlaps(*pair)) for pair in pairs]

    def of_loops() -> list[float]:
        return [_score_by_loops(*pair) for pair in pairs]

    np.testing.assert_allclose(of_ours()[::10], [_score_by_loops(*pair) for pair in pairs[::10]], rtol=1e-9)
    try:
        from stardist.matching import matching
    except ImportError:
        print(
            "StarDist is missing: "
            "pip install --no-deps --target FOLDER stardist csbdeep six; PYTHONPATH=FOLDER"
        )
    else:
        above = [threshold + 1e-6 for threshold in THRESHOLDS]  # it matches at IoU ≥ t, in float32

        def of_stardist() -> list[float]:
            return [
                float(np.mean([matching(*pair, thresh=threshold).accuracy for threshold in above]))
                for pair in pairs
            ]

        def of_one_call() -> list[float]:
            return [float(np.mean([one.accuracy for one in matching(*pair, thresh=above)])) for pair in pairs]

        np.testing.assert_allclose(of_ours(), of_stardist(), rtol=1e-9)
        _print_row("dsb, StarDist called for each threshold", on, of_ours, of_stardist, n_runs=2)
        _print_row("dsb, StarDist called once", on, of_ours, of_one_call, n_runs=5)
    _print_row("dsb, two loops over masks", on, of_ours, of_loops, n_runs=1)


def roc() -> None:
    """The area under the ROC curve, and the curve, against sorting the scores and against scikit-learn."""
    rng = np.random.default_rng(0)
    truth = rng.random(5_000_000) < 0.12
    scores = (1 / (1 + np.exp(-rng.normal(2.0 * truth - 1, 1)))).astype(np.float32)
    probabilities = np.round(scores * 255) / np.float32(255)
    for on, values in (("5 million pixels", scores), ("the same in 256 levels", probabilities)):
        np.testing.assert_allclose(roc_curve(truth, values).area, roc_auc_score(truth, values), rtol=1e-12)
        _print_row("roc, np.sort", on, lambda v=values: roc_curve(truth, v), lambda v=values: np.sort(v), 5)
        _print_row(
            *("roc, scikit-learn", on),
            lambda v=values: roc_curve(truth, v),
            lambda v=values: roc_auc_score(truth, v),
            n_runs=2,
        )


def isbi2012() -> None:
    """All six ISBI 2012 figures of a slice, with the winning thresholds, against the challenge's own code.

    That one is in Java and only its CPU seconds are here, of its warm second run on one slice; it is far
    slower on noise, which is compared with the same seconds all the same.
    """
    case = DATA.parent / "oracles" / "isbi2012" / "r10_network_like_s28"
    truth = _mask(case / "label.png")
    proposal = np.asarray(read_mask(File(case, "proposal.png")) * (1 / 255), np.float32)
    rng = np.random.default_rng(0)
    smooth = ndimage.gaussian_filter(rng.random(truth.shape), 1)
    _partition(truth[:64, :64], proposal[:64, :64])  # compiles
    for on, values in {
        "a slice of 512 x 512": proposal,
        "noise": rng.random(truth.shape, np.float32),
        "smooth noise": ((smooth - smooth.min()) / np.ptp(smooth)).astype(np.float32),
        "the inverse": 1 - proposal,
    }.items():
        seconds = _best(lambda v=values: _partition(truth, v), n_runs=5)
        print(f"| isbi2012 | {on} | {seconds:.3f} s | {JAVA_S:.3f} s | {seconds / JAVA_S:.2g} |", flush=True)


def _partition(truth: Mask, proposal: np.ndarray) -> dict[str, float]:
    tally = PartitionTally()
    tally.add(truth, proposal)
    return tally.figures()


def _best(run: Callable[[], object], n_runs: int) -> float:
    """CPU seconds of the fastest run."""
    seconds = []
    for _ in range(n_runs):
        start = time.process_time()
        run()
        seconds.append(time.process_time() - start)
    return min(seconds)


def _nuclei() -> list[Mask]:
    """Objects of every fifth image of the Data Science Bowl, at original size."""
    dataset = open_dataset(DATA / "dsb2018" / "stage1_train.zip")
    cases = dataset.cases[::5]
    labels = labels_of(dataset, cases, MaskConfig())
    return [sample.objects for sample in read_samples(cases, labels) if sample.objects is not None]


def _paired(objects: Mask) -> Mask:
    """Each odd object merged with the next one, and all moved by a pixel."""
    return np.roll((objects + 1) // 2, (1, 1), (0, 1)).astype(np.int32)


def _n_objects(images: list[Mask]) -> int:
    return sum(int(np.count_nonzero(np.unique(objects))) for objects in images)


def _score_by_loops(truth: Mask, predicted: Mask) -> float:
    rows = [truth == number for number in np.unique(truth) if number]
    columns = [predicted == number for number in np.unique(predicted) if number]
    if not rows and not columns:
        return 1.0
    iou = np.array([[(one & other).sum() / (one | other).sum() for other in columns] for one in rows])
    matched = [int((iou > threshold).sum()) for threshold in THRESHOLDS]
    return float(np.mean([n / (len(rows) + len(columns) - n) for n in matched]))


def _print_row(
    figure: str, on: str, ours: Callable[[], object], theirs: Callable[[], object], n_runs: int
) -> None:
    """Time both by turns, so that both meet the same load, and print a line of the table."""
    best = [float("inf"), float("inf")]
    for _ in range(n_runs):
        for number, run in enumerate((ours, theirs)):
            start = time.process_time()
            run()
            best[number] = min(best[number], time.process_time() - start)
    print(f"| {figure} | {on} | {best[0]:.3f} s | {best[1]:.3f} s | {best[0] / best[1]:.2g} |", flush=True)


def _mask(file: Path) -> Mask:
    return np.asarray(read_mask(File(file.parent, file.name)) > 0)


def _ellipsoid() -> Mask:
    z, y, x = np.ogrid[-1:1:80j, -1:1:256j, -1:1:256j]
    return np.asarray((z / 0.8) ** 2 + (y / 0.6) ** 2 + (x / 0.7) ** 2 < 1)


def _perturbed(mask: Mask, seed: int) -> Mask:
    """The object as a good model would draw it: its surface moved by a smooth field of about a voxel."""
    noise = np.random.default_rng(seed).normal(size=mask.shape).astype(np.float32)
    field = ndimage.gaussian_filter(noise, 3)
    soft = ndimage.gaussian_filter(mask.astype(np.float32), 1)
    return np.asarray(soft > 0.5 + 0.4 * np.tanh(field / field.std()))


COMPARISONS: dict[str, Callable[[], None]] = {"hd95": hd95, "dsb": dsb, "roc": roc, "isbi2012": isbi2012}

if __name__ == "__main__":
    main()
