"""Decide: from what the data are to how they are trained on, so that it fits the memory."""

from typing import Annotated

from pydantic import Field

from seglet.core.config import Config
from seglet.core.errors import ConfigError
from seglet.preprocessing.fingerprint import Fingerprint
from seglet.preprocessing.intensity import Color, Normalization

Positive = Annotated[int, Field(gt=0)]
Widths = Annotated[tuple[Positive, ...], Field(min_length=1)]

PATCH = 128  # px; shows a vessel's or cell's surroundings, and many patches fit a minute
BATCH = 8  # small, so that minutes on a CPU hold thousands of steps
CHANNELS = (16, 32, 64, 128)
BYTES_PER_VALUE = 4
ACTIVATIONS_PER_CONVOLUTION = 3  # output, normalized, gradient
SHARE_OF_MEMORY = 0.5  # what training may take of the memory that the images leave free


class PlanConfig(Config):
    """What a recipe says of the plan; everything left out is decided from the data.

    Attributes
    ----------
    color : str
        Channels the network sees: ``gray``, ``rgb`` or ``as_is``.
    normalization : str
        See `seglet.preprocessing.intensity.normalize`.
    resize : (y, x) or None
        Fixed size that every image is resized to; by default images keep their own size.
    patch_size : (y, x)
        Extent of a training patch.
    batch_size : int
        Patches in a step.
    channels : tuple of int
        Width of each level of the network, finest first.
    """

    color: Color | None = None
    normalization: Normalization | None = None
    resize: tuple[Positive, Positive] | None = None
    patch_size: tuple[Positive, Positive] | None = None
    batch_size: Positive | None = None
    channels: Widths | None = None


class Plan(Config):
    """What is done to every image, and the sizes that training uses; see `PlanConfig`.

    Attributes
    ----------
    n_channels, n_classes : int
        What goes into the network, and the classes that come out, background included.
    training_memory : int
        Expected peak of a training step, in bytes.
    """

    color: Color
    normalization: Normalization
    resize: tuple[Positive, Positive] | None
    patch_size: tuple[Positive, Positive]
    batch_size: Positive
    channels: Widths
    n_channels: Positive
    n_classes: Positive
    training_memory: int

    @property
    def settings(self) -> PlanConfig:
        """The plan as settings of a recipe, every one of them said."""
        return PlanConfig(**{name: getattr(self, name) for name in PlanConfig.model_fields})


def make_plan(fingerprint: Fingerprint, config: PlanConfig, memory: int) -> Plan:
    """Decide everything that `config` leaves open.

    Parameters
    ----------
    fingerprint : Fingerprint
        Facts of the training images.
    config : PlanConfig
        What is already said.
    memory : int
        Free memory of the training device, in bytes.

    Raises
    ------
    ConfigError
        If the patch cannot be halved as often as the network is deep, or the images or not even one patch
        beside them fit the memory.
    """
    color = config.color or _choose_color(fingerprint)
    channels = config.channels or CHANNELS
    patch = config.patch_size or _choose_patch(fingerprint, config.resize, len(channels))
    _require_divisible(patch, len(channels))
    n_channels = {"gray": 1, "rgb": 3, "as_is": fingerprint.n_channels}[color]
    per_patch = patch_memory(patch, channels)
    left = _memory_left(memory, image_memory(fingerprint, config.resize, n_channels))
    most = int(left // per_patch)
    batch = config.batch_size or min(BATCH, most)
    if batch < 1 or batch > max(most, 1) * 2:
        raise ConfigError(
            "plan",
            found=f"{per_patch * max(batch, 1) / 2**30:.1f} GiB for {max(batch, 1)} patches of {patch}",
            expected=f"at most {left / 2**30:.1f} GiB beside the images",
            remedy="Set a smaller plan.batch_size, plan.patch_size or plan.channels.",
        )
    return Plan(
        color=color,
        normalization=config.normalization or "standardize",
        resize=config.resize,
        patch_size=patch,
        batch_size=batch,
        channels=channels,
        n_channels=n_channels,
        n_classes=fingerprint.n_classes,
        training_memory=per_patch * batch,
    )


def patch_memory(patch: tuple[int, ...], channels: tuple[int, ...]) -> int:
    """Bytes that one patch of a training step takes in a U-Net of these widths: its activations."""
    pixels = patch[0] * patch[1]
    convolutions = [4 * width * pixels / 4**level for level, width in enumerate(channels)]
    return int(sum(convolutions) * ACTIVATIONS_PER_CONVOLUTION * BYTES_PER_VALUE)


def image_memory(fingerprint: Fingerprint, resize: tuple[int, int] | None, n_channels: int) -> int:
    """Bytes that the training images take as long as training lasts, with their labels and weights."""
    n_pixels = fingerprint.n_cases * resize[0] * resize[1] if resize else fingerprint.n_pixels
    return n_pixels * BYTES_PER_VALUE * (n_channels + 2)


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
    if fingerprint.n_channels not in (1, 3):
        return "as_is"
    return "rgb" if fingerprint.is_color else "gray"


def _choose_patch(fingerprint: Fingerprint, resize: tuple[int, int] | None, depth: int) -> tuple[int, int]:
    step = 2 ** (depth - 1)
    extent = resize or fingerprint.median[-2:]
    y, x = (min(PATCH, max(step, round(n / step) * step)) for n in extent)
    return y, x


def _require_divisible(patch: tuple[int, int], depth: int) -> None:
    step = 2 ** (depth - 1)
    if any(n % step for n in patch):
        nearest = tuple(max(step, round(n / step) * step) for n in patch)
        raise ConfigError(
            "plan.patch_size",
            found=f"{patch[0]}x{patch[1]}",
            expected=f"sides that can be halved {depth - 1} times (multiples of {step})",
            remedy=f"Try {nearest[0]}x{nearest[1]}, or a network of fewer levels.",
        )
