"""From probabilities to objects, of images that fit no memory: the same objects as in memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from seglet.core.errors import GeometryError, StorageError
from seglet.core.events import Event, Tell, quiet
from seglet.core.grid import Cover, Region
from seglet.postprocessing.block_labels import Canvas, label_blocks, require_numbers
from seglet.postprocessing.census import Census, Counts, join, take_census
from seglet.postprocessing.rules import are_holes, are_kept, numbering
from seglet.postprocessing.settings import DecodingConfig
from seglet.postprocessing.splitting import Planes, foreground_of, require_method, split, surroundings

BYTES_PER_PIXEL = 80  # of a component while it is split, as measured: planes, map, seeds, queue of the flood
MOST_BYTES = 2**31

Read = Callable[[Region], Planes]


@dataclass(frozen=True)
class Store:
    """Where planes come from, where objects go, and in which steps.

    Attributes
    ----------
    read : callable
        Gives the planes of a region inside the image, (planes, [z,] y, x); the same ones each time.
    canvas : Canvas
        Takes the objects, int32 ([z,] y, x), and other numbers before them; whatever stands in it is
        overwritten. Fastest where `block` is a multiple of its chunks.
    block : tuple of int
        Extent of what is read at once, in pixels.
    most_bytes : int
        Memory that a single component may take while it is split.
    """

    read: Read
    canvas: Canvas
    block: tuple[int, ...]
    most_bytes: int = MOST_BYTES

    def regions(self) -> Iterator[Region]:
        """The blocks, row by row."""
        shape = self.canvas.shape
        return (tile.within(shape) for tile in Cover(shape, self.block))


def decode_blocks(store: Store, config: DecodingConfig, tell: Tell = quiet) -> Counts:
    """Tell objects apart in an image of any size; they equal those of `decode`, whatever the blocks.

    Components are found block by block and joined where blocks meet. Each is then seen whole and split by the
    code that `decode` calls, so that no object knows of blocks. At last objects get their numbers, are read
    again and counted. Memory is that of some blocks, of the largest component, and of a table of all objects.

    Parameters
    ----------
    store : Store
        Where planes come from, and where objects go.
    config : DecodingConfig
        How, and which objects are kept.
    tell : callable
        Hears how many of the groups of components are split.

    Returns
    -------
    (n,) int64 array
        Pixels of each object, in order of their numbers.

    Raises
    ------
    GeometryError
        If a component is too large, there are too many, or the planes are those of several classes.
    ConfigError
        If the method needs a plane that is not there.
    StorageError
        If what stands in the canvas at the end is not what was decoded.
    """
    roots, components = label_blocks(_foreground(store, config), store.canvas, store.block)
    kept = are_kept(components, config)
    pieces: list[Census] = []
    for split_numbers, found in _split_all(store, config, roots, components, tell):
        kept[split_numbers] = False
        pieces.append(found)
    whole = replace(components, sizes=np.where(kept, components.sizes, 0))
    objects = join([whole, *pieces])
    numbers = numbering(objects, config)
    sizes = np.zeros(numbers.max(initial=0) + 1, np.int64)
    sizes[numbers] = objects.sizes
    _write(store, np.concatenate([numbers[roots], numbers[len(kept) :]]), sizes[1:])
    return sizes[1:]


def _foreground(store: Store, config: DecodingConfig) -> Callable[[Region], NDArray[np.bool_]]:
    """What gives the foreground of a block, its holes filled, for which the background is labelled first."""

    def above(region: Region) -> NDArray[np.bool_]:
        planes = store.read(region)
        require_method(len(planes), config)
        return np.asarray(foreground_of(planes) > config.threshold, np.bool_)

    if config.max_hole == 0:
        return above
    roots, background = label_blocks(lambda region: ~above(region), store.canvas, store.block, diagonal=True)
    is_filled = are_holes(background, config.max_hole)[roots]
    is_filled[0] = True  # no background at all
    return lambda region: np.asarray(is_filled[store.canvas[region.slices]], np.bool_)


def _split_all(
    store: Store, config: DecodingConfig, roots: NDArray[np.int32], components: Census, tell: Tell
) -> Iterator[tuple[list[int], Census]]:
    """Write the pieces of components with numbers beyond all others; which these are, and their census."""
    if not config.is_split:
        return
    n_written = len(roots) - 1
    groups = _groups(store, config, components)
    for done, group in enumerate(groups, start=1):
        around = {
            number: surroundings(components.box(number), store.canvas.shape, config) for number in group
        }
        region = _hull(list(around.values()))
        planes, written = store.read(region), np.array(store.canvas[region.slices])
        of_pixel = np.append(roots, 0)[np.minimum(written, len(roots))]  # pieces are no components
        parts: dict[int, Census] = {}
        for number, place in around.items():
            inside = place.shifted(tuple(-a for a in region.start)).slices
            own = of_pixel[inside] == number
            _require_size(number, int(np.count_nonzero(own)), int(components.sizes[number]))
            found, n = split(own, planes[(slice(None), *inside)], config)
            if n > 1:
                written[inside][own] = found[own] + n_written
                parts[number] = take_census(found, n, place, store.canvas.shape)
                n_written += n
        require_numbers(n_written)
        if parts:
            store.canvas[region.slices] = written
            yield list(parts), join(list(parts.values()))
        tell(Event("objects", done=done, total=len(groups)))


def _groups(store: Store, config: DecodingConfig, components: Census) -> list[list[int]]:
    """Components that are read together: those that start in one block; those larger than a block alone."""
    numbers = np.flatnonzero(are_kept(components, config))
    sides = components.stop[numbers] - components.start[numbers]
    is_large = (sides > store.block).any(axis=1)
    for number in numbers[is_large].tolist():
        _require_room(store, surroundings(components.box(number), store.canvas.shape, config))
    small = numbers[~is_large]
    counts = Cover(store.canvas.shape, store.block).counts
    place = np.ravel_multi_index(tuple((components.start[small] // store.block).T), counts)
    order = np.argsort(place, kind="stable")
    ends = np.flatnonzero(np.diff(place[order])) + 1
    together = [group.tolist() for group in np.split(small[order], ends) if len(group)]
    return together + [[number] for number in numbers[is_large].tolist()]


def _hull(regions: list[Region]) -> Region:
    starts, stops = [region.start for region in regions], [region.stop for region in regions]
    return Region(tuple(map(min, zip(*starts, strict=True))), tuple(map(max, zip(*stops, strict=True))))


def _write(store: Store, numbers: NDArray[np.int32], sizes: Counts) -> None:
    """Replace what stands in the canvas by the objects' numbers, read it again, and count."""
    counted = np.zeros(len(sizes) + 1, np.int64)
    for region in store.regions():
        store.canvas[region.slices] = numbers[store.canvas[region.slices]]
        written = np.asarray(store.canvas[region.slices])
        present = written[written > 0]
        if len(present):
            first = int(present.min())
            found = np.bincount(present - first)[: len(counted) - first]
            counted[first : first + len(found)] += found
    for number in np.flatnonzero(counted[1:] != sizes)[:1].tolist():
        _require_size(number + 1, int(counted[number + 1]), int(sizes[number]))


def _require_size(number: int, found: int, decoded: int) -> None:
    """Fail where an object is not what it was.

    Raises
    ------
    StorageError
        If its size has changed.
    """
    if found != decoded:
        raise StorageError(
            "objects",
            found=f"object {number} with {found} pixels in the store",
            expected=f"{decoded}, as it was decoded",
            remedy="Predict the image again; let nothing else write to the store meanwhile.",
        )


def _require_room(store: Store, region: Region) -> None:
    """Refuse to see a component whole that is too large for it.

    Raises
    ------
    GeometryError
        If so.
    """
    needed = prod(region.shape) * BYTES_PER_PIXEL
    if needed > store.most_bytes:
        raise GeometryError(
            "objects",
            found=f"connected foreground of {' x '.join(map(str, region.shape))} pixels at "
            f"{region.start}, which takes {needed / 2**30:.1f} GiB to split",
            expected=f"at most {store.most_bytes / 2**30:.1f} GiB",
            remedy="Raise decoding.threshold, so that objects come apart, or decode plain components.",
        )
