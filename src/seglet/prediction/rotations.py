"""Turned versions of an image, and what was said of them turned back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, cos, pi, sin
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from seglet.model import ModelCard

Side = tuple[int, int]
ROUNDING = 1e-6  # px; what a quarter turn leaves of a cosine is no pixel


@dataclass(frozen=True)
class Turn:
    """An image turned about its center, within the plane of two of its axes.

    Attributes
    ----------
    angle : float
        In radians, in the sense of `numpy.rot90`: from the first axis of the plane towards the second.
    shape : tuple of int
        Extent of the upright image, ([z,] y, x).
    plane : tuple of int
        The two axes, counted from 0 at the first of `shape`.
    aspect : float
        Distance of points along the second axis of the plane, over that along the first; so that turns keep
        true shapes.
    """

    angle: float
    shape: tuple[int, ...]
    plane: tuple[int, int]
    aspect: float = 1.0

    @property
    def canvas(self) -> Side:
        """Extent of the turned image, which holds all pixels of the upright one."""
        sides = np.abs(self._matrix(-self.angle)) @ self._sides
        y, x = (max(1, ceil(side - ROUNDING)) for side in sides)
        return y, x

    @property
    def turned_shape(self) -> tuple[int, ...]:
        """Extent of the turned image, ([z,] y, x)."""
        sides = dict(zip(self.plane, self.canvas, strict=True))
        return tuple(sides.get(axis, n) for axis, n in enumerate(self.shape))

    def there(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn (c, [z,] y, x) intensities by cubic splines; mirrored where the upright image ends."""
        return self._resample(pixels, self.canvas, self.angle, order=3)

    def back(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn what was said of the turned image back, linearly, so that it stays within 0 and 1."""
        return self._resample(planes, self._sides, -self.angle, order=1)

    @property
    def _sides(self) -> Side:
        return self.shape[self.plane[0]], self.shape[self.plane[1]]

    def _matrix(self, angle: float) -> NDArray[np.float64]:
        """From offsets in what is made to offsets in what is read, in pixels."""
        turned = np.array([[cos(angle), sin(angle)], [-sin(angle), cos(angle)]])
        steps = np.array([1.0, self.aspect])
        return np.asarray(turned * steps / steps[:, None])

    def _resample(
        self, pixels: NDArray[np.float32], sides: Side, angle: float, order: Literal[1, 3]
    ) -> NDArray[np.float32]:
        axes = tuple(1 + axis for axis in self.plane)
        source, matrix = np.moveaxis(pixels, axes, (-2, -1)), self._matrix(angle)
        turned = np.empty((*source.shape[:-2], *sides), np.float32)
        offset = _middle(source.shape[-2:]) - matrix @ _middle(sides)
        for place in np.ndindex(*source.shape[:-2]):
            affine_transform(
                source[place], matrix, offset, sides, output=turned[place], order=order, mode="mirror"
            )
        return np.ascontiguousarray(np.moveaxis(turned, (-2, -1), axes))


def turns(shape: tuple[int, ...], card: ModelCard) -> Iterator[Turn]:
    """The turned versions beside the upright one, by equal parts of the full circle.

    Parameters
    ----------
    shape : ([z,] y, x)
        Extent of the prepared image.
    card : ModelCard
        How many (``predict.rotations``), and the distances of points. A volume is turned in the plane of its
        two finest axes; where several are as fine, of the last.

    Yields
    ------
    Turn
        One fewer than versions.

    Notes
    -----
    The original U-Net took the mean over 7 rotated versions for the EM challenge (Ronneberger 2015,
    section 4).
    """
    n_axes = 3 if card.plan.mode == "3d" else 2
    steps = card.plan.steps or (1.0,) * n_axes
    coarsest_first = sorted(range(n_axes), key=lambda axis: (-steps[axis], axis))
    first, second = sorted(coarsest_first[-2:])
    aspect, skipped = steps[second] / steps[first], len(shape) - n_axes
    for number in range(1, card.predict.rotations):
        angle = 2 * pi * number / card.predict.rotations
        yield Turn(angle, shape, (first + skipped, second + skipped), aspect)


def _middle(sides: Sequence[int]) -> NDArray[np.float64]:
    return (np.array(sides) - 1) / 2
