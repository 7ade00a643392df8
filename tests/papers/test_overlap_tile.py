"""Ronneberger 2015, figure 2: overlap-tile segments an image of any size as one pass would, without a seam.

One pass is made here by hand: the whole image mirrored by NumPy, 92 pixels and more, through the network.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from seglet.core.image import LabelClass, Labels
from seglet.model import ModelCard, PredictConfig, untrained
from seglet.networks.unet2015 import UNet2015Config
from seglet.prediction.engines.engine import Engine
from seglet.prediction.scenes import Scene
from seglet.prediction.tiled import predict_prepared, predict_windows
from seglet.prediction.tiling import tiling_of
from seglet.preprocessing.plan import Plan

NARROW, WIDE = (8, 16, 32, 64, 128), (64, 128, 256, 512, 1024)
IMAGES = [(230, 190), (97, 301), (40, 33), (256, 256), (5, 420)]  # two of them smaller than any tile's output
WINDOWS = [1, 204, 250, 300, 412, 572]  # wished; the smallest legal input that is taken is 204: 20 come out
Flat = NDArray[np.float32]


class Logits:
    """An engine that gives logits as they are."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.sizes: list[tuple[int, ...]] = []  # of each window

    def run(self, windows: Flat) -> Flat:
        self.sizes += [windows.shape[2:]] * len(windows)
        with torch.inference_mode():
            logits: Flat = self.network(torch.from_numpy(windows)).numpy()
        return logits

    def abreast(self, shape: tuple[int, ...], lanes: int) -> tuple[Engine, int]:
        return self, 1


def card_of(window: int | None, channels: tuple[int, ...] = NARROW, **plan: object) -> ModelCard:
    n_axes = len(plan.get("patch_size", (572, 572)))  # type: ignore[arg-type]
    said: dict[str, object] = {
        "color": "gray",
        "normalization": "divide",
        "resize": None,
        "patch_size": (572, 572),
        "batch_size": 1,
        "n_channels": 1,
        "n_classes": 2,
        "training_memory": 1,
        "channels": channels,
        "strides": ((2,) * n_axes,) * (len(channels) - 1),
        "kernels": ((3,) * n_axes,) * len(channels),
        "is_valid": True,
    }
    return ModelCard(
        recipe="test",
        network=UNet2015Config(),
        plan=Plan(**(said | plan)),  # type: ignore[arg-type]
        labels=Labels(classes=(LabelClass(name="cell", value=0), LabelClass(name="membrane", value=1))),
        predict=PredictConfig(window=window),
    )


@cache
def narrow() -> nn.Module:
    return untrained(card_of(None)).network.eval()


def image_of(shape: tuple[int, ...]) -> Flat:
    return np.random.default_rng(sum(shape)).random((1, *shape), np.float32)


def one_pass(image: Flat, network: nn.Module, margin: tuple[int, ...], legal: Callable[[int], int]) -> Flat:
    """The whole image, mirrored by its margin and then on to the next legal size, in one piece."""
    around = [(side, legal(n + 2 * side) - n - side) for n, side in zip(image.shape[1:], margin, strict=True)]
    logits = Logits(network).run(np.pad(image, [(0, 0), *around], mode="reflect")[None])[0]
    return logits[(slice(None), *(slice(n) for n in image.shape[1:]))]


def legal_of_original(size: int) -> int:
    """188, 204, 220 ...: 572 is one of them."""
    return 188 + -(-(size - 188) // 16) * 16


@cache
def whole(shape: tuple[int, int]) -> Flat:
    return one_pass(image_of(shape), narrow(), (92, 92), legal_of_original)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("shape", IMAGES, ids=str)
def test_logits_are_those_of_one_pass_whatever_the_tile(shape: tuple[int, int], window: int) -> None:
    engine = Logits(narrow())
    found = predict_windows([Scene(image_of(shape))], engine, tiling_of(card_of(window)))[0]
    assert found.shape == (2, *shape)
    assert found.std() > 0.01, "logits that say something"
    assert np.abs(found - whole(shape)).max() < 1e-4
    assert all(side <= max(window + 15, 204) for size in engine.sizes for side in size)


def test_smaller_tiles_are_more_tiles() -> None:
    counts = []
    for window in WINDOWS:
        engine = Logits(narrow())
        predict_windows([Scene(image_of((230, 190)))], engine, tiling_of(card_of(window)))
        counts.append(len(engine.sizes))
    assert counts == sorted(counts, reverse=True)
    assert counts[0] == 15 * 12, "16 of the 20 pixels that come out are taken: 230 and 190 need 15 and 12"
    assert counts[-1] == 1


def test_the_original_at_full_width() -> None:
    card = card_of(220, WIDE)
    network = untrained(card).network.eval()
    image = image_of((50, 38))
    found = predict_windows([Scene(image)], engine := Logits(network), tiling_of(card))[0]
    expected = one_pass(image, network, (92, 92), legal_of_original)
    assert len(engine.sizes) == 4
    assert np.abs(found - expected).max() < 1e-4


def test_as_published_a_tile_of_572_writes_388_pixels_and_reads_92_around() -> None:
    first, second = tiling_of(card_of(572)).stripes((768, 10))[0]
    assert (first.start, first.extent, len(first.weights)) == (-92, 572, 388)
    assert second.start == first.start + 384, "24 steps of 16: the last four pixels are left to the neighbor"
    assert (first.weights.sum(), second.weights.sum()) == (384, 384)
    (only,) = tiling_of(card_of(None)).stripes((388, 388))[0]
    assert (only.start, only.extent, len(only.weights)) == (-92, 572, 388)


def test_slices_of_a_volume_are_each_one_pass() -> None:
    card = card_of(220, mode="slices")
    volume = np.random.default_rng(0).random((1, 3, 61, 47), np.float32)
    found = predict_prepared(Scene(volume), card, Logits(narrow()), tiling_of(card))
    for number in range(3):
        expected = one_pass(volume[:, number], narrow(), (92, 92), legal_of_original)
        assert np.abs(found[:, number] - expected).max() < 1e-4


@pytest.mark.parametrize("window", [1, 44, 60])
def test_volumes_of_uneven_strides_and_kernels_too(window: int) -> None:
    """Along z 4 are lost at the third level, 4 at the second on either way, and one halving: 2 * 4 + 8 = 16.

    Along y and x 4 by two halvings, 8 by one and 8 at the first level: 4 * 4 + 2 * 8 + 8 = 40.
    """
    card = card_of(
        window,
        (4, 8, 16),
        mode="3d",
        patch_size=(24, 60, 60),
        strides=((1, 2, 2), (2, 2, 2)),
        kernels=((1, 3, 3), (3, 3, 3), (3, 3, 3)),
    )
    network = untrained(card).network.eval()
    volume = image_of((19, 50, 33))
    found = predict_windows([Scene(volume)], engine := Logits(network), tiling_of(card))[0]
    legal = ((8, 36), (20, 92), (20, 76))  # margins; the next legal sizes from 35, 90 and 73 on
    around = [(m, size - n - m) for n, (m, size) in zip(volume.shape[1:], legal, strict=True)]
    expected = Logits(network).run(np.pad(volume, [(0, 0), *around], mode="reflect")[None])[0]
    assert found.shape == (2, 19, 50, 33)
    assert np.abs(found - expected[:, :19, :50, :33]).max() < 1e-4
    assert len(engine.sizes) > 1
