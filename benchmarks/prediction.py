"""Is prediction fast? seglet beside MONAI, and PyTorch as it is usually called; one process per side.

Run by ``python benchmarks/prediction.py [tile | image | giant]``; `image` needs MONAI and a photograph of HRF
(SEGLET_DATA), for which noise of 3504x2336 stands in. Every side runs the same network with the same weights.
Drawn weights cannot be brought to 8 bits, and their mask is noise, which packs slowly: the figures of
RESULTS.md are of ``--model RUN``, trained on CHASE_DB1 and then quantized.

- ``tile``: the original U-Net on one tile of 572x572, the network alone.
- ``image``: file to mask: read, normalize, cut into windows, run, blend, threshold, write.
- ``giant``: an OME-Zarr image of 20,000x20,000 and its labels, with ``--max-ram 2G``, beside a PNG of
  4000x4000 of the same cells. Takes minutes.

The engine is that which an earlier command has chosen; which, is said first. Medians over all runs; a ratio
above 1 means that ours is faster. Peaks are of the whole process.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from math import prod
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Picture

from seglet import pipeline
from seglet.core.image import Image, LabelClass, Labels
from seglet.core.overlap import abreast
from seglet.core.profile import profiling
from seglet.data.synthetic_cells import make_cells
from seglet.io import ome_zarr
from seglet.model import Model, ModelCard, load_model, save_model, untrained
from seglet.networks.unet import UNetConfig
from seglet.networks.unet2015 import UNet2015Config
from seglet.prediction.engines.choice import available, engine_for, fastest, tried
from seglet.prediction.engines.making import make_engine
from seglet.prediction.tiling import extent_of, tiling_of
from seglet.preprocessing.plan import Plan
from seglet.trying import try_engines

DATA = Path(os.environ.get("SEGLET_DATA", Path(__file__).parents[2] / "shared" / "data"))
WINDOW, MARGIN = 512, 32
SIDE = 572
N_TIMED = 3
CELLS = 1000
UNCOUNTED = "first"


def main() -> None:
    """Time every side of what was asked for, by turns, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=("tile", "image", "giant"), default="image")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--model", type=Path, help="run or model folder; else freshly drawn weights")
    parser.add_argument("--side", nargs=2, help="one alone, and the folder of its model; prints JSON")
    options = parser.parse_args()
    if options.side:
        name, folder = options.side
        run = FIRST[options.what] if name == UNCOUNTED else SIDES[options.what][name]
        print(json.dumps(run(Path(folder))))
        return
    sides = SIDES[options.what]
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or _make_model(options.what, Path(folder) / "model")
        if options.what in FIRST:
            print(_in_own_process(options.what, UNCOUNTED, model), file=sys.stderr)
        found: dict[str, list[dict[str, float]]] = {side: [] for side in sides}
        for _ in range(options.runs):
            for side, runs in found.items():
                runs.append(_in_own_process(options.what, side, model))
    columns = list(dict.fromkeys(name for runs in found.values() for name in runs[0]))
    slowest = median(run["seconds"] for run in found[next(iter(sides))])
    print(f"| {options.what} | " + " | ".join(columns) + " | ratio |\n" + "|---" * (len(columns) + 2) + "|")
    for side, runs in found.items():
        figures = {name: median(run[name] for run in runs) for name in runs[0]}
        cells = (f"{figures[name]:.4g}" if name in figures else "" for name in columns)
        print(f"| {side} | {' | '.join(cells)} | {slowest / figures['seconds']:.2f}x |")


def _in_own_process(what: str, side: str, model: Path) -> dict[str, Any]:
    command = [sys.executable, __file__, what, "--side", side, str(model)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    read: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return read


def _make_model(what: str, folder: Path) -> Path:
    """A model of drawn weights whose logits are of the usual size."""
    widths = (64, 128, 256, 512, 1024) if what == "tile" else (16, 32, 64, 128, 256)
    plan = Plan(
        color="gray" if what == "tile" else "rgb",
        normalization="standardize",
        resize=None,
        patch_size=(SIDE, SIDE) if what == "tile" else (128, 128),
        batch_size=1,
        n_channels=1 if what == "tile" else 3,
        n_classes=2,
        channels=widths,
        strides=((2, 2),) * (len(widths) - 1),
        kernels=((3, 3),) * len(widths),
        training_memory=1,
        is_valid=what == "tile",
    )
    network = UNet2015Config() if what == "tile" else UNetConfig()
    classes = (LabelClass(name="background", value=0), LabelClass(name="vessel", value=255))
    model = untrained(ModelCard(recipe="auto", network=network, plan=plan, labels=Labels(classes=classes)))
    with torch.no_grad():
        images = torch.randn(1, plan.n_channels, *((SIDE, SIDE) if what == "tile" else (256, 256)))
        if what != "tile":
            model.network.train()(images)
        logits = model.network.eval()(images)
        for value in model.network.head.parameters():  # type: ignore[union-attr]
            value /= logits.std()
    return save_model(model, folder)


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _tile(model: Model) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal((1, model.card.plan.n_channels, SIDE, SIDE), np.float32)


def _least_seconds(run: Callable[[], object]) -> float:
    run()  # compiles, and fills caches
    times = []
    for _ in range(N_TIMED):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def tile_by_pytorch(folder: Path) -> dict[str, float]:
    """As everybody calls it: float32, the default order of memory."""
    model = load_model(folder)
    tile = torch.from_numpy(_tile(model))
    with torch.inference_mode():
        seconds = _least_seconds(lambda: model.network(tile))
    return {"seconds": seconds, "peak MiB": _peak_mib()}


def tile_by_seglet(folder: Path) -> dict[str, float]:
    """The engine that is chosen on this machine."""
    model = load_model(folder)
    tile = _tile(model)
    best = fastest(tried(model, available(model), [tile]))
    print(best.name, file=sys.stderr)
    engine = make_engine(model, (best.engine, best.precision), tile.shape)
    return {
        "seconds": _least_seconds(lambda: engine.logits(tile)),
        "peak MiB": _peak_mib(),
        "largest probability difference": best.largest_probability,
        "Dice": best.dice,
    }


def _photograph(folder: Path) -> Path:
    found = sorted((DATA / "hrf" / "images").glob("*"))
    if found:
        return found[0]
    path = folder / "noise.png"
    Picture.fromarray(np.random.default_rng(0).integers(0, 255, (2336, 3504, 3), np.uint8)).save(path)
    return path


def try_photograph(folder: Path) -> dict[str, str]:
    """What `seglet model engines` does."""
    with tempfile.TemporaryDirectory() as place:
        chosen = try_engines(folder, _photograph(Path(place))).chosen
    return {"engine": chosen.name}


def image_by_monai(folder: Path) -> dict[str, float]:
    """SlidingWindowInferer in float32, with our network, windows and overlap."""
    from monai.inferers import SlidingWindowInferer

    network = load_model(folder).network
    with tempfile.TemporaryDirectory() as place:
        path = _photograph(Path(place))
        start = time.perf_counter()
        pixels = np.asarray(Picture.open(path).convert("RGB"), np.float32).transpose(2, 0, 1)
        mean, std = pixels.mean((1, 2), keepdims=True), pixels.std((1, 2), keepdims=True)
        images = torch.from_numpy((pixels - mean) / std)[None]
        inferer = SlidingWindowInferer((WINDOW, WINDOW), 1, overlap=2 * MARGIN / WINDOW, mode="gaussian")
        with torch.inference_mode():
            mask = torch.sigmoid(inferer(images, network))[0, 0] > 0.5
        Picture.fromarray(mask.numpy().astype(np.uint8) * 255).save(Path(place) / "mask.png")
        return {"seconds": time.perf_counter() - start, "peak MiB": _peak_mib()}


def image_by_seglet(folder: Path) -> dict[str, float]:
    """What `seglet predict` does, by the engine that an earlier run has chosen."""
    with tempfile.TemporaryDirectory() as place:
        path = _photograph(Path(place))
        start = time.perf_counter()
        pipeline.predict(folder, [path], Path(place) / "masks", flips=False)
        seconds = time.perf_counter() - start
        peak = _peak_mib()
        network = _network_seconds(load_model(folder), path)
    return {"seconds": seconds, "peak MiB": peak, "beyond the network": seconds / network - 1}


def _network_seconds(model: Model, path: Path) -> float:
    """The network alone, on as many windows of the photograph, by as many threads at the same time."""
    model = replace(model, card=model.card.predicting(flips=False))
    along = tiling_of(model.card).stripes(Picture.open(path).size[::-1])
    shape = (1, model.card.plan.n_channels, *extent_of(along))
    n_windows = prod(map(len, along))
    windows = [np.random.default_rng(0).standard_normal(shape, np.float32)] * n_windows
    runner, lanes = engine_for(model).abreast(shape, tiling_of(model.card).lanes(n_windows, shape[2:]))
    list(abreast(runner.run, windows[:lanes], lanes, "network"))  # compiles
    start = time.perf_counter()
    list(abreast(runner.run, windows, lanes, "network"))
    return time.perf_counter() - start


def cells_by_seglet(folder: Path, side: int, most: int = 4000) -> dict[str, float]:
    """What `seglet predict --max-ram 2G` does with a square of cells, the same ones again and again."""
    cells = np.asarray(make_cells((CELLS, CELLS), np.random.default_rng(0))[0], np.uint8)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / ("cells.png" if side <= most else "cells.ome.zarr")
        if side <= most:
            Picture.fromarray(np.tile(cells, (side // CELLS,) * 2)).save(path)
        else:
            with ome_zarr.new_image(path, (1, side, side), cells.dtype, Image(cells[None])) as canvas:
                for y, x in product(range(0, side, CELLS), repeat=2):
                    canvas[slice(y, y + CELLS), slice(x, x + CELLS)] = cells[None]
        start = time.perf_counter()
        with profiling() as spent:
            out = Path(place) / "masks" if side <= most else path
            pipeline.predict(folder, [path], out, max_ram="2G")
        seconds = time.perf_counter() - start
    network = next(one.seconds for one in spent if one.part == "network")
    return {
        "seconds": seconds,
        "peak MiB": _peak_mib(),
        "megapixels per second": side**2 / 1e6 / seconds,
        "beyond the network": seconds / network - 1,
    }


SIDES: dict[str, dict[str, Any]] = {
    "tile": {"PyTorch, float32": tile_by_pytorch, "seglet": tile_by_seglet},
    "image": {"MONAI, float32": image_by_monai, "seglet": image_by_seglet},
    "giant": {f"{side}x{side}": partial(cells_by_seglet, side=side) for side in (4000, 6000, 20_000)},
}
FIRST: dict[str, Callable[[Path], dict[str, Any]]] = {  # run once and not counted: it chooses the engine
    "image": try_photograph,
    "giant": partial(cells_by_seglet, side=4000),
}

if __name__ == "__main__":
    main()
