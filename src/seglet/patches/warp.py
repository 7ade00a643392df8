"""Dense coordinate fields: rotation, scale, shift, flip and elastic deformation fused into one resampling."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from seglet.core.grid import Region


@dataclass(frozen=True, eq=False)
class SpatialDraw:
    """What was drawn for the shape of n patches of d axes; all in pixels of the source image.

    Attributes
    ----------
    center : (n, d) float tensor
        Place of the patch's center in its image, ([z,] y, x).
    matrix : (n, d, d) float tensor
        From offsets in the patch to offsets in the image: rotation, scale and flip in one.
    elastic : (n, d, [gz,] gy, gx) float tensor
        Displacements on a coarse grid over the patch, ([z,] y, x).
    """

    center: Tensor
    matrix: Tensor
    elastic: Tensor


def coordinates(draw: SpatialDraw, patch: tuple[int, ...]) -> Tensor:
    """Where each pixel of each patch comes from.

    Parameters
    ----------
    draw : SpatialDraw
        What was drawn.
    patch : ([z,] y, x)
        Extent of the patch.

    Returns
    -------
    (n, [z,] y, x, d) float tensor
        Source coordinates in pixels; the elastic field is interpolated cubically.
    """
    axes = [torch.arange(n, device=draw.center.device) - (n - 1) / 2 for n in patch]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    straight = torch.einsum("n a b, ... b -> n ... a", draw.matrix, offsets)
    center = draw.center.reshape(len(draw.center), *(1 for _ in patch), len(patch))
    return straight + center + _enlarge(draw.elastic, patch).movedim(1, -1)


def mirrored_inside(places: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Mirror coordinates that lie beyond an image's outer pixels back into it, as often as needed.

    Parameters
    ----------
    places : (..., d) float tensor
        Coordinates in pixels.
    shape : tuple of int
        Extent of the image.
    """
    last = torch.tensor([n - 1 for n in shape], device=places.device, dtype=places.dtype)
    period = (2 * last).clamp(min=1)  # an axis of one pixel has no other place than 0
    there = torch.remainder(places, period)
    return torch.minimum(torch.minimum(there, period - there), last)


def box_around(places: Tensor) -> Region:
    """The smallest box of whole pixels that (..., d) coordinates are interpolated from."""
    flat = places.reshape(-1, places.shape[-1])
    start, stop = flat.amin(0).floor(), flat.amax(0).ceil() + 1
    return Region(tuple(int(n) for n in start), tuple(int(n) for n in stop))


def warp(source: Tensor, places: Tensor, mode: Literal["linear", "nearest"]) -> Tensor:
    """Resample one image at the given places.

    Parameters
    ----------
    source : (c, [z,] y, x) float tensor
        One image, label map or weight map.
    places : ([z,] y, x, d) float tensor
        Source coordinates in pixels, inside the image; see `mirrored_inside`.
    mode : str
        ``linear`` for intensities, ``nearest`` for labels and weights.

    Returns
    -------
    (c, [z,] y, x) float tensor
        The patch.
    """
    extent = torch.tensor(source.shape[1:], device=places.device)
    unit = 2 * places / (extent - 1).clamp(min=1) - 1  # grid_sample's -1..1 between the outer pixels' centers
    patch = F.grid_sample(
        source[None],
        unit.flip(-1)[None],
        mode="bilinear" if mode == "linear" else mode,
        padding_mode="border",
        align_corners=True,
    )
    return patch[0]


def _enlarge(field: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Interpolate an (n, d, ...) field cubically, axis by axis; corner points stay where they are."""
    for axis, n in enumerate(shape, start=2):
        points = field.shape[axis]
        one = torch.eye(points, device=field.device)[None, None]
        weights = F.interpolate(one, size=(n, points), mode="bicubic", align_corners=True)[0, 0]
        field = torch.tensordot(field, weights, dims=([axis], [1])).movedim(-1, axis)
    return field
