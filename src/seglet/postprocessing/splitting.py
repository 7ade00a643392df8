"""One component of the foreground and the objects in it; the same code for images in memory and on disk."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, generate_binary_structure, label
from skimage.morphology import local_maxima, reconstruction
from skimage.segmentation import watershed

from seglet.core.errors import ConfigError, GeometryError
from seglet.core.grid import Region
from seglet.postprocessing.settings import DecodingConfig, Method

FOREGROUND, DISTANCE, BORDERS = 1, 2, 3  # planes of what tells foreground, distances, and borders
TRUNCATION = 4  # standard deviations; a Gaussian is 0 beyond
SHALLOWEST = 1e-3  # px; no depth is less

Planes = NDArray[np.floating]


def foreground_of(planes: Planes) -> Planes:
    """Probability of the foreground.

    Parameters
    ----------
    planes : (planes, [z,] y, x) float array
        One: that probability. Two: the distance to the object's border besides. Three: background, interior
        and border, of which the last two are foreground.

    Raises
    ------
    GeometryError
        If there are other numbers of planes: several classes are no objects.
    """
    match len(planes):
        case 1 | 2:
            return np.asarray(planes[0])
        case 3:
            return np.asarray(planes[1] + planes[2])
        case other:
            raise GeometryError(
                "objects",
                found=f"{other} planes of probabilities",
                expected="foreground, foreground and distance, or background, interior and border",
                remedy="Objects are told apart where there are two classes.",
            )


def methods_for(n_planes: int) -> tuple[Method, ...]:
    """Which ways to objects planes allow, the simplest first."""
    own: dict[int, tuple[Method, ...]] = {DISTANCE: ("distance",), BORDERS: ("interior",)}
    return ("components", "probability", "depth", "waist", *own.get(n_planes, ()))


def require_method(n_planes: int, config: DecodingConfig) -> None:
    """Refuse a method that needs planes which are not there.

    Raises
    ------
    ConfigError
        If so.
    """
    allowed = methods_for(n_planes)
    if config.method is not None and config.method not in allowed:
        raise ConfigError(
            "decoding.method",
            found=config.method,
            expected=f"one that {n_planes} planes of probabilities allow: {', '.join(allowed)}",
            remedy="Choose one of these, or train with targets.kind borders or distance.",
        )


def surroundings(box: Region, shape: tuple[int, ...], config: DecodingConfig) -> Region:
    """What must be seen of an image to split the component in a box: as far as smoothing reaches."""
    reach = max(1, _radius(config))
    wide = Region(tuple(a - reach for a in box.start), tuple(b + reach for b in box.stop))
    return wide.within(shape)


def split(own: NDArray[np.bool_], planes: Planes, config: DecodingConfig) -> tuple[NDArray[np.int32], int]:
    """Split one component.

    Parameters
    ----------
    own : ([z,] y, x) bool array
        The component in its `surroundings`.
    planes : (planes, [z,] y, x) float array
        The planes there.
    config : DecodingConfig
        How; its method splits.

    Returns
    -------
    ([z,] y, x) int32 array, int
        Objects from 1 on, each connected, and how many; together they are `own`.
    """
    height = _map(own, planes, config)
    is_seed = _peaks(height, own, config) if config.method == "waist" else height > config.seeds_above
    seeds, n_seeds = label(is_seed & own)
    if n_seeds <= 1:
        return own.astype(np.int32), 1
    return np.asarray(watershed(-height, seeds, mask=own), np.int32), n_seeds


def _map(own: NDArray[np.bool_], planes: Planes, config: DecodingConfig) -> Planes:
    """What is high inside of objects."""
    match config.method:
        case "depth" | "waist":
            found = _depth(own)
        case "interior" | "distance":
            found = planes[1]  # of borders after the background, of distances after the foreground
        case _:
            found = foreground_of(planes)
    if not config.smoothing:
        return found
    return np.asarray(gaussian_filter(found, config.smoothing, mode="nearest", radius=_radius(config)))


def _peaks(height: Planes, own: NDArray[np.bool_], config: DecodingConfig) -> NDArray[np.bool_]:
    """Where the map is highest, of peaks from which one must go down by the ratio to reach a higher one.

    On a logarithmic scale these are the maxima of that dynamic, found by reconstruction.

    References
    ----------
    .. [1] Soille, "Morphological Image Analysis", 2003, section 6.3.4 (h-maxima).
    """
    depths = np.where(own, np.log(np.maximum(height, SHALLOWEST)), 2 * np.log(SHALLOWEST))
    every = local_maxima(depths, connectivity=1)
    if label(every)[1] <= 1:  # as most components have it, which saves the reconstruction
        return np.asarray(every, np.bool_)
    lowered = depths + np.log(max(config.seeds_above, SHALLOWEST))
    sides = generate_binary_structure(own.ndim, 1)  # peaks that share a corner alone are two
    return np.asarray(
        local_maxima(reconstruction(lowered, depths, footprint=sides), connectivity=1), np.bool_
    )


def _depth(own: NDArray[np.bool_]) -> NDArray[np.float32]:
    if own.all():  # all of an image: there is no outside, and no place deeper than others
        return np.ones(own.shape, np.float32)
    return np.asarray(distance_transform_edt(own), np.float32)


def _radius(config: DecodingConfig) -> int:
    return int(TRUNCATION * config.smoothing + 0.5)
