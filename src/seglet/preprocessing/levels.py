"""Decide: the extent of a patch, and along which axes each level of the network halves and looks."""

from math import ceil, prod

from seglet.preprocessing.target import Target

PATCH = 128  # px; shows a vessel's or cell's surroundings, and many patches fit a minute
PATCH_VOXELS = (
    48**3
)  # two such patches cost a CPU a few times a step of flat ones; more would leave few steps
BYTES_PER_VALUE = 4
ACTIVATIONS_PER_CONVOLUTION = 3  # output, normalized, gradient
MIN_BOTTOM = 4  # px, of the coarsest level; fewer are mostly padding
MAX_RATIO = 2  # of an axis' spacing to the finest; beyond it, neighbors are too far apart to be mixed

PerLevel = tuple[tuple[int, ...], ...]


def wished_sides(target: Target) -> tuple[float, ...]:
    """Sides of a patch before they are rounded to what the network can halve.

    Flat patches are squares. Patches of volumes have equal sides in millimeters, `PATCH_VOXELS` in all; what
    a thin axis leaves goes to the others.
    """
    if len(target.extent) == 2:
        return tuple(min(PATCH, n) for n in target.extent)
    sides = [float(n) for n in target.extent]
    free = set(range(len(sides)))
    while free:
        fixed = prod(side for axis, side in enumerate(sides) if axis not in free)
        volume = PATCH_VOXELS / fixed * prod(target.steps[axis] for axis in free)
        side = volume ** (1 / len(free))
        full = {axis for axis in free if target.extent[axis] <= side / target.steps[axis]}
        if not full:
            for axis in free:
                sides[axis] = side / target.steps[axis]
            break
        free -= full
    return tuple(sides)


def choose_levels(
    sides: tuple[float, ...], steps: tuple[float, ...], n_levels: int
) -> tuple[PerLevel, PerLevel]:
    """Choose the strides between levels and the kernels at each of them.

    Flat images are halved at each level along both axes. Of a volume the finer axes are halved first, until
    the spacing is about the same along all; and convolutions look along an axis once its spacing is within
    `MAX_RATIO` of the finest.

    Parameters
    ----------
    sides : tuple of float
        Of a patch.
    steps : tuple of float
        Spacing along each axis.
    n_levels : int
        Of the network.

    Returns
    -------
    strides : tuple of tuple of int
        1 or 2 per axis, one entry per step down.
    kernels : tuple of tuple of int
        1 or 3 per axis, one entry per level.
    """
    n_axes = len(sides)
    if n_axes == 2:
        return ((2, 2),) * (n_levels - 1), ((3, 3),) * n_levels
    strides: list[tuple[int, ...]] = []
    kernels: list[tuple[int, ...]] = []
    looked_along = [False] * n_axes
    for _ in range(n_levels):
        near = [step <= MAX_RATIO * min(steps) for step in steps]
        looked_along = [a or b for a, b in zip(looked_along, near, strict=True)]
        kernels.append(tuple(3 if looked else 1 for looked in looked_along))
        can = [side >= 2 * MIN_BOTTOM for side in sides]
        finest = min((step for step, yes in zip(steps, can, strict=True) if yes), default=0)
        stride = tuple(
            2 if yes and step < MAX_RATIO * finest else 1 for step, yes in zip(steps, can, strict=True)
        )
        strides.append(stride)
        sides = tuple(side / s for side, s in zip(sides, stride, strict=True))
        steps = tuple(step * s for step, s in zip(steps, stride, strict=True))
    return tuple(strides[:-1]), tuple(kernels)


def total_stride(strides: PerLevel, n_axes: int) -> tuple[int, ...]:
    """By what the coarsest level is smaller than the input, per axis."""
    return tuple(prod(stride[axis] for stride in strides) for axis in range(n_axes))


def fit_sides(sides: tuple[float, ...], extent: tuple[int, ...], strides: PerLevel) -> tuple[int, ...]:
    """The sides nearest to `sides` that the network can halve.

    A volume's side as long as the median volume's `extent` is rounded up, so that all of it is seen at once.
    """
    fitting = []
    for side, n, multiple in zip(sides, extent, total_stride(strides, len(sides)), strict=True):
        whole = ceil if len(sides) == 3 and side == n else round
        fitting.append(max(multiple, whole(side / multiple) * multiple))
    return tuple(fitting)


def patch_memory(patch: tuple[int, ...], channels: tuple[int, ...], strides: PerLevel) -> int:
    """Bytes that one patch of a training step takes in a U-Net of these widths: its activations."""
    pixels = [prod(patch) / prod(total_stride(strides[:level], len(patch))) for level in range(len(channels))]
    convolutions = sum(4 * width * n for width, n in zip(channels, pixels, strict=True))
    return int(convolutions * ACTIVATIONS_PER_CONVOLUTION * BYTES_PER_VALUE)
