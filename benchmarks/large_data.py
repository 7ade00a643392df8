"""Measure time and memory of every command on images far larger than the memory, and what prefetching gains.

Writes sparse stores (bright balls in a few blocks, the rest never written), or dense ones with ``--dense``,
and prints a Markdown table: peak resident memory and seconds of check, plan, train and predict.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import torch
import zarr
from numpy.typing import NDArray

import seglet
from seglet import pipeline
from seglet.core.image import StoredSample
from seglet.patches.prefetch import Prefetcher
from seglet.patches.sampler import PatchSampler
from seglet.reading import sources_of

SIDE = 128
N_BLOCKS = 12  # written in a sparse store
N_CASES = 2
PAUSE_S = 0.2  # about a step of the standard network on two patches
N_STEPS = 20
SETTINGS = ("fit.steps=30", "fit.rounds=2", "split.folds=none", "split.test=last 1", "split.validation=none")


def main() -> None:
    """Run all commands one after the other."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=20, help="of each image, at 16 bits")
    parser.add_argument("--dense", action="store_true", help="write every block")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    side = round((options.gigabytes * 1e9 / 2) ** (1 / 3) / SIDE) * SIDE
    chosen = [part for one in (*SETTINGS, *options.settings) for part in ("--set", one)]
    print(f"{platform.platform()}, {os.cpu_count()} cores, seglet {seglet.__version__}\n")
    print("| command | peak GiB | seconds |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        data, run, out = Path(folder, "data"), Path(folder, "run"), Path(folder, "out")
        write(data, side, is_dense=options.dense)
        image = data / "images" / f"{N_CASES - 1}.zarr"
        report("check", str(data))
        report("plan", str(data), *chosen)
        report("train", str(data), "-o", str(run), *chosen)
        report("predict", str(run), str(image), "-o", str(out))
        ahead, alone = steps(data, [*SETTINGS, *options.settings])
    step = f"A step that waits {PAUSE_S * 1000:.0f} ms for the device"
    print(f"\n{step}: {ahead:.0f} ms with batches made ahead, {alone:.0f} ms without.")


def write(root: Path, side: int, *, is_dense: bool) -> None:
    """Write images and labels of `side` voxels along each axis."""
    n = side // SIDE
    blocks = [blob(seed) for seed in range(N_BLOCKS)]
    for case in range(N_CASES):
        places = np.stack(np.unravel_index(np.arange(n**3), (n,) * 3), axis=-1)
        if not is_dense:
            places = np.random.default_rng(case).choice(places, N_BLOCKS, replace=False)
        arrays = [
            zarr.create_array(
                root / name / f"{case}.zarr", shape=(side,) * 3, chunks=(SIDE,) * 3, dtype=dtype, fill_value=0
            )
            for name, dtype in (("images", "u2"), ("labels", "u1"))
        ]
        for number, place in enumerate(places):
            box = tuple(slice(int(p) * SIDE, (int(p) + 1) * SIDE) for p in place)
            for array, values in zip(arrays, blocks[number % N_BLOCKS], strict=True):
                array[box] = values


def blob(seed: int) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """A block of bright balls in noise, and where they are."""
    rng = np.random.default_rng(seed)
    places = np.stack(np.meshgrid(*[np.arange(SIDE)] * 3, indexing="ij"), -1).astype(np.float32)
    mask = np.zeros((SIDE,) * 3, bool)
    for center in rng.integers(16, SIDE - 16, (10, 3)):
        mask |= ((places - center) ** 2).sum(axis=-1) < 144
    return (rng.normal(300, 30, mask.shape) + 400 * mask).clip(0).astype(np.uint16), mask.astype(np.uint8)


def report(*command: str) -> None:
    """Run a command of seglet, watch its memory, and print a row."""
    started, peak = time.monotonic(), 0
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen([sys.executable, "-m", "seglet", *command], stdout=said, stderr=said)
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            with suppress(psutil.NoSuchProcess):
                peak = max(peak, watched.memory_info().rss)
            time.sleep(0.05)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{' '.join(command)}:\n{said.read()}")
    print(f"| {command[0]} | {peak / 2**30:.2f} | {time.monotonic() - started:.0f} |", flush=True)


def steps(data: Path, settings: list[str]) -> tuple[float, float]:
    """Milliseconds of a step with batches made in the background, and made when they are needed."""
    planned = pipeline.plan(data, settings=settings)
    cases = [planned.samples[case.id] for case in planned.split.train]
    sources = [
        source
        for case in cases
        if isinstance(case, StoredSample)
        for source in sources_of(case, planned.plan)
    ]
    plan, recipe = planned.plan, planned.recipe
    sampler = PatchSampler(
        sources, plan.patch_size, plan.batch_size, recipe.patches, seed=0, device=torch.device("cpu")
    )
    with Prefetcher(sampler) as ahead:
        return timed(ahead), timed(sampler)


def timed(batches: Prefetcher | PatchSampler) -> float:
    """Milliseconds of a step that uses a batch while the processor is free."""
    batches.batch(0)
    started = time.perf_counter()
    for step in range(1, N_STEPS + 1):
        batches.batch(step)
        time.sleep(PAUSE_S)
    return (time.perf_counter() - started) / N_STEPS * 1000


if __name__ == "__main__":
    main()
