"""Synthetic volumes: an organ with lesions, drawn from an exact truth."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from seglet.data.synthetic_light import Floats, clouds


def make_blobs(
    shape: tuple[int, int, int], rng: np.random.Generator, anisotropy: float = 3.0
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Draw a volume: one organ with a few lesions in it, among other tissue of nearly the same intensity.

    Parameters
    ----------
    shape : tuple of int
        (z, y, x).
    rng : numpy.random.Generator
        All chance.
    anisotropy : float
        Distance between slices over the distance between pixels; slices are blurred the less for it.

    Returns
    -------
    image : (z, y, x) float32 array
        Intensities of about -0.5 to 1.5.
    labels : (z, y, x) uint8 array
        0 background, 1 organ, 2 lesion.
    """
    axes = [(np.arange(n) + 0.5) / n for n in shape]
    places = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)  # 0 to 1 along each axis
    wobble = clouds(shape, (max(shape[0] / 3, 1), shape[1] / 3, shape[2] / 3), rng)

    def ellipsoid(center: Floats, radii: Floats) -> NDArray[np.bool_]:
        reach = np.sqrt((((places - center) / radii) ** 2).sum(axis=-1))
        return np.asarray(reach < 1 + 0.12 * wobble)

    middle = rng.uniform(0.42, 0.58, 3)
    organ = ellipsoid(middle, rng.uniform(0.24, 0.34, 3))
    lesions, others = np.zeros(shape, bool), np.zeros(shape, bool)
    for _ in range(rng.integers(1, 5)):
        lesions |= ellipsoid(middle + rng.uniform(-0.16, 0.16, 3), np.full(3, rng.uniform(0.05, 0.10)))
    for _ in range(6):
        others |= ellipsoid(rng.uniform(0, 1, 3), rng.uniform(0.05, 0.14, 3))
    labels = (organ.astype(np.uint8) + (organ & lesions)).astype(np.uint8)
    light = np.array([0.0, 1.0, 0.55])[labels] + 0.8 * (others & ~organ)
    light = ndimage.gaussian_filter(light, (0.9 / anisotropy, 0.9, 0.9)) * (1 + 0.1 * wobble)
    return (light + rng.normal(0, 0.12, shape)).astype(np.float32), labels
