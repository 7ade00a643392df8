"""Is a training step fast? seglet's against MONAI's loop, one process per side, by turns.

Run by ``python benchmarks/training.py``; needs MONAI, and the photographs of CHASE_DB1 (SEGLET_DATA), for
which synthetic cells stand in. Both sides train the same network on batches of 16 patches of 128x128 from the
same images, MONAI as its tutorials do. Medians over all runs; a ratio above 1 means that ours is faster.
``--cpu`` counts the CPU seconds of one thread, for a machine that has other things to do.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import nn

from seglet.core.image import LabelClass, Labels
from seglet.data.datasets import labels_of, open_dataset
from seglet.data.masks import MaskConfig
from seglet.data.samples import read_samples
from seglet.data.synthetic import make_dataset
from seglet.losses.combined import LossConfig
from seglet.model import Model, ModelCard, untrained
from seglet.networks.unet import UNetConfig
from seglet.patches.augment import AugmentConfig
from seglet.patches.sampler import PatchConfig, PatchSampler
from seglet.preprocessing.plan import Plan
from seglet.preprocessing.transform import Prepared
from seglet.training.fit import Settings, fit
from seglet.training.settings import FitConfig

DATA = Path(os.environ.get("SEGLET_DATA", Path(__file__).parents[2] / "shared" / "data"))
N_IMAGES, N_PATCHES, SIDE = 8, 16, 128
WIDTHS = (16, 32, 64, 128, 256)
AUGMENT = AugmentConfig().settled((SIDE, SIDE), is_oriented=False)
WARM_UP = 2  # steps, or batches, that are not counted


def main() -> None:
    """Time every side, by turns, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=12, help="counted in each run")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--network", choices=("unet", "basic"), default="unet", help="basic: MONAI's")
    parser.add_argument("--side", choices=SIDES, help="one alone; prints its seconds")
    options = parser.parse_args()
    if options.side:
        if options.cpu:
            torch.set_num_threads(1)
        now = time.process_time if options.cpu else time.perf_counter
        times = SIDES[options.side](options.steps, options.network, now)
        print(median(list(times)[WARM_UP:]))
        return
    found: dict[str, list[float]] = {side: [] for side in SIDES}
    for _ in range(options.runs):
        for side, times in found.items():
            if not (options.cpu and "workers" in side):  # whose seconds would not be seen
                times.append(_in_own_process(side))
    of_step = min(median(found[side]) for side in found if side.startswith("step of MONAI") and found[side])
    of_batch = median(found["augmentation by MONAI"])
    print(
        f"| {'CPU' if options.cpu else 'wall-clock'} | ms | per second | of MONAI's best |\n|---|---|---|---|"
    )
    for side, times in found.items():
        if times:
            best = of_step if side.startswith("step") else of_batch
            took = median(times)
            print(f"| {side} | {1000 * took:.1f} | {1 / took:.2f} | {best / took:.2f}x |")
    share = median(found["augmentation by seglet"]) / median(found["step of seglet"])
    print(f"\nAugmentation is {share:.1%} of seglet's step.")


def _in_own_process(side: str) -> float:
    command = [sys.executable, __file__, *sys.argv[1:], "--side", side]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


Now = Callable[[], float]


def step_of_seglet(steps: int, network: str, now: Now) -> Iterator[float]:
    """Seconds of each step, all of `fit` included: patches, loss, optimizer, averaging, trainer."""
    plan = Plan(
        color="rgb",
        normalization="standardize",
        resize=None,
        patch_size=(SIDE, SIDE),
        batch_size=N_PATCHES,
        channels=WIDTHS,
        strides=((2, 2),) * (len(WIDTHS) - 1),
        kernels=((3, 3),) * len(WIDTHS),
        n_channels=3,
        n_classes=2,
        training_memory=1,
    )
    classes = tuple(LabelClass(name=name, value=value) for value, name in enumerate(("no", "yes")))
    style = UNetConfig(head="softmax")
    model = untrained(ModelCard(recipe="benchmark", network=style, plan=plan, labels=Labels(classes=classes)))
    settings = Settings(PatchConfig(), LossConfig(), FitConfig(steps=steps + WARM_UP, rounds=1))
    ends: list[float] = []
    made = PatchSampler.batch

    def batch(sampler: PatchSampler, step: int) -> Any:
        ends.append(now())  # a step ends where the next one asks for its patches
        return made(sampler, step)

    PatchSampler.batch = batch  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        fit(replace(model, network=_network(network, model)), _images(), [], settings, Path(folder))
    yield from np.diff(ends[1:])  # before them, one for an example


def step_of_monai(steps: int, network: str, now: Now, n_workers: int = 0) -> Iterator[float]:
    """Seconds of each step: patches, transforms, collation, fp32, DiceCELoss, Adam."""
    from monai.data import CacheDataset, DataLoader
    from monai.losses import DiceCELoss
    from monai.transforms import Compose, EnsureChannelFirstd, EnsureTyped, RandCropByPosNegLabeld

    each = 4  # patches of an image
    cut = RandCropByPosNegLabeld(
        ["image", "label"], label_key="label", spatial_size=(SIDE, SIDE), pos=1, neg=2, num_samples=each
    )
    first = [EnsureChannelFirstd(["image"], channel_dim=0), EnsureChannelFirstd(["label"], channel_dim=0)]
    transform = Compose([*first, EnsureTyped(["image", "label"]), cut, *_of_monai()])
    items = [
        {"image": case.image, "label": case.labels[None]} for case in _images() if case.labels is not None
    ]
    cached = CacheDataset(items, transform, num_workers=0, progress=False)
    loader = DataLoader(cached, batch_size=N_PATCHES // each, shuffle=True, num_workers=n_workers)
    model = _network(network, None)
    loss, optimizer = DiceCELoss(to_onehot_y=True, softmax=True), torch.optim.Adam(model.parameters(), 1e-4)
    before = now()
    for batch in islice(_for_ever(loader), steps + WARM_UP):
        optimizer.zero_grad()
        loss(model(batch["image"]), batch["label"]).backward()
        optimizer.step()
        yield now() - before
        before = now()


def step_of_monai_with_workers(steps: int, network: str, now: Now) -> Iterator[float]:
    """As `step_of_monai`, the patches made by two processes."""
    return step_of_monai(steps, network, now, n_workers=2)


def augmentation_by_seglet(steps: int, network: str, now: Now) -> Iterator[float]:
    """Seconds of each batch: drawn, cut, warped with its truth, its intensities changed."""
    config = PatchConfig(augment=AUGMENT)
    sampler = PatchSampler(_images(), (SIDE, SIDE), N_PATCHES, config, seed=0, device=torch.device("cpu"))
    for step in range(4 * steps + WARM_UP):
        before = now()
        sampler.batch(step)
        yield now() - before


def augmentation_by_monai(steps: int, network: str, now: Now) -> Iterator[float]:
    """Seconds of each batch of patches that were cut before: its transforms, image by image."""
    from monai.transforms import Compose

    transform = Compose(_of_monai())
    config = PatchConfig(augment=AugmentConfig(probability=0, flip=0))
    sampler = PatchSampler(_images(), (SIDE, SIDE), N_PATCHES, config, seed=0, device=torch.device("cpu"))
    for step in range(steps + WARM_UP):
        batch = sampler.batch(step)
        pairs = zip(batch.images, batch.labels, strict=True)
        items = [{"image": image, "label": labels[None].float()} for image, labels in pairs]
        before = now()
        for item in items:
            transform(item)
        yield now() - before


SIDES: dict[str, Callable[[int, str, Now], Iterator[float]]] = {
    "step of seglet": step_of_seglet,
    "step of MONAI": step_of_monai,
    "step of MONAI, 2 workers": step_of_monai_with_workers,
    "augmentation by seglet": augmentation_by_seglet,
    "augmentation by MONAI": augmentation_by_monai,
}


def _of_monai() -> list[Any]:
    """RandAffine, Rand2DElastic, flips and noise, as strong and as often as seglet's; it changes no more."""
    from monai.transforms import Rand2DElasticd, RandAffined, RandFlipd, RandGaussianNoised

    both, modes, share = ["image", "label"], ("bilinear", "nearest"), AUGMENT.probability
    return [
        RandAffined(both, prob=share, rotate_range=np.pi, scale_range=0.25, mode=modes),
        Rand2DElasticd(both, prob=share, spacing=(42, 42), magnitude_range=(0, 6), mode=modes),
        RandFlipd(both, prob=AUGMENT.flip, spatial_axis=0),
        RandFlipd(both, prob=AUGMENT.flip, spatial_axis=1),
        RandGaussianNoised(["image"], prob=share, std=AUGMENT.noise),
    ]


def _network(name: str, ours: Model | None) -> nn.Module:
    """The network that both sides train."""
    torch.manual_seed(0)
    if name == "basic":
        from monai.networks.nets import BasicUNet

        return BasicUNet(spatial_dims=2, in_channels=3, out_channels=2, features=(*WIDTHS, WIDTHS[0]))
    if ours is not None:
        return ours.network
    from seglet.networks.unet import UNet

    n_steps = len(WIDTHS) - 1
    return UNet(UNetConfig(head="softmax"), 3, 2, WIDTHS, ((2, 2),) * n_steps, ((3, 3),) * len(WIDTHS))


def _images() -> list[Prepared]:
    """Photographs and their vessels, or synthetic cells where there are none."""
    if (DATA / "chasedb1").is_dir():
        return _prepared(DATA / "chasedb1")
    with tempfile.TemporaryDirectory() as folder:
        return _prepared(make_dataset(Path(folder) / "cells", n_images=N_IMAGES, shape=(960, 960)))


def _prepared(folder: Path) -> list[Prepared]:
    dataset = open_dataset(folder)
    cases = dataset.cases[:N_IMAGES]
    prepared = []
    for sample in read_samples(cases, labels_of(dataset, cases, MaskConfig())):
        pixels = np.asarray(sample.image.pixels, np.float32).reshape(-1, *sample.image.pixels.shape[-2:])
        pixels = (pixels - pixels.mean()) / pixels.std()
        prepared.append(Prepared(sample.id, np.resize(pixels, (3, *pixels.shape[1:])), sample.labels))
    return prepared


def _for_ever(loader: Any) -> Iterator[Any]:
    while True:
        yield from loader


if __name__ == "__main__":
    main()
