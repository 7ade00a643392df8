"""The package zarr behind one door: stores, their arrays and groups, and what is wrong with them."""

import asyncio
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from seglet.core.errors import FormatError
from seglet.io.axes import Axes, Box, chunk_shape, chunks_of
from seglet.io.packages import need


def open_node(path: Path, part: str = "") -> Any:
    """Open an array or group for reading, its own metadata rather than a copy at the top of the store."""
    return _zarr().open(path, path=part, mode="r", use_consolidated=False)


def open_group(path: Path, zarr_format: int) -> Any:
    """Open a group for writing; made where there is none."""
    return _zarr().open_group(path, mode="a", zarr_format=zarr_format, use_consolidated=False)


def new_array(group: Any, name: str, letters: str, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
    """Make an array of a level, chunked in space; Zarr 2 has no names of axes, but nested chunk files."""
    axes = Axes(letters, shape)
    sides = dict(zip("c" + axes.spatial, chunk_shape(axes.extent), strict=True))
    by_version = (
        {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
        if group.metadata.zarr_format == 2
        else {"dimension_names": tuple(letters)}
    )
    chunks = tuple(sides.get(letter, 1) for letter in letters)
    return group.create_array(
        name, shape=shape, chunks=chunks, dtype=np.dtype(dtype), fill_value=0, **by_version
    )


def scratch_array(folder: Path, name: str, letters: str, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
    """Make an array for numbers that fit no memory, 0 where nothing is written."""
    return new_array(open_group(folder, 3), name, letters, shape, dtype)


def has_chunks(array: Any, axes: Axes, box: Box) -> bool:
    """Whether any chunk of a box of spatial slices is on disk; chunks that were never written are not."""
    sides = array.shards or array.chunks
    folder, key = Path(array.store.root) / array.path, array.metadata.encode_chunk_key
    return any((folder / key(place)).exists() for place in chunks_of(axes, sides, box))


def consolidate(path: Path) -> None:
    """Bring up to date the copy of all metadata that some stores keep at their top."""
    zarr = _zarr()
    if zarr.open_group(path, mode="r").metadata.consolidated_metadata is None:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that Zarr 3 has not specified it: the store has it nevertheless
        zarr.consolidate_metadata(path)


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Tell whatever cannot be read in a store as a fault of the store."""
    try:
        yield
    except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise FormatError(
            where,
            found=f"what cannot be read as Zarr ({reason})",
            expected="a whole Zarr store",
            remedy="Copy or export it again, or take it out of the dataset.",
        ) from error


@contextmanager
def settled() -> Iterator[None]:
    """Where the block is interrupted or fails, wait for what zarr's own thread still writes.

    That ends the waiting for the thread and not its work, so that files would appear in a folder that is
    being removed.
    """
    zarr = _zarr()
    try:
        yield
    except BaseException:
        zarr.core.sync.sync(_others())
        raise


async def _others() -> None:
    """Wait for all other tasks of the loop that this one runs in."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    await asyncio.gather(*others, return_exceptions=True)


def _zarr() -> Any:
    return need("zarr", "large", "Zarr stores")
