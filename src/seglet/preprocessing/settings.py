"""What a recipe says of the plan."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from seglet.core.config import Config
from seglet.preprocessing.intensity import Color, Normalization
from seglet.preprocessing.target import Mode, Own

Positive = Annotated[int, Field(gt=0)]
Distance = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Widths = Annotated[tuple[Positive, ...], Field(min_length=1)]
Extent = Annotated[tuple[Positive, ...], Field(min_length=2, max_length=3)]
Spacing = Annotated[tuple[Distance, ...], Field(min_length=2, max_length=3)]
Reading = Literal["memory", "disk"]
Strides = tuple[tuple[Literal[1, 2], ...], ...]
Kernels = tuple[tuple[Literal[1, 3], ...], ...]


class PlanConfig(Config):
    """What a recipe says of the plan; everything left out is decided from the data.

    Attributes
    ----------
    color : str
        Channels the network sees: ``gray``, ``rgb`` or ``as_is``.
    normalization : str
        ``ct``: one scale for all images, from the foreground of the training images. Others image by image,
        see `seglet.preprocessing.intensity.measure`, and `seglet.preprocessing.contrast` for ``clahe``. A
        channel that is 0 everywhere, as a missing one, stays 0 by all but ``ct``.
    window : (low, high) or None
        For ``ct``: the Hounsfield units that are told apart, instead of those of the foreground.
    mode : str
        ``2d``: images. ``3d``: volumes by a 3D network. ``slices``: volumes by a 2D network, slice by slice;
        images are taken for slices.
    slice_axis : int
        The axis of a volume, turned upright, along which ``slices`` cuts: 0 axial, 1 coronal, 2 sagittal.
    spacing : tuple of float or "own"
        Distance of pixels that every image is resampled to, one number per axis that the network sees, in
        the unit of most training images; ``own`` leaves images as they are.
    resize : (y, x) or (z, y, x) or None
        Fixed size that every image is resized to; by default images keep their own size.
    patch_size : (y, x) or (z, y, x)
        Extent of a training patch.
    batch_size : int
        Patches in a step.
    channels : tuple of int
        Width of each level of the network, finest first.
    strides : tuple
        By what each level's input is halved along each axis: one entry per step down, 1 or 2 per axis.
    kernels : tuple
        Extent of each level's convolutions along each axis, 1 or 3.
    reading : str
        ``memory``: images are read once and kept. ``disk``: they stay there, and patches are read as they are
        needed. By default kept if they fit.
    """

    color: Color | None = None
    normalization: Normalization | None = None
    window: tuple[float, float] | None = None
    mode: Mode | None = None
    slice_axis: Annotated[int, Field(ge=0, le=2)] | None = None
    spacing: Spacing | Own | None = None
    resize: Extent | None = None
    patch_size: Extent | None = None
    batch_size: Positive | None = None
    channels: Widths | None = None
    strides: Strides | None = None
    kernels: Kernels | None = None
    reading: Reading | None = None

    @model_validator(mode="after")
    def _window_is_open(self) -> Self:
        if self.window is not None and not self.window[0] < self.window[1]:
            raise ValueError("window: the lower end first, then the higher")
        return self
