"""Synthetic micrographs of touching cells, drawn from an exact truth."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seglet.data.synthetic_light import Floats, add_bump, clouds

CellStyle = Literal["fluorescence", "phase"]


def make_cells(
    shape: tuple[int, int],
    rng: np.random.Generator,
    style: CellStyle = "fluorescence",
    bits: Literal[8, 16] = 8,
) -> tuple[NDArray[np.uint8] | NDArray[np.uint16], NDArray[np.int32]]:
    """Draw touching cells: uneven light, blur, shot and read noise, and debris that is no cell.

    Parameters
    ----------
    shape : tuple of int
        (y, x).
    rng : numpy.random.Generator
        All chance.
    style : str
        ``fluorescence``: bright cells on dark; ``phase``: textured cells with a bright halo on gray.
    bits : 8 or 16
        Depth of the image; a 16-bit image fills 12 of them, as cameras do.

    Returns
    -------
    image : (y, x) uint8 or uint16 array
        The picture.
    objects : (y, x) int32 array
        Cell number per pixel, 0 the background; every cell is one connected piece.
    """
    objects, depth = place_cells(shape, rng)
    light = _glow(objects, depth, rng) if style == "fluorescence" else _refract(objects, depth, rng)
    photons = rng.poisson(np.clip(light, 0, None) * 160) / 160 + rng.normal(0, 0.012, shape)
    if bits == 8:
        return np.clip(photons * 205, 0, 255).astype(np.uint8), objects
    return np.clip(photons * 3290, 0, 4095).astype(np.uint16), objects


def place_cells(shape: tuple[int, int], rng: np.random.Generator) -> tuple[NDArray[np.int32], Floats]:
    """Draw only the truth of what `make_cells` draws of the same chance.

    Parameters
    ----------
    shape : tuple of int
        (y, x).
    rng : numpy.random.Generator
        All chance.

    Returns
    -------
    objects : (y, x) int32 array
        Cell number per pixel, 0 the background.
    depth : (y, x) float array
        Depth in the cells: 0 on the rim and outside, 1 at the center.
    """
    nearest = np.full(shape, np.inf)  # radial place of a pixel in the cell that owns it; 1 is the rim
    objects = np.zeros(shape, np.int32)
    for number, (cy, cx, radius) in enumerate(_scatter(shape, rng), start=1):
        reach = int(1.7 * radius) + 2
        ys = slice(max(int(cy) - reach, 0), max(int(cy) + reach, 0))
        xs = slice(max(int(cx) - reach, 0), max(int(cx) + reach, 0))
        y, x = np.arange(shape[0])[ys, None] - cy, np.arange(shape[1])[None, xs] - cx
        place = np.hypot(y, x) / (radius * _outline(np.arctan2(y, x), rng))
        owned = (place < 1) & (place < nearest[ys, xs])
        objects[ys, xs][owned] = number
        nearest[ys, xs][owned] = place[owned]
    objects = _whole_pieces(objects, smallest=30)
    return objects, np.where(objects > 0, 1 - np.minimum(nearest, 1), 0.0)


def _scatter(shape: tuple[int, int], rng: np.random.Generator) -> Floats:
    """Scatter (y, x, radius), a row each, about half of them beside an earlier cell, so that they touch."""
    mean_radius = rng.uniform(8.5, 13.0)  # px
    wanted = rng.uniform(0.20, 0.36) * shape[0] * shape[1]  # px of area
    tries = int(8 * wanted / mean_radius**2)
    cells, n = np.empty((tries, 3)), 0
    for _ in range(tries):
        radius = mean_radius * rng.uniform(0.75, 1.25)
        y, x = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        if n and rng.random() < 0.5:
            mate, angle = cells[rng.integers(n)], rng.uniform(0, 2 * np.pi)
            gap = (radius + mate[2]) * rng.uniform(0.82, 1.0)
            y, x = mate[0] + gap * np.sin(angle), mate[1] + gap * np.cos(angle)
        others = cells[:n]
        apart = (y - others[:, 0]) ** 2 + (x - others[:, 1]) ** 2
        if (apart > (0.8 * (radius + others[:, 2])) ** 2).all():
            cells[n] = y, x, radius
            n += 1
            wanted -= np.pi * radius**2
        if wanted <= 0:
            break
    return cells[:n]


def _outline(angle: Floats, rng: np.random.Generator) -> Floats:
    """Radius over the mean radius at each angle: an ellipse with a few smooth dents."""
    outline = 1 + rng.uniform(0.0, 0.24) * np.cos(2 * (angle - rng.uniform(0, np.pi)))
    for order in (3, 4, 5):
        dent, turn = rng.normal(0, 0.14 / order), rng.uniform(0, 2 * np.pi)
        outline = outline + dent * np.cos(order * angle + turn)
    return np.clip(outline, 0.6, 1.5)


def _whole_pieces(objects: NDArray[np.int32], smallest: int) -> NDArray[np.int32]:
    """Keep the largest piece of each object, drop those below `smallest` pixels, number without gaps."""
    kept = np.zeros_like(objects)
    n_kept = 0
    for number, window in enumerate(ndimage.find_objects(objects), start=1):
        if window is None:
            continue
        pieces, _ = ndimage.label(objects[window] == number)
        sizes = np.bincount(pieces.ravel())[1:]
        if sizes.max() >= smallest:
            n_kept += 1
            kept[window][pieces == 1 + sizes.argmax()] = n_kept
    return kept


def _glow(objects: NDArray[np.int32], depth: Floats, rng: np.random.Generator) -> Floats:
    """Stained nuclei: each its own brightness, a grainy inside, soft debris, light that falls off."""
    shape = (objects.shape[0], objects.shape[1])
    strength = np.exp(rng.normal(-0.9, 0.32, objects.max() + 1))
    strength[0] = 0
    body = strength[objects] * np.minimum(depth * 4, 1) ** 0.6 * (1 + 0.16 * clouds(shape, (4, 4), rng))
    light = ndimage.gaussian_filter(body, 1.0) + 0.10 * ndimage.gaussian_filter(body, 9.0)
    for _ in range(max(1, objects.size // 9000)):
        place = (rng.uniform(0, shape[0]), rng.uniform(0, shape[1]))
        height = rng.uniform(0.05, 0.35)
        add_bump(light, place, rng.choice([0.8, 1.2, 5.0]), height)
    falloff = 1 + 0.2 * clouds(shape, (shape[0] / 2, shape[1] / 2), rng)
    return np.asarray((light + 0.07) * np.clip(falloff, 0.5, 1.5), float)


def _refract(objects: NDArray[np.int32], depth: Floats, rng: np.random.Generator) -> Floats:
    """Living cells: gray on gray, a dark rim inside a bright halo, organelles, dirt."""
    shape = (objects.shape[0], objects.shape[1])
    inside = (objects > 0).astype(float)
    rim = ndimage.gaussian_filter(((depth > 0) & (depth < 0.25)).astype(float), 1.0)
    halo = np.clip(ndimage.gaussian_filter(inside, 3.5) - inside, 0, None)
    grain = clouds(shape, (3, 3), rng) * np.minimum(depth * 3, 1)
    light = 0.50 + 0.55 * halo - 0.16 * rim + 0.07 * grain + 0.05 * np.sqrt(depth)
    for _ in range(max(1, objects.size // 6000)):
        place = (rng.uniform(0, shape[0]), rng.uniform(0, shape[1]))
        drop = rng.uniform(0.05, 0.2)
        add_bump(light, place, rng.uniform(0.8, 1.6), -drop)
    falloff = 1 + 0.12 * clouds(shape, (shape[0] / 2, shape[1] / 2), rng)
    return np.asarray(ndimage.gaussian_filter(light, 0.8) * np.clip(falloff, 0.5, 1.5), float)
