"""What the network learns of each pixel, and how much each counts; made from the truth."""

from collections.abc import Iterator
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.ndimage import distance_transform_edt, find_objects, label

from seglet.core.config import Config
from seglet.core.image import IGNORE

REACH = 6.0  # in units of sigma; beyond d1 + d2 = 6 sigma the term is below 2e-8 of its peak
INTERIOR, BORDER = 1, 2  # classes of the targets of borders; 0 is the background

Objects = NDArray[np.int32]


class TargetConfig(Config):
    """What the network learns of each pixel.

    Objects are those that the masks number; of masks that tell only classes, the connected components of each
    class (pixels that share a side are connected).

    Attributes
    ----------
    kind : str
        ``classes``: its class. ``borders``: background, interior or border of an object, so that touching
        objects come apart; of two classes. ``distance``: its class, and how far inside its object it lies.
    border_width : float
        How far the border class of ``borders`` reaches into an object, in pixels.
    separation : int or None
        Width of the background that is drawn between objects of one class that touch, in pixels; 0 draws
        none. Half of it is taken off each, the odd pixel off the larger one. Where None, 1 for a truth that
        tells objects apart, else 0.
    """

    kind: Literal["classes", "borders", "distance"] = "classes"
    border_width: Annotated[float, Field(gt=0)] = 2.0
    separation: Annotated[int, Field(ge=0)] | None = None

    @property
    def needs_objects(self) -> bool:
        """Whether objects must be told apart, for which an image has to be seen whole."""
        return self.kind != "classes" or bool(self.separation)


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


def objects_of(labels: NDArray[np.uint8], objects: Objects | None) -> Objects:
    """Tell objects apart: as they are numbered, else the connected components of each class.

    Parameters
    ----------
    labels : ([z,] y, x) uint8 array
        Class indexes; pixels that nobody labelled belong to no object.
    objects : ([z,] y, x) int32 array or None
        Object numbers, where they are known.

    Returns
    -------
    ([z,] y, x) int32 array
        Object number per pixel; 0 is background.
    """
    if objects is not None:
        return objects
    found = np.zeros(labels.shape, np.int32)
    for index in set(np.unique(labels).tolist()) - {0, IGNORE}:
        components, _ = label(labels == index)
        found += np.where(components > 0, components + found.max(), 0)
    return found


def separate(objects: Objects, labels: NDArray[np.uint8], width: int) -> Objects:
    """Draw background between objects of one class that touch, so that connected components come apart.

    Parameters
    ----------
    objects : ([z,] y, x) int32 array
        Object number per pixel; 0 is background.
    labels : ([z,] y, x) uint8 array
        Class indexes; between objects of two classes nothing is drawn.
    width : int
        Of the background, in pixels: half on either side of where two objects share pixel sides, the odd
        pixel on that of the larger one. 0 changes nothing.

    Returns
    -------
    ([z,] y, x) int32 array
        Objects with the same numbers; of one that would vanish, the pixel farthest from all others is left.
    """
    if width == 0:
        return objects
    contact = _contact(objects, labels, of_both=width % 2 == 0)
    if not contact.any():
        return objects
    away = distance_transform_edt(~contact)
    apart = np.where(away <= (width - 1) // 2, 0, objects).astype(np.int32)
    before = np.bincount(objects.ravel())
    erased = (before > 0) & (np.bincount(apart.ravel(), minlength=len(before)) == 0)
    for number in np.flatnonzero(erased):
        farthest = np.where(objects == number, away, -1).argmax()
        apart.flat[farthest] = number
    return apart


def border_classes(objects: Objects, width: float) -> NDArray[np.uint8]:
    """Tell the border of objects from their interior.

    Parameters
    ----------
    objects : ([z,] y, x) int32 array
        Object number per pixel; 0 is background.
    width : float
        Pixels of an object are its border up to this distance from the nearest pixel that is not the
        object's; beyond the image's edge there are none.

    Returns
    -------
    ([z,] y, x) uint8 array
        0 background, `INTERIOR`, `BORDER`.
    """
    classes = np.zeros(objects.shape, np.uint8)
    for around, inside, depth in _depths(objects):
        classes[around][inside] = np.where(depth[inside] <= width, BORDER, INTERIOR)
    return classes


def border_distances(objects: Objects) -> NDArray[np.float32]:
    """Say how far inside its object each pixel lies.

    Parameters
    ----------
    objects : ([z,] y, x) int32 array
        Object number per pixel; 0 is background.

    Returns
    -------
    ([z,] y, x) float32 array
        Distance in pixels to the nearest pixel that is not the object's, divided by the largest of the
        object: above 0 to 1; 0 outside of objects, 1 everywhere in one that fills the image.
    """
    distances = np.zeros(objects.shape, np.float32)
    for around, inside, depth in _depths(objects):
        deepest = depth[inside].max()
        distances[around][inside] = depth[inside] / deepest if np.isfinite(deepest) else 1
    return distances


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
        around = _around(box, reach)
        distance = distance_transform_edt(objects[around] != number)
        second[around] = np.minimum(second[around], np.maximum(nearest[around], distance))
        nearest[around] = np.minimum(nearest[around], distance)
    return nearest, second


def _depths(
    objects: Objects,
) -> Iterator[tuple[tuple[slice, ...], NDArray[np.bool_], NDArray[np.float64]]]:
    """The surroundings of each object, which pixels there are its own, and how deep they lie.

    The nearest pixel outside is never farther than one pixel from the object's box.
    """
    for number, box in enumerate(find_objects(objects), start=1):
        if box is None:
            continue
        around = _around(box, 1)
        inside = objects[around] == number
        fills = bool(inside.all())  # all of the image: nothing is outside
        yield around, inside, np.full(inside.shape, np.inf) if fills else distance_transform_edt(inside)


def _around(box: tuple[slice, ...], reach: int) -> tuple[slice, ...]:
    return tuple(slice(max(0, side.start - reach), side.stop + reach) for side in box)


def _contact(objects: Objects, labels: NDArray[np.uint8], *, of_both: bool) -> NDArray[np.bool_]:
    """Pixels that share a side with another object of their class; of both objects, or of the larger."""
    order = np.argsort(np.bincount(objects.ravel()), kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    found = np.zeros(objects.shape, bool)
    for axis in range(objects.ndim):
        numbers, classes, contact = (np.moveaxis(each, axis, 0) for each in (objects, labels, found))
        a, b = numbers[:-1], numbers[1:]
        touch = (a != b) & (a > 0) & (b > 0) & (classes[:-1] == classes[1:])
        is_larger = rank[a] > rank[b]
        contact[:-1] |= touch & (of_both | is_larger)
        contact[1:] |= touch & (of_both | ~is_larger)
    return found
