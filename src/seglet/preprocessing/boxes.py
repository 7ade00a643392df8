"""Where to look in images that are too large to look at all of them."""

from collections.abc import Callable
from math import prod

from seglet.core.grid import cube, spread_boxes
from seglet.core.image import Box, StoredImage

N_BOXES = 64  # evenly spread, they meet every region of an image
BOX_PIXELS = 32**3  # 2 million in all: more than a percentile needs, and read in seconds


def telling_boxes(image: StoredImage, is_written: Callable[[Box], bool]) -> list[Box]:
    """Boxes that stand for an image on disk.

    Parameters
    ----------
    image : StoredImage
        What is looked at.
    is_written : callable
        Which boxes may be chosen, if any are; that of the image, or of its mask.

    Returns
    -------
    list of tuple of slice
        All of a small image, and of one of which no part can be read alone; else at most `N_BOXES` equal
        boxes of at most `BOX_PIXELS` that do not overlap.
    """
    if prod(image.shape) <= N_BOXES * BOX_PIXELS or not image.is_random:
        return [tuple(slice(0, n) for n in image.shape)]
    box = cube(len(image.shape), BOX_PIXELS)
    found = spread_boxes(image.shape, box, N_BOXES, lambda region: is_written(region.slices))
    return [region.slices for region in found]
