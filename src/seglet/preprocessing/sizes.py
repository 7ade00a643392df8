"""Decide: the extent of a patch and the levels of the network, so that the one can be halved by the other."""

from collections.abc import Iterable

from seglet.core.errors import ConfigError
from seglet.core.valid import ValidAxis
from seglet.preprocessing.levels import PerLevel, choose_levels, fit_sides, total_stride, wished_sides
from seglet.preprocessing.settings import PlanConfig
from seglet.preprocessing.target import Target, require_axes

CHANNELS = (16, 32, 64, 128)


def choose_sizes(
    target: Target, config: PlanConfig, *, is_valid: bool
) -> tuple[tuple[int, ...], tuple[int, ...], PerLevel, PerLevel]:
    """Choose what the recipe leaves open of the patch, and the network's widths, strides and kernels.

    Returns
    -------
    patch : tuple of int
        What goes into the network.
    channels : tuple of int
        Width of each level.
    strides, kernels : tuple of tuple of int
        One entry per step down, and per level.

    Raises
    ------
    ConfigError
        If these do not fit one another.
    """
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
    axes = valid_axes(strides, kernels)
    if is_valid:
        wished = (axis.lost + round(side) for axis, side in zip(axes, sides, strict=True))
        nearest = tuple(axis.nearest(side) for axis, side in zip(axes, wished, strict=True))
        patch = config.patch_size or nearest
        _require_legal(patch, axes)
    else:
        patch = config.patch_size or fit_sides(sides, target.extent, strides)
        _require_divisible(patch, strides)
    return patch, channels, strides, kernels


def valid_axes(strides: PerLevel, kernels: PerLevel) -> tuple[ValidAxis, ...]:
    """The sizes of a network of unpadded convolutions, along each axis that it sees."""
    along = zip(*kernels, strict=True)
    steps = zip(*strides, strict=True) if strides else ((),) * len(kernels[0])
    return tuple(ValidAxis(tuple(s), tuple(k)) for s, k in zip(steps, along, strict=True))


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


def _require_legal(patch: tuple[int, ...], axes: tuple[ValidAxis, ...]) -> None:
    if all(axis.is_legal(side) for axis, side in zip(axes, patch, strict=True)):
        return
    below, above = (
        _by(axis.nearest(side, up=up) for axis, side in zip(axes, patch, strict=True)) for up in (False, True)
    )
    raise ConfigError(
        "plan.patch_size",
        found=_by(patch),
        expected="a patch that a network of unpadded convolutions can halve at every level "
        f"({_by(axis.smallest for axis in axes)} and every {_by(axis.step for axis in axes)} more)",
        remedy=f"Try {below} or {above}.",
    )


def _by(sides: Iterable[int]) -> str:
    return "x".join(map(str, sides))
