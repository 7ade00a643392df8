"""Planes of probabilities that stress what tells objects apart: smooth noise, and touching cells."""

from collections.abc import Sequence

import numpy as np
from scipy.ndimage import gaussian_filter

from seglet.data.synthetic_cells import place_cells
from seglet.patches.targets import border_classes, border_distances


def noise_planes(shape: Sequence[int], n_planes: int, seed: int, grain: float = 1.2) -> np.ndarray:
    """Noise between 0 and 1; about half of it is foreground. Three planes add up to 1."""
    rng = np.random.default_rng(seed)
    noise = np.stack([gaussian_filter(rng.normal(size=tuple(shape)), grain) for _ in range(n_planes)])
    ranks = noise.argsort(axis=None).argsort().reshape(noise.shape) / max(noise.size - 1, 1)
    return (ranks / ranks.sum(0) if n_planes == 3 else ranks).astype(np.float32)


def cell_planes(shape: tuple[int, int], n_planes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """What a good network would say of touching cells, a little blurred and noisy; and the cells."""
    rng = np.random.default_rng(seed)
    truth, _ = place_cells(shape, rng)
    classes = border_classes(truth, 2)
    exact = {
        1: lambda: [truth > 0],
        2: lambda: [truth > 0, border_distances(truth)],
        3: lambda: [classes == k for k in range(3)],
    }[n_planes]()
    blurred = np.stack([gaussian_filter(np.asarray(plane, np.float32), 0.8) for plane in exact])
    return np.clip(blurred + rng.normal(0, 0.03, blurred.shape), 0, 1).astype(np.float32), truth
