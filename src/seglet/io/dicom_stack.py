"""Frames as a stack: their order in space, the distance between them, the grid that they make."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import FormatError, GeometryError
from seglet.io.dicom_headers import Frame, Header

SAME_PLACE_MM = 0.01
SAME_DIRECTION = 1e-3  # sine of an angle that only rounding in the header explains
EVEN = 0.1  # share by which distances between slices may differ


@dataclass(frozen=True)
class Grid:
    """Where the pixels of a stack are, in the terms of `seglet.core.image.Image`; empty where unknown."""

    spacing: tuple[float, ...] = ()
    origin: tuple[float, ...] = ()
    direction: tuple[float, ...] = ()


def in_order(headers: Sequence[Header], where: str) -> tuple[Frame, ...]:
    """Sort frames by their place along the direction that they face.

    File names and instance numbers are not trusted; only frames without a position go by the latter.

    Raises
    ------
    GeometryError
        If frames differ in size or direction.
    FormatError
        If two frames are at the same place.
    """
    frames = [frame for header in headers for frame in header.frames]
    _require_alike([f"{h.size[1]} x {h.size[0]} {h.photometric}" for h in headers], headers, where)
    if not _have_places(frames):
        ordered = sorted(headers, key=lambda header: (header.instance, header.path))
        return tuple(frame for header in ordered for frame in header.frames)
    _require_one_direction(frames, where)
    ordered_frames = sorted(frames, key=height)
    _require_own_places(ordered_frames, where)
    return tuple(ordered_frames)


def grid(frames: Sequence[Frame]) -> Grid:
    """Describe the grid of frames in order.

    The distance between slices is that between their positions: slices may be thicker than that, and then
    overlap, or thinner, and then leave something out. Slices of a tilted gantry are shifted against each
    other; their first axis is then not at right angles to the others.
    """
    first, last = frames[0], frames[-1]
    if len(frames) == 1:
        return Grid(spacing=first.spacing)
    if not (_have_places(frames) and first.spacing):
        return Grid()
    way = np.subtract(last.position, first.position) / (len(frames) - 1)
    straight = normal(first) * (way @ normal(first))
    sideways = float(np.linalg.norm(way - straight)) * (len(frames) - 1)
    step = straight if sideways <= min(first.spacing) / 2 else way
    return stack_grid(first, step)


def stack_grid(first: Frame, step: NDArray[np.float64]) -> Grid:
    """Describe the grid of a stack by its first frame and the way, (x, y, z) in mm, to the next one."""
    distance = round(float(np.linalg.norm(step)), 6)  # mm; beyond that only rounding of positions
    axes = np.array([step / distance, first.orientation[3:], first.orientation[:3]]).T[::-1]
    return Grid(
        spacing=(distance, *first.spacing),
        origin=first.position[::-1],
        direction=tuple(float(entry) for entry in axes.ravel()),
    )


def uneven(frames: Sequence[Frame]) -> list[str]:
    """Say where the distance between neighbouring frames is not the usual one."""
    if len(frames) < 3 or not _have_places(frames):
        return []
    distances = np.diff([height(frame) for frame in frames])
    usual = float(np.median(distances))
    odd = np.flatnonzero(np.abs(distances - usual) > EVEN * usual)
    return [_odd(frames[k], frames[k + 1], float(distances[k]), usual) for k in odd.tolist()]


def height(frame: Frame) -> float:
    """Give the place of a frame in mm along the direction that it faces."""
    return float(normal(frame) @ np.array(frame.position))


def normal(frame: Frame) -> NDArray[np.float64]:
    """Give the unit vector (x, y, z) at right angles to a frame."""
    across = np.cross(frame.orientation[:3], frame.orientation[3:])
    return across / np.linalg.norm(across)


def _have_places(frames: Sequence[Frame]) -> bool:
    return all(frame.position and frame.orientation for frame in frames)


def _odd(lower: Frame, upper: Frame, distance: float, usual: float) -> str:
    n_missing = round(distance / usual) - 1
    missing = f": {n_missing} missing" if n_missing > 0 else ""
    between = f"between {lower.path.name} and {upper.path.name}"
    return f"{distance:.3g} mm {between}, {usual:.3g} mm elsewhere{missing}"


def _require_alike(sizes: Sequence[str], headers: Sequence[Header], where: str) -> None:
    counts = Counter(sizes)
    if len(counts) == 1:
        return
    rare = min(counts, key=lambda size: counts[size])
    names = [header.path.name for header, size in zip(headers, sizes, strict=True) if size == rare]
    listed = ", ".join(f"{n} of {size}" for size, n in counts.most_common())
    raise GeometryError(
        where,
        found=f"files of several sizes in one series: {listed} ({', '.join(names[:3])})",
        expected="slices of one size",
        remedy="Move the odd files to a folder of their own.",
    )


def _require_one_direction(frames: Sequence[Frame], where: str) -> None:
    usual = Counter(frame.orientation for frame in frames).most_common(1)[0][0]
    odd = [f for f in frames if np.abs(np.subtract(f.orientation, usual)).max() > SAME_DIRECTION]
    if odd:
        raise GeometryError(
            where,
            found=f"{len(odd)} of {len(frames)} frames face elsewhere ({odd[0].path.name})",
            expected="parallel slices",
            remedy="Move those files to a folder of their own; scout views often stand in the same series.",
        )


def _require_own_places(frames: Sequence[Frame], where: str) -> None:
    gaps = np.diff([height(frame) for frame in frames])
    same = np.flatnonzero(gaps < SAME_PLACE_MM)
    if not same.size:
        return
    n_places = len(frames) - same.size
    lower, upper = frames[same[0]], frames[same[0] + 1]
    pair = f"{_name(lower)} and {_name(upper)}"
    if len(frames) % n_places == 0:
        found = f"{len(frames) // n_places} frames at each of {n_places} places (as {pair})"
        remedy = "A series over time or of several echoes: give each of its volumes a folder of its own."
    else:
        found = f"two frames at the same place: {pair}"
        remedy = "Keep one of the two, or give each acquisition a folder of its own."
    raise FormatError(where, found=found, expected="one frame at each place", remedy=remedy)


def _name(frame: Frame) -> str:
    return f"{frame.path.name} frame {frame.index + 1}" if frame.index else frame.path.name
