"""Dense coordinate fields: rotation, scale, shift, flip and elastic deformation fused into one resampling."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True, eq=False)
class SpatialDraw:
    """What was drawn for the shape of n patches; all in pixels of the source image.

    Attributes
    ----------
    center : (n, 2) float tensor
        Place of the patch's center in its image, (y, x).
    matrix : (n, 2, 2) float tensor
        From offsets in the patch to offsets in the image: rotation, scale and flip in one.
    elastic : (n, 2, gy, gx) float tensor
        Displacements on a coarse grid over the patch, (y, x).
    """

    center: Tensor
    matrix: Tensor
    elastic: Tensor


def coordinates(draw: SpatialDraw, patch: tuple[int, int]) -> Tensor:
    """Where each pixel of each patch comes from.

    Parameters
    ----------
    draw : SpatialDraw
        What was drawn.
    patch : (y, x)
        Extent of the patch.

    Returns
    -------
    (n, y, x, 2) float tensor
        Source coordinates in pixels, (y, x); the elastic field is interpolated bicubically.
    """
    axes = [torch.arange(n, device=draw.center.device) - (n - 1) / 2 for n in patch]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    straight = torch.einsum("n a b, y x b -> n y x a", draw.matrix, offsets) + draw.center[:, None, None]
    bent = F.interpolate(draw.elastic, size=patch, mode="bicubic", align_corners=True)
    return straight + bent.movedim(1, -1)


def warp(source: Tensor, places: Tensor, mode: Literal["bilinear", "nearest"]) -> Tensor:
    """Resample one image at the given places, mirrored beyond its borders.

    Parameters
    ----------
    source : (c, y, x) float tensor
        One image, label map or weight map.
    places : (y, x, 2) float tensor
        Source coordinates in pixels, (y, x).
    mode : str
        ``bilinear`` for intensities, ``nearest`` for labels and weights.

    Returns
    -------
    (c, y, x) float tensor
        The patch.
    """
    extent = torch.tensor(source.shape[1:], device=places.device)
    unit = 2 * places / (extent - 1).clamp(min=1) - 1  # grid_sample's -1..1 between the outer pixels' centers
    patch = F.grid_sample(
        source[None], unit.flip(-1)[None], mode=mode, padding_mode="reflection", align_corners=True
    )
    return patch[0]
