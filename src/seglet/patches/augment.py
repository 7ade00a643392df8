"""Augmentation: first drawn into a small record, then applied; reproducible, testable, showable."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import torch
from pydantic import Field
from torch import Generator, Tensor
from torch.nn import functional as F

from seglet.core.config import Config
from seglet.patches.warp import SpatialDraw

Share = Annotated[float, Field(ge=0, le=1)]
NotNegative = Annotated[float, Field(ge=0)]

ROTATION, FLIP = 180.0, 0.5  # most images have no top
ORIENTED_ROTATION = 15.0  # degrees
ELASTIC = 6 / 128  # of the patch's shortest side
LEAST_BLUR = 0.1  # px; below that a Gaussian is a single pixel
TILTABLE = 1.5  # ratio of spacings; across coarser slices a tilt would mostly show interpolation


class AugmentConfig(Config):
    """How strongly patches are changed; everything is drawn independently for every patch.

    Lengths in pixels are those of the finest axis: along coarser axes displacements are as many millimeters.

    Attributes
    ----------
    rotation : float or None
        Largest rotation to either side, in degrees; of volumes within their slices. Where None, 180, and 15
        for volumes whose orientation is known: patients lie as patients lie.
    tilt : float
        Largest rotation of a volume out of its slices, in degrees; none where slices are far apart.
    flip : float or None
        Probability of mirroring, for each axis. Where None, 0.5, and 0 for volumes whose orientation is
        known. Where left and right are classes of their own, set it to 0.
    scale : (float, float)
        Smallest and largest zoom; above 1 objects look larger.
    shift : float
        Largest shift of the patch's center, in pixels.
    elastic : float or None
        Standard deviation of the displacements on the coarse grid, in pixels. Where None, 6 for a patch of
        128 pixels and in proportion for others.
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
    channel_dropout : float
        Probability of each channel to be zeroed in a patch (the mean, where images are standardized), so that
        the network learns to do without a modality; at least one is left, the only one of gray images always.
    """

    rotation: Annotated[float, Field(ge=0, le=180)] | None = None
    tilt: Annotated[float, Field(ge=0, le=180)] = 15.0
    flip: Share | None = None
    scale: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (0.8, 1.25)
    shift: NotNegative = 0.0
    elastic: NotNegative | None = None
    elastic_grid: Annotated[int, Field(ge=2)] = 4
    probability: Share = 0.5
    brightness: NotNegative = 0.2
    contrast: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (0.75, 1.33)
    gamma: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (0.7, 1.5)
    noise: NotNegative = 0.15
    blur: NotNegative = 1.0
    channel_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    def settled(
        self, patch_size: tuple[int, ...], *, is_oriented: bool, spacing: tuple[float, ...] | None = None
    ) -> "AugmentConfig":
        """The same with everything said that was left open; `spacing` as in `draw_spatial`."""
        pitch = spacing or (1.0,) * len(patch_size)
        shortest = min(n * step / min(pitch) for n, step in zip(patch_size, pitch, strict=True))
        chosen = {
            "rotation": ORIENTED_ROTATION if is_oriented else ROTATION,
            "flip": 0.0 if is_oriented else FLIP,
            "elastic": round(ELASTIC * shortest, 3),
        }
        opened = {name: value for name, value in chosen.items() if getattr(self, name) is None}
        return self.model_copy(update=opened)


@dataclass(frozen=True, eq=False)
class IntensityDraw:
    """What was drawn for the intensities of n patches.

    Attributes
    ----------
    brightness, contrast : (n, c) float tensors
        Added value and factor; 0 and 1 where nothing is changed.
    gamma, noise, blur : (n,) float tensors
        Exponent, and standard deviations; 1, 0 and 0 where nothing is changed.
    kept : (n, c) float tensor
        1, and 0 for channels that are zeroed.
    seed : int
        Of the noise.
    """

    brightness: Tensor
    contrast: Tensor
    gamma: Tensor
    noise: Tensor
    blur: Tensor
    kept: Tensor
    seed: int


def draw_spatial(
    center: Tensor, config: AugmentConfig, generator: Generator, spacing: tuple[float, ...] | None = None
) -> SpatialDraw:
    """Draw the shape of one patch around each center.

    Parameters
    ----------
    center : (n, d) float tensor
        Places in the images, ([z,] y, x).
    config : AugmentConfig
        How strongly, settled.
    generator : Generator
        Where the randomness comes from.
    spacing : tuple of float or None
        Distance between pixels along each axis, in any unit; equal where None.
    """
    n, d = center.shape
    pitch = torch.tensor(spacing or (1.0,) * d)
    pitch = pitch / pitch.min()
    turned, scaled, bent = (_chosen(n, config.probability, generator) for _ in range(3))
    low, high = (math.log(s) for s in config.scale)
    zoom = torch.exp(_uniform(n, (low, high), generator) * scaled)
    flip = 1 - 2 * (torch.rand(n, d, generator=generator) < (config.flip or 0)).float()
    rotation = torch.eye(d).repeat(n, 1, 1)
    for plane, most in _planes(pitch, config):
        angle = _uniform(n, (-most, most), generator) * (math.pi / 180) * turned
        rotation = rotation @ _turn(angle, plane, d)
    rotation = rotation * pitch / pitch[:, None]  # a turn of millimeters, written in pixels
    grid = (n, d) + (config.elastic_grid,) * d
    bent = bent * (config.elastic or 0)
    elastic = torch.randn(grid, generator=generator) * bent.reshape(n, *(1,) * (d + 1))
    shift = _uniform((n, d), (-config.shift, config.shift), generator)
    return SpatialDraw(
        center + shift / pitch,
        rotation * flip[:, None, :] / zoom[:, None, None],
        elastic / pitch.reshape(d, *(1,) * d),
    )


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
        kept=_draw_kept(n, n_channels, config.channel_dropout, generator),
    )


def apply_intensity(images: Tensor, draw: IntensityDraw) -> Tensor:
    """Change the intensities of a batch as drawn: blur, gamma, contrast, brightness, noise, lost channels.

    Parameters
    ----------
    images : (n, c, [z,] y, x) float tensor
        Normalized patches.
    draw : IntensityDraw
        What was drawn, on the CPU: changes are made to the patches alone that they were drawn for, which then
        can be seen without waiting for the device.

    Returns
    -------
    (n, c, [z,] y, x) float tensor
        `images` itself where nothing is changed.
    """
    blurred, bent, noisy = draw.blur > LEAST_BLUR, draw.gamma != 1, draw.noise > 0
    stretched, lost = (draw.contrast != 1) | (draw.brightness != 0), draw.kept == 0
    if not any(bool(each.any()) for each in (blurred, bent, stretched, noisy, lost)):
        return images
    changed = images.clone()
    _change(changed, blurred, draw.blur, _blur)
    _change(changed, bent, draw.gamma, _bend)
    if bool(stretched.any()):
        _stretch(changed, draw.contrast, draw.brightness)
    _change(changed, noisy, draw.noise, partial(_add_noise, seed=draw.seed))
    return changed.mul_(_per_patch(draw.kept, changed)) if bool(lost.any()) else changed


def _planes(pitch: Tensor, config: AugmentConfig) -> Iterator[tuple[tuple[int, int], float]]:
    """The planes that patches are turned in, and by how many degrees at most."""
    if len(pitch) == 2:
        yield (0, 1), config.rotation or 0
        return
    through = int(pitch.argmax())  # the axis that slices are stacked along; the first of equal ones
    a, b = (axis for axis in range(3) if axis != through)
    yield (a, b), config.rotation or 0
    if float(pitch.max()) <= TILTABLE:
        yield (through, a), config.tilt
        yield (through, b), config.tilt


def _turn(angle: Tensor, plane: tuple[int, int], d: int) -> Tensor:
    """(n, d, d) rotations by n angles in the plane of two axes."""
    a, b = plane
    matrix = torch.eye(d).repeat(len(angle), 1, 1)
    matrix[:, a, a] = matrix[:, b, b] = torch.cos(angle)
    matrix[:, b, a] = torch.sin(angle)
    matrix[:, a, b] = -matrix[:, b, a]
    return matrix


def _draw_kept(n: int, n_channels: int, dropout: float, generator: Generator) -> Tensor:
    """(n, c), 0 for channels that are lost; where all would be, one is left."""
    kept = (torch.rand(n, n_channels, generator=generator) >= dropout).float()
    last = F.one_hot(torch.randint(n_channels, (n,), generator=generator), n_channels)
    return torch.where(kept.any(1, keepdim=True), kept, last.float())


def _change(
    images: Tensor, chosen: Tensor, values: Tensor, change: Callable[[Tensor, Tensor], Tensor]
) -> None:
    """Change the chosen patches of a batch in place, each by its own value; `values` are on the CPU."""
    if bool(chosen.any()):
        which = chosen.nonzero()[:, 0]
        there = which.to(images.device)
        images.index_copy_(0, there, change(images.index_select(0, there), values[which]))


def _bend(images: Tensor, gamma: Tensor) -> Tensor:
    pixels = tuple(range(2, images.ndim))
    low = images.amin(dim=pixels, keepdim=True)
    span = (images.amax(dim=pixels, keepdim=True) - low).clamp_(min=1e-6)
    return images.sub_(low).div_(span).pow_(_per_patch(gamma, images)).mul_(span).add_(low)


def _stretch(images: Tensor, contrast: Tensor, brightness: Tensor) -> None:
    """Change the contrast of a batch around its mean, then its brightness, in place."""
    mean = images.mean(dim=tuple(range(2, images.ndim)), keepdim=True)
    factor = _per_patch(contrast, images)
    images.mul_(factor).add_(mean * (1 - factor) + _per_patch(brightness, images))


def _add_noise(images: Tensor, sigma: Tensor, seed: int) -> Tensor:
    generator = Generator(device=images.device).manual_seed(seed)
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return images.addcmul_(noise, _per_patch(sigma, images))


def _per_patch(values: Tensor, images: Tensor) -> Tensor:
    """(n,) or (n, c) values, to be multiplied with (n, c, [z,] y, x) images."""
    return values.to(images.device).reshape(*values.shape, *(1,) * (images.ndim - values.ndim))


def _blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of every patch with its own width."""
    for axis in range(2, images.ndim):
        images = _blur_axis(images, sigma, axis)
    return images


def _blur_axis(images: Tensor, sigma: Tensor, axis: int) -> Tensor:
    """Sum of shifted copies: the kernels are so short that no convolution is faster."""
    extent = images.shape[axis]
    radius = min(math.ceil(3 * float(sigma.max())), extent - 1)
    heights = torch.exp(-(torch.arange(radius + 1) ** 2) / (2 * sigma[:, None] ** 2))
    heights = heights / (2 * heights.sum(1, keepdim=True) - 1)  # of both sides; in the middle, 1
    around = [(radius, radius) if which == axis else (0, 0) for which in range(images.ndim - 1, 1, -1)]
    padded = F.pad(images, sum(around, ()), mode="reflect")
    middle, *sides = (_per_patch(height, images) for height in heights.unbind(1))
    blurred = images * middle
    for away, height in enumerate(sides, start=1):
        before, after = (padded.narrow(axis, radius + step, extent) for step in (-away, away))
        blurred.addcmul_(before + after, height)
    return blurred


def _uniform(size: int | tuple[int, ...], bounds: tuple[float, ...], generator: Generator) -> Tensor:
    low, high = bounds
    return low + (high - low) * torch.rand(size, generator=generator)


def _chosen(n: int, share: float, generator: Generator) -> Tensor:
    return (torch.rand(n, generator=generator) < share).float()
