"""What runs a network on a batch of windows."""

import numpy as np
import torch
from numpy.typing import NDArray

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

FLIPS = ((), (2,), (3,), (2, 3))  # of an (n, c, y, x) batch


class TorchEngine:
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
        self.device = device or best_device()
        self._network = on_device(model.network, self.device).eval()
        self._flips = FLIPS if model.card.predict.flips else FLIPS[:1]
        self._choice: PrecisionChoice = precision or model.card.predict.precision
        self.precision: Precision | None = None

    def run(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute probabilities.

        Parameters
        ----------
        windows : (n, c, y, x) float32 array
            Preprocessed windows.

        Returns
        -------
        (n, k, y, x) float32 array
            k = 1: probability of the foreground; else one per class.
        """
        images = torch.from_numpy(np.ascontiguousarray(windows)).to(self.device)
        if self.precision is None:
            self.precision = choose_precision(self._choice, self._network, images[:1], training=False)
        with torch.inference_mode(), autocast(self.device, self.precision):
            each = torch.stack([self._probabilities(images, flip) for flip in self._flips])
        mean: NDArray[np.float32] = each.mean(0).cpu().numpy()
        return mean

    def _probabilities(self, images: torch.Tensor, flip: tuple[int, ...]) -> torch.Tensor:
        logits = self._network(channels_last(images.flip(flip))).float()
        return (torch.sigmoid(logits) if logits.shape[1] == 1 else torch.softmax(logits, 1)).flip(flip)
