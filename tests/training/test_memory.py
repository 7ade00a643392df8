"""What training is foretold to take; that a process takes as much is held by tests/test_peaks.py."""

import pytest
import torch

from seglet.preprocessing.plan import Plan
from seglet.training import memory
from seglet.training.memory import making_memory, step_memory, weights_memory, windows_memory
from seglet.training.settings import FitConfig

PER_PATCH = 1_000_000


def a_plan(batch_size: int = 4, patch_size: tuple[int, ...] = (32, 32)) -> Plan:
    return Plan(
        color="gray",
        normalization="standardize",
        resize=None,
        patch_size=patch_size,
        batch_size=batch_size,
        channels=(4, 8),
        strides=((2, 2),),
        kernels=((3, 3),) * 2,
        n_channels=1,
        n_classes=2,
        training_memory=PER_PATCH * batch_size,
    )


def test_weights_are_there_in_all_their_copies() -> None:
    # weights, gradients, average, two moments; saved without the gradients
    assert weights_memory(10, FitConfig(optimizer="adamw")) == 10 * 4 * (5 + 4)
    assert weights_memory(10, FitConfig(optimizer="sgd")) == 10 * 4 * (4 + 3)


def test_windows_are_there_as_they_are_cut_and_in_batches() -> None:
    # an intensity and a weight of 4 bytes each, a label of 8
    assert windows_memory(a_plan(), FitConfig(validation_windows=3)) == 2 * 3 * 32 * 32 * (4 + 4 + 8)


def test_a_step_grows_with_its_patches() -> None:
    fit = FitConfig()
    one, four = (step_memory(a_plan(n), fit, 100) for n in (1, 4))
    assert four - one == 3 * (PER_PATCH + making_memory(a_plan()))


def test_what_is_computed_twice_takes_less() -> None:
    once, twice = (step_memory(a_plan(), FitConfig(checkpointing=again), 0) for again in (False, True))
    assert twice < once
    kept, block = 2 * (4 * 32 * 32 + 8 * 16 * 16), memory.BLOCK * 4 * 32 * 32
    assert once - twice == 4 * (PER_PATCH - 4 * (kept + block))


def test_activations_on_another_device_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "best_device", lambda: torch.device("cuda"))
    fit = FitConfig()
    assert step_memory(a_plan(), fit, 100) == weights_memory(100, fit) + windows_memory(a_plan(), fit)
