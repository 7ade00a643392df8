"""Decide: the grid that every image is brought to, and whether volumes are seen whole or slice by slice."""

from dataclasses import dataclass
from math import prod
from typing import Literal

from seglet.core.errors import ConfigError
from seglet.preprocessing.fingerprint import Fingerprint

Mode = Literal["2d", "3d", "slices"]
Own = Literal["own"]

ANISOTROPY = 3.5  # largest by smallest spacing; beyond it neighboring slices show different things
MIN_SLICES = 16  # along every axis; fewer leave a 3D network nothing to look at


@dataclass(frozen=True)
class Target:
    """The grid of the network's input; its axes are the network's: two of a volume's in ``slices``.

    Attributes
    ----------
    mode : str
        See `seglet.preprocessing.plan.Plan`.
    slice_axis : int
        The axis that ``slices`` cuts along.
    spacing : tuple of float or None
        What images are resampled to, where they are.
    steps : tuple of float
        Distance of the grid's points along each axis; 1 where nothing is known of it.
    extent : tuple of int
        Points along each axis, of the median image.
    n_pixels : int
        Points of all training images together.
    """

    mode: Mode
    slice_axis: int
    spacing: tuple[float, ...] | None
    steps: tuple[float, ...]
    extent: tuple[int, ...]
    n_pixels: int


def choose_target(
    fingerprint: Fingerprint,
    mode: Mode | None,
    slice_axis: int | None,
    spacing: tuple[float, ...] | Own | None,
    resize: tuple[int, ...] | None,
) -> Target:
    """Decide what of the mode, the axis and the spacing is not said.

    Volumes are brought to the median spacing, so that a voxel is as large in each of them and in what will
    be predicted. Flat images keep their own: they are mostly taken by one device at one magnification.

    Raises
    ------
    ConfigError
        If a setting does not fit the images.
    """
    mode = mode or _choose_mode(fingerprint)
    if mode == "slices" and fingerprint.n_axes == 2:
        mode = "2d"  # they are slices already
    _require_mode(mode, fingerprint)
    own = _own_steps(fingerprint)
    if slice_axis is None or mode != "slices":
        slice_axis = _choose_slice_axis(fingerprint) if mode == "slices" else 0
    axes = network_axes(mode, slice_axis)
    _require_spacing(spacing, resize, len(axes), fingerprint)
    size = tuple(fingerprint.size[axis] for axis in axes)
    own = tuple(own[axis] for axis in axes)
    if spacing is None and mode != "2d" and resize is None and fingerprint.spacing is not None:
        spacing = own
    chosen = None if spacing == "own" else spacing
    steps = chosen or own
    if resize is not None:
        steps = tuple(s / n for s, n in zip(size, resize, strict=True))
    extent = resize or tuple(max(1, round(s / step)) for s, step in zip(size, steps, strict=True))
    if mode == "2d" and steps == own:
        extent = fingerprint.median
    n_pixels = round(fingerprint.n_pixels * prod(o / s for o, s in zip(own, steps, strict=True)))
    if resize is not None and mode != "slices":
        n_pixels = fingerprint.n_cases * prod(resize)
    return Target(mode, slice_axis, chosen, steps, extent, n_pixels)


def network_axes(mode: Mode, slice_axis: int) -> tuple[int, ...]:
    """The axes of an upright image that a network sees at once."""
    match mode:
        case "2d":
            return (0, 1)
        case "3d":
            return (0, 1, 2)
        case "slices":
            return tuple(axis for axis in range(3) if axis != slice_axis)


def _own_steps(fingerprint: Fingerprint) -> tuple[float, ...]:
    return fingerprint.spacing or (1.0,) * fingerprint.n_axes


def _choose_mode(fingerprint: Fingerprint) -> Mode:
    if fingerprint.n_axes == 2:
        return "2d"
    steps = _own_steps(fingerprint)
    is_thin = any(s / step < MIN_SLICES for s, step in zip(fingerprint.size, steps, strict=True))
    return "slices" if is_thin or max(steps) > ANISOTROPY * min(steps) else "3d"


def _choose_slice_axis(fingerprint: Fingerprint) -> int:
    """The axis of few slices far apart."""
    steps = _own_steps(fingerprint)
    sparsity = [step * step / s for s, step in zip(fingerprint.size, steps, strict=True)]
    return sparsity.index(max(sparsity))


def _require_mode(mode: Mode, fingerprint: Fingerprint) -> None:
    is_flat = fingerprint.n_axes == 2
    if (mode == "2d") != is_flat:
        raise ConfigError(
            "plan.mode",
            found=f"{mode} for {'flat images' if is_flat else 'volumes'}",
            expected="2d" if is_flat else "3d or slices",
            remedy="Leave plan.mode out to have it chosen from the data.",
        )


def _require_spacing(
    spacing: tuple[float, ...] | Own | None,
    resize: tuple[int, ...] | None,
    n_axes: int,
    fingerprint: Fingerprint,
) -> None:
    said = None if spacing == "own" else spacing
    require_axes("plan.resize", resize, n_axes)
    require_axes("plan.spacing", said, n_axes)
    if said is not None and (resize is not None or fingerprint.spacing is None):
        why = "images whose spacing is unknown" if resize is None else "plan.resize beside plan.spacing"
        raise ConfigError(
            "plan.spacing",
            found=why,
            expected="spacing in the files and no fixed size" if resize is None else "one of the two",
            remedy="Leave plan.spacing out, or set plan.resize alone.",
        )


def require_axes(setting: str, value: tuple[float, ...] | None, n_axes: int) -> None:
    """Compare the entries of a setting with the axes that the network sees.

    Raises
    ------
    ConfigError
        If their numbers differ.
    """
    if value is not None and len(value) != n_axes:
        raise ConfigError(
            setting,
            found=f"{len(value)} entries",
            expected=f"{n_axes}: ({'y, x' if n_axes == 2 else 'z, y, x'})",
            remedy="Give one number for each axis that the network sees"
            + (", or say plan.mode=slices." if len(value) == 2 else "."),
        )
