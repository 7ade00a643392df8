"""Apply a plan to a sample, and undo it: results always come back on the image's own grid."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize

from seglet.core.image import Image, Sample
from seglet.preprocessing.intensity import normalize, to_color, top_of
from seglet.preprocessing.plan import Plan


@dataclass(frozen=True, eq=False)
class Prepared:
    """A sample on the plan's grid.

    Attributes
    ----------
    id : str
        Name of the case.
    image : (c, y, x) float32 array
        Normalized intensities.
    labels : (y, x) uint8 array or None
        Class indexes.
    objects : (y, x) int32 array or None
        Object numbers.
    fov : (y, x) bool array or None
        Field of view.
    """

    id: str
    image: NDArray[np.float32]
    labels: NDArray[np.uint8] | None = None
    objects: NDArray[np.int32] | None = None
    fov: NDArray[np.bool_] | None = None


def preprocess(sample: Sample, plan: Plan) -> Prepared:
    """Bring a sample to the plan's channels, intensities and size."""
    return Prepared(
        id=sample.id,
        image=preprocess_image(sample.image, plan),
        labels=_resize_labels(sample.labels, plan),
        objects=_resize_labels(sample.objects, plan),
        fov=_resize_labels(sample.fov, plan),
    )


def preprocess_image(image: Image, plan: Plan) -> NDArray[np.float32]:
    """Bring an image to the plan's channels, intensities and size.

    Its field of view is not looked at: an image predicted without one comes out as it was trained with one.

    Returns
    -------
    (c, y, x) float32 array
        Input of the network.
    """
    pixels = normalize(
        to_color(image.pixels, plan.color, plan.n_channels), plan.normalization, top_of(image.pixels.dtype)
    )
    if plan.resize is None or plan.resize == pixels.shape[1:]:
        return pixels
    return np.asarray(resize(pixels, (len(pixels), *plan.resize), order=1, anti_aliasing=True), np.float32)


def restore(probabilities: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Bring probabilities back to the image's own size.

    Parameters
    ----------
    probabilities : (k, y, x) float32 array
        On the plan's grid.
    shape : (y, x)
        Size of the original image.
    """
    if probabilities.shape[1:] == shape:
        return probabilities
    return np.asarray(resize(probabilities, (len(probabilities), *shape), order=1), np.float32)


def _resize_labels(labels: NDArray[Any] | None, plan: Plan) -> Any:
    """Nearest neighbor, never anti-aliased: mixing class indexes would invent classes."""
    if labels is None or plan.resize is None or plan.resize == labels.shape:
        return labels
    return resize(labels, plan.resize, order=0, preserve_range=True, anti_aliasing=False).astype(labels.dtype)
