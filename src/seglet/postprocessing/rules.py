"""Which components are whole, which objects stay, and which numbers they get."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import generate_binary_structure, label

from seglet.core.grid import Region
from seglet.postprocessing.census import Census, take_census
from seglet.postprocessing.settings import DecodingConfig


def components_of(mask: NDArray[np.bool_], *, diagonal: bool = False) -> tuple[NDArray[np.int32], int]:
    """Number connected pixels, and say how many numbers there are.

    Parameters
    ----------
    mask : ([z,] y, x) bool array
        What is numbered.
    diagonal : bool
        Whether pixels that share a corner are connected, or only those that share a side.
    """
    structure = generate_binary_structure(mask.ndim, mask.ndim if diagonal else 1)
    numbers = np.empty(mask.shape, np.int32)
    return numbers, int(label(mask, structure, output=numbers))


def census_of(numbers: NDArray[np.integer], n: int) -> Census:
    """Count and place the objects of a whole image."""
    return take_census(numbers, n, Region((0,) * numbers.ndim, numbers.shape), numbers.shape)


def fill_holes(
    mask: NDArray[np.bool_], max_hole: int, taken: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Fill the parts of the background that the foreground encloses.

    Parameters
    ----------
    mask : ([z,] y, x) bool array
        The foreground.
    max_hole : int
        Larger holes, in pixels, stay; so does whatever touches the image's edge.
    taken : ([z,] y, x) bool array, optional
        A hole with any of these pixels stays.
    """
    if max_hole == 0:
        return mask
    background, n = components_of(~mask, diagonal=True)
    holes = are_holes(census_of(background, n), max_hole)
    if taken is not None:
        holes[np.unique(background[taken])] = False
    return mask | holes[background]


def are_holes(background: Census, max_hole: int) -> NDArray[np.bool_]:
    """Say of each part of the background whether it is a hole to be filled, (n + 1,) bool; 0 is none."""
    sizes = background.sizes
    return np.asarray((sizes > 0) & (sizes <= max_hole) & ~background.at_edge, np.bool_)


def are_kept(components: Census, config: DecodingConfig) -> NDArray[np.bool_]:
    """Say of each component of the foreground whether it is kept, (n + 1,) bool.

    None that is smaller than the smallest object. Of the largest ones, the first in scan order.
    """
    kept = (components.sizes > 0) & (components.sizes >= config.min_size)
    if config.keep == "largest":
        largest = np.lexsort((components.first, -components.sizes))[0]
        kept &= np.arange(len(kept)) == largest
    return np.asarray(kept, np.bool_)


def numbering(objects: Census, config: DecodingConfig) -> NDArray[np.int32]:
    """Give the objects that stay numbers from 1 on, in scan order of their first pixels.

    Returns
    -------
    (n + 1,) int32 array
        New number of each; 0 for those that are removed.
    """
    kept = np.flatnonzero(_are_wanted(objects, config))
    numbers = np.zeros(len(objects.sizes), np.int32)
    numbers[kept[np.argsort(objects.first[kept])]] = np.arange(1, len(kept) + 1)
    return numbers


def apply_rules(labels: NDArray[np.uint8], config: DecodingConfig) -> NDArray[np.uint8]:
    """Apply the rules of components to each class, of any number of classes.

    Parameters
    ----------
    labels : ([z,] y, x) uint8 array
        Class indexes; 0 is the background.
    config : DecodingConfig
        Of which `max_hole`, `keep`, `min_size` and `edge` count, for each class alone.

    Returns
    -------
    ([z,] y, x) uint8 array
        Class indexes. What is removed becomes background; a hole is filled that one class alone encloses and
        that holds no other.
    """
    ruled = np.zeros_like(labels)
    for index in set(np.unique(labels).tolist()) - {0}:
        mask = labels == index
        filled = fill_holes(mask, config.max_hole, taken=~mask & (labels > 0))
        components, n = components_of(filled)
        census = census_of(components, n)
        stay = are_kept(census, config) & _are_wanted(census, config)
        ruled[stay[components]] = index
    return ruled


def _are_wanted(objects: Census, config: DecodingConfig) -> NDArray[np.bool_]:
    wanted = (objects.sizes > 0) & (objects.sizes >= config.min_size)
    if config.edge == "remove":
        wanted &= ~objects.at_edge
    return np.asarray(wanted, np.bool_)
