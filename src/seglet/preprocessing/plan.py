"""Decide: from what the data are to how they are trained on, so that it fits the memory."""

from collections.abc import Iterable
from math import prod
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from seglet.core.config import Config
from seglet.core.errors import ConfigError
from seglet.preprocessing.fingerprint import Fingerprint
from seglet.preprocessing.intensity import Color, IntensityScale, Normalization, window_scale
from seglet.preprocessing.levels import (
    BYTES_PER_VALUE,
    PATCH,
    PerLevel,
    choose_levels,
    fit_sides,
    patch_memory,
    total_stride,
    wished_sides,
)
from seglet.preprocessing.target import Mode, Own, Target, choose_target, require_axes

Positive = Annotated[int, Field(gt=0)]
Distance = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Widths = Annotated[tuple[Positive, ...], Field(min_length=1)]
Extent = Annotated[tuple[Positive, ...], Field(min_length=2, max_length=3)]
Spacing = Annotated[tuple[Distance, ...], Field(min_length=2, max_length=3)]
Reading = Literal["memory", "disk"]
Strides = tuple[tuple[Literal[1, 2], ...], ...]
Kernels = tuple[tuple[Literal[1, 3], ...], ...]

BATCH = 8  # small, so that minutes on a CPU hold thousands of steps
MIN_BATCH = 2  # of volumes' patches; batch normalization needs more than one
CHANNELS = (16, 32, 64, 128)
SHARE_OF_MEMORY = 0.5  # what training may take of the memory that the images leave free


class PlanConfig(Config):
    """What a recipe says of the plan; everything left out is decided from the data.

    Attributes
    ----------
    color : str
        Channels the network sees: ``gray``, ``rgb`` or ``as_is``.
    normalization : str
        ``ct``: one scale for all images, from the foreground of the training images. Others image by image,
        see `seglet.preprocessing.intensity.measure`.
    window : (low, high) or None
        For ``ct``: the Hounsfield units that are told apart, instead of those of the foreground.
    mode : str
        ``2d``: images. ``3d``: volumes by a 3D network. ``slices``: volumes by a 2D network, slice by slice.
    slice_axis : int
        The axis of a volume, turned upright, along which ``slices`` cuts: 0 axial, 1 coronal, 2 sagittal.
    spacing : tuple of float or "own"
        Distance of pixels that every image is resampled to, one number per axis that the network sees, in
        the unit of most training images; ``own`` leaves images as they are.
    resize : (y, x) or (z, y, x) or None
        Fixed size that every image is resized to; by default images keep their own size.
    patch_size : (y, x) or (z, y, x)
        Extent of a training patch.
    batch_size : int
        Patches in a step.
    channels : tuple of int
        Width of each level of the network, finest first.
    strides : tuple
        By what each level's input is halved along each axis: one entry per step down, 1 or 2 per axis.
    kernels : tuple
        Extent of each level's convolutions along each axis, 1 or 3.
    reading : str
        ``memory``: images are read once and kept. ``disk``: they stay there, and patches are read as they are
        needed. By default kept if they fit.
    """

    color: Color | None = None
    normalization: Normalization | None = None
    window: tuple[float, float] | None = None
    mode: Mode | None = None
    slice_axis: Annotated[int, Field(ge=0, le=2)] | None = None
    spacing: Spacing | Own | None = None
    resize: Extent | None = None
    patch_size: Extent | None = None
    batch_size: Positive | None = None
    channels: Widths | None = None
    strides: Strides | None = None
    kernels: Kernels | None = None
    reading: Reading | None = None

    @model_validator(mode="after")
    def _window_is_open(self) -> Self:
        if self.window is not None and not self.window[0] < self.window[1]:
            raise ValueError("window: the lower end first, then the higher")
        return self


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

    @property
    def settings(self) -> PlanConfig:
        """The plan as settings of a recipe, every one of them said."""
        said: dict[str, Any] = {name: getattr(self, name) for name in PlanConfig.model_fields}
        return PlanConfig(**(said | {"spacing": self._said_spacing}))

    @property
    def _said_spacing(self) -> tuple[float, ...] | Own | None:
        return None if self.resize else self.spacing or "own"


def make_plan(fingerprint: Fingerprint, config: PlanConfig, memory: int, *, is_on_disk: bool = False) -> Plan:
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
    patch, channels, strides, kernels = _choose_network(target, config)
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


def _choose_network(
    target: Target, config: PlanConfig
) -> tuple[tuple[int, ...], tuple[int, ...], PerLevel, PerLevel]:
    """The patch, and the network's widths, strides and kernels."""
    n_axes = len(target.extent)
    require_axes("plan.patch_size", config.patch_size, n_axes)
    sides: tuple[float, ...] = config.patch_size or wished_sides(target)
    channels = config.channels or CHANNELS
    strides, kernels = choose_levels(sides, target.steps, len(channels))
    if config.channels is None and config.strides is None and config.kernels is None:
        depth = 1 + sum(2 in stride for stride in strides)
        channels, strides, kernels = channels[:depth], strides[: depth - 1], kernels[:depth]
    strides, kernels = config.strides or strides, config.kernels or kernels
    _require_per_level("plan.strides", strides, len(channels) - 1, n_axes)
    _require_per_level("plan.kernels", kernels, len(channels), n_axes)
    patch = config.patch_size or fit_sides(sides, target.extent, strides)
    _require_divisible(patch, strides)
    return patch, channels, strides, kernels


def _choose_batch(patch: tuple[int, ...], per_patch: int, left: float, said: int | None) -> int:
    """As many patches as cost a CPU about as much as the flat ones do, and fit what is left of the memory."""
    wished = BATCH
    if len(patch) == 3:
        wished = min(BATCH, max(MIN_BATCH, BATCH * PATCH**2 // prod(patch)))
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


def _require_per_level(setting: str, entries: PerLevel, n_levels: int, n_axes: int) -> None:
    if len(entries) != n_levels or any(len(entry) != n_axes for entry in entries):
        raise ConfigError(
            setting,
            found=str([list(entry) for entry in entries]),
            expected=f"{n_levels} entries of {n_axes} numbers for the levels of plan.channels",
            remedy=f"Leave {setting} out to have it chosen.",
        )


def _require_divisible(patch: tuple[int, ...], strides: PerLevel) -> None:
    multiples = total_stride(strides, len(patch))
    if all(side % multiple == 0 for side, multiple in zip(patch, multiples, strict=True)):
        return
    nearest = (max(m, round(side / m) * m) for side, m in zip(patch, multiples, strict=True))
    times = [multiple.bit_length() - 1 for multiple in multiples]
    is_same = len(set(multiples)) == 1
    raise ConfigError(
        "plan.patch_size",
        found=_by(patch),
        expected=f"sides that can be halved {times[0] if is_same else _by(times)} times "
        f"(multiples of {multiples[0] if is_same else _by(multiples)})",
        remedy=f"Try {_by(nearest)}, or a network of fewer levels.",
    )


def _by(sides: Iterable[int]) -> str:
    return "x".join(map(str, sides))
