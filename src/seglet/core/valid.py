"""Sizes of U-Nets whose convolutions are not padded: what goes in, what comes out, what is lost around."""

from dataclasses import dataclass
from math import prod

from seglet.core.errors import GeometryError

N_CONVOLUTIONS = 2  # at each level, down and up; Ronneberger 2015, figure 1


@dataclass(frozen=True)
class ValidAxis:
    """One axis of a U-Net with unpadded convolutions and center-cropped skips.

    Attributes
    ----------
    strides : tuple of int
        By what each step down shortens the axis; one fewer than levels.
    kernels : tuple of int
        Odd extent of each level's convolutions along the axis, finest first.
    """

    strides: tuple[int, ...]
    kernels: tuple[int, ...]

    @property
    def step(self) -> int:
        """Legal sizes are this far apart, and so are tiles that see pixels in the same phase."""
        return prod(self.strides)

    @property
    def lost(self) -> int:
        """Pixels that the output is shorter than the input, at both ends together."""
        lost = self._lost_at(-1)
        for stride, level in zip(reversed(self.strides), reversed(range(len(self.strides))), strict=True):
            lost = stride * lost + 2 * self._lost_at(level)
        return lost

    @property
    def margin(self) -> int:
        """Pixels that are lost at either end."""
        return self.lost // 2

    @property
    def smallest(self) -> int:
        """The smallest legal input; its output has at least one pixel."""
        size = self._lost_at(-1) + 1  # of the coarsest level
        while True:
            entering = self._entering(size)
            if entering > self.lost:
                return entering
            size += 1

    def output(self, size: int) -> int:
        """Extent of the output.

        Raises
        ------
        GeometryError
            If a level cannot be halved; names the nearest sizes that can.
        """
        if not self.is_legal(size):
            near = sorted({self.nearest(size, up=False), self.nearest(size)})
            raise GeometryError(
                f"side {size}",
                found="a size that a network of unpadded convolutions cannot halve at every level",
                expected=f"{self.smallest} and every {self.step} pixels more",
                remedy=f"Try {' or '.join(map(str, near))}.",
            )
        return size - self.lost

    def is_legal(self, size: int) -> bool:
        """Whether every level can be halved and something comes out."""
        return size >= self.smallest and (size - self.smallest) % self.step == 0

    def nearest(self, size: int, *, up: bool = True) -> int:
        """The smallest legal size that is not below `size`; else the largest that is not above it."""
        beyond = max(0, size - self.smallest)
        steps = -(-beyond // self.step) if up else beyond // self.step
        return self.smallest + steps * self.step

    def _lost_at(self, level: int) -> int:
        """Pixels that one block of convolutions takes."""
        return N_CONVOLUTIONS * (self.kernels[level] - 1)

    def _entering(self, size: int) -> int:
        """The input with which the coarsest level sees `size` pixels."""
        for stride, level in zip(reversed(self.strides), reversed(range(len(self.strides))), strict=True):
            size = stride * size + self._lost_at(level)
        return size
