"""From a mask to objects: what is connected is one."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def components(foreground: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Number the connected components of a mask.

    Pixels belong together where they share a side (4-connected), voxels where they share a face
    (6-connected): a background of one pixel between two objects separates them also where it runs diagonally.

    Parameters
    ----------
    foreground : ([z,] y, x) bool array
        What is to be told apart.

    Returns
    -------
    ([z,] y, x) int32 array
        Numbers from 1 on in scan order; 0 is the background, everywhere where nothing is foreground.
    """
    numbered: NDArray[np.int32] = np.zeros(foreground.shape, np.int32)
    ndimage.label(foreground, output=numbered)
    return numbered
