"""Synthetic fundus photographs, drawn from an exact tree of vessels."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seglet.data.synthetic_light import Floats, bump, clouds, distance


@dataclass(frozen=True, eq=False)
class VesselPicture:
    """A fundus-like picture with its truth.

    Attributes
    ----------
    image : (y, x, 3) uint8 array
        The photograph.
    truth, second : (y, x) bool array
        Vessels as they were drawn, and as a second, less patient observer marks them.
    fov : (y, x) bool array
        Field of view.
    """

    image: NDArray[np.uint8]
    truth: NDArray[np.bool_]
    second: NDArray[np.bool_]
    fov: NDArray[np.bool_]


class _Bud(NamedTuple):
    """Where a vessel starts, and what it has to spend: all lengths in pixels."""

    y: float
    x: float
    heading: float
    width: float
    length: float


def make_vessels(shape: tuple[int, int], rng: np.random.Generator) -> VesselPicture:
    """Draw a tree that tapers to thin faint twigs, among an optic disc and lesions that are no vessel.

    Parameters
    ----------
    shape : tuple of int
        (y, x); the field of view is a disc of 94 % of the shorter side.
    rng : numpy.random.Generator
        All chance.
    """
    size = min(shape)
    middle = _middle(shape)
    fov = distance(shape, middle) < 0.47 * size
    side = int(rng.choice([-1, 1]))
    disc = (middle[0] + size * rng.uniform(-0.04, 0.04), middle[1] + side * size * rng.uniform(0.10, 0.24))
    vessels = _grow_tree(disc, fov, rng)
    cover, contrast = _stamp(vessels, shape)
    second, _ = _stamp(_as_second_observer(vessels, size, rng), shape)
    tissue = _fundus(shape, disc, side, rng) * (1 - contrast[..., None] * (0.34, 0.58, 0.52))
    tissue = ndimage.gaussian_filter(tissue, (0.55, 0.55, 0))
    photons = rng.poisson(tissue * 2500) / 2500 + rng.normal(0, 0.006, tissue.shape)
    dark = np.abs(rng.normal(0.008, 0.006, tissue.shape))
    image = np.clip(np.where(fov[..., None], photons, dark) * 255, 0, 255).astype(np.uint8)
    return VesselPicture(image, (cover >= 0.5) & fov, (second >= 0.5) & fov, fov)


def _grow_tree(disc: tuple[float, float], fov: NDArray[np.bool_], rng: np.random.Generator) -> list[Floats]:
    """Grow vessels out of the optic disc; each is an (n, 3) array of y, x, radius along its course."""
    size = min(fov.shape)
    widest = 0.019 * size  # CHASE_DB1's widest vessels are about 18 px of 960
    n_trunks = int(rng.integers(9, 13))
    turns = np.arange(n_trunks) / n_trunks * 2 * np.pi + rng.normal(0, 0.16, n_trunks)
    widths = widest * (0.45 + 0.55 * np.abs(np.sin(turns))) * rng.uniform(0.75, 1.0, n_trunks)
    buds = [_Bud(*disc, turn, width, 1.1 * size) for turn, width in zip(turns, widths, strict=True)]
    vessels: list[Floats] = []
    while buds:
        vessel, twigs = _grow_vessel(buds.pop(), fov, rng)
        if len(vessel):
            vessels.append(vessel)
        buds += twigs
    return vessels


def _grow_vessel(bud: _Bud, fov: NDArray[np.bool_], rng: np.random.Generator) -> tuple[Floats, list[_Bud]]:
    """Walk one vessel until its length is spent or it leaves the field; give its course and its twigs."""
    size, step = min(fov.shape), 0.7
    bends = ndimage.gaussian_filter1d(rng.normal(0, 1, int(bud.length / step) + 1), 0.035 * size)
    headings = bud.heading + np.cumsum(bends) * step / size * 26
    course = np.cumsum(np.stack([np.sin(headings), np.cos(headings)], axis=1) * step, axis=0)
    course = _inside(course + np.array([bud.y, bud.x]), fov)
    along = np.arange(len(course)) * step
    thinnest = max(0.0026 * size, 1.2)  # px; below, the pixels of a vessel no longer touch
    widths = np.maximum(bud.width * (1 - 0.75 * np.minimum(along / bud.length * 1.4, 1)), thinnest)
    twigs = []
    place = int(size * rng.uniform(0.05, 0.15) / step)
    while place < len(course) and bud.length > 0.08 * size:
        width = widths[place] * rng.uniform(0.4, 0.8)
        heading = headings[place] + rng.choice([-1, 1]) * rng.uniform(0.4, 1.1)
        length = min(size * rng.uniform(0.04, 0.10) + width * rng.uniform(10, 40), 0.7 * bud.length)
        if width > 0.55 * thinnest:
            twigs.append(_Bud(course[place, 0], course[place, 1], heading, width, length))
        place += int(size * rng.uniform(0.09, 0.28) / step)
    return np.column_stack([course, widths / 2]), twigs


def _inside(course: Floats, fov: NDArray[np.bool_]) -> Floats:
    """Cut a course off where it first leaves the field of view."""
    y, x = np.round(course).astype(int).T
    is_in = (y >= 0) & (y < fov.shape[0]) & (x >= 0) & (x < fov.shape[1])
    is_in[is_in] = fov[y[is_in], x[is_in]]
    return course if is_in.all() else course[: int(is_in.argmin())]


def _as_second_observer(vessels: list[Floats], size: int, rng: np.random.Generator) -> list[Floats]:
    """Miss a quarter of the thin vessels, stop early on the others, press the pen differently."""
    pen = rng.normal(1.0, 0.08)
    seen = []
    for vessel in vessels:
        is_thin = vessel[0, 2] < 0.004 * size
        if is_thin and rng.random() < 0.25:
            continue
        end = len(vessel) - int(len(vessel) * rng.uniform(0, 0.4)) * is_thin
        hand = rng.normal(0, 0.0012 * size, 2)
        seen.append(vessel[:end] * (1, 1, pen) + (*hand, 0))
    return seen


def _stamp(vessels: list[Floats], shape: tuple[int, int]) -> tuple[Floats, Floats]:
    """Draw courses as discs: coverage of each pixel, 0 to 1, and contrast, fainter in thin vessels."""
    cover, contrast = np.zeros(shape), np.zeros(shape)
    points = np.concatenate(vessels)
    widest = points[:, 2].max()
    reach = np.arange(-int(np.ceil(widest)) - 1, int(np.ceil(widest)) + 2)
    offsets = np.stack(np.meshgrid(reach, reach, indexing="ij"), axis=-1).reshape(-1, 2)
    for chunk in np.array_split(points, 1 + len(points) * len(offsets) // 2_000_000):
        pixels = np.round(chunk[:, None, :2]).astype(int) + offsets
        away = np.linalg.norm(pixels - chunk[:, None, :2], axis=-1)
        filled = np.clip(chunk[:, None, 2] - away + 0.5, 0, 1)
        strength = 0.35 + 0.65 * (chunk[:, None, 2] / widest) ** 0.7
        is_drawn = (filled > 0) & ((pixels >= 0) & (pixels < shape)).all(axis=-1)
        y, x = pixels[is_drawn].T
        np.maximum.at(cover, (y, x), filled[is_drawn])
        np.maximum.at(contrast, (y, x), (filled * strength)[is_drawn])
    return cover, contrast


def _fundus(shape: tuple[int, int], disc: tuple[float, float], side: int, rng: np.random.Generator) -> Floats:
    """The back of the eye without vessels, (y, x, 3) from 0 to 1: disc, macula, choroid, lesions, shading."""
    size = min(shape)
    shade = 1.05 - 0.42 * (distance(shape, _middle(shape)) / (0.47 * size)) ** 2
    shade = shade + 0.06 * clouds(shape, (size / 3, size / 3), rng)
    choroid = 0.035 * clouds(shape, (size / 14, size / 14), rng) + 0.015 * clouds(shape, (4, 4), rng)
    color = np.array([0.74, 0.34, 0.15]) * rng.uniform(0.85, 1.12, 3)
    tissue = color * shade[..., None] + choroid[..., None] * (1.0, 0.55, 0.3)
    macula = bump(shape, (disc[0] + 0.03 * size, disc[1] - side * 0.33 * size), 0.07 * size)
    tissue *= 1 - macula[..., None] * (0.25, 0.35, 0.3)
    for _ in range(rng.integers(2, 7)):  # exudates
        tissue += _spot(shape, rng)[..., None] * (0.22, 0.26, 0.10)
    for _ in range(rng.integers(2, 7)):  # hemorrhages
        tissue *= 1 - _spot(shape, rng)[..., None] * (0.3, 0.5, 0.4)
    radius = size * rng.uniform(0.07, 0.10)
    reach = distance(shape, disc) * (1 + 0.03 * clouds(shape, (size / 8, size / 8), rng))
    plate, cup = (1 / (1 + np.exp((reach - r) / (0.008 * size))) for r in (radius, 0.45 * radius))
    tissue += plate[..., None] * (0.24, 0.40, 0.18) + cup[..., None] * (0.06, 0.20, 0.22)
    return np.asarray(np.clip(tissue, 0.01, 1), float)


def _spot(shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """A small round lesion somewhere in the field of view."""
    size, middle = min(shape), _middle(shape)
    away, angle = size * rng.uniform(0.1, 0.42), rng.uniform(0, 2 * np.pi)
    place = (middle[0] + away * np.sin(angle), middle[1] + away * np.cos(angle))
    return bump(shape, place, size * rng.uniform(0.004, 0.012))


def _middle(shape: tuple[int, int]) -> tuple[float, float]:
    return (shape[0] - 1) / 2, (shape[1] - 1) / 2
