"""What runs a network on a batch of windows."""

from itertools import combinations
from typing import Protocol

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
from seglet.prediction.outputs import raw_planes


class Engine(Protocol):
    """Whatever computes planes of windows."""

    def run(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, c, [z,] y, x) to (n, planes, [z,] y, x), smaller where convolutions are not padded."""
        ...


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
        self._card = model.card
        self._choice: PrecisionChoice = precision or model.card.predict.precision
        self.precision: Precision | None = None

    def run(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Compute probabilities.

        Parameters
        ----------
        windows : (n, c, [z,] y, x) float32 array
            Preprocessed windows; of sizes that are legal where convolutions are not padded.

        Returns
        -------
        (n, planes, [z,] y, x) float32 array
            See `seglet.prediction.outputs.raw_planes`; without the margin that unpadded convolutions lose.
        """
        images = torch.from_numpy(np.ascontiguousarray(windows)).to(self.device)
        if self.precision is None:
            self.precision = choose_precision(self._choice, self._network, images[:1], training=False)
        with torch.inference_mode(), autocast(self.device, self.precision):
            flips = flips_of(images.ndim) if self._card.predict.flips else [()]
            total = self._probabilities(images, flips[0])
            for flip in flips[1:]:
                total += self._probabilities(images, flip)
        mean: NDArray[np.float32] = (total / len(flips)).cpu().numpy()
        return mean

    def _probabilities(self, images: torch.Tensor, flip: tuple[int, ...]) -> torch.Tensor:
        logits = self._network(channels_last(images.flip(flip))).float()
        return raw_planes(logits, self._card).flip(flip)


def flips_of(n_axes: int) -> list[tuple[int, ...]]:
    """The axes to mirror for each version of an (n, c, [z,] y, x) batch; none first."""
    spatial = range(2, n_axes)
    return [chosen for n in range(n_axes - 1) for chosen in combinations(spatial, n)]
