"""Overlap and blend: large images window by window, without a seam."""

from itertools import product
from math import ceil

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import FormatError
from seglet.core.events import Event, Tell, quiet
from seglet.core.grid import Region, Stripe, read_mirrored, stripes
from seglet.core.image import Image
from seglet.model import Model
from seglet.prediction.engines import TorchEngine
from seglet.preprocessing.transform import preprocess_image, restore

MULTIPLE = 32  # px; windows of such sides can be halved by any network here
PIXELS_AT_ONCE = 512 * 512  # windows are batched up to this many pixels: fuller batches gain nothing on a CPU


def predict_image(image: Image, model: Model, engine: TorchEngine, tell: Tell = quiet) -> NDArray[np.float32]:
    """Predict an image of any size.

    Parameters
    ----------
    image : Image
        As read from its file.
    model : Model
        What was trained.
    engine : TorchEngine
        What runs it.
    tell : callable
        Hears of each finished window.

    Returns
    -------
    (k, y, x) float32 array
        Probabilities at the image's original size; k = 1: of the foreground, else one per class.

    Raises
    ------
    GeometryError
        If the image's channels do not fit the model.
    FormatError
        If the image holds infinite or undefined values.
    """
    if not np.isfinite(image.pixels).all():
        raise FormatError(
            "image",
            found="infinite or undefined values",
            expected="numbers",
            remedy="Export the image again, or replace these values.",
        )
    pixels = preprocess_image(image, model.card.plan)
    probabilities = predict_windows(
        pixels, engine, model.card.predict.window, model.card.predict.margin, tell
    )
    return restore(probabilities, image.shape)


def predict_windows(
    pixels: NDArray[np.float32], engine: TorchEngine, window: int, margin: int, tell: Tell = quiet
) -> NDArray[np.float32]:
    """Run the engine over overlapping windows and blend them; see `seglet.core.grid.stripes`.

    Parameters
    ----------
    pixels : (c, y, x) float32 array
        Preprocessed image.
    engine : TorchEngine
        What runs the network.
    window, margin : int
        Wished side of a window, and half of what neighbors share, in pixels.

    Returns
    -------
    (k, y, x) float32 array
        Probabilities.
    """
    shape = pixels.shape[1:]
    rows, columns = (stripes(n, window, margin, MULTIPLE) for n in shape)
    pairs = list(product(rows, columns))
    at_once = max(1, PIXELS_AT_ONCE // (rows[0].extent * columns[0].extent))
    blended: NDArray[np.float32] | None = None
    for number in range(ceil(len(pairs) / at_once)):
        chosen = pairs[number * at_once : (number + 1) * at_once]
        windows = np.stack([read_mirrored(pixels, _region(row, column)) for row, column in chosen])
        probabilities = engine.run(windows)
        if blended is None:
            blended = np.zeros((probabilities.shape[1], *shape), np.float32)
        for (row, column), patch in zip(chosen, probabilities, strict=True):
            _blend(blended, patch, row, column)
        tell(Event("windows", done=min(len(pairs), (number + 1) * at_once), total=len(pairs)))
    assert blended is not None  # an image has at least one window
    return blended


def _region(row: Stripe, column: Stripe) -> Region:
    return Region((row.start, column.start), (row.start + row.extent, column.start + column.extent))


def _blend(blended: NDArray[np.float32], patch: NDArray[np.float32], row: Stripe, column: Stripe) -> None:
    inside = _region(row, column).within(blended.shape[1:])
    y, x = inside.shifted((-row.start, -column.start)).slices
    weight = row.weights[y, None] * column.weights[None, x]
    blended[(slice(None), *inside.slices)] += patch[:, y, x] * weight
