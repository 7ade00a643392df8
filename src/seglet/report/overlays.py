"""Pictures of labels on images: arrays in, (y, x, 3) uint8 out."""

from pathlib import Path

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from seglet.core.errors import GeometryError
from seglet.core.image import IGNORE, Image
from seglet.core.storage import whole_file

Picture = NDArray[np.uint8]
Color = tuple[int, int, int]

# Hues after Okabe and Ito, "Color Universal Design" (2008), lightened to stand out on a dark image.
CLASS_COLORS: tuple[Color, ...] = (
    (26, 212, 168),
    (232, 122, 200),
    (240, 228, 66),
    (86, 180, 233),
    (240, 104, 48),
    (160, 140, 255),
    (190, 150, 90),
    (255, 120, 140),
    (150, 220, 90),
    (70, 110, 220),
    (200, 200, 255),
    (0, 140, 110),
)
RIGHT: Color = (236, 236, 236)
EXTRA: Color = (255, 145, 20)  # predicted only; nearly all eyes tell orange from blue
MISSED: Color = (58, 160, 255)  # in the truth, not predicted
CONFUSED: Color = (232, 122, 200)  # foreground in both, but another class

STRETCH = (0.5, 99.8)  # percentiles shown as black and white
GUTTER = 6  # px between the pictures of a panel


def show_image(image: Image) -> Picture:
    """Make an image visible.

    8-bit colors are shown as they are. Anything else, gray saved as RGB included, is stretched, each channel
    on its own, between its 0.5th and 99.8th percentile: one channel as gray, two as green and magenta, more
    than three by their first three. Of a volume the middle slice is shown. Pixels that are not finite are
    black.

    Returns
    -------
    (y, x, 3) uint8 array
    """
    pixels = image.pixels if image.pixels.ndim == 3 else image.pixels[:, image.pixels.shape[1] // 2]
    if pixels.shape[0] == 3 and (pixels[:1] == pixels[1:]).all():
        pixels = pixels[:1]
    if pixels.shape[0] == 3 and pixels.dtype == np.uint8:
        return np.ascontiguousarray(np.moveaxis(pixels, 0, -1)).astype(np.uint8, copy=False)
    channels = [_stretch(channel) for channel in pixels[:3]]
    if len(channels) == 1:
        channels = channels * 3
    elif len(channels) == 2:
        channels = [channels[1], channels[0], channels[1]]
    return np.stack(channels, axis=-1)


def draw_labels(image: Picture, labels: NDArray[np.uint8], alpha: float = 0.5) -> Picture:
    """Lay translucent class colors with crisp contours over an image.

    Parameters
    ----------
    image : (y, x, 3) uint8 array
        The picture below.
    labels : (y, x) uint8 array
        Class index per pixel; the background stays clear, `IGNORE` turns gray.
    alpha : float
        Opacity of the color inside the contours, 0 to 1.

    Raises
    ------
    GeometryError
        If `labels` is not on the image's grid.
    """
    _same_grid(image, labels)
    painted = image.copy()
    contours = _contours(labels)
    for index in np.unique(labels):
        if index == 0:
            continue
        inside = labels == index
        if index == IGNORE:
            _blend(painted, inside, (128, 128, 128), 0.5)
            continue
        _blend(painted, inside & ~contours, class_color(int(index)), alpha)
        _blend(painted, inside & contours, class_color(int(index)), 1.0)
    return painted


def draw_objects(image: Picture, objects: NDArray[np.integer], alpha: float = 0.5) -> Picture:
    """Lay a color over each object, in turn, with crisp contours between objects.

    Parameters
    ----------
    image : (y, x, 3) uint8 array
        The picture below.
    objects : (y, x) integer array
        Object number per pixel; the background, 0, stays clear.
    alpha : float
        Opacity of the color inside the contours, 0 to 1.

    Raises
    ------
    GeometryError
        If `objects` is not on the image's grid.
    """
    _same_grid(image, objects)
    palette = np.array(CLASS_COLORS, np.float32)[(objects - 1) % len(CLASS_COLORS)]
    opacity = np.where(objects > 0, np.where(_contours(objects), 1.0, alpha), 0.0)[..., None]
    return np.asarray(np.round((1 - opacity) * image + opacity * palette), np.uint8)


def draw_errors(
    image: Picture,
    truth: NDArray[np.uint8],
    predicted: NDArray[np.uint8],
    fov: NDArray[np.bool_] | None = None,
) -> Picture:
    """Show where a prediction is right and wrong, over the dimmed gray image.

    Foreground found is `RIGHT`, predicted only `EXTRA`, in the truth only `MISSED`, of another class
    `CONFUSED`. Nothing is marked outside `fov` or where nobody labelled.

    Raises
    ------
    GeometryError
        If `truth`, `predicted` or `fov` is not on the image's grid.
    """
    scored = np.ones(truth.shape, bool) if fov is None else fov
    for plane in (truth, predicted, scored):
        _same_grid(image, plane)
    gray = image @ np.array([0.299, 0.587, 0.114], np.float32)  # luma of ITU-R BT.601
    dimmed = np.where(scored, 0.5 * gray, 0.15 * gray).astype(np.uint8)
    painted = np.repeat(dimmed[..., None], 3, axis=-1)
    scored = scored & (truth != IGNORE)
    in_truth, in_prediction = (truth > 0) & scored, (predicted > 0) & scored
    _blend(painted, in_truth & (truth == predicted), RIGHT, 0.55)
    _blend(painted, in_truth & in_prediction & (truth != predicted), CONFUSED, 0.95)
    _blend(painted, in_prediction & ~in_truth, EXTRA, 0.95)
    _blend(painted, in_truth & ~in_prediction, MISSED, 0.95)
    return painted


def panel(
    image: Picture,
    truth: NDArray[np.uint8],
    predicted: NDArray[np.uint8],
    fov: NDArray[np.bool_] | None = None,
) -> Picture:
    """Join image, truth, prediction and errors side by side, with thin white gutters.

    Returns
    -------
    (y, 4 x + 3 gutters, 3) uint8 array
    """
    pictures = four_views(image, truth, predicted, fov)
    gutter = np.full((image.shape[0], GUTTER, 3), 255, np.uint8)
    joined = [pictures[0]]
    for picture in pictures[1:]:
        joined += [gutter, picture]
    return np.concatenate(joined, axis=1)


def four_views(
    image: Picture,
    truth: NDArray[np.uint8],
    predicted: NDArray[np.uint8],
    fov: NDArray[np.bool_] | None = None,
) -> tuple[Picture, Picture, Picture, Picture]:
    """Draw the image, the truth on it, the prediction on it, and the errors."""
    errors = draw_errors(image, truth, predicted, fov)
    return image, draw_labels(image, truth), draw_labels(image, predicted), errors


def shrink(picture: Picture, side: int) -> Picture:
    """Scale a picture down until neither side is longer than `side` pixels; a smaller one stays as it is."""
    longest = max(picture.shape[:2])
    if longest <= side:
        return picture
    width, height = (max(1, round(n * side / longest)) for n in (picture.shape[1], picture.shape[0]))
    resized = PIL.Image.fromarray(picture).resize((width, height), PIL.Image.Resampling.LANCZOS)
    return np.asarray(resized, dtype=np.uint8)


def class_color(index: int) -> Color:
    """Color of a foreground class; colors repeat after the seventh."""
    return CLASS_COLORS[(index - 1) % len(CLASS_COLORS)]


def css_color(color: Color) -> str:
    """A color as a page writes it: ``#1ad4a8``."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def write_overlay(path: Path, picture: Picture) -> None:
    """Write a picture as PNG, whole or not at all.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written.
    """
    with whole_file(path) as aside:
        PIL.Image.fromarray(picture).save(aside, format="PNG")


def _stretch(channel: NDArray[np.generic]) -> Picture:
    values = channel.astype(np.float32)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(values.shape, np.uint8)
    low, high = np.percentile(values[finite], STRETCH)
    if high <= low:
        low, high = values[finite].min(), values[finite].max()
    if high <= low:
        return np.where(finite, 128, 0).astype(np.uint8)
    scaled = (np.where(finite, values, low) - low) / (high - low)
    shown: Picture = np.round(np.clip(scaled, 0, 1) * 255).astype(np.uint8)
    return shown


def _contours(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Pixels with a 4-neighbour of another class or object."""
    contours = np.zeros(labels.shape, bool)
    rows, columns = labels[1:] != labels[:-1], labels[:, 1:] != labels[:, :-1]
    contours[1:] |= rows
    contours[:-1] |= rows
    contours[:, 1:] |= columns
    contours[:, :-1] |= columns
    return contours


def _blend(painted: Picture, where: NDArray[np.bool_], color: Color, alpha: float) -> None:
    """Mix a color into the marked pixels, in place."""
    below = painted[where].astype(np.float32)
    painted[where] = np.round((1 - alpha) * below + alpha * np.array(color, np.float32)).astype(np.uint8)


def _same_grid(image: Picture, plane: NDArray[np.generic]) -> None:
    if plane.shape != image.shape[:2]:
        raise GeometryError(
            "overlay",
            found=f"labels of shape {plane.shape} on an image of shape {image.shape[:2]}",
            expected="labels on the image's grid",
            remedy="Bring both to the same size first.",
        )
