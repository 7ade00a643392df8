"""Boxes out of TIFF files, decoded no further than needed."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from seglet.io.tiff import open_image
from seglet.io.tiff_pixels import stored_pixels

STACK = np.random.default_rng(0).integers(0, 60000, (4, 50, 70), np.uint16)
COLORS = np.random.default_rng(0).integers(0, 255, (50, 70, 3), np.uint8)

FILES: dict[str, tuple[np.ndarray, dict[str, object]]] = {
    "mapped": (STACK, {}),
    "strips": (STACK, {"compression": "zlib", "rowsperstrip": 8}),
    "predictor": (STACK, {"compression": "zlib", "predictor": True}),
    "tiles": (STACK, {"compression": "zlib", "tile": (16, 32)}),
    "plain tiles": (STACK, {"tile": (32, 16)}),
    "one strip a page": (STACK, {"compression": "lzw", "rowsperstrip": 50}),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every kind of file."""
    folder = tmp_path_factory.mktemp("tiff")
    for name, (pixels, options) in FILES.items():
        tifffile.imwrite(folder / f"{name}.tif", pixels, photometric="minisblack", **options)
    for name, config in (("together", "contig"), ("apart", "separate")):
        pixels = COLORS if config == "contig" else np.moveaxis(COLORS, -1, 0)
        options = {"photometric": "rgb", "planarconfig": config, "compression": "zlib", "tile": (16, 16)}
        tifffile.imwrite(folder / f"{name}.tif", pixels, **options)
    return folder


def slices(length: int) -> st.SearchStrategy[slice]:
    starts = st.integers(0, length - 1)
    return starts.flatmap(lambda a: st.integers(a + 1, length).map(lambda b: slice(a, b)))


@pytest.mark.parametrize("name", FILES)
@given(box=st.tuples(slices(4), slices(50), slices(70)))
def test_any_box_is_what_slicing_gives(folder: Path, name: str, box: tuple[slice, ...]) -> None:
    stored = open_image(folder / f"{name}.tif", "", name)
    assert stored.is_random
    assert np.array_equal(stored.read(box), STACK[None][(slice(None), *box)])


@pytest.mark.parametrize("name", ["together", "apart"])
@given(box=st.tuples(slices(50), slices(70)))
def test_any_box_of_colors_is_what_slicing_gives(folder: Path, name: str, box: tuple[slice, ...]) -> None:
    stored = open_image(folder / f"{name}.tif", "", name)
    assert np.array_equal(stored.read(box), np.moveaxis(COLORS, -1, 0)[(slice(None), *box)])


def test_only_the_tiles_that_a_box_touches_are_decoded(folder: Path) -> None:
    path = folder / "tiles.tif"
    with tifffile.TiffFile(path) as tiff:
        stored, is_random = stored_pixels(path, tiff.series[0], 0)
    seen: list[int] = []

    def watched(content: bytes, index: int, **more: object) -> object:
        seen.append(index)
        return stored.decode(content, index, **more)

    watching = replace(stored, decode=watched)
    values = watching[slice(1, 2), slice(20, 30), slice(0, 40)]
    assert is_random
    assert np.array_equal(values, STACK[1:2, 20:30, :40])
    assert seen == [3, 4]  # of 4 by 3 tiles of 16 by 32: the second row, the first two columns


@pytest.mark.parametrize("compression", ["jpeg", "jpeg2000", "webp"])
@pytest.mark.parametrize("options", [{"tile": (16, 16)}, {"rowsperstrip": 16}])
def test_a_box_of_a_photograph_is_that_of_the_whole(
    tmp_path: Path, compression: str, options: dict[str, object]
) -> None:
    smooth = np.add.outer(np.arange(50), np.arange(70))[..., None] * [2, 1, 1] % 256
    pixels = smooth.astype(np.uint8)
    tifffile.imwrite(tmp_path / "x.tif", pixels, photometric="rgb", compression=compression, **options)
    stored = open_image(tmp_path / "x.tif", "", "x")
    whole = stored.load().pixels
    assert np.array_equal(stored.read((slice(9, 37), slice(5, 66))), whole[:, 9:37, 5:66])
    assert np.abs(whole.astype(int) - np.moveaxis(pixels, -1, 0)).mean() < 20


def test_segments_that_were_never_written_are_zero(tmp_path: Path) -> None:
    def tiles() -> object:
        yield np.full((16, 16), 7, np.uint8)
        for _ in range(3):
            yield None

    options = {"shape": (32, 32), "dtype": np.uint8, "tile": (16, 16), "compression": "zlib"}
    tifffile.imwrite(tmp_path / "x.tif", tiles(), **options)
    stored = open_image(tmp_path / "x.tif", "", "x")
    assert stored.read((slice(8, 24), slice(0, 16)))[0].any(axis=1).tolist() == [True] * 8 + [False] * 8


def test_threads_read_at_once(folder: Path) -> None:
    for name in ("tiles", "mapped"):
        stored = open_image(folder / f"{name}.tif", "", name)
        start = threading.Barrier(4)

        def read(k: int, stored=stored, start=start) -> bool:  # type: ignore[no-untyped-def]
            start.wait()
            box = (slice(k, k + 1), slice(3, 49), slice(5, 69))
            return all(
                np.array_equal(stored.read(box), STACK[None, k : k + 1, 3:49, 5:69]) for _ in range(20)
            )

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(read, range(4)))


def test_a_large_file_is_mapped_not_read(tmp_path: Path) -> None:
    shape = (1 << 12, 1 << 10, 1 << 10)  # 4 GiB, of which the disk holds next to nothing
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, shape=shape, dtype=np.uint8, bigtiff=True, photometric="minisblack")
    stored = open_image(path, "", "x.tif")
    assert stored.extent == (1, *shape)
    assert stored.read((slice(4000, 4002), slice(5, 9), slice(0, 3))).sum() == 0
