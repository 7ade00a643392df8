"""Arrays in, arrays out: a model as a function."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import GeometryError, ModelError
from seglet.core.image import Image
from seglet.model import Model
from seglet.prediction.engines.choice import engine_for
from seglet.prediction.outputs import answer, class_probabilities
from seglet.prediction.tiled import predict_raw

MOST_CHANNELS = 4  # an axis this short, at either end, is taken for the channels; of more, the model knows


class Predictor:
    """A model ready to predict arrays of any size.

    Parameters
    ----------
    model : Model
        What was trained.
    precision, engine : str or None
        As in `seglet.model.PredictConfig`; the model's own settings where None.
    """

    def __init__(self, model: Model, precision: str | None = None, engine: str | None = None) -> None:
        self.model = model
        self._engine = engine_for(model, engine, precision)

    def probabilities(self, array: NDArray[Any] | Image) -> NDArray[np.float32]:
        """Predict probabilities.

        Parameters
        ----------
        array : Image, or an array of (y, x), (y, x, c) or (c, y, x)
            Intensities in the range of the training images' files; a fourth channel is taken for alpha and
            dropped, unless the model has four or more. A model of volumes takes (z, y, x), (z, y, x, c) or
            (c, z, y, x); one that brings its images to a common spacing needs an `Image` that tells its own.

        Returns
        -------
        (k, [z,] y, x) float32 array
            k = 1: probability of the foreground; else one per class.

        Raises
        ------
        GeometryError
            If the array is not an image, or its channels do not fit the model.
        """
        return class_probabilities(self._planes(array), self.model.card)

    def predict(self, array: NDArray[Any] | Image) -> NDArray[np.uint8]:
        """Predict the class index of every pixel, by the model's own threshold; see `probabilities`.

        Returns
        -------
        ([z,] y, x) uint8 array
            0 is the background; names stand in ``model.card.labels``.
        """
        return answer(self._planes(array), self.model.card)[0]

    def objects(self, array: NDArray[Any] | Image) -> NDArray[np.int32]:
        """Predict the object of every pixel, as the model tells them apart; see `probabilities`.

        Returns
        -------
        ([z,] y, x) int32 array
            0 is the background, objects are numbered from 1 on in scan order.

        Raises
        ------
        ModelError
            If the model's training masks did not tell objects apart.
        """
        found = answer(self._planes(array), self.model.card)[2]
        if found is None:
            raise ModelError(
                "objects",
                found="a model of classes",
                expected="one whose training masks tell objects apart",
                remedy="Number the connected parts of what `predict` gives.",
            )
        return found

    def _planes(self, array: NDArray[Any] | Image) -> NDArray[np.float32]:
        plan = self.model.card.plan
        n_axes = 2 if plan.mode == "2d" else 3
        image = array if isinstance(array, Image) else as_image(array, plan.n_channels, n_axes)
        return predict_raw(image, self.model, self._engine)


def as_image(array: NDArray[Any], n_channels: int = 1, n_axes: int = 2) -> Image:
    """Take an array for an image (2 axes) or a volume (3), channels first or last, for a model of so many."""
    pixels = np.asarray(array)
    if pixels.ndim == n_axes:
        return Image(pixels[None])
    must_fit = n_channels >= MOST_CHANNELS or n_axes == 3  # few slices are not to be taken for channels
    for axis in (-1, 0) if pixels.ndim == n_axes + 1 else ():
        n = pixels.shape[axis]
        if (n == n_channels) if must_fit else (n <= MOST_CHANNELS):
            channels = np.moveaxis(pixels, axis, 0)
            return Image(channels[:3] if n == 4 and not must_fit else channels)
    axes, many = "y, x" if n_axes == 2 else "z, y, x", n_channels if must_fit else "up to 4"
    raise GeometryError(
        "array",
        found=f"shape {pixels.shape}",
        expected=f"({axes}), ({axes}, c) or (c, {axes}) with {many} channels",
        remedy="Pass one image at a time.",
    )
