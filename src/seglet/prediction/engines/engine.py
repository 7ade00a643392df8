"""The face of everything that runs a network on windows, and what all of it has in common."""

from abc import ABC, abstractmethod
from itertools import combinations
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from seglet.model import ModelCard
from seglet.prediction.outputs import raw_planes

Windows = NDArray[np.float32]


class Engine(Protocol):
    """Whatever computes planes of windows."""

    def run(self, windows: Windows) -> Windows:
        """(n, c, [z,] y, x) to (n, planes, [z,] y, x), smaller where convolutions are not padded.

        A new array, that may be overwritten.
        """
        ...

    def abreast(self, shape: tuple[int, ...], lanes: int) -> tuple["Engine", int]:
        """What runs many batches of this shape best, and how many at the same time; up to so many."""
        ...


class NetworkEngine(ABC):
    """Runs a model by some library, which says how logits are computed.

    Parameters
    ----------
    card : ModelCard
        What logits mean, and whether windows are mirrored.
    """

    def __init__(self, card: ModelCard) -> None:
        self._card = card

    @property
    @abstractmethod
    def name(self) -> str:
        """The library and its arithmetic, as the log says it."""

    def run(self, windows: Windows) -> Windows:
        """Compute what the network says.

        Parameters
        ----------
        windows : (n, c, [z,] y, x) float32 array
            Preprocessed windows; of sizes that are legal where convolutions are not padded.

        Returns
        -------
        (n, planes, [z,] y, x) float32 array
            See `seglet.prediction.outputs.raw_planes`; without the margin that unpadded convolutions lose.
        """
        with torch.inference_mode():
            images = self._images(windows)
            flips = flips_of(images.ndim) if self._card.predict.flips else [()]
            total = self._planes(images, flips[0])
            for flip in flips[1:]:
                total += self._planes(images, flip)
            if len(flips) > 1:
                total /= len(flips)
            mean: Windows = total.cpu().numpy()
        return mean

    def abreast(self, shape: tuple[int, ...], lanes: int) -> tuple[Engine, int]:
        """What runs many batches of this shape best, and how many at the same time; up to so many."""
        return self, 1

    def prepare(self, shape: tuple[int, ...], lanes: int) -> None:
        """Do beforehand what the first batch of this shape would wait for, run by so many lanes."""
        return

    def logits(self, windows: Windows) -> Windows:
        """Compute (n, outputs, [z,] y, x) float32 logits of windows as they lie."""
        with torch.inference_mode():
            return np.array(self._logits(self._images(windows)).cpu().numpy(), np.float32)

    @abstractmethod
    def _logits(self, images: Tensor) -> Tensor:
        """(n, c, [z,] y, x) to (n, outputs, [z,] y, x) float32, which the next windows may overwrite."""

    def _images(self, windows: Windows) -> Tensor:
        """The windows where they are computed."""
        return torch.from_numpy(np.ascontiguousarray(windows))

    def _planes(self, images: Tensor, flip: tuple[int, ...]) -> Tensor:
        if not flip:
            return raw_planes(self._logits(images), self._card)
        return raw_planes(self._logits(images.flip(flip)), self._card).flip(flip)


def flips_of(n_axes: int) -> list[tuple[int, ...]]:
    """The axes to mirror for each version of an (n, c, [z,] y, x) batch; none first."""
    spatial = range(2, n_axes)
    return [chosen for n in range(n_axes - 1) for chosen in combinations(spatial, n)]
