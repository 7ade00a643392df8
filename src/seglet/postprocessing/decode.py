"""From probabilities to objects, of images in memory."""

import numpy as np
from numpy.typing import NDArray

from seglet.postprocessing.census import Census
from seglet.postprocessing.rules import are_kept, census_of, components_of, fill_holes, numbering
from seglet.postprocessing.settings import DecodingConfig
from seglet.postprocessing.splitting import Planes, foreground_of, require_method, split, surroundings


def decode(planes: Planes, config: DecodingConfig) -> NDArray[np.int32]:
    """Tell objects apart.

    Parameters
    ----------
    planes : (planes, [z,] y, x) float array
        What the network says, 0 to 1. One plane: probability of the foreground. Two: the distance to the
        object's border besides. Three: background, interior and border.
    config : DecodingConfig
        How, and which objects are kept.

    Returns
    -------
    ([z,] y, x) int32 array
        Object per pixel, 0 the background; numbers from 1 on in scan order of the objects' first pixels. Each
        object is connected. All 0 where nothing is foreground.

    Raises
    ------
    GeometryError
        If there are more planes.
    ConfigError
        If the method needs a plane that is not there.

    References
    ----------
    .. [1] Vincent, Soille, "Watersheds in digital spaces", IEEE PAMI 13, 1991, doi:10.1109/34.87344.
    """
    require_method(len(planes), config)
    mask = fill_holes(foreground_of(planes) > config.threshold, config.max_hole)
    components, n = components_of(mask)
    census = census_of(components, n)
    if config.is_split or config.keep == "largest":
        components, n = _split_all(components, planes, census, config)
        census = census_of(components, n)
    return numbering(census, config)[components]


def _split_all(
    components: NDArray[np.int32], planes: Planes, census: Census, config: DecodingConfig
) -> tuple[NDArray[np.int32], int]:
    """Split each component that is kept; pieces get numbers beyond those of the components."""
    kept = are_kept(census, config)
    objects = np.where(kept[components], components, 0)
    n = len(kept) - 1
    if not config.is_split:
        return objects, n
    for number in np.flatnonzero(kept).tolist():
        around = surroundings(census.box(number), components.shape, config).slices
        own = components[around] == number
        pieces, n_pieces = split(own, planes[(slice(None), *around)], config)
        if n_pieces > 1:
            objects[around][own] = pieces[own] + n
            n += n_pieces
    return objects, n
