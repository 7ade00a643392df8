"""Runs a network by PyTorch, on the CPU or on a GPU."""

import numpy as np
import torch
from torch import Tensor

from seglet.model import Model
from seglet.networks.hardware import (
    Precision,
    PrecisionChoice,
    autocast,
    best_device,
    channels_last,
    choose_precision,
    on_device,
)
from seglet.prediction.engines.engine import NetworkEngine, Windows


class TorchEngine(NetworkEngine):
    """Runs a model by PyTorch, in the arithmetic that is fastest on this machine.

    Parameters
    ----------
    model : Model
        What to run.
    precision : str or None
        ``auto`` measures on the first batch; the model's own setting where None.
    device : torch.device or None
        The best there is where None.
    """

    def __init__(
        self, model: Model, precision: PrecisionChoice | None = None, device: torch.device | None = None
    ) -> None:
        super().__init__(model.card)
        self.device = device or best_device()
        self._network = on_device(model.network, self.device).eval()
        said = model.card.predict.precision
        self._choice: PrecisionChoice = precision or ("auto" if said == "int8" else said)
        self.precision: Precision | None = None

    @property
    def name(self) -> str:
        """The library, its arithmetic and, where it is not the CPU, the device."""
        where = "" if self.device.type == "cpu" else f" on {self.device.type}"
        return f"PyTorch {self.precision.kind if self.precision else self._choice}{where}"

    def _images(self, windows: Windows) -> Tensor:
        images = torch.from_numpy(np.ascontiguousarray(windows)).to(self.device, non_blocking=True)
        if self.precision is None:
            self.precision = choose_precision(self._choice, self._network, images[:1], training=False)
        return images

    def _logits(self, images: Tensor) -> Tensor:
        assert self.precision is not None  # since `_images`
        with autocast(self.device, self.precision):
            logits: Tensor = self._network(channels_last(images)).float()
        return logits
