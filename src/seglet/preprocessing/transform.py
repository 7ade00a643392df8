"""Apply a plan to a sample, and undo it: results always come back on the image's own grid."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import GeometryError
from seglet.core.image import IGNORE, Image, Sample, StoredImage
from seglet.core.orientation import UNTURNED, turn, turn_back, turned_spacing
from seglet.preprocessing.normalization import normalize_image
from seglet.preprocessing.plan import Plan
from seglet.preprocessing.resampling import pick_nearest, resample, resample_classes
from seglet.preprocessing.spacing import is_same_spacing, turn_of, upright_spacing
from seglet.preprocessing.target import network_axes

Type = TypeVar("Type", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A sample on the plan's grid.

    Attributes
    ----------
    id : str
        Name of the case; of a slice with its number behind.
    image : (c, [z,] y, x) float32 array
        Normalized intensities.
    labels : ([z,] y, x) uint8 array or None
        Class indexes.
    objects : ([z,] y, x) int32 array or None
        Object numbers.
    fov : ([z,] y, x) bool array or None
        Field of view.
    """

    id: str
    image: NDArray[np.float32]
    labels: NDArray[np.uint8] | None = None
    objects: NDArray[np.int32] | None = None
    fov: NDArray[np.bool_] | None = None


def preprocess(sample: Sample, plan: Plan) -> tuple[Prepared, ...]:
    """Bring a sample to the plan's channels, intensities and grid.

    Returns
    -------
    tuple of Prepared
        One; for a plan of ``slices`` one flat image per slice that has a labelled pixel, or per slice where
        the sample has no labels.

    Raises
    ------
    GeometryError
        If the image has other channels or axes than the plan is for.
    """
    image = sample.image
    shape = grid_shape(image, plan)
    labels = _truth_on_grid(sample.labels, image, shape, resample_classes)
    objects = _truth_on_grid(sample.objects, image, shape, pick_nearest)
    if labels is not None and objects is not None and objects is not sample.objects:
        objects = np.where(labels > 0, objects, 0).astype(objects.dtype)  # voting moved the borders a little
    fov = _truth_on_grid(sample.fov, image, shape, resample_classes)
    whole = Prepared(sample.id, _image_on_grid(image, shape, plan), labels, objects, fov)
    return tuple(_slices(whole, plan.slice_axis)) if plan.mode == "slices" else (whole,)


def preprocess_image(image: Image, plan: Plan) -> NDArray[np.float32]:
    """Bring an image to the plan's channels, intensities and grid.

    Its field of view is not looked at: an image predicted without one comes out as it was trained with one.

    Returns
    -------
    (c, [z,] y, x) float32 array
        Input of the network, upright; for a plan of ``slices`` their axis stands in the place of z.

    Raises
    ------
    GeometryError
        If the image has other channels or axes than the plan is for.
    """
    pixels = _image_on_grid(image, grid_shape(image, plan), plan)
    if plan.mode == "slices":
        pixels = np.ascontiguousarray(np.moveaxis(pixels, 1 + plan.slice_axis, 1))
    return pixels


def restore(
    probabilities: NDArray[np.float32], image: Image | StoredImage, plan: Plan
) -> NDArray[np.float32]:
    """Bring probabilities back to the image's own grid and orientation.

    Parameters
    ----------
    probabilities : (k, [z,] y, x) float32 array
        On the grid that `preprocess_image` gave.
    image : Image or StoredImage
        The image that was predicted; only its grid is asked.
    plan : Plan
        By which it was preprocessed.

    Returns
    -------
    (k, [z,] y, x) float32 array
        `probabilities` itself where image and plan have the same grid.
    """
    if plan.mode == "slices":
        probabilities = np.moveaxis(probabilities, 1, 1 + plan.slice_axis)
    how = turn_of(image)
    resampled = _resample_channels(probabilities, turned_spacing(image.shape, how))
    return np.ascontiguousarray(turn_back(resampled, how))


def grid_shape(image: Image | StoredImage, plan: Plan) -> tuple[int, ...]:
    """Extent of an image on the plan's grid, along its upright axes.

    Raises
    ------
    GeometryError
        If the plan is for volumes and the image is flat, or the other way round.
    """
    _require_axes(image, plan)
    shape = list(turned_spacing(image.shape, turn_of(image)))
    axes = network_axes(plan.mode, plan.slice_axis)
    if plan.resize is not None:
        wished = plan.resize
    elif plan.spacing is not None and (spacing := upright_spacing(image, plan.unit)) is not None:
        own = tuple(spacing[axis] for axis in axes)
        if is_same_spacing(own, plan.spacing):
            return tuple(shape)
        ratios = (a / b for a, b in zip(own, plan.spacing, strict=True))
        wished = tuple(max(1, round(shape[axis] * ratio)) for axis, ratio in zip(axes, ratios, strict=True))
    else:
        return tuple(shape)
    for axis, n in zip(axes, wished, strict=True):
        shape[axis] = n
    return tuple(shape)


def has_own_grid(image: Image | StoredImage, plan: Plan) -> bool:
    """Whether the plan leaves an image's points where they are, so that it can be prepared part by part."""
    return turn_of(image) == UNTURNED and plan.mode != "slices" and grid_shape(image, plan) == image.shape


def _require_axes(image: Image | StoredImage, plan: Plan) -> None:
    is_flat = len(image.shape) == 2
    if is_flat != (plan.mode == "2d"):
        raise GeometryError(
            "image",
            found="a flat image" if is_flat else "a volume",
            expected=f"{'a volume' if is_flat else 'a flat image'} (plan.mode is {plan.mode})",
            remedy="Use images with the axes that the model was trained on.",
        )


def _image_on_grid(image: Image, shape: tuple[int, ...], plan: Plan) -> NDArray[np.float32]:
    pixels = turn(normalize_image(image, plan), turn_of(image))
    return np.ascontiguousarray(_resample_channels(pixels, shape))


def _resample_channels(pixels: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    if pixels.shape[1:] == shape:
        return pixels
    resampled = np.empty((len(pixels), *shape), np.float32)
    for result, channel in zip(resampled, pixels, strict=True):
        result[:] = resample(channel, shape)
    return resampled


def _truth_on_grid(
    truth: NDArray[Type] | None,
    image: Image,
    shape: tuple[int, ...],
    resampled: Callable[[NDArray[Type], tuple[int, ...]], NDArray[Type]],
) -> NDArray[Type] | None:
    if truth is None:
        return None
    return np.ascontiguousarray(resampled(turn(truth, turn_of(image)), shape))


def _slices(whole: Prepared, axis: int) -> Iterator[Prepared]:
    """Cut a volume; without a labelled pixel a slice teaches nothing."""
    truths = {"labels": whole.labels, "objects": whole.objects, "fov": whole.fov}
    moved = {name: np.moveaxis(t, axis, 0) for name, t in truths.items() if t is not None}
    for number, image in enumerate(np.moveaxis(whole.image, 1 + axis, 0)):
        truth: dict[str, Any] = {name: np.ascontiguousarray(t[number]) for name, t in moved.items()}
        if _is_labelled(truth.get("labels"), truth.get("fov")):
            yield Prepared(f"{whole.id}_{number:03}", np.ascontiguousarray(image), **truth)


def _is_labelled(labels: NDArray[np.uint8] | None, fov: NDArray[np.bool_] | None) -> bool:
    if labels is None:
        return True
    counted = labels != IGNORE
    return bool((counted if fov is None else counted & fov).any())
