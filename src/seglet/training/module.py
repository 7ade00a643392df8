"""The Lightning module: one training step, one validation step, the optimizer and the averaged weights."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, cast

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

from seglet.core.profile import timed
from seglet.losses.combined import CombinedLoss
from seglet.networks.hardware import channels_last
from seglet.networks.residual_unet import ResidualUNet
from seglet.networks.unet import UNet
from seglet.patches.prefetch import Batches
from seglet.patches.sampler import Batch
from seglet.training.clock import Clock
from seglet.training.recomputing import recomputing
from seglet.training.schedule import rate_factor
from seglet.training.settings import FitConfig


class SegmentationModule(LightningModule):
    """Trains a network on patches and keeps a moving average of its weights.

    Parameters
    ----------
    network : Module
        What is trained.
    loss : CombinedLoss
        What is minimized.
    batches : Batches
        Where they come from; the batch of a step depends on the seed and the step alone.
    clock : Clock
        How far training is.
    config : FitConfig
        Settings.
    """

    def __init__(
        self, network: nn.Module, loss: CombinedLoss, batches: Batches, clock: Clock, config: FitConfig
    ) -> None:
        super().__init__()
        self.network, self.loss, self.config = network, loss, config
        self.averaged = AveragedModel(network, multi_avg_fn=_averaging(config.ema), use_buffers=True)
        self._batches, self._clock = batches, clock
        self._counts = torch.zeros(0)
        self._drops_out = any(isinstance(each, nn.Dropout) for each in network.modules())

    def transfer_batch_to_device(
        self, batch: int | Batch, device: torch.device, dataloader_idx: int
    ) -> Batch:
        """Make the patches of a training step, a mere number until here; move validation windows.

        The number is that of the batch in its step, 0 where gradients are not accumulated.
        """
        if isinstance(batch, int):
            with timed("augment"):
                return self._batches.batch(self.global_step * self.config.accumulate + batch)
        images, labels, weights = (t.to(device) for t in (batch.images, batch.labels, batch.weights))
        return Batch(images, labels, weights, None if batch.distances is None else batch.distances.to(device))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one batch."""
        number = self.global_step * self.config.accumulate + batch_idx % self.config.accumulate
        forgetting = recomputing(self.network) if self.config.checkpointing else nullcontext()
        drawn = _seeded(self.config.seed + number) if self._drops_out else nullcontext()
        with drawn, forgetting:  # the same after an interruption
            logits = _every_level(self.network, channels_last(batch.images))
        shown = _cut_to(batch, logits[0].shape[2:])
        loss: Tensor = self.loss(
            [each.float() for each in logits], shown.labels, shown.weights, shown.distances
        )
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(batch.images))
        return loss

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Clip the gradient; Lightning refuses to where the optimizer is fused, lest its scale be unknown."""
        if self.config.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)

    def on_train_batch_end(self, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Average the weights after a step, and tell the clock."""
        if (batch_idx + 1) % self.config.accumulate == 0:
            self.averaged.update_parameters(self.network)
            self._clock.step = self.global_step

    def on_validation_epoch_start(self) -> None:
        """Forget the counts of the last validation."""
        self._counts = torch.zeros(3)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Loss and counts of one window, by the averaged weights."""
        logits = self.averaged(channels_last(batch.images)).float()
        shown = _cut_to(batch, logits.shape[2:])
        labels, weights = shown.labels, shown.weights
        loss = self.loss(logits, labels, weights, shown.distances)
        self.log("val_loss", loss, batch_size=len(labels))
        if shown.distances is not None:
            logits = logits[:, :-1]
        predicted = (logits[:, 0] > 0).long() if logits.shape[1] == 1 else logits.argmax(1)
        inside = weights > 0
        right = (predicted == labels) & (labels > 0) & inside
        sizes = [right, (predicted > 0) & inside, (labels > 0) & inside]
        self._counts += torch.stack([size.sum().float().cpu() for size in sizes])

    def on_validation_epoch_end(self) -> None:
        """Foreground Dice over all windows, their pixels pooled."""
        right, predicted, true = self._counts.tolist()
        self.log("val_dice", 2 * right / (predicted + true) if predicted + true else float("nan"))

    def configure_optimizers(self) -> Any:
        """The optimizer, and a schedule that follows the clock."""
        optimizer = make_optimizer(self.network, self.config)
        schedule = LambdaLR(optimizer, lambda _: rate_factor(self.config.schedule, self._clock.progress))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_fit_end(self) -> None:
        """Let go of the images: the trainer and this module hold each other beyond the end of training."""
        del self._batches

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Remember how long training has lasted."""
        checkpoint["elapsed"] = self._clock.elapsed

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on counting from there."""
        self._clock.resume(checkpoint["global_step"], checkpoint["elapsed"])


def make_optimizer(network: nn.Module, config: FitConfig) -> torch.optim.Optimizer:
    """The optimizer of a recipe; biases and normalizations are not decayed."""
    decayed = [p for p in network.parameters() if p.ndim > 1]
    free = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": free, "weight_decay": 0.0}]
    match config.optimizer:
        case "adamw":
            return torch.optim.AdamW(groups, lr=config.learning_rate, fused=True)
        case "adam":
            return torch.optim.Adam(groups, lr=config.learning_rate, fused=True)
        case "sgd":
            return torch.optim.SGD(groups, lr=config.learning_rate, momentum=config.momentum, fused=True)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Let chance within follow from a seed alone, and go on afterwards as if nothing had been drawn."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def _every_level(network: nn.Module, images: Tensor) -> list[Tensor]:
    """The logits of every level that is supervised, finest first."""
    if isinstance(network, UNet | ResidualUNet):
        return network.levels(images)
    return [network(images)]


def _cut_to(batch: Batch, shape: tuple[int, ...]) -> Batch:
    """The middle of the truth: networks of unpadded convolutions say nothing of the rest."""
    middle = [
        slice((whole - n) // 2, (whole - n) // 2 + n)
        for whole, n in zip(batch.labels.shape[1:], shape, strict=True)
    ]
    inside = (slice(None), *middle)
    distances = None if batch.distances is None else batch.distances[inside]
    return Batch(batch.images, batch.labels[inside], batch.weights[inside], distances)


def _averaging(decay: float) -> Callable[[Any, Any, Any], None]:
    """Exponential moving average whose memory grows from nothing: the random start is soon forgotten."""

    @torch.no_grad()
    def update(averaged: list[Tensor], current: list[Tensor], n_averaged: Tensor) -> None:
        n = float(n_averaged)
        keep = min(decay, (1 + n) / (10 + n)) if decay else 0.0
        if averaged[0].is_floating_point():
            torch._foreach_lerp_(averaged, current, 1 - keep)
        else:
            for mine, theirs in zip(averaged, current, strict=True):
                mine.copy_(theirs)

    return cast(Callable[[Any, Any, Any], None], update)
