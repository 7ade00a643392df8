"""Deep supervision: the truth at the sizes of a network's coarser outputs."""

from collections.abc import Sequence

from torch import Tensor

from seglet.core.errors import GeometryError


def level_factors(n: int) -> tuple[float, ...]:
    """What each output counts: half of the one before it.

    Parameters
    ----------
    n : int
        Outputs, 1 or more.

    Returns
    -------
    tuple of float
        Finest first; 1 in all.

    References
    ----------
    .. [1] Isensee et al., "nnU-Net", Nature Methods 2021.
    """
    total = 2 - 2.0 ** (1 - n)
    return tuple(2.0**-level / total for level in range(n))


def at_size(values: Tensor, size: Sequence[int]) -> Tensor:
    """Take the middle pixel of each cell, the earlier one where two are.

    Nearest, not mean: labels, and pixels left out, have nothing in between.

    Parameters
    ----------
    values : (n, [z,] y, x) tensor
        Labels, weights or distances.
    size : ([z,] y, x)
        Cells along each axis.

    Returns
    -------
    (n, [z,] y, x) tensor
        Of that size; a view.

    Raises
    ------
    GeometryError
        If an extent of `values` is no whole multiple of that of `size`.
    """
    there = tuple(values.shape[1:])
    if len(there) != len(size) or any(a % b for a, b in zip(there, size, strict=True)):
        raise GeometryError(
            "deep supervision",
            found=f"an output of {tuple(size)} pixels for a truth of {there}",
            expected="extents that divide those of the truth",
            remedy="Choose a patch size that every level divides, or leave deep supervision out.",
        )
    factors = [a // b for a, b in zip(there, size, strict=True)]
    return values[(slice(None), *(slice((factor - 1) // 2, None, factor) for factor in factors))]
