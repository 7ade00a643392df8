"""Decide: from what the data are to how they are trained on, so that it fits the memory."""

from math import prod
from typing import Any, Self

from pydantic import model_validator

from seglet.core.config import Config
from seglet.core.errors import ConfigError
from seglet.core.valid import ValidAxis
from seglet.preprocessing.fingerprint import Fingerprint
from seglet.preprocessing.intensity import Color, IntensityScale, Normalization, window_scale
from seglet.preprocessing.levels import (
    BYTES_PER_VALUE,
    PATCH,
    PerLevel,
    patch_memory,
)
from seglet.preprocessing.settings import Extent, PlanConfig, Positive, Reading, Widths
from seglet.preprocessing.sizes import choose_sizes, valid_axes
from seglet.preprocessing.target import Mode, Own, Target, choose_target

BATCH = 4  # flat patches: minutes on a CPU hold thousands of steps; of 8, half as many steps taught less
MIN_BATCH = 2  # of volumes' patches; batch normalization needs more than one
MAX_BATCH = 8  # of patches that are smaller than usual
SHARE_OF_MEMORY = 0.5  # what training may take of the memory that the images leave free


class Plan(Config):
    """What is done to every image, and the sizes that training uses; see `PlanConfig`.

    Attributes
    ----------
    intensity : tuple of IntensityScale or None
        For ``ct``: the scale of each channel.
    spacing : tuple of float or None
        None where images keep their own.
    unit : str
        Unit of `spacing`.
    steps : tuple of float or None
        Distance of points along each axis that the network sees, of the median training image; patches are
        turned and bent by it, also where images keep their own spacing.
    n_channels, n_classes : int
        What goes into the network, and the classes that come out, background included.
    training_memory : int
        Expected peak of a training step, in bytes.
    image_memory : int
        What the training images take as long as training lasts, in bytes; 0 where they stay on disk.
    is_valid : bool
        Whether the network's convolutions are not padded: less comes out of it than goes in.
    """

    color: Color
    normalization: Normalization
    window: tuple[float, float] | None = None
    intensity: tuple[IntensityScale, ...] | None = None
    resize: Extent | None
    patch_size: Extent
    batch_size: Positive
    channels: Widths
    mode: Mode = "2d"
    spacing: tuple[float, ...] | None = None
    unit: str = "px"
    steps: tuple[float, ...] | None = None
    slice_axis: int = 0
    strides: PerLevel
    kernels: PerLevel
    n_channels: Positive
    n_classes: Positive
    training_memory: int
    image_memory: int = 0
    reading: Reading = "memory"
    is_valid: bool = False

    @model_validator(mode="after")
    def _can_be_read(self) -> Self:
        if self.reading == "disk" and self.needs_whole:
            raise ConfigError(
                "plan.normalization",
                found=f"{self.normalization} for images that stay on disk and are read part by part",
                expected="one that needs no whole image or slice: standardize, rescale, divide or ct",
                remedy="Set plan.reading=memory, or another plan.normalization.",
            )
        return self

    @property
    def valid_axes(self) -> tuple[ValidAxis, ...]:
        """The sizes of a network of unpadded convolutions, along each axis that it sees."""
        return valid_axes(self.strides, self.kernels)

    @property
    def margin(self) -> tuple[int, ...]:
        """Pixels that the network's output lacks at either end of each axis."""
        return tuple(axis.margin if self.is_valid else 0 for axis in self.valid_axes)

    @property
    def output_size(self) -> tuple[int, ...]:
        """Extent of what the network says of a patch."""
        return tuple(side - 2 * lost for side, lost in zip(self.patch_size, self.margin, strict=True))

    @property
    def needs_whole(self) -> bool:
        """Whether images, or the slices of ``slices``, can only be normalized as a whole, not in parts."""
        return self.normalization == "clahe" or (self.normalization == "zscore" and self.mode == "slices")

    @property
    def settings(self) -> PlanConfig:
        """The plan as settings of a recipe, every one of them said."""
        said: dict[str, Any] = {name: getattr(self, name) for name in PlanConfig.model_fields}
        return PlanConfig(**(said | {"spacing": self._said_spacing}))

    @property
    def _said_spacing(self) -> tuple[float, ...] | Own | None:
        return None if self.resize else self.spacing or "own"


def make_plan(
    fingerprint: Fingerprint,
    config: PlanConfig,
    memory: int,
    *,
    is_on_disk: bool = False,
    is_valid: bool = False,
) -> Plan:
    """Decide everything that `config` leaves open.

    Parameters
    ----------
    fingerprint : Fingerprint
        Facts of the training images.
    config : PlanConfig
        What is already said.
    memory : int
        Free memory of the training device, in bytes.
    is_on_disk : bool
        Whether the images stay there and are read patch by patch.
    is_valid : bool
        Whether the network's convolutions are not padded.

    Raises
    ------
    ConfigError
        If a setting does not fit the images, the patch cannot be halved as often as the network is deep, or
        the images or not even one patch beside them fit the memory.
    """
    target = choose_target(fingerprint, config.mode, config.slice_axis, config.spacing, config.resize)
    color = config.color or _choose_color(fingerprint)
    n_channels = {"gray": 1, "rgb": 3, "as_is": fingerprint.n_channels}[color]
    normalization = config.normalization or _choose_normalization(fingerprint, config, n_channels)
    patch, channels, strides, kernels = choose_sizes(target, config, is_valid=is_valid)
    images = 0 if is_on_disk else image_memory(target, n_channels)
    per_patch = patch_memory(patch, channels, strides)
    batch = _choose_batch(patch, per_patch, _memory_left(memory, images), config.batch_size)
    return Plan(
        color=color,
        normalization=normalization,
        window=config.window,
        intensity=_choose_intensity(fingerprint, config.window, normalization, n_channels),
        resize=config.resize,
        patch_size=patch,
        batch_size=batch,
        channels=channels,
        mode=target.mode,
        spacing=target.spacing,
        unit=fingerprint.unit,
        steps=target.steps,
        slice_axis=target.slice_axis,
        strides=strides,
        kernels=kernels,
        n_channels=n_channels,
        n_classes=fingerprint.n_classes,
        training_memory=per_patch * batch,
        image_memory=images,
        reading="disk" if is_on_disk else "memory",
        is_valid=is_valid,
    )


def image_memory(target: Target, n_channels: int) -> int:
    """Bytes that the training images take as long as training lasts, with their labels and weights."""
    return target.n_pixels * BYTES_PER_VALUE * (n_channels + 2)


def _memory_left(memory: int, images: int) -> float:
    """What training may take beside the images."""
    if images >= memory:
        raise ConfigError(
            "memory",
            found=f"{images / 2**30:.1f} GiB for the training images",
            expected=f"less than the {memory / 2**30:.1f} GiB that are free",
            remedy="Set plan.resize, train on fewer images or free some memory.",
        )
    return (memory - images) * SHARE_OF_MEMORY


def _choose_color(fingerprint: Fingerprint) -> Color:
    """Channels of a volume are measurements, never colors."""
    if fingerprint.n_channels not in (1, 3) or (fingerprint.n_axes == 3 and fingerprint.n_channels > 1):
        return "as_is"
    return "rgb" if fingerprint.is_color else "gray"


def _choose_normalization(fingerprint: Fingerprint, config: PlanConfig, n_channels: int) -> Normalization:
    is_measured = fingerprint.intensity is not None and len(fingerprint.intensity) == n_channels
    return "ct" if config.window or (fingerprint.is_ct and is_measured) else "standardize"


def _choose_intensity(
    fingerprint: Fingerprint,
    window: tuple[float, float] | None,
    normalization: Normalization,
    n_channels: int,
) -> tuple[IntensityScale, ...] | None:
    if normalization != "ct":
        if window is None:
            return None
        raise ConfigError(
            "plan.normalization",
            found=f"{normalization} beside plan.window",
            expected="ct",
            remedy="Leave plan.normalization or plan.window out.",
        )
    if window is not None:
        return (window_scale(*window),) * n_channels
    measured = fingerprint.intensity
    if measured is None or len(measured) != n_channels:
        raise ConfigError(
            "plan.normalization",
            found="ct for images whose foreground cannot be measured",
            expected=f"labelled foreground in images of {n_channels} channels each",
            remedy="Set plan.window, or leave plan.normalization out.",
        )
    return measured


def _choose_batch(patch: tuple[int, ...], per_patch: int, left: float, said: int | None) -> int:
    """As many patches as cost a CPU about as much as the flat ones do, and fit what is left of the memory."""
    least, n_pixels = (BATCH, BATCH * PATCH**2) if len(patch) == 2 else (MIN_BATCH, MAX_BATCH * PATCH**2)
    wished = min(MAX_BATCH, max(least, n_pixels // prod(patch)))
    most = int(left // per_patch)
    batch = said or min(wished, most)
    if batch < 1 or batch > max(most, 1) * 2:
        raise ConfigError(
            "plan",
            found=f"{per_patch * max(batch, 1) / 2**30:.1f} GiB for {max(batch, 1)} patches of {patch}",
            expected=f"at most {left / 2**30:.1f} GiB beside the images",
            remedy="Set a smaller plan.batch_size, plan.patch_size or plan.channels.",
        )
    return batch
