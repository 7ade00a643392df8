"""Batches made in the background: the same ones, in any order, and an end without a trace."""

import threading
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch

from seglet.patches.prefetch import N_AHEAD, Prefetcher, in_background
from seglet.patches.sampler import Batch, PatchConfig, PatchSampler
from seglet.patches.sources import InMemory
from seglet.preprocessing.transform import Prepared

CPU = torch.device("cpu")


class Slow(InMemory):
    """A case that says it is on disk."""

    is_on_disk = True


def _sampler(kind: type[InMemory] = Slow) -> PatchSampler:
    image = np.random.default_rng(0).random((1, 30, 34), np.float32)
    case = Prepared("a", image, (image[0] > 0.5).astype(np.uint8))
    return PatchSampler([kind(case, None, CPU)], (8, 8), 2, PatchConfig(), seed=3, device=CPU)


def _equal(first: Batch, second: Batch) -> bool:
    pairs = zip(vars(first).values(), vars(second).values(), strict=True)
    return all(a is b is None or torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("steps", [[0, 1, 2, 3], [5, 6, 7], [0, 0, 1], [3, 9, 2, 3]])
def test_batches_are_those_of_the_sampler(steps: list[int]) -> None:
    with Prefetcher(_sampler()) as batches:
        assert all(_equal(batches.batch(step), _sampler().batch(step)) for step in steps)


def test_threads_end_with_the_context() -> None:
    with Prefetcher(_sampler()) as batches:
        batches.batch(0)
        assert any(thread.name.startswith("patches") for thread in threading.enumerate())
    assert not any(thread.name.startswith("patches") for thread in threading.enumerate())


def test_coming_batches_are_begun_and_passed_ones_forgotten() -> None:
    with Prefetcher(_sampler()) as batches:
        batches.batch(0)
        assert sorted(batches._coming) == list(range(1, 1 + N_AHEAD))
        batches.batch(20)
        assert sorted(batches._coming) == list(range(21, 21 + N_AHEAD))


def test_an_error_of_the_disk_reaches_the_step() -> None:
    class Broken(Slow):
        def read_image(self, region: Any) -> Any:
            raise OSError("the disk is gone")

    with Prefetcher(_sampler(Broken)) as batches, pytest.raises(OSError, match="the disk is gone"):
        batches.batch(0)


def test_only_what_is_on_disk_is_made_in_the_background() -> None:
    quick = _sampler(InMemory)
    assert isinstance(in_background(quick), nullcontext)
    with in_background(quick) as batches:
        assert batches is quick
    with in_background(_sampler()) as batches:
        assert isinstance(batches, Prefetcher)
