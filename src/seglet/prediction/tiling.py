"""How the images of a model are cut into windows."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, lcm, prod

from seglet.core.errors import ConfigError
from seglet.core.tiling import Stripe, strided_stripes, stripes, valid_stripes
from seglet.core.valid import ValidAxis
from seglet.model import ModelCard, PredictConfig
from seglet.preprocessing.levels import total_stride

MULTIPLE = 32  # px; sides of windows of images are multiples of it, as of what the network halves to one
WINDOW, MARGIN = 512, 32  # px; of images
MOST_VOXELS = 2**21  # of a window of a volume: a standard network then takes about a gigabyte
LANES, MANY = 2, 4  # batches at the same time where the engine can; from how many on
LARGEST_ABREAST = 2 * 512 * 512  # pixels of a window; threads that share a larger one seldom wait
PIXELS_AT_ONCE = 512 * 512  # windows are batched up to this many pixels: fuller batches gain nothing on a CPU


@dataclass(frozen=True)
class Tiling:
    """How images are cut into windows, for each axis that the network sees.

    Attributes
    ----------
    window, margin : tuple of int
        Wished extent of a window, and half of what neighbors share, in pixels of the plan's grid; of a
        network of unpadded convolutions what it loses at either end.
    multiple : tuple of int
        Windows stand apart by whole multiples of this.
    stride : int or None
        Where said, windows start every so many pixels, and count alike.
    valid : tuple of ValidAxis or None
        Legal sizes of a network of unpadded convolutions; None for others.
    is_surrounded : bool
        Whether images come with a margin of their own that is read and not predicted.
    batch : int or None
        Windows at once, where that is said.
    """

    window: tuple[int, ...]
    margin: tuple[int, ...]
    multiple: tuple[int, ...]
    stride: int | None = None
    valid: tuple[ValidAxis, ...] | None = None
    is_surrounded: bool = False
    batch: int | None = None

    @property
    def surround(self) -> tuple[int, ...]:
        """Pixels at either end of each axis of an image that are not predicted."""
        return self.margin if self.is_surrounded else (0,) * len(self.margin)

    def stripes(self, shape: Sequence[int]) -> list[list[Stripe]]:
        """The windows' places along each axis of what is predicted."""
        if self.valid is not None:
            sizes = zip(shape, self.window, self.valid, strict=True)
            return [valid_stripes(n, window, axis) for n, window, axis in sizes]
        if self.stride is not None:
            return [strided_stripes(n, w, self.stride) for n, w in zip(shape, self.window, strict=True)]
        along = zip(shape, self.window, self.margin, self.multiple, strict=True)
        return [stripes(*sides) for sides in along]

    def windows_at_once(self, extent: Sequence[int]) -> int:
        """How many windows of this extent make a batch."""
        return self.batch or max(1, PIXELS_AT_ONCE // prod(extent))

    def lanes(self, n_windows: int, extent: Sequence[int]) -> int:
        """How many batches may be run at the same time.

        A single one where the memory is short, or windows are so large that they gain nothing.
        """
        is_many = n_windows >= MANY * self.windows_at_once(extent)
        return LANES if is_many and prod(extent) <= LARGEST_ABREAST and self.batch is None else 1

    @property
    def largest_batch(self) -> int:
        """Pixels of all windows of a batch at most, whatever the image.

        Windows that share an axis evenly are up to a quarter of their core longer than was wished.
        """
        if self.valid is not None or self.stride is not None:
            extent = self.window
        else:
            along = zip(self.window, self.margin, self.multiple, strict=True)
            extent = tuple(_up(_up(1.25 * (n - 2 * m), k) + 2 * m, k) for n, m, k in along)
        return max(prod(extent) * self.windows_at_once(extent), 0 if self.batch else PIXELS_AT_ONCE)


def tiling_of(card: ModelCard) -> Tiling:
    """The windows that suit a model; what its settings leave open follows from its plan.

    Raises
    ------
    ConfigError
        If the settings are not for a network of unpadded convolutions.
    """
    plan, said = card.plan, card.predict
    if plan.is_valid:
        _require_whole_windows(said, plan.margin)
        window = plan.patch_size if said.window is None else (said.window,) * len(plan.margin)
        steps = tuple(axis.step for axis in plan.valid_axes)
        return Tiling(window, plan.margin, steps, valid=plan.valid_axes, batch=said.batch)
    if plan.mode == "3d":
        patch, multiple = plan.patch_size, total_stride(plan.strides, len(plan.patch_size))
        doubled = tuple(2 * n for n in patch)
        window = doubled if prod(doubled) <= MOST_VOXELS else patch
        margin = tuple(n // 4 for n in patch)
    else:
        window, margin = (WINDOW,) * 2, (MARGIN,) * 2
        multiple = tuple(lcm(MULTIPLE, n) for n in total_stride(plan.strides, 2))
    if said.window is not None:
        window = (said.window,) * len(window)
    if said.margin is not None:
        margin = (said.margin,) * len(window)
    else:
        margin = tuple(min(m, w // 4) for m, w in zip(margin, window, strict=True))
    return Tiling(window, margin, multiple, said.stride, batch=said.batch)


def extent_of(along: Sequence[Sequence[Stripe]]) -> tuple[int, ...]:
    """Extent of the windows whose places these are; all are alike."""
    return tuple(stripes[0].extent for stripes in along)


def _up(n: float, multiple: int) -> int:
    return ceil(n / multiple) * multiple


def _require_whole_windows(said: PredictConfig, margin: tuple[int, ...]) -> None:
    if said.margin is None and said.stride is None:
        return
    raise ConfigError(
        "predict",
        found=f"{'margin' if said.stride is None else 'stride'} for a network of unpadded convolutions",
        expected=f"its own margin of {'x'.join(map(str, margin))} pixels, and each pixel from one window",
        remedy="Leave predict.margin and predict.stride out.",
    )
