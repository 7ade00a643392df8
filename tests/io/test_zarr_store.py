import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import zarr

from seglet.core.errors import FormatError, MissingExtra
from seglet.io.axes import Axes
from seglet.io.zarr_store import (
    consolidate,
    has_chunks,
    new_array,
    open_group,
    open_node,
    reading,
    scratch_array,
    settled,
)


def test_arrays_and_groups_are_opened_by_their_own_metadata(tmp_path: Path) -> None:
    group = open_group(tmp_path / "a", 2)
    zarr.consolidate_metadata(tmp_path / "a")
    new_array(group, "late", "yx", (8, 9), np.uint8)  # the copy of the metadata does not know of it
    assert open_node(tmp_path / "a", "late").shape == (8, 9)
    assert "late" in open_node(tmp_path / "a")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_new_array_is_chunked_in_space(tmp_path: Path, zarr_format: int) -> None:
    array = new_array(open_group(tmp_path / "a", zarr_format), "0", "tczyx", (1, 3, 200, 90, 300), np.uint16)
    assert array.chunks == (1, 1, 128, 90, 128)
    assert array.metadata.zarr_format == zarr_format
    array[0, 0, 130, 5, 7] = 1
    place = "c/0/0/1/0/0" if zarr_format == 3 else "0/0/1/0/0"
    assert (tmp_path / "a/0" / place).is_file()
    assert array[0, 0, 131, 5, 7] == 0
    if zarr_format == 3:
        assert array.metadata.dimension_names == tuple("tczyx")


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.filterwarnings("ignore:Consolidated metadata")  # of the test itself: Zarr 3 has none yet
def test_only_a_store_with_a_copy_of_its_metadata_gets_a_new_one(tmp_path: Path, zarr_format: int) -> None:
    group = open_group(tmp_path / "a", zarr_format)
    consolidate(tmp_path / "a")
    assert zarr.open_group(tmp_path / "a", mode="r").metadata.consolidated_metadata is None
    zarr.consolidate_metadata(tmp_path / "a")
    new_array(group, "late", "yx", (8, 9), np.uint8)
    consolidate(tmp_path / "a")
    copy = zarr.open_group(tmp_path / "a", mode="r").metadata.consolidated_metadata
    assert copy is not None
    assert "late" in copy.metadata


def test_an_interrupted_writing_is_waited_for(tmp_path: Path) -> None:
    array = scratch_array(tmp_path / "a", "numbers", "yx", (2048, 2048), np.float64)
    values = np.random.default_rng(0).random(array.shape)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), settled():
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            while True:
                array[:] = values
    finally:
        signal.signal(signal.SIGALRM, before)
    shutil.rmtree(tmp_path / "a")
    time.sleep(0.3)
    assert not (tmp_path / "a").exists()


def test_what_cannot_be_read_names_the_file() -> None:
    with (
        pytest.raises(FormatError, match=r"b\.zarr: found what cannot be read as Zarr \(odd\)"),
        reading("b.zarr"),
    ):
        raise ValueError("odd\nand long")


def test_the_extra_is_named_where_zarr_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(MissingExtra, match=r"seglet\[large\]"):
        open_node(tmp_path / "a.zarr")


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("shards", [None, (1, 40, 40)])
def test_what_was_never_written_is_known_without_reading(
    tmp_path: Path, zarr_format: int, shards: tuple[int, ...] | None
) -> None:
    if zarr_format == 2 and shards:
        pytest.skip("Zarr 2 has no shards")
    array = zarr.create_array(
        tmp_path / "a",
        name="0",
        shape=(2, 100, 90),
        chunks=(1, 20, 20),
        shards=shards,
        dtype="u1",
        zarr_format=zarr_format,
    )
    array[1, 41:45, 5:7] = 3
    opened, axes = open_node(tmp_path / "a", "0"), Axes("cyx", (2, 100, 90))
    assert has_chunks(opened, axes, (slice(50, 100), slice(10, 90)))
    assert has_chunks(opened, axes, (slice(0, 41), slice(0, 1)))
    assert not has_chunks(opened, axes, (slice(0, 40), slice(0, 90)))
    assert not has_chunks(opened, axes, (slice(0, 100), slice(40, 90)))
