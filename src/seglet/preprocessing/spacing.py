"""How images lie and how far apart their pixels are, compared across files and units."""

from collections.abc import Sequence

from seglet.core.image import Image, StoredImage
from seglet.core.orientation import UNTURNED, Turn, turned_spacing, upright

DIFFERS = 0.02  # relative; below it resampling would blur more than it corrects
MICROMETERS = {"um": 1.0, "mm": 1000.0}


def turn_of(image: Image | StoredImage) -> Turn:
    """What turns an image upright; flat images are left as they are."""
    return upright(image.direction) if len(image.shape) == 3 else UNTURNED


def upright_spacing(image: Image | StoredImage, unit: str) -> tuple[float, ...] | None:
    """Distance of neighboring pixels along the upright axes of an image, in `unit`.

    Returns
    -------
    tuple of float or None
        None where it is unknown, or counted in pixels alone.
    """
    known = len(image.spacing) == len(image.shape) and min(image.spacing) > 0
    if not known or image.unit not in MICROMETERS or unit not in MICROMETERS:
        return None
    factor = MICROMETERS[image.unit] / MICROMETERS[unit]
    return tuple(s * factor for s in turned_spacing(image.spacing, turn_of(image)))


def is_same_spacing(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether two spacings are so near each other that nothing has to be resampled."""
    return all(abs(a - b) <= DIFFERS * b for a, b in zip(one, other, strict=True))
