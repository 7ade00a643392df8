"""What values stand in masks, one file at a time, and what they look like taken together."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label

Number = TypeVar("Number", bound=np.generic)
Kind = Literal["gray", "red", "color"]

END = 0.12  # of the range: JPEG ringing at the usual qualities stays within it
FEW_EXTRA = 0.01  # of the foreground: fewer strange pixels than that are accidents
MIN_SPAN = 16  # a smaller range leaves no room for interpolated levels
FEW_LEVELS = 8
MANY_CLASSES = 20  # more values than that, and they are objects
MAX_LISTED = 4096  # distinct values kept per file
MOST_COUNTED = 1 << 17  # range of values that are counted in a table rather than sorted
MOST_VOXELS = 1 << 22  # pieces and edges of larger volumes are looked at in a thinned copy
MOST_PIXELS = 1 << 24  # the same for flat images
FEW_OBJECTS = 4  # a volume of fewer values shows organs
ALIKE = 4  # at most so many times larger is a large object than a small one (upper and lower quartile)


@dataclass(frozen=True, eq=False)
class Survey:
    """The values of one mask.

    Attributes
    ----------
    kind : str
        ``gray``: one value per pixel. ``red``: RGB, but green and blue are zero. ``color``: RGB.
    values, counts : (n,) int64 arrays
        Distinct values in order, and how many pixels have them; a color as the number 0xRRGGBB.
    n_pieces, n_touching : (n,) int64 arrays
        Connected pieces per value, and how many of them touch a smaller value other than 0. All zero for
        masks of two values, and the latter for volumes and for more than eight values.
    n_between, n_thick : int
        Pixels between the two ends of the range, and those left of them after eroding twice.
    is_volume : bool
        Whether the mask has three axes.
    """

    kind: Kind
    values: NDArray[np.int64]
    counts: NDArray[np.int64]
    n_pieces: NDArray[np.int64]
    n_touching: NDArray[np.int64]
    n_between: int = 0
    n_thick: int = 0
    is_volume: bool = False


class Tally(NamedTuple):
    """How many pixels have each value, over all masks."""

    values: NDArray[np.int64]
    counts: NDArray[np.int64]


def survey_mask(mask: NDArray[np.integer]) -> Survey:
    """Count the values of one mask, ([z,] y, x) or (y, x, 3).

    All values are counted. Pieces and edges of a volume of more than four million voxels, or of a flat image
    of four times as many pixels, are looked at in every second slice, row or column, as often as needed:
    which is enough to tell objects from organs.
    """
    kind, codes = _as_codes(mask)
    values, counts = count_values(codes)
    nothing = np.zeros(len(values), np.int64)
    is_volume = codes.ndim == 3
    if len(values) <= 2:
        return Survey(kind, values, counts, nothing, nothing, is_volume=is_volume)
    n_all, codes = codes.size, _thinned(codes, MOST_VOXELS if is_volume else MOST_PIXELS)
    gray = codes >> 16 if kind == "red" else codes
    n_between, n_thick = (0, 0) if kind == "color" else _between(gray, n_all / codes.size)
    n_touching = nothing if is_volume else _touching(gray, values if kind == "gray" else values >> 16)
    n_pieces = _count_pieces(codes, values)
    return Survey(kind, values, counts, n_pieces, n_touching, n_between, n_thick, is_volume)


def is_color(mask: NDArray[np.integer]) -> bool:
    """Whether a mask is (y, x, 3) colors rather than a (z, y, x) volume, see `as_volume`."""
    return mask.ndim == 3 and mask.shape[-1] == 3 and mask.dtype.kind == "u" and mask.dtype.itemsize <= 2


def as_volume(values: NDArray[np.integer]) -> NDArray[np.integer]:
    """See to it that a volume three voxels wide is not taken for colors: those are unsigned."""
    return values.astype(np.int64) if is_color(values) else values


def count_values(codes: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count distinct values plane by plane, in little memory; of very many the most frequent.

    Returns
    -------
    (n,) int64 array, (n,) int64 array
        Values in order, and the number of pixels that have them; at most 4096.
    """
    low, high = (int(codes.min()), int(codes.max())) if codes.size else (0, -1)
    ends = [sum(int(np.count_nonzero(plane == end)) for plane in planes(codes)) for end in (low, high)]
    if low < high and sum(ends) == codes.size:  # nearly every mask; much faster than the rest
        return np.array([low, high], np.int64), np.array(ends, np.int64)
    if high - low < MOST_COUNTED:
        table = np.zeros(high - low + 1, np.int64)
        for plane in planes(codes):
            table += np.bincount(plane.astype(np.int64).ravel() - low, minlength=len(table))
        values = np.flatnonzero(table)
        values, counts = values + low, table[values]
    else:
        values, counts = _sorted_out(codes)
    kept = np.sort(np.argsort(-counts, kind="stable")[:MAX_LISTED])
    return values[kept], counts[kept]


def planes(values: NDArray[Number]) -> Iterable[NDArray[Number]]:
    """Give a volume plane by plane, and a flat image in bands of rows; views."""
    if values.ndim == 3:
        return values
    n_rows = max(MOST_VOXELS // max(values.shape[-1], 1), 1)
    return [values[start : start + n_rows] for start in range(0, len(values), n_rows)]


def color_codes(mask: NDArray[np.integer]) -> NDArray[np.integer]:
    """Write each color of a (y, x, 3) mask as the number 0xRRGGBB."""
    codes: NDArray[np.integer] = mask[..., 0].astype(np.int32 if mask.dtype.itemsize == 1 else np.int64)
    for k in (1, 2):
        codes = codes << 8 | mask[..., k]
    return codes


def connected_pieces(values: NDArray[np.integer | np.bool_]) -> NDArray[np.int32]:
    """Number the pieces of equal value that touch, also at corners; 0 stays 0."""
    pieces: NDArray[np.integer] = label(values, background=0, connectivity=values.ndim)
    return pieces.astype(np.int32)


def common_kind(surveys: Sequence[Survey]) -> Kind:
    """Say how all masks together are to be read; black files fit every kind."""
    kinds = {one.kind for one in surveys if one.values.any()}
    if len(kinds) <= 1:
        return next(iter(kinds), "gray")
    return "color"


def tally(surveys: Sequence[Survey], kind: Kind) -> Tally:
    """Add up the counts of all masks, read as `kind`."""
    total: Counter[int] = Counter()
    for one in surveys:
        for value, count in zip(read_as(one, kind), one.counts.tolist(), strict=True):
            total[value] += count
    values = sorted(total)
    return Tally(np.array(values, np.int64), np.array([total[value] for value in values], np.int64))


def read_as(one: Survey, kind: Kind) -> list[int]:
    """List the values of a mask in the terms of all masks together."""
    if one.kind == "red" and kind == "red":
        return [int(value) >> 16 for value in one.values]
    if one.kind == "gray" and kind == "color":
        return [int(value) * 0x010101 for value in one.values]
    return [int(value) for value in one.values]


def looks_interpolated(surveys: Sequence[Survey], total: Tally) -> bool:
    """Say whether gray masks are two-class ones with soft edges or JPEG noise.

    They are where the strange values are very few, or many and nowhere but along thin edges.
    """
    low, high = int(total.values[0]), int(total.values[-1])
    span = high - low
    extra = int(total.counts[1:-1].sum())
    if span < MIN_SPAN:
        return False
    if len(total.values) - 2 < FEW_LEVELS:
        return extra <= FEW_EXTRA * int(total.counts[-1])
    wide = [one for one in surveys if _span(one) >= span / 2]
    flat = [one for one in surveys if 0 < _span(one) < span / 2]
    n_between, n_thick = (sum(getattr(one, name) for one in wide) for name in ("n_between", "n_thick"))
    n_high = int(total.counts[total.values >= high - END * span].sum())
    at_ends = all(one.values[-1] <= low + END * span or one.values[0] >= high - END * span for one in flat)
    return at_ends and n_between <= 2 * n_high and n_thick <= 0.1 * n_between


def looks_like_instances(surveys: Sequence[Survey], total: Tally) -> bool:
    """Say whether every object has its own value, rather than every class.

    In flat images it shows in the pieces: a class has many, an object one. In volumes an organ has one too,
    so that there objects must also be more than a few, of much the same size, and either numbered through
    or other ones in every file.
    """
    used = [one for one in surveys if one.values.any()]
    values = [one.values[one.values != 0] for one in used]
    n_single = sum(int((_pieces(one) == 1).sum()) for one in used)
    single = n_single / max(sum(map(len, values)), 1)
    n_values = len(total.values[total.values != 0])
    repeated = sum(map(len, values)) / max(n_values * len(used), 1)  # mean share of files with a value
    most = max(map(len, values), default=0)
    varying = len({len(one) for one in values}) > 1
    numbered = all(np.array_equal(one, np.arange(1, len(one) + 1)) for one in values)
    if any(one.is_volume for one in used):
        changing = repeated < 0.5 or (numbered and (varying or n_values > MANY_CLASSES))
        return changing and single >= 0.6 and most > FEW_OBJECTS and _alike(used)
    if n_values > MANY_CLASSES:
        return single >= 0.6 or repeated < 0.5
    if single >= 0.9 and (
        (numbered and ((varying and most > 2) or most >= 10)) or (repeated < 0.5 and most > 2)
    ):
        return True
    return n_values <= FEW_LEVELS and _looks_colored_to_touch(used, total)


def _alike(surveys: Sequence[Survey]) -> bool:
    """Say whether most objects are of similar size, as cells are and organs are not."""
    sizes = np.concatenate([one.counts[one.values != 0] for one in surveys])
    small, large = np.quantile(sizes, (0.25, 0.75))
    return bool(large <= ALIKE * small)


def _looks_colored_to_touch(surveys: Sequence[Survey], total: Tally) -> bool:
    """Say whether a few values merely keep touching objects apart, as in BBBC039.

    Value 1 is then by far the most common among many objects, each further value is rarer, and (nearly)
    every object that has one touches an object of a smaller value.
    """
    values = total.values[total.values != 0]
    if len(values) < 2 or not np.array_equal(values, np.arange(1, len(values) + 1)):
        return False
    pieces, touching = np.zeros(len(values) + 1), np.zeros(len(values) + 1)
    for one in surveys:
        gray = one.values >> 16 if one.kind == "red" else one.values
        # a mask of two values was not taken apart: it adds at least one object
        np.add.at(pieces, gray, np.maximum(one.n_pieces, one.values != 0))
        np.add.at(touching, gray, one.n_touching)
    rarer = bool((pieces[1:-1] >= 2 * pieces[2:]).all())
    return rarer and pieces[1] >= 5 * len(surveys) and touching[2:].sum() >= 0.6 * pieces[2:].sum()


def _as_codes(mask: NDArray[np.integer]) -> tuple[Kind, NDArray[np.integer]]:
    if not is_color(mask):
        return "gray", mask
    if np.array_equal(mask[..., 0], mask[..., 1]) and np.array_equal(mask[..., 0], mask[..., 2]):
        return "gray", mask[..., 0]
    return ("color" if mask[..., 1:].any() else "red"), color_codes(mask)


def _sorted_out(codes: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Count far-apart values."""
    total: Counter[int] = Counter()
    for plane in planes(codes):
        values, counts = np.unique(plane, return_counts=True)
        total.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
    listed = sorted(total)
    return np.array(listed, np.int64), np.array([total[value] for value in listed], np.int64)


def _thinned(codes: NDArray[np.integer], most: int) -> NDArray[np.integer]:
    """Leave out every second plane or row across the longest axis, until few pixels are left."""
    while codes.size > most:
        axis = int(np.argmax(codes.shape))
        codes = codes[tuple(slice(None, None, 2 if k == axis else 1) for k in range(codes.ndim))]
    return np.ascontiguousarray(codes)


def _count_pieces(codes: NDArray[np.integer], values: NDArray[np.int64]) -> NDArray[np.int64]:
    pieces = connected_pieces(codes)
    value_of = np.zeros(int(pieces.max()) + 1, np.int64)
    value_of[pieces.ravel()] = codes.ravel()  # all pixels of a piece say the same
    seen, n = np.unique(value_of[1:], return_counts=True)
    n_pieces = np.zeros(len(values), np.int64)
    listed = np.isin(seen, values)
    n_pieces[np.searchsorted(values, seen[listed])] = n[listed]
    return n_pieces


def _between(gray: NDArray[np.integer], scale: float) -> tuple[int, int]:
    low, high = int(gray.min()), int(gray.max())
    margin = END * (high - low)
    between = ((gray > low + margin) & (gray < high - margin)).view(np.uint8)
    thick = ndimage.minimum_filter(between, 5, mode="constant", cval=1)  # eroded twice by a cube of 3
    return round(np.count_nonzero(between) * scale), round(np.count_nonzero(thick) * scale)


def _touching(gray: NDArray[np.integer], values: NDArray[np.int64]) -> NDArray[np.int64]:
    touching = np.zeros(len(values), np.int64)
    if values[-1] <= FEW_LEVELS:
        for k, value in enumerate(values):
            if value > 1:
                pieces = connected_pieces(gray == value)
                near = ndimage.binary_dilation((gray > 0) & (gray < value), np.ones((3, 3), bool))
                touching[k] = np.count_nonzero(np.unique(pieces[near]))
    return touching


def _span(one: Survey) -> int:
    return int(one.values[-1] - one.values[0])


def _pieces(one: Survey) -> NDArray[np.int64]:
    """Pieces of every value but 0; masks of two values were not taken apart and count as one piece."""
    pieces: NDArray[np.int64] = np.maximum(one.n_pieces, 1)[one.values != 0]
    return pieces
