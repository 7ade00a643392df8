"""Images as a network sees them: in its channels and intensities, window by window where that can be."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seglet.core.grid import Region, read_mirrored
from seglet.core.image import Image
from seglet.model import ModelCard
from seglet.preprocessing.normalization import NormalizationRecord, measure_image, normalize_part
from seglet.preprocessing.transform import has_own_grid, preprocess_image


@dataclass(frozen=True, eq=False)
class Scene:
    """An image on the plan's grid.

    Attributes
    ----------
    pixels : (c, [z,] y, x) array
        Network input; of the file's own channels and intensities where there is a `record`, so that no copy
        of all of them is made in float32.
    record : NormalizationRecord or None
        What is done to each window.
    """

    pixels: NDArray[Any]
    record: NormalizationRecord | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Extent of the spatial axes, ([z,] y, x)."""
        return self.pixels.shape[1:]

    def window(self, region: Region) -> NDArray[np.float32]:
        """Cut network input, mirrored beyond the border."""
        cut = read_mirrored(self.pixels, region)
        return cut if self.record is None else normalize_part(cut, self.record)


def scene_of(image: Image, card: ModelCard) -> Scene:
    """See an image as a model does.

    Raises
    ------
    GeometryError
        If the image has other channels or axes than the model is for.
    """
    if is_lean(image, card):
        return Scene(image.pixels, measure_image(image, card.plan))
    return Scene(preprocess_image(image, card.plan))


def is_lean(image: Image, card: ModelCard) -> bool:
    """Whether an image can be prepared window by window: not resampled, turned, or normalized as a whole."""
    return card.predict.rotations == 1 and not card.plan.needs_whole and has_own_grid(image, card.plan)
