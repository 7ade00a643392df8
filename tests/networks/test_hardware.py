"""The choice of arithmetic; timings are invented, so that the choice does not depend on the machine."""

import time

import pytest
import torch
from torch import nn

from seglet.networks import hardware
from seglet.networks.hardware import (
    WORTHWHILE,
    Precision,
    autocast,
    best_device,
    channels_last,
    choose_precision,
    choose_threads,
    free_memory,
    on_device,
    own_threads,
)

CPU = torch.device("cpu")
IMAGES = torch.zeros(1, 2, 6, 5)


def _network() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.Dropout(0.5))


def _invent_times(monkeypatch: pytest.MonkeyPatch, fp32: float, bf16: float) -> None:
    monkeypatch.setattr(hardware, "has_bf16", lambda device: True)
    monkeypatch.setattr(hardware, "_seconds", lambda n, i, precision, t: bf16 if precision.bf16 else fp32)


@pytest.mark.parametrize(("choice", "bf16"), [("fp32", False), ("bf16", True)])
def test_said_choice_is_taken_at_its_word(
    choice: hardware.PrecisionChoice, bf16: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "_seconds", lambda *_: pytest.fail("measured although nobody asked"))
    found = choose_precision(choice, _network(), IMAGES, training=True)
    assert (found.bf16, found.reason) == (bf16, "as the recipe says")


def test_bfloat16_is_taken_where_it_is_clearly_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    _invent_times(monkeypatch, fp32=0.200, bf16=0.100)
    found = choose_precision("auto", _network(), IMAGES, training=True)
    assert found.bf16
    assert found.reason == "measured: bf16 100 ms, fp32 200 ms"


@pytest.mark.parametrize("bf16", [0.2 / WORTHWHILE + 1e-6, 0.2, 0.5])
def test_float32_stays_where_the_gain_is_small(monkeypatch: pytest.MonkeyPatch, bf16: float) -> None:
    _invent_times(monkeypatch, fp32=0.2, bf16=bf16)
    assert not choose_precision("auto", _network(), IMAGES, training=False).bf16


def test_hardware_without_bfloat16_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "has_bf16", lambda device: False)
    monkeypatch.setattr(hardware, "_seconds", lambda *_: pytest.fail("measured in vain"))
    found = choose_precision("auto", _network(), IMAGES, training=True)
    assert not found.bf16
    assert "no fast bfloat16" in found.reason


@pytest.mark.parametrize("training", [False, True])
def test_measuring_leaves_the_network_as_it_was(monkeypatch: pytest.MonkeyPatch, training: bool) -> None:
    monkeypatch.setattr(hardware, "has_bf16", lambda device: True)
    network = _network().train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    choose_precision("auto", network, torch.randn(1, 2, 6, 5), training=training)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert all(module.training for module in network.modules())
    assert all(p.grad is None for p in network.parameters())


@pytest.mark.parametrize("bf16", [True, False])
def test_autocast_follows_the_choice(bf16: bool) -> None:
    layer = nn.Linear(2, 2)
    with autocast(CPU, Precision("bf16" if bf16 else "fp32", "")):
        result = layer(torch.zeros(1, 2))
    assert result.dtype == (torch.bfloat16 if bf16 else torch.float32)


def test_name_says_the_arithmetic() -> None:
    assert Precision("bf16", "").name.startswith("bf16")
    assert Precision("fp32", "").name.startswith("fp32")


def test_images_keep_their_values_in_another_order() -> None:
    images = torch.randn(2, 3, 4, 5)
    ordered = channels_last(images)
    assert torch.equal(ordered, images)
    assert ordered.stride(1) == 1


def test_volumes_keep_their_values_in_another_order() -> None:
    volumes = torch.randn(2, 3, 4, 5, 6)
    ordered = channels_last(volumes)
    assert torch.equal(ordered, volumes)
    assert ordered.stride(1) == 1


def test_network_of_volumes_is_moved_too() -> None:
    moved = on_device(nn.Sequential(nn.Conv3d(2, 3, 3), nn.BatchNorm3d(3)), CPU)
    assert moved[0].weight.stride(1) == 1  # type: ignore[index]


def test_network_keeps_its_weights_on_the_device() -> None:
    network = _network()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    moved = on_device(network, CPU)
    assert moved[0].weight.stride(1) == 1  # type: ignore[index]
    assert all(torch.equal(tensor, before[name]) for name, tensor in moved.state_dict().items())


def test_cpu_is_used_without_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert best_device() == CPU
    assert free_memory() > 2**20


def test_gpu_is_preferred_and_its_own_memory_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (123, 456))
    assert best_device() == torch.device("cuda")
    assert free_memory() == 123


@pytest.mark.parametrize(
    ("by_one_s", "by_two_s", "expected"), [(0.08, 0.02, 2), (0.01, 0.08, 1), (0.04, 0.042, 2)]
)
def test_threads_are_those_that_are_faster(by_one_s: float, by_two_s: float, expected: int) -> None:
    with own_threads():
        took_s = choose_threads(lambda: time.sleep(by_one_s if torch.get_num_threads() == 1 else by_two_s), 2)
        assert torch.get_num_threads() == expected
        assert took_s >= (by_one_s if expected == 1 else by_two_s)


def test_where_there_is_one_thread_nothing_is_chosen() -> None:
    runs: list[int] = []
    with own_threads():
        choose_threads(lambda: runs.append(torch.get_num_threads()), 1)
    assert runs == [1]


def test_threads_are_given_back_even_after_an_error() -> None:
    before = torch.get_num_threads()
    with pytest.raises(RuntimeError), own_threads():
        torch.set_num_threads(before + 1)
        raise RuntimeError
    assert torch.get_num_threads() == before


def test_timing_is_cut_short_where_a_step_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    took = []

    def slowly(run: object, device: object) -> float:
        took.append(2.0)
        return 2.0

    monkeypatch.setattr("seglet.networks.hardware._time", slowly)
    monkeypatch.setattr("seglet.networks.hardware.has_bf16", lambda device: True)
    assert not choose_precision("auto", _network(), torch.zeros(1, 2, 8, 8), training=False).bf16
    assert len(took) == 2, "each once"
