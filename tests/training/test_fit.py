import gc
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from seglet.core.errors import MissingExtra, StorageError, TrainingError
from seglet.core.events import Event, quiet
from seglet.losses.combined import CombinedLoss, LossConfig
from seglet.model import Model
from seglet.networks.hardware import Precision, channels_last, on_device
from seglet.patches.sampler import Batch, PatchConfig, PatchSampler
from seglet.patches.sources import InMemory
from seglet.preprocessing.transform import Prepared
from seglet.training import fit as room
from seglet.training.callbacks import read_history
from seglet.training.clock import Clock
from seglet.training.fit import Outcome, Settings, fit
from seglet.training.module import make_optimizer
from seglet.training.schedule import rate_factor
from seglet.training.settings import FitConfig

MakeModel = Callable[..., Model]
Weights = dict[str, torch.Tensor]

BASE = FitConfig(steps=6, rounds=3, precision="fp32", validation_windows=4, learning_rate=0.01, ema=0.9)


def settings(**changes: object) -> Settings:
    return Settings(PatchConfig(), LossConfig(), BASE.model_copy(update=changes))


def weights(model: Model) -> Weights:
    return {name: value.clone() for name, value in model.network.state_dict().items()}


def same(first: Weights, second: Weights) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def interrupt_at(step: int, number: signal.Signals, patch: pytest.MonkeyPatch) -> None:
    """Send a signal while the batch of a step is made, once."""
    made = PatchSampler.batch

    def batch(self: PatchSampler, at: int) -> Batch:
        if at == step:
            os.kill(os.getpid(), number)
        return made(self, at)

    patch.setattr(PatchSampler, "batch", batch)


def test_training_learns_and_leaves_a_network_ready_to_use(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    model = make_model()
    outcome = fit(model, disks[:2], disks[2:], settings(steps=30), tmp_path)
    assert not model.network.training
    assert outcome.interrupted is None
    assert outcome.history[-1]["train_loss"] < outcome.history[0]["train_loss"]
    assert outcome.history[-1]["val_dice"] > 0.5
    assert outcome.precision.bf16 is False


def ball(number: int) -> Prepared:
    """A bright ball on noise."""
    rng = np.random.default_rng(number)
    z, y, x = np.mgrid[:12, :28, :24]
    inside = 4 * (z - 6) ** 2 + (y - 12 - number) ** 2 + (x - 11) ** 2 < 60
    image = (inside * 2 - 1 + 0.3 * rng.normal(size=inside.shape)).astype(np.float32)
    return Prepared(f"ball{number}", image[None], inside.astype(np.uint8))


def test_volumes_are_learned_by_the_same_code(make_model: MakeModel, tmp_path: Path) -> None:
    model = make_model(volumes=True)
    outcome = fit(model, [ball(0), ball(1)], [ball(2)], settings(steps=60), tmp_path)
    assert outcome.history[-1]["val_dice"] > 0.8


def test_cases_on_disk_are_learned_as_those_in_memory(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    """Batches made in the background train the very same weights, and no thread is left."""

    class Slow(InMemory):
        is_on_disk = True

    cpu = torch.device("cpu")
    models = []
    for name, cases in {"memory": disks, "disk": [Slow(disk, None, cpu) for disk in disks]}.items():
        models.append(make_model())
        (tmp_path / name).mkdir()
        fit(models[-1], cases[:2], cases[2:], settings(), tmp_path / name)
    assert same(*map(weights, models))
    assert not any(thread.name.startswith("patches") for thread in threading.enumerate())


def test_exactly_as_many_steps_as_asked_in_as_many_rounds(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    outcome = fit(make_model(), disks, disks[2:], settings(), tmp_path)
    assert [row["step"] for row in outcome.history] == [2, 4, 6]
    assert read_history(tmp_path / "history.csv") == list(outcome.history)


def test_statistics_of_batch_norm_are_learned_even_from_a_network_that_was_timed_before(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    model = make_model()
    model.network.eval()  # what running it leaves behind
    fit(model, disks, [], settings(ema=0.0), tmp_path)
    assert int(model.network.down[0][1].num_batches_tracked) == 6
    assert not torch.equal(model.network.down[0][1].running_mean, torch.zeros(4))


def test_the_same_seed_trains_the_same_weights_and_another_does_not(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    found = []
    for number, seed in enumerate((0, 0, 1)):
        model = make_model()
        fit(model, disks, [], settings(seed=seed), tmp_path / str(number))
        found.append(weights(model))
    assert same(found[0], found[1])
    assert not same(found[0], found[2])


def test_the_best_round_is_kept_where_there_is_validation_and_the_last_where_not(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    best, last = make_model(), make_model()
    steep = settings(learning_rate=1.0, ema=0.0, schedule="constant", clip=0.0, optimizer="sgd")
    outcome = fit(best, disks[:2], disks[2:], steep, tmp_path / "best")
    fit(last, disks[:2], [], steep, tmp_path / "last")
    losses = [row["val_loss"] for row in outcome.history]
    kept = torch.load(tmp_path / "best/checkpoints/best.ckpt", weights_only=True)
    assert kept["global_step"] == outcome.history[losses.index(min(losses))]["step"]
    assert same({f"averaged.module.{k}": v for k, v in weights(best).items()}, kept["state_dict"])
    assert "val_loss" not in read_history(tmp_path / "last/history.csv")[-1]
    assert not (tmp_path / "last/checkpoints/best.ckpt").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("has_validation", [True, False])
def test_an_interrupted_run_resumes_to_the_very_weights_of_an_uninterrupted_one(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path, number: signal.Signals, has_validation: bool
) -> None:
    validation = disks[2:] if has_validation else []
    whole, first, second = (make_model(dropout=0.3, seed=seed) for seed in (0, 0, 99))
    longer, folder = settings(steps=12), tmp_path / "broken"
    expected = fit(whole, disks[:2], validation, longer, tmp_path / "whole")
    before = signal.getsignal(number)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(5, number, patch)
        broken = fit(first, disks[:2], validation, longer, folder)
    assert signal.getsignal(number) == before
    assert broken.interrupted == number.name
    assert 5 < broken.history[-1]["step"] < 8, "the round must be cut short"
    assert "val_loss" not in broken.history[-1]
    resumed = fit(second, disks[:2], validation, longer, folder, resume=True)
    assert resumed.interrupted is None
    assert same(weights(whole), weights(second))
    by_step = {row["step"]: row for row in resumed.history}
    for row in expected.history:
        assert by_step[row["step"]].get("val_loss") == row.get("val_loss")
        assert by_step[row["step"]]["learning_rate"] == row["learning_rate"]
    steps = [row["step"] for row in resumed.history]
    assert steps == sorted({4.0, broken.history[-1]["step"], 8.0, 12.0})


def test_an_interrupted_run_on_volumes_read_from_disk_resumes_to_the_very_same_weights(
    make_model: MakeModel, tmp_path: Path
) -> None:
    """Batches made ahead are not lost: which one comes is a matter of the step alone."""

    class Slow(InMemory):
        is_on_disk = True

    cases = [Slow(ball(number), None, torch.device("cpu")) for number in range(3)]
    whole, first, second = (make_model(volumes=True, dropout=0.3, seed=seed) for seed in (0, 0, 99))
    longer, folder = settings(steps=12), tmp_path / "broken"
    fit(whole, cases[:2], cases[2:], longer, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(8, signal.SIGTERM, patch)
        broken = fit(first, cases[:2], cases[2:], longer, folder)
    assert 0 < broken.history[-1]["step"] < 12
    fit(second, cases[:2], cases[2:], longer, folder, resume=True)
    assert same(weights(whole), weights(second))


def test_training_keeps_no_image_in_memory(make_model: MakeModel, tmp_path: Path) -> None:
    """Nor do its leftovers, which Python clears away some time: there may be another fold to train."""
    cases = [InMemory(ball(number), None, torch.device("cpu")) for number in range(2)]
    kept = [weakref.ref(case) for case in cases]
    gc.disable()
    try:
        fit(make_model(volumes=True), cases, [], settings(steps=2, rounds=1), tmp_path)
        cases.clear()
        assert [case() for case in kept] == [None, None]
    finally:
        gc.enable()


def test_a_run_killed_between_rounds_loses_only_the_round_it_was_in(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    class Killed(Exception):
        pass

    def kill(event: Event) -> None:
        if "step 4:" in event.message:
            raise Killed  # the row of step 4 is written, its checkpoint is not

    whole, first, second = make_model(), make_model(), make_model(seed=5)
    fit(whole, disks[:2], disks[2:], settings(), tmp_path / "whole")
    with pytest.raises(Killed):
        fit(first, disks[:2], disks[2:], settings(), tmp_path / "broken", tell=kill)
    told: list[Event] = []
    resumed = fit(
        second,
        disks[:2],
        disks[2:],
        settings(),
        tmp_path / "broken",
        resume=True,
        tell=told.append,
    )
    assert any("going on from step 2" in event.message for event in told)
    assert same(weights(whole), weights(second))
    assert [row["step"] for row in resumed.history] == [2, 4, 6]


def test_resuming_a_run_that_is_done_trains_no_further(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    first, second = make_model(), make_model(seed=5)
    done = fit(first, disks[:2], disks[2:], settings(), tmp_path)
    again = fit(second, disks[:2], disks[2:], settings(), tmp_path, resume=True)
    assert same(weights(first), weights(second))
    assert again.history == done.history


def test_a_run_that_is_done_can_be_given_more_steps(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    fit(make_model(), disks, [], settings(steps=2, rounds=1), tmp_path)
    more = fit(make_model(), disks, [], settings(steps=4, rounds=2), tmp_path, resume=True)
    assert [row["step"] for row in more.history] == [2, 4]


def test_resuming_before_the_first_round_starts_anew_and_says_so(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    told: list[Event] = []
    fit(make_model(), disks, [], settings(steps=1), tmp_path, resume=True, tell=told.append)
    assert any("no round had been finished" in event.message for event in told)


def test_a_damaged_checkpoint_says_how_to_go_on(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints/last.ckpt").write_bytes(b"PK\3\4 torn")
    with pytest.raises(TrainingError, match=r"last\.ckpt: found a checkpoint that cannot be read"):
        fit(make_model(), disks, [], settings(), tmp_path, resume=True)


def test_a_stop_file_ends_training_in_order(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    def stop(event: Event) -> None:
        if "step 2:" in event.message:
            (tmp_path / "STOP").touch()

    outcome = fit(make_model(), disks[:2], disks[2:], settings(), tmp_path, tell=stop)
    assert outcome.interrupted is None
    assert [row["step"] for row in outcome.history] in ([2, 3], [2, 4])
    assert "val_loss" in outcome.history[-1]


def test_a_second_interruption_ends_at_once(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice(event: Event) -> None:
        if "step 2:" in event.message:
            signal.raise_signal(signal.SIGINT)  # two that are sent from outside may arrive as one
            signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored, in a shell's background
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(make_model(), disks, [], settings(), tmp_path, tell=twice)
        assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_patience_ends_a_run_that_does_not_improve(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    hopeless = settings(
        steps=40, rounds=20, patience=2, learning_rate=100.0, optimizer="sgd", ema=0.0, schedule="constant"
    )
    first, second = make_model(), make_model(seed=5)
    outcome = fit(first, disks[:2], disks[2:], hopeless, tmp_path)
    assert outcome.history[-1]["step"] < 40
    again = fit(second, disks[:2], disks[2:], hopeless, tmp_path, resume=True)
    assert again.history == outcome.history, "a run out of patience must not be trained on"
    assert same(weights(first), weights(second))


def test_time_ends_training_where_no_steps_are_given(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    began = time.monotonic()
    outcome = fit(make_model(), disks, [], settings(steps=None, rounds=2, budget_s=0.4), tmp_path)
    assert outcome.history[-1]["step"] >= 1
    assert 0.4 <= time.monotonic() - began < 10


@pytest.mark.parametrize(("seconds", "most"), [(5.0, 4.8), (0.1, room.LEAST_S)])
def test_preparations_count_against_the_time(
    disks: list[Prepared],
    make_model: MakeModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    most: float,
) -> None:
    given: list[float] = []

    def slow(*args: object, **kwargs: object) -> Precision:
        time.sleep(0.2)
        return Precision("fp32", "")

    def clock(steps: int | None, seconds: float, rounds: int, reserve: Callable[[], float]) -> Clock:
        given.append(seconds)
        return Clock(1, seconds, rounds)

    monkeypatch.setattr(room, "choose_precision", slow)
    monkeypatch.setattr(room, "Clock", clock)
    fit(make_model(), disks, [], settings(budget_s=seconds), tmp_path)
    assert 0 < given[0] <= most


def test_training_works_outside_the_main_thread(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    found: list[Outcome] = []

    def work() -> None:
        found.append(fit(make_model(), disks, [], settings(steps=2, rounds=1), tmp_path))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found[0].history[-1]["step"] == 2


def test_a_loss_that_is_no_number_is_an_error_with_a_remedy(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    model = make_model()
    with torch.no_grad():
        model.network.head.bias.fill_(float("nan"))
    with pytest.raises(TrainingError, match=r"found nan at step 2.*another folder.*lower fit\.learning_rate"):
        fit(model, disks, [], settings(steps=20, rounds=10), tmp_path)
    assert [row["step"] for row in read_history(tmp_path / "history.csv")] == [2], "no further round is tried"


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError])
@pytest.mark.parametrize("step", [0, 1])
def test_too_little_memory_is_an_error_with_a_remedy(
    disks: list[Prepared],
    make_model: MakeModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
    step: int,
) -> None:
    made = PatchSampler.batch

    def batch(self: PatchSampler, at: int) -> Batch:
        if at == step:
            raise error
        return made(self, at)

    monkeypatch.setattr(PatchSampler, "batch", batch)
    with pytest.raises(TrainingError, match=r"2 patches of 32x32.*smaller plan\.batch_size"):
        fit(make_model(), disks, [], settings(), tmp_path)


def test_a_cpu_whose_memory_is_full_says_so_too(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PatchSampler, "batch", lambda *_: torch.empty(1 << 60, dtype=torch.uint8))
    with pytest.raises(TrainingError, match="too little memory"):
        fit(make_model(), disks, [], settings(), tmp_path)


@pytest.mark.parametrize("checkpointing", [True, False])
def test_arithmetic_is_chosen_within_the_memory_of_training(
    disks: list[Prepared],
    make_model: MakeModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    checkpointing: bool,
) -> None:
    forgets = []

    def choose(choice: str, network: nn.Module, *_: object, **__: object) -> Precision:
        forgets.append(any("forward" in vars(block) for block in network.modules()))
        return Precision("fp32", choice)

    monkeypatch.setattr(room, "choose_precision", choose)
    fit(make_model(), disks, [], settings(steps=1, checkpointing=checkpointing), tmp_path)
    assert forgets == [checkpointing]


def test_a_run_interrupted_in_its_first_round_whose_time_is_over_keeps_its_last_weights(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    first, second = make_model(), make_model(seed=5)
    with pytest.MonkeyPatch.context() as patch:
        interrupt_at(1, signal.SIGTERM, patch)
        broken = fit(first, disks[:2], disks[2:], settings(), tmp_path)
    assert not (tmp_path / "checkpoints/best.ckpt").exists()
    done = settings(steps=int(broken.history[-1]["step"]))
    assert fit(second, disks[:2], disks[2:], done, tmp_path, resume=True).interrupted is None
    kept = torch.load(tmp_path / "checkpoints/last.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(value, kept[f"averaged.module.{name}"]) for name, value in weights(second).items())


def test_a_folder_that_cannot_be_written_is_said_so(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        fit(make_model(), disks, [], settings(steps=1), tmp_path / "file" / "run")


def test_missing_tensorboard_names_the_extra(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*args: object, **kwargs: object) -> None:
        raise ModuleNotFoundError("tensorboard")

    monkeypatch.setattr(room, "TensorBoardLogger", missing)
    with pytest.raises(MissingExtra, match=r"pip install 'seglet\[tensorboard\]'"):
        fit(make_model(), disks, [], settings(tensorboard=True), tmp_path, tell=quiet)


def test_whoever_watches_may_end_training_early(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    seen: list[float] = []

    def watch(progress: float, row: dict[str, float]) -> bool:
        seen.append(progress)
        assert 0 <= row["val_dice"] <= 1
        return len(seen) == 2

    outcome = fit(make_model(), disks[:2], disks[2:], settings(), tmp_path, watch=watch)
    assert seen == pytest.approx([1 / 3, 2 / 3])
    assert [row["step"] for row in outcome.history] == [2, 4]
    assert outcome.interrupted is None


def test_a_budget_that_preparations_used_up_still_gives_a_trained_step(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = room.fixed_windows

    def slowly(*arguments: Any, **named: Any) -> list[Batch]:
        time.sleep(0.3)  # longer than what is left of the budget
        return cut(*arguments, **named)

    monkeypatch.setattr(room, "fixed_windows", slowly)
    outcome = fit(make_model(), disks[:2], disks[2:], settings(steps=None, budget_s=0.01), tmp_path)
    assert outcome.history[-1]["step"] >= 1


def test_accumulated_steps_follow_the_mean_gradient_of_their_batches(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    """Two batches a step: as many steps and rounds as asked, and the step that a loop by hand takes."""
    kind = {"optimizer": "sgd", "momentum": 0.0, "weight_decay": 0.0, "clip": 0.0, "ema": 0.0}
    wished = settings(steps=1, rounds=1, accumulate=2, schedule="constant", learning_rate=0.1, **kind)
    found, expected = make_model(), make_model()
    outcome = fit(found, disks, [], wished, tmp_path)
    assert [row["step"] for row in outcome.history] == [1]
    sampler = PatchSampler(disks, (32, 32), 2, PatchConfig(), seed=0, device=torch.device("cpu"))
    network, loss = on_device(expected.network, torch.device("cpu")).train(), CombinedLoss(LossConfig())
    optimizer = make_optimizer(network, wished.fit)
    for number in range(2):
        batch = sampler.batch(number)
        logits = network(channels_last(batch.images))
        (loss(logits, batch.labels, batch.weights) / 2).backward()
    for group in optimizer.param_groups:
        group["lr"] *= rate_factor("constant", 0.0)
    optimizer.step()
    for (name, theirs), ours in zip(
        expected.network.named_parameters(), found.network.parameters(), strict=True
    ):
        torch.testing.assert_close(ours, theirs.detach(), rtol=1e-5, atol=1e-6, msg=name)


def test_accumulation_keeps_the_beat_of_rounds(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    outcome = fit(make_model(), disks, disks[2:], settings(accumulate=3, steps=4, rounds=2), tmp_path)
    assert [row["step"] for row in outcome.history] == [2, 4]


def test_checkpointing_trains_the_same_weights(
    disks: list[Prepared], make_model: MakeModel, tmp_path: Path
) -> None:
    models = []
    for checkpointing in (False, True):
        models.append(make_model(dropout=0.2))
        fit(models[-1], disks, [], settings(checkpointing=checkpointing), tmp_path / str(checkpointing))
    for first, second in zip(*(weights(model).values() for model in models), strict=True):
        torch.testing.assert_close(first, second, rtol=1e-4, atol=1e-6)
