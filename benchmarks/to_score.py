"""How soon is a score reached? seglet's loop, MONAI's and a plain one, one process per side.

Run by ``python benchmarks/to_score.py 0.79 --minutes 10``; needs MONAI, and the photographs of CHASE_DB1
(SEGLET_DATA): patients 1 to 10 train, 11 to 14 test. All sides train the same U-Net of the same widths on
batches of 16 patches of 128x128, each loop with its own patches, loss and arithmetic:

- ``seglet``: what `seglet train` does, its schedule planned for the minutes given; its averaged weights.
- ``MONAI``: fp32, Dice and cross-entropy, Adam, its transforms, no workers.
- ``plain PyTorch``: fp32, binary cross-entropy, Adam, flips, a `DataLoader` without workers.

Every thirtieth part of the minutes the same code computes F1 of all test pixels in the field of view, at the
threshold that is best on some training photographs. That time is not counted, all else of the loop is.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from seglet.losses.combined import LossConfig
from seglet.metrics.curves import best_threshold
from seglet.patches.sampler import PatchConfig
from seglet.preprocessing.transform import Prepared
from seglet.training.fit import Settings, fit
from seglet.training.module import SegmentationModule
from seglet.training.settings import FitConfig
from training import (
    AUGMENT,
    DATA,
    N_PATCHES,
    SIDE,
    WARM_UP,
    batches_of_monai,
    drawn_model,
    drawn_network,
    read_images,
    step_of_seglet,
)

TRAIN, TEST = slice(20), slice(20, None)  # photographs
N_CHOSEN_ON = 2  # training photographs that the threshold is chosen on
RATE = 1e-3  # of Adam, as in MONAI's tutorial of flat images and by default of Keras
N_JUDGED = 30  # times in all
N_TIMED = 10  # steps, to know how many the minutes allow


def main() -> None:
    """Let every side run, one after the other, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("f1", type=float, help="to be reached")
    parser.add_argument("--minutes", type=float, default=10, help="most that a side may train")
    parser.add_argument("--side", choices=SIDES, help="one alone; prints JSON")
    options = parser.parse_args()
    if not (DATA / "chasedb1").is_dir():
        sys.exit("The photographs of CHASE_DB1 are needed: let SEGLET_DATA lead to them.")
    if options.side:
        race = Race(options.f1, 60 * options.minutes)
        SIDES[options.side](race)
        print(json.dumps({"seconds": race.seconds, "steps": race.n_steps, "f1": race.best}))
        return
    print(
        f"| side | seconds until F1 is {options.f1:g} | steps | best F1 | of seglet |\n|---|---|---|---|---|"
    )
    ours = 0.0
    for side in SIDES:
        found = _in_own_process(side)
        ours = ours or found["seconds"]
        is_there = found["f1"] >= options.f1
        taken = f"{found['seconds']:.0f}" if is_there else f"not within {options.minutes:g} minutes"
        ratio = f"{'' if is_there else '> '}{found['seconds'] / ours:.2f}x"
        print(f"| {side} | {taken} | {found['steps']:.0f} | {found['f1']:.4f} | {ratio} |", flush=True)


def _in_own_process(side: str) -> dict[str, float]:
    command = [sys.executable, __file__, *sys.argv[1:], "--side", side]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    read: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return read


class Race:
    """Counts the seconds of one side's training, and judges its network now and then.

    Parameters
    ----------
    target : float
        F1 that ends it.
    limit_s : float
        Most seconds of training.
    """

    def __init__(self, target: float, limit_s: float) -> None:
        self.target, self.limit_s = target, limit_s
        self.images, self._test = read_images(TRAIN), read_images(TEST)
        self.seconds, self.best, self.n_steps = 0.0, 0.0, 0
        self._since, self._next = 0.0, limit_s / N_JUDGED

    def start(self) -> None:
        """From here on time is counted."""
        self._since = time.perf_counter()

    def is_over(self, network: nn.Module) -> bool:
        """Told after each step."""
        self.n_steps += 1
        self.seconds += time.perf_counter() - self._since
        if self.seconds >= self._next:
            self._next += self.limit_s / N_JUDGED
            f1 = self._f1(network)
            self.best = max(self.best, f1)
            print(f"{self.seconds:.0f} s, step {self.n_steps}: F1 {f1:.4f}", file=sys.stderr)
        self._since = time.perf_counter()
        return self.best >= self.target or self.seconds >= self.limit_s

    def _f1(self, network: nn.Module) -> float:
        threshold = best_threshold(*_counted(network, self.images[:: len(self.images) // N_CHOSEN_ON]))
        truth, probabilities = _counted(network, self._test)
        predicted = probabilities > threshold
        both = np.count_nonzero(predicted & truth)
        return float(2 * both / (np.count_nonzero(predicted) + np.count_nonzero(truth)))


def _counted(network: nn.Module, cases: list[Prepared]) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Truth and foreground probability of all pixels in the field of view."""
    was_training = network.training
    truth, found = [], []
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):  # the same for all, and sooner done
        network.eval()
        for case in cases:
            image = torch.from_numpy(case.image)[None].contiguous(memory_format=torch.channels_last)
            logits = network(image)[0].float()
            probability = torch.sigmoid(logits[0]) if len(logits) == 1 else logits.softmax(0)[1]
            inside = np.ones(case.image.shape[1:], bool) if case.fov is None else case.fov
            found.append(probability.numpy()[inside])
            truth.append(np.asarray(case.labels)[inside] > 0)
    network.train(was_training)
    return np.concatenate(truth), np.concatenate(found)


def by_seglet(race: Race) -> None:
    """`fit` as it is, asked after every step; it plans as many steps as the minutes allow."""
    step_s = median(list(step_of_seglet(N_TIMED, "unet", time.perf_counter))[WARM_UP:])
    config = FitConfig(steps=max(round(race.limit_s / step_s), 1))
    after_step = SegmentationModule.on_train_batch_end

    def watched(module: SegmentationModule, outputs: Any, batch: Any, batch_idx: int) -> None:
        after_step(module, outputs, batch, batch_idx)
        if race.is_over(module.averaged.module):
            module.trainer.should_stop = True

    SegmentationModule.on_train_batch_end = watched  # type: ignore[assignment, method-assign]
    settings = Settings(PatchConfig(augment=AUGMENT), LossConfig(), config)
    with tempfile.TemporaryDirectory() as folder:
        race.start()
        fit(drawn_model(), race.images, [], settings, Path(folder))


def by_monai(race: Race) -> None:
    """MONAI's loop, as in its tutorials."""
    from monai.losses import DiceCELoss

    race.start()
    batches = ((batch["image"], batch["label"]) for batch in batches_of_monai(race.images))
    _train_plainly(race, drawn_network(), DiceCELoss(to_onehot_y=True, softmax=True), batches)


def by_hand(race: Race) -> None:
    """PyTorch as users write it."""
    race.start()
    loader = DataLoader(Flipped(race.images), batch_size=N_PATCHES, num_workers=0)
    _train_plainly(race, drawn_network(n_out=1), nn.BCEWithLogitsLoss(), iter(loader))


def _train_plainly(race: Race, network: nn.Module, loss: nn.Module, batches: Iterator[Any]) -> None:
    optimizer = torch.optim.Adam(network.parameters(), RATE)
    is_over = False
    while not is_over:
        images, labels = next(batches)
        optimizer.zero_grad()
        loss(network(images), labels).backward()
        optimizer.step()
        is_over = race.is_over(network)


class Flipped(Dataset[tuple[Tensor, Tensor]]):
    """Patches from anywhere, and flips; nothing else."""

    def __init__(self, images: list[Prepared]) -> None:
        self._cases = [(torch.from_numpy(case.image), torch.from_numpy(case.labels)) for case in images]
        self._generator = torch.Generator().manual_seed(0)

    def __len__(self) -> int:
        return sys.maxsize  # of patches there is no end

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        image, labels = self._cases[self._below(len(self._cases))]
        top, left = (self._below(n - SIDE + 1) for n in labels.shape)
        cut = (..., slice(top, top + SIDE), slice(left, left + SIDE))
        axes = [axis for axis in (-2, -1) if self._below(2)]
        return image[cut].flip(axes), labels[cut][None].float().flip(axes)

    def _below(self, n: int) -> int:
        return int(torch.randint(n, (), generator=self._generator))


SIDES: dict[str, Callable[[Race], None]] = {
    "seglet": by_seglet,
    "MONAI": by_monai,
    "plain PyTorch": by_hand,
}

if __name__ == "__main__":
    main()
