"""Augmentation: first drawn into a small record, then applied; reproducible, testable, showable."""

import math
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Generator, Tensor
from torch.nn import functional as F

from seglet.core.config import Config
from seglet.patches.warp import SpatialDraw

Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]


class AugmentConfig(Config):
    """How strongly patches are changed; everything is drawn independently for every patch.

    Attributes
    ----------
    rotation : float
        Largest rotation to either side, in degrees.
    flip : float
        Probability of mirroring, for each axis.
    scale : (float, float)
        Smallest and largest zoom; above 1 objects look larger.
    shift : float
        Largest shift of the patch's center, in pixels.
    elastic : float
        Standard deviation of the displacements on the coarse grid, in pixels.
    elastic_grid : int
        Points of the coarse grid along each axis.
    probability : float
        Share of patches that rotation, scale and elastic deformation are applied to, and, independently,
        of patches that each intensity change is applied to.
    brightness : float
        Standard deviation of the added value, in standard deviations of the image; per channel.
    contrast : (float, float)
        Range of the factor; per channel.
    gamma : (float, float)
        Range of the exponent on intensities scaled to 0..1.
    noise : float
        Largest standard deviation of Gaussian noise, in standard deviations of the image.
    blur : float
        Largest standard deviation of the Gaussian blur, in pixels.
    """

    rotation: Annotated[float, Field(ge=0, le=180)] = 180.0
    flip: Share = 0.5
    scale: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (0.8, 1.25)
    shift: NotNegative = 0.0
    elastic: NotNegative = 6.0
    elastic_grid: Annotated[int, Field(ge=2)] = 4
    probability: Share = 0.5
    brightness: NotNegative = 0.2
    contrast: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (0.75, 1.33)
    gamma: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (0.7, 1.5)
    noise: NotNegative = 0.15
    blur: NotNegative = 1.0


@dataclass(frozen=True, eq=False)
class IntensityDraw:
    """What was drawn for the intensities of n patches.

    Attributes
    ----------
    brightness, contrast : (n, c) float tensors
        Added value and factor; 0 and 1 where nothing is changed.
    gamma, noise, blur : (n,) float tensors
        Exponent, and standard deviations; 1, 0 and 0 where nothing is changed.
    seed : int
        Of the noise.
    """

    brightness: Tensor
    contrast: Tensor
    gamma: Tensor
    noise: Tensor
    blur: Tensor
    seed: int

    def to(self, device: torch.device) -> "IntensityDraw":
        """The same draw on another device."""
        b, c, g, n, s = (
            t.to(device) for t in (self.brightness, self.contrast, self.gamma, self.noise, self.blur)
        )
        return IntensityDraw(b, c, g, n, s, self.seed)


def draw_spatial(center: Tensor, config: AugmentConfig, generator: Generator) -> SpatialDraw:
    """Draw the shape of one patch around each center.

    Parameters
    ----------
    center : (n, 2) float tensor
        Places in the images, (y, x).
    config : AugmentConfig
        How strongly.
    generator : Generator
        Where the randomness comes from.
    """
    n = len(center)
    turned, scaled, bent = (_chosen(n, config.probability, generator) for _ in range(3))
    angle = _uniform(n, (-config.rotation, config.rotation), generator) * (math.pi / 180) * turned
    low, high = (math.log(s) for s in config.scale)
    zoom = torch.exp(_uniform(n, (low, high), generator) * scaled)
    flip = 1 - 2 * (torch.rand(n, 2, generator=generator) < config.flip).float()
    cos, sin = torch.cos(angle), torch.sin(angle)
    rotation = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
    grid = (n, 2, config.elastic_grid, config.elastic_grid)
    elastic = config.elastic * torch.randn(grid, generator=generator) * bent[:, None, None, None]
    shift = _uniform((n, 2), (-config.shift, config.shift), generator)
    return SpatialDraw(center + shift, rotation * flip[:, None, :] / zoom[:, None, None], elastic)


def draw_intensity(n: int, n_channels: int, config: AugmentConfig, generator: Generator) -> IntensityDraw:
    """Draw the intensity changes of n patches."""
    share = config.probability
    contrast = torch.exp(_uniform((n, n_channels), tuple(map(math.log, config.contrast)), generator))
    brightness = config.brightness * torch.randn(n, n_channels, generator=generator)
    shared = [_chosen(n, share, generator) for _ in range(5)]
    return IntensityDraw(
        brightness=brightness * shared[0][:, None],
        contrast=1 + (contrast - 1) * shared[1][:, None],
        gamma=torch.exp(_uniform(n, tuple(map(math.log, config.gamma)), generator) * shared[2]),
        noise=_uniform(n, (0, config.noise), generator) * shared[3],
        blur=_uniform(n, (0, config.blur), generator) * shared[4],
        seed=int(torch.randint(2**31, (1,), generator=generator)),
    )


def apply_intensity(images: Tensor, draw: IntensityDraw) -> Tensor:
    """Change the intensities of a batch as drawn: blur, gamma, contrast, brightness, noise.

    Parameters
    ----------
    images : (n, c, y, x) float tensor
        Normalized patches.
    draw : IntensityDraw
        What was drawn.
    """
    images = _change_gamma(_blur(images, draw.blur), draw.gamma)
    mean = images.mean(dim=(2, 3), keepdim=True)
    images = (images - mean) * draw.contrast[..., None, None] + mean + draw.brightness[..., None, None]
    generator = Generator(device=images.device).manual_seed(draw.seed)
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return images + noise * draw.noise[:, None, None, None]


def _change_gamma(images: Tensor, gamma: Tensor) -> Tensor:
    low = images.amin(dim=(2, 3), keepdim=True)
    span = (images.amax(dim=(2, 3), keepdim=True) - low).clamp(min=1e-6)
    return ((images - low) / span).clamp(0, 1) ** gamma[:, None, None, None] * span + low


def _blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of every patch with its own width; patches with width 0 are left alone."""
    chosen = sigma > 0.1  # px; below that a Gaussian is a single pixel
    if not bool(chosen.any()):
        return images
    n, c, y, x = (blurred := images[chosen]).shape
    radius = min(math.ceil(3 * float(sigma.max())), y - 1, x - 1)
    steps = torch.arange(-radius, radius + 1, device=images.device)
    kernel = torch.exp(-(steps**2) / (2 * sigma[chosen, None] ** 2))
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(c, 0)[:, None]
    rows = F.pad(blurred.reshape(1, n * c, y, x), (radius,) * 4, mode="reflect")
    rows = F.conv2d(rows, kernel[..., None], groups=n * c)
    blurred = F.conv2d(rows, kernel[:, :, None], groups=n * c).reshape(n, c, y, x)
    return images.index_put((chosen,), blurred)


def _uniform(size: int | tuple[int, ...], bounds: tuple[float, ...], generator: Generator) -> Tensor:
    low, high = bounds
    return low + (high - low) * torch.rand(size, generator=generator)


def _chosen(n: int, share: float, generator: Generator) -> Tensor:
    return (torch.rand(n, generator=generator) < share).float()
