"""Dense coordinate fields: rotation, scale, shift, flip and elastic deformation fused into one resampling."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
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

    def to(self, device: torch.device) -> "SpatialDraw":
        """The same draw on another device."""
        return SpatialDraw(self.center.to(device), self.matrix.to(device), self.elastic.to(device))


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
    (n, d, [z,] y, x) float tensor
        Source coordinates in pixels, one plane for each axis of the source; the elastic field is interpolated
        cubically.
    """
    places = _enlarge(draw.elastic, patch)
    straight = draw.center
    for axis, n in enumerate(patch):  # along one axis after the other: most of it is never a whole field
        offsets = torch.arange(n, device=draw.center.device) - (n - 1) / 2
        straight = (
            straight[..., None]
            + draw.matrix[:, :, axis].reshape(*draw.center.shape, *(1,) * (axis + 1)) * offsets
        )
    return places.add_(straight)


def mirrored_inside(places: Tensor, shapes: Sequence[tuple[int, ...]]) -> Tensor:
    """Mirror coordinates that lie beyond an image's outer pixels back into it, as often as needed.

    Parameters
    ----------
    places : (n, d, ...) float tensor
        Coordinates in pixels.
    shapes : n tuples of int
        Extent of the image that each patch is cut from.
    """
    last = _per_axis(torch.tensor(shapes) - 1, places)
    period = (2 * last).clamp(min=1)  # an axis of one pixel has no other place than 0
    nearest = (places / period).round_()
    return torch.addcmul(places, nearest, period, value=-1).abs_().minimum(last)


def boxes_around(places: Tensor) -> list[Region]:
    """The smallest box of whole pixels that each patch of (n, d, ...) coordinates is interpolated from."""
    flat = places.flatten(2)
    ends = torch.stack([flat.amin(2).floor(), flat.amax(2).ceil() + 1]).long().tolist()
    return [Region(tuple(start), tuple(stop)) for start, stop in zip(*ends, strict=True)]


def places_in(boxes: Sequence[Region], places: Tensor) -> Tensor:
    """The same (n, d, ...) coordinates, counted from the start of each patch's box."""
    return places - _per_axis(torch.tensor([box.start for box in boxes]), places)


def warp(source: Tensor, places: Tensor, mode: Literal["linear", "nearest"]) -> Tensor:
    """Resample one image for each patch at the given places.

    Parameters
    ----------
    source : (n, c, [z,] y, x) float tensor
        Images, label maps or weight maps.
    places : (n, d, [z,] y, x) float tensor
        Source coordinates in pixels, inside the images; see `mirrored_inside`.
    mode : str
        ``linear`` for intensities, ``nearest`` for labels and weights.

    Returns
    -------
    (n, c, [z,] y, x) float tensor
        The patches.
    """
    scale = 2 / (torch.tensor(source.shape[2:]) - 1).clamp(min=1)
    unit = places * _per_axis(scale, places) - 1  # grid_sample's -1..1 between the outer pixels' centers
    return F.grid_sample(
        source,
        unit.flip(1).movedim(1, -1),
        mode="bilinear" if mode == "linear" else mode,
        padding_mode="border",
        align_corners=True,
    )


def _per_axis(values: Tensor, places: Tensor) -> Tensor:
    """(d,) or (n, d) values, to be combined with (n, d, ...) places."""
    return values.to(places).reshape(*values.shape, *(1,) * (places.ndim - 2))


def _enlarge(field: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Interpolate an (n, d, ...) field cubically, axis by axis; corner points stay where they are."""
    for n in shape:  # the first axis that is still coarse becomes the last
        field = torch.tensordot(field, _cubic(field.shape[2], n, field.device), dims=([2], [1]))
    return field


@cache
def _cubic(points: int, n: int, device: torch.device) -> Tensor:
    """(n, points) weights of a coarse axis's points."""
    one = torch.eye(points, device=device)[None, None]
    return F.interpolate(one, size=(n, points), mode="bicubic", align_corners=True)[0, 0]
