"""Windows of cases that stay on disk: what is scored, shown and measured of them instead of all pixels."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from seglet.core.grid import Cover, Region, spread_windows
from seglet.core.image import IGNORE, Box, Sample, StoredImage, StoredSample

CANDIDATES = 2  # windows looked at for each that is wished, and as many again where a mask was written
LEAST_FOREGROUND = 0.5  # share of the windows that show a foreground class, if there are so many

Shown = tuple[bool, bool]  # whether a window has a labelled pixel, and one of a foreground class


@dataclass(frozen=True, eq=False)
class Crop:
    """A box of a labelled case on disk.

    Attributes
    ----------
    whole : StoredSample
        The case.
    region : Region
        The box, along the axes of the file.
    """

    whole: StoredSample
    region: Region

    @property
    def id(self) -> str:
        """The case's id and where the box starts: ``brain@0-128-64``."""
        return f"{self.whole.id}@{'-'.join(map(str, self.region.start))}"

    @property
    def image(self) -> StoredImage:
        """The box as an image of its own."""
        image, start = self.whole.image, self.region.start

        def read(box: Box) -> NDArray[np.generic]:
            sides = zip(box, self.region.shape, start, strict=True)
            return image.read(tuple(slice(a + s.indices(n)[0], a + s.indices(n)[1]) for s, n, a in sides))

        extent = (image.n_channels, *self.region.shape)
        return replace(image, extent=extent, read=read, origin=_moved(image, start))

    def read(self) -> Sample:
        """Read the pixels and labels of the box."""
        return Sample(self.id, self.image.load(), self.whole.read_labels(self.region.slices))


Piece = Sample | Crop
"""What is predicted, scored or shown at once: a case in memory, or a window of one on disk."""


def read_piece(piece: Piece) -> Sample:
    """Read a piece, unless it is in memory."""
    return piece.read() if isinstance(piece, Crop) else piece


def images_of(pieces: Iterable[Piece]) -> dict[str, str]:
    """The case that each window is of, by the window's id; empty where all pieces are whole."""
    return {piece.id: piece.whole.id for piece in pieces if isinstance(piece, Crop)}


def choose_crops(sample: StoredSample, window: tuple[int, ...], most: int) -> tuple[Crop, ...]:
    """Choose windows that stand for a case, always the same ones.

    They are spread evenly over what was ever written; windows that nobody labelled are left out. Where few
    of the others show a foreground class, such ones are preferred until they are half of all. Where all that
    were looked at are unlabelled, all of the image are looked through.

    Parameters
    ----------
    sample : StoredSample
        The case.
    window : tuple of int
        Extent of a window along the axes of the file.
    most : int
        How many at most.

    Returns
    -------
    tuple of Crop
        In the order of the file; empty where no window has a labelled pixel.
    """
    shape, n_seen = sample.image.shape, CANDIDATES * most
    seen = spread_windows(shape, window, n_seen, lambda region: sample.image.is_written(region.slices))
    masked = spread_windows(shape, window, n_seen, lambda region: sample.is_written(region.slices))
    shown = {region: _what_is_shown(sample, region) for region in dict.fromkeys((*seen, *masked))}
    if not any(is_labelled for is_labelled, _ in shown.values()):
        shown = dict(islice(_labelled_windows(sample, window), n_seen))
        seen = list(shown)
    foreground = [region for region, (_, is_shown) in shown.items() if is_shown]
    others = [region for region in seen if shown[region] == (True, False)]
    natural = sum(region in seen for region in foreground) / max(len(seen), 1)
    n_foreground = min(len(foreground), round(most * max(natural, LEAST_FOREGROUND)))
    chosen = foreground[:n_foreground] + others[: most - n_foreground]
    chosen += foreground[n_foreground : n_foreground + most - len(chosen)]
    return tuple(Crop(sample, region) for region in sorted(chosen, key=lambda region: region.start))


def _labelled_windows(sample: StoredSample, window: tuple[int, ...]) -> Iterator[tuple[Region, Shown]]:
    """Those of all windows with a labelled pixel, side by side, and what they show."""
    for cover in Cover(sample.image.shape, window):
        region = cover.within(sample.image.shape)
        if sample.image.is_written(region.slices) and (what := _what_is_shown(sample, region))[0]:
            yield region, what


def _what_is_shown(sample: StoredSample, region: Region) -> Shown:
    """Whether a window holds any labelled pixel, and any of a foreground class."""
    labels = sample.read_labels(region.slices)
    counted = labels != IGNORE
    return bool(counted.any()), bool((labels[counted] > 0).any())


def _moved(image: StoredImage, start: tuple[int, ...]) -> tuple[float, ...]:
    """The origin of a box that starts there."""
    n_axes = len(start)
    if len(image.origin) != n_axes or len(image.spacing) != n_axes:
        return image.origin
    steps = np.multiply(start, image.spacing)
    turned = np.reshape(image.direction, (-1, n_axes)) @ steps if image.direction else steps
    return tuple(float(a + b) for a, b in zip(image.origin, turned, strict=True))
