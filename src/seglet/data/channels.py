"""The image of a case: the channels of its files joined, or one page of them, read box by box."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import GeometryError
from seglet.core.image import Image, StoredImage
from seglet.data.cases import Case
from seglet.data.fitting import Box, extent, in_order_of, open_page
from seglet.io.files import open_image, read_image


def read_case_image(case: Case) -> Image:
    """Read the image of a case.

    Returns
    -------
    Image
        All channels in the order of the case's files, in the narrowest type that holds them all; channels
        without a file are zero. A page is a flat image.

    Raises
    ------
    FormatError
        If a file cannot be read.
    GeometryError
        If its files differ in extent, or lack the page; names them.
    """
    is_one = len(case.images) == 1 and not case.missing and case.page is None
    return read_image(case.image) if is_one else open_case(case).load()


def open_case(case: Case) -> StoredImage:
    """Open the image of a case: as `read_case_image`, but known by its header alone and read box by box.

    Channels whose files order or mirror their axes otherwise than the first are turned to its order.
    """
    parts = [open_page(open_image(file), case.page, file) for file in case.images]
    parts = [parts[0], *(in_order_of(part, parts[0]) for part in parts[1:])]
    for file, part in zip(case.images, parts, strict=True):
        if part.shape != parts[0].shape:
            raise GeometryError(
                str(file),
                found=extent(part.shape),
                expected=f"{extent(parts[0].shape)} as in {case.image}",
                remedy="Bring all channels of an image onto one grid.",
            )
    if len(parts) == 1 and not case.missing:
        return parts[0]
    return _joined(parts, case.missing)


def _joined(parts: list[StoredImage], missing: tuple[int, ...]) -> StoredImage:
    """Join channels; those of `missing` places are left at zero."""
    n_channels = sum(part.n_channels for part in parts) + len(missing)
    given = [place for place in range(n_channels) if place not in missing]
    dtype = np.result_type(*(part.dtype for part in parts))

    def read(box: Box) -> NDArray[np.generic]:
        shape = (len(range(n)[one]) for n, one in zip(parts[0].shape, box, strict=True))
        joined: NDArray[np.generic] = np.zeros((n_channels, *shape), dtype)
        places = iter(given)
        for part in parts:
            joined[[next(places) for _ in range(part.n_channels)]] = part.read(box)
        return joined

    grid = next((part for part in parts if part.spacing), parts[0])
    return replace(
        grid,
        extent=(n_channels, *parts[0].shape),
        dtype=dtype,
        read=read,
        is_random=all(part.is_random for part in parts),
        is_written=lambda box: any(part.is_written(box) for part in parts),
    )
