import math
import weakref
from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from seglet.losses.combined import CombinedLoss, LossConfig
from seglet.model import Model
from seglet.patches.sampler import PatchConfig, PatchSampler
from seglet.preprocessing.transform import Prepared
from seglet.training.clock import Clock
from seglet.training.module import SegmentationModule, make_optimizer
from seglet.training.schedule import START
from seglet.training.settings import FitConfig

MakeModule = Callable[..., SegmentationModule]


@pytest.fixture
def make_module(disks: list[Prepared], make_model: Callable[..., Model]) -> MakeModule:
    def make(config: FitConfig | None = None, **style: object) -> SegmentationModule:
        fit = config or FitConfig(steps=10)
        sampler = PatchSampler(disks, (32, 32), 2, PatchConfig(), seed=fit.seed, device=torch.device("cpu"))
        network = make_model(**style).network
        return SegmentationModule(network, CombinedLoss(LossConfig()), sampler, Clock(10, 1.0, 2), fit)

    return make


def steps(module: SegmentationModule, n: int) -> None:
    """Move the weights a little and average them."""
    for _ in range(n):
        with torch.no_grad():
            for p in module.network.parameters():
                p += 1.0
        module.on_train_batch_end(None, None, 0)


def test_images_are_let_go_when_training_ends(make_module: MakeModule) -> None:
    module = make_module()
    sampler = weakref.ref(module._batches)
    module.on_fit_end()
    assert sampler() is None


@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_number_becomes_that_batch_of_the_step(make_module: MakeModule, accumulate: int) -> None:
    module = make_module(FitConfig(steps=10, accumulate=accumulate))
    module.trainer = SimpleNamespace(global_step=5)  # type: ignore[assignment]
    for number in range(accumulate):
        moved = module.transfer_batch_to_device(number, torch.device("cpu"), 0)
        assert torch.equal(moved.images, module._batches.batch(5 * accumulate + number).images)


def test_weights_are_averaged_after_steps_alone(make_module: MakeModule) -> None:
    module = make_module(FitConfig(steps=10, accumulate=2))
    for number in range(6):
        module.on_train_batch_end(None, None, number)
    assert int(module.averaged.n_averaged) == 3


def test_gradients_are_clipped_to_the_wished_norm(make_module: MakeModule) -> None:
    for clip, expected in [(0.5, 0.5), (0.0, 3.0), (10.0, 3.0)]:
        module = make_module(FitConfig(steps=10, clip=clip))
        module.network.head.bias.grad = torch.tensor([3.0])
        module.on_before_optimizer_step(make_optimizer(module.network, module.config))
        assert float(module.network.head.bias.grad) == pytest.approx(expected, rel=1e-4)


def test_the_average_follows_the_published_recursion(make_module: MakeModule) -> None:
    module = make_module(FitConfig(ema=0.5, steps=10))
    start = module.network.head.bias.detach().clone()
    steps(module, 3)
    first = start + 1  # the average begins at the first weights seen
    second = torch.lerp(first, start + 2, 1 - min(0.5, 2 / 11))
    third = torch.lerp(second, start + 3, 1 - min(0.5, 3 / 12))
    assert torch.allclose(module.averaged.module.head.bias, third)


def test_without_averaging_the_last_weights_stand(make_module: MakeModule) -> None:
    module = make_module(FitConfig(ema=0.0, steps=10))
    steps(module, 3)
    averaged = module.averaged.module.state_dict()
    assert all(torch.equal(averaged[name], value) for name, value in module.network.state_dict().items())


def test_running_statistics_are_averaged_and_counts_copied(make_module: MakeModule) -> None:
    module = make_module(FitConfig(ema=0.9, steps=10))
    norm = module.network.down[0][1]
    for value in (1.0, 3.0):
        norm.running_mean.fill_(value)
        norm.num_batches_tracked.fill_(int(value))
        module.on_train_batch_end(None, None, 0)
    averaged = module.averaged.module.down[0][1]
    assert ((averaged.running_mean > 1) & (averaged.running_mean < 3)).all()
    assert int(averaged.num_batches_tracked) == 3


def test_training_moves_the_statistics_of_batch_norm_and_validation_does_not(make_module: MakeModule) -> None:
    module = make_module()
    module.log = lambda *args, **kwargs: None  # type: ignore[method-assign]
    norm = module.network.down[0][1]
    module.training_step(module._batches.batch(0), 0)
    assert int(norm.num_batches_tracked) == 1
    module.eval()
    module.on_validation_epoch_start()
    with torch.no_grad():
        module.validation_step(module._batches.batch(1), 0)
    assert int(module.averaged.module.down[0][1].num_batches_tracked) == 0


def test_dropout_is_the_same_for_the_same_step_whatever_was_drawn_before(make_module: MakeModule) -> None:
    losses = []
    for noise in range(2):
        torch.manual_seed(noise)
        module = make_module(dropout=0.5)
        module.log = lambda *args, **kwargs: None  # type: ignore[method-assign]
        losses.append(module.training_step(module._batches.batch(0), 0).item())
    assert losses[0] == losses[1]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_validation_dice_is_of_all_windows_pooled(make_module: MakeModule, n_classes: int) -> None:
    module = make_module(n_classes=n_classes)
    logged: dict[str, float] = {}
    module.log = lambda name, value, **_: logged.__setitem__(name, float(value))  # type: ignore[method-assign, misc]
    batches = [module._batches.batch(step) for step in range(2)]
    module.eval()
    module.on_validation_epoch_start()
    right = sizes = 0
    for batch in batches:
        with torch.no_grad():
            module.validation_step(batch, 0)
            logits = module.averaged(batch.images)
        predicted = (logits[:, 0] > 0).long() if n_classes == 2 else logits.argmax(1)
        inside = batch.weights > 0
        right += int(((predicted == batch.labels) & (batch.labels > 0) & inside).sum())
        sizes += int(((predicted > 0) & inside).sum() + ((batch.labels > 0) & inside).sum())
    module.on_validation_epoch_end()
    assert logged["val_dice"] == pytest.approx(2 * right / sizes)


def test_validation_dice_of_nothing_is_not_a_number(make_module: MakeModule) -> None:
    module = make_module()
    logged: dict[str, float] = {}
    module.log = lambda name, value, **_: logged.__setitem__(name, float(value))  # type: ignore[method-assign, misc]
    module.on_validation_epoch_start()
    module.on_validation_epoch_end()
    assert math.isnan(logged["val_dice"])


@pytest.mark.parametrize(
    ("name", "kind"), [("adamw", torch.optim.AdamW), ("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)]
)
def test_the_recipe_chooses_the_optimizer_and_only_kernels_decay(
    make_module: MakeModule, name: str, kind: type[torch.optim.Optimizer]
) -> None:
    network = make_module().network
    optimizer = make_optimizer(network, FitConfig(optimizer=name, weight_decay=0.25, learning_rate=0.125))  # type: ignore[arg-type]
    assert type(optimizer) is kind
    decayed, free = optimizer.param_groups
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.25, 0.0)
    assert all(p.ndim > 1 for p in decayed["params"])
    assert all(p.ndim == 1 for p in free["params"])
    assert len(decayed["params"]) + len(free["params"]) == len(list(network.parameters()))
    assert {group["lr"] for group in optimizer.param_groups} == {0.125}


def test_the_rate_follows_the_clock(make_module: MakeModule) -> None:
    module = make_module(FitConfig(schedule="one_cycle", learning_rate=1.0, steps=10))
    found = module.configure_optimizers()
    optimizer, scheduler = found["optimizer"], found["lr_scheduler"]["scheduler"]
    assert optimizer.param_groups[0]["lr"] == pytest.approx(START)
    module._clock.step = 3
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1.0)


def test_a_checkpoint_remembers_how_long_training_took(make_module: MakeModule) -> None:
    module, other = make_module(), make_module()
    module._clock.resume(step=4, elapsed=123.0)
    checkpoint: dict[str, object] = {"global_step": 4}
    module.on_save_checkpoint(checkpoint)
    other.on_load_checkpoint(checkpoint)
    assert other._clock.elapsed == pytest.approx(123.0, abs=5)
    assert other._clock.step == 4
