"""Is a training step fast? seglet's against MONAI's loop, one process per side, by turns.

Run by ``python benchmarks/training.py``; needs MONAI, and the photographs of CHASE_DB1 (SEGLET_DATA), for
which synthetic cells stand in. Both sides train the same network on batches of 16 patches of 128x128 from the
same images, MONAI as its tutorials do. Medians over all runs; a ratio above 1 means that ours is faster.
``--cpu`` counts the CPU seconds of one thread, for a machine that has other things to do.

Where Keras is installed, a step of its tutorial form is timed too, on PyTorch and on TensorFlow: a U-Net of
the same widths without normalization, and patches that lie in memory and are not augmented.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
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
from seglet.networks.unet import UNet, UNetConfig
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
AS_THEY_ARE = PatchConfig(augment=AugmentConfig(probability=0, flip=0))
KERAS_DROPOUT = (0.1, 0.1, 0.2, 0.2, 0.3)  # of each level, down and up; see docs/recipes/nuclei.md
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
        print(median(list(SIDES[options.side](options.steps, options.network, now))[WARM_UP:]))
        return
    found: dict[str, list[float]] = {side: [] for side in SIDES if _is_installed(side)}
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


def _is_installed(side: str) -> bool:
    """Whether this side can run here; says so where not."""
    needed = ("keras", KERAS[side]) if side in KERAS else ()
    missing = [package for package in needed if not find_spec(package)]
    if missing:
        print(f"Left out: {side}; not installed: {', '.join(missing)}.")
    return not missing


def _in_own_process(side: str) -> float:
    command = [sys.executable, __file__, *sys.argv[1:], "--side", side]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


Now = Callable[[], float]


def step_of_seglet(steps: int, network: str, now: Now) -> Iterator[float]:
    """Seconds of each step, all of `fit` included: patches, loss, optimizer, averaging, trainer."""
    model = drawn_model()
    settings = Settings(PatchConfig(), LossConfig(), FitConfig(steps=steps + WARM_UP, rounds=1))
    ends: list[float] = []
    made = PatchSampler.batch

    def batch(sampler: PatchSampler, step: int) -> Any:
        ends.append(now())  # a step ends where the next one asks for its patches
        return made(sampler, step)

    PatchSampler.batch = batch  # type: ignore[assignment, method-assign]
    with tempfile.TemporaryDirectory() as folder:
        ours = model if network == "unet" else replace(model, network=drawn_network(network))
        fit(ours, read_images(), [], settings, Path(folder))
    yield from np.diff(ends[1:])  # before them, one for an example


def step_of_monai(steps: int, network: str, now: Now, n_workers: int = 0) -> Iterator[float]:
    """Seconds of each step: patches, transforms, collation, fp32, DiceCELoss, Adam."""
    from monai.losses import DiceCELoss

    model = drawn_network(network)
    loss, optimizer = DiceCELoss(to_onehot_y=True, softmax=True), torch.optim.Adam(model.parameters(), 1e-4)
    batches = batches_of_monai(read_images(), n_workers)
    before = now()
    for batch in islice(batches, steps + WARM_UP):
        optimizer.zero_grad()
        loss(model(batch["image"]), batch["label"]).backward()
        optimizer.step()
        yield now() - before
        before = now()


def batches_of_monai(images: list[Prepared], n_workers: int = 0) -> Iterator[dict[str, torch.Tensor]]:
    """Patches as its tutorials make them, without end."""
    from monai.data import CacheDataset, DataLoader
    from monai.transforms import Compose, EnsureChannelFirstd, EnsureTyped, RandCropByPosNegLabeld

    each = 4  # patches of an image
    cut = RandCropByPosNegLabeld(
        ["image", "label"], label_key="label", spatial_size=(SIDE, SIDE), pos=1, neg=2, num_samples=each
    )
    first = [EnsureChannelFirstd(["image"], channel_dim=0), EnsureChannelFirstd(["label"], channel_dim=0)]
    transform = Compose([*first, EnsureTyped(["image", "label"]), cut, *_of_monai()])
    items = [{"image": case.image, "label": case.labels[None]} for case in images if case.labels is not None]
    cached = CacheDataset(items, transform, num_workers=0, progress=False)
    loader = DataLoader(cached, batch_size=N_PATCHES // each, shuffle=True, num_workers=n_workers)
    while True:
        yield from loader


def step_of_monai_with_workers(steps: int, network: str, now: Now) -> Iterator[float]:
    """As `step_of_monai`, the patches made by two processes."""
    return step_of_monai(steps, network, now, n_workers=2)


def step_of_keras(steps: int, network: str, now: Now, backend: str) -> Iterator[float]:
    """Seconds of each step of the tutorial form: fp32, binary cross-entropy, Adam."""
    os.environ["KERAS_BACKEND"] = backend
    model = _network_of_keras(import_module("keras"))
    sampler = PatchSampler(
        read_images(), (SIDE, SIDE), N_PATCHES, AS_THEY_ARE, seed=0, device=torch.device("cpu")
    )
    for step in range(steps + WARM_UP):
        batch = sampler.batch(step)
        images = np.ascontiguousarray(batch.images.permute(0, 2, 3, 1).numpy())
        labels = batch.labels[..., None].float().numpy()
        before = now()
        model.train_on_batch(images, labels)
        yield now() - before


def _network_of_keras(keras: Any) -> Any:
    layers = keras.layers

    def block(seen: Any, width: int, dropout: float) -> Any:
        for share in (dropout, 0.0):
            seen = layers.Conv2D(width, 3, padding="same", activation="elu", kernel_initializer="he_normal")(
                seen
            )
            seen = layers.Dropout(share)(seen) if share else seen
        return seen

    seen = image = keras.Input((SIDE, SIDE, 3))
    *down, bottom = zip(WIDTHS, KERAS_DROPOUT, strict=True)
    levels = []
    for width, dropout in down:
        levels.append(block(seen, width, dropout))
        seen = layers.MaxPooling2D(2)(levels[-1])
    seen = block(seen, *bottom)
    for level, (width, dropout) in zip(reversed(levels), reversed(down), strict=True):
        finer = layers.Conv2DTranspose(width, 2, strides=2, padding="same")(seen)
        seen = block(layers.concatenate([finer, level]), width, dropout)
    model = keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid")(seen))
    model.compile(optimizer="adam", loss="binary_crossentropy")
    return model


def augmentation_by_seglet(steps: int, network: str, now: Now) -> Iterator[float]:
    """Seconds of each batch: drawn, cut, warped with its truth, its intensities changed."""
    config = PatchConfig(augment=AUGMENT)
    sampler = PatchSampler(read_images(), (SIDE, SIDE), N_PATCHES, config, seed=0, device=torch.device("cpu"))
    for step in range(4 * steps + WARM_UP):
        before = now()
        sampler.batch(step)
        yield now() - before


def augmentation_by_monai(steps: int, network: str, now: Now) -> Iterator[float]:
    """Seconds of each batch of patches that were cut before: its transforms, image by image."""
    from monai.transforms import Compose

    transform = Compose(_of_monai())
    sampler = PatchSampler(
        read_images(), (SIDE, SIDE), N_PATCHES, AS_THEY_ARE, seed=0, device=torch.device("cpu")
    )
    for step in range(steps + WARM_UP):
        batch = sampler.batch(step)
        pairs = zip(batch.images, batch.labels, strict=True)
        items = [{"image": image, "label": labels[None].float()} for image, labels in pairs]
        before = now()
        for item in items:
            transform(item)
        yield now() - before


KERAS = {
    "step of Keras on PyTorch, not augmented": "torch",
    "step of Keras on TensorFlow, not augmented": "tensorflow",
}
SIDES: dict[str, Callable[[int, str, Now], Iterator[float]]] = {
    "step of seglet": step_of_seglet,
    "step of MONAI": step_of_monai,
    "step of MONAI, 2 workers": step_of_monai_with_workers,
    **{side: partial(step_of_keras, backend=backend) for side, backend in KERAS.items()},
    "augmentation by seglet": augmentation_by_seglet,
    "augmentation by MONAI": augmentation_by_monai,
}


def _of_monai() -> list[Any]:
    """RandAffine, Rand2DElastic, flips and noise, as strong and as often as seglet's; it changes no more."""
    from monai.transforms import Rand2DElasticd, RandAffined, RandFlipd, RandGaussianNoised

    both, modes = ["image", "label"], ("bilinear", "nearest")
    share, flip = AUGMENT.probability, AUGMENT.flip or 0.0
    return [
        RandAffined(both, prob=share, rotate_range=np.pi, scale_range=0.25, mode=modes),
        Rand2DElasticd(both, prob=share, spacing=(42, 42), magnitude_range=(0, 6), mode=modes),
        RandFlipd(both, prob=flip, spatial_axis=0),
        RandFlipd(both, prob=flip, spatial_axis=1),
        RandGaussianNoised(["image"], prob=share, std=AUGMENT.noise),
    ]


def drawn_network(name: str = "unet", n_out: int = 2) -> nn.Module:
    """The network that all sides train."""
    torch.manual_seed(0)
    if name == "basic":
        from monai.networks.nets import BasicUNet

        return BasicUNet(spatial_dims=2, in_channels=3, out_channels=n_out, features=(*WIDTHS, WIDTHS[0]))
    strides, kernels = ((2, 2),) * (len(WIDTHS) - 1), ((3, 3),) * len(WIDTHS)
    return UNet(UNetConfig(), 3, n_out, WIDTHS, strides, kernels)


def drawn_model() -> Model:
    """The same network as a model of seglet's."""
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
    return untrained(ModelCard(recipe="benchmark", network=style, plan=plan, labels=Labels(classes=classes)))


def read_images(which: slice = slice(N_IMAGES)) -> list[Prepared]:
    """Photographs and their vessels, or synthetic cells where there are none."""
    if (DATA / "chasedb1").is_dir():
        return _prepared(DATA / "chasedb1", which)
    with tempfile.TemporaryDirectory() as folder:
        return _prepared(make_dataset(Path(folder) / "cells", n_images=N_IMAGES, shape=(960, 960)), which)


def _prepared(folder: Path, which: slice) -> list[Prepared]:
    dataset = open_dataset(folder)
    cases = dataset.cases[which]
    prepared = []
    for sample in read_samples(cases, labels_of(dataset, cases, MaskConfig())):
        pixels = np.asarray(sample.image.pixels, np.float32).reshape(-1, *sample.image.pixels.shape[-2:])
        pixels = np.resize((pixels - pixels.mean()) / pixels.std(), (3, *pixels.shape[1:]))
        prepared.append(Prepared(sample.id, pixels, sample.labels, fov=sample.fov))
    return prepared


if __name__ == "__main__":
    main()
