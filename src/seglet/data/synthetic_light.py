"""What all synthetic pictures are painted with: smooth noise, soft spots, distances."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

FAR = 9.0  # standard deviations, where a Gaussian is 1e-18 of its height

Floats = NDArray[np.float64]


def clouds(shape: tuple[int, ...], scale: tuple[float, ...], rng: np.random.Generator) -> Floats:
    """Draw smooth noise of mean about 0 and standard deviation about 1.

    Parameters
    ----------
    shape : tuple of int
        Extent of each axis.
    scale : tuple of float
        Size of its grain along each axis, in pixels.
    rng : numpy.random.Generator
        All chance.
    """
    coarse = rng.standard_normal([int(np.ceil(n / s)) + 3 for n, s in zip(shape, scale, strict=True)])
    places = [np.arange(n) / s + 1 for n, s in zip(shape, scale, strict=True)]
    smooth = ndimage.map_coordinates(coarse, np.meshgrid(*places, indexing="ij"), order=3, mode="mirror")
    return np.asarray(smooth, float)


def bump(shape: tuple[int, int], place: tuple[float, float], spread: float) -> Floats:
    """Draw a Gaussian spot of height 1 at `place`."""
    y, x = (np.exp(-((np.arange(n) - p) ** 2) / (2 * spread**2)) for n, p in zip(shape, place, strict=True))
    return np.outer(y, x)


def add_bump(picture: Floats, place: tuple[float, float], spread: float, height: float) -> None:
    """Add a Gaussian spot to a picture, in place; only near `place`: far away it adds nothing to a float."""
    sides = [slice(max(0, int(p - FAR * spread)), max(0, int(p + FAR * spread) + 1)) for p in place]
    axes = zip(picture.shape, sides, place, strict=True)
    y, x = (np.exp(-((np.arange(n)[side] - p) ** 2) / (2 * spread**2)) for n, side, p in axes)
    picture[tuple(sides)] += height * np.outer(y, x)


def distance(shape: tuple[int, int], place: tuple[float, float]) -> Floats:
    """Measure the distance of each pixel to `place`."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    return np.asarray(np.hypot(y - place[0], x - place[1]), float)
