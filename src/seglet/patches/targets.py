"""Per-pixel weights made from the truth."""

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.ndimage import distance_transform_edt, find_objects

from seglet.core.config import Config

REACH = 6.0  # in units of sigma; beyond d1 + d2 = 6 sigma the term is below 2e-8 of its peak


class BorderWeightConfig(Config):
    """Height and width of the border term.

    Attributes
    ----------
    peak : float
        Weight between two objects that touch; w0 of Ronneberger 2015.
    sigma : float
        How fast it falls off, in pixels.
    """

    peak: Annotated[float, Field(ge=0)] = 10.0  # Ronneberger 2015, section 3
    sigma: Annotated[float, Field(gt=0)] = 5.0  # px; Ronneberger 2015, section 3


def border_weights(objects: NDArray[np.integer], config: BorderWeightConfig) -> NDArray[np.float32]:
    """Weight each background pixel by its nearness to two objects.

    Parameters
    ----------
    objects : ([z,] y, x) integer array
        Object number per pixel; 0 is background.
    config : BorderWeightConfig
        Height and width of the border term.

    Returns
    -------
    ([z,] y, x) float32 array
        Extra weight ``peak * exp(-(d1 + d2)² / (2 sigma²))`` with d1 and d2 the distances in pixels to the
        nearest and second-nearest object; 0 inside objects, and everywhere where fewer than two exist.

    References
    ----------
    .. [1] Ronneberger, Fischer, Brox, "U-Net", MICCAI 2015, equation (2).
    """
    nearest, second = _two_nearest(objects, reach=int(np.ceil(REACH * config.sigma)))
    with np.errstate(over="ignore"):
        weights = config.peak * np.exp(-((nearest + second) ** 2) / (2 * config.sigma**2))
    return np.where(objects > 0, 0, weights).astype(np.float32)


def _two_nearest(objects: NDArray[np.integer], reach: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances to the nearest and second-nearest object, infinite beyond `reach`; each object in its box."""
    nearest = np.full(objects.shape, np.inf)
    second = np.full(objects.shape, np.inf)
    for number, box in enumerate(find_objects(objects.astype(np.int32)), start=1):
        if box is None:
            continue
        around = tuple(slice(max(0, s.start - reach), s.stop + reach) for s in box)
        distance = distance_transform_edt(objects[around] != number)
        second[around] = np.minimum(second[around], np.maximum(nearest[around], distance))
        nearest[around] = np.minimum(nearest[around], distance)
    return nearest, second
