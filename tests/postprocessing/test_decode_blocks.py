"""Objects decoded block by block are those decoded in memory; what goes wrong is said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from noise_planes import cell_planes, noise_planes
from seglet.core.errors import ConfigError, GeometryError, StorageError
from seglet.core.events import Event
from seglet.core.grid import Cover, Region
from seglet.postprocessing.decode import decode
from seglet.postprocessing.decode_blocks import Store, decode_blocks
from seglet.postprocessing.settings import DecodingConfig

PLANES = {"components": 1, "probability": 1, "depth": 1, "waist": 1, "distance": 2, "interior": 3}
LOW_SEEDS = {
    "components": None,
    "probability": 0.7,
    "depth": 1.5,
    "waist": 0.9,
    "distance": 0.6,
    "interior": 0.4,
}


def _store(planes: np.ndarray, block: tuple[int, ...], canvas: Any = None, **more: int) -> Store:
    def read(region: Region) -> np.ndarray:
        assert region.within(planes.shape[1:]) == region, "read beyond the image"
        return planes[(slice(None), *region.slices)]

    return Store(read, np.full(planes.shape[1:], -5, np.int32) if canvas is None else canvas, block, **more)


def _in_blocks(planes: np.ndarray, block: tuple[int, ...], config: DecodingConfig) -> np.ndarray:
    store = _store(planes, block)
    sizes = decode_blocks(store, config)
    assert np.array_equal(np.bincount(store.canvas.ravel())[1:], sizes)
    return store.canvas


def _crosses_every_border(objects: np.ndarray, block: tuple[int, ...]) -> bool:
    """Whether some object lies on both sides of each face between two blocks."""
    for region in (tile.within(objects.shape) for tile in Cover(objects.shape, block)):
        for axis in range(objects.ndim):
            if region.start[axis]:
                here = objects[region.slices].take(0, axis)
                before = list(region.slices)
                before[axis] = slice(region.start[axis] - 1, region.start[axis])
                if not ((here > 0) & (here == objects[tuple(before)].take(0, axis))).any():
                    return False
    return True


@given(
    st.sampled_from(sorted(PLANES)),
    st.sampled_from([(33, 40), (1, 25), (9, 11, 12)]),
    st.integers(0, 10_000),
    st.tuples(st.integers(4, 20), st.integers(5, 50), st.integers(3, 9)),
    st.fixed_dictionaries(
        {
            "smoothing": st.sampled_from([0.0, 0.7, 1.6]),
            "min_size": st.sampled_from([0, 6]),
            "max_hole": st.sampled_from([0, 4, 1000]),
            "keep": st.sampled_from(["all", "all", "largest"]),
            "edge": st.sampled_from(["keep", "remove"]),
        }
    ),
)
def test_blocks_change_nothing(
    method: str, shape: tuple[int, ...], seed: int, sides: tuple[int, ...], rules: dict[str, Any]
) -> None:
    planes = noise_planes(shape, PLANES[method], seed)
    config = DecodingConfig(method=method, seed_threshold=LOW_SEEDS[method], **rules)
    assert np.array_equal(_in_blocks(planes, sides[: len(shape)], config), decode(planes, config))


@pytest.mark.parametrize("block", [(64, 64), (100, 37), (160, 160)])
@pytest.mark.parametrize("method", sorted(PLANES))
def test_cells_across_every_border_are_the_same(method: str, block: tuple[int, int]) -> None:
    planes, _ = cell_planes((320, 320), PLANES[method], 3)
    config = DecodingConfig(method=method, min_size=8, max_hole=20)
    whole = decode(planes, config)
    assert whole.max() > 10
    assert np.array_equal(_in_blocks(planes, block, config), whole)
    assert _crosses_every_border(whole, (160, 160))


@pytest.mark.slow
@pytest.mark.parametrize(("method", "seed"), [(method, seed) for seed, method in enumerate(sorted(PLANES))])
def test_large_images_are_the_same_in_blocks_of_any_size(method: str, seed: int) -> None:
    planes, _ = cell_planes((2048, 2048), PLANES[method], seed)
    config = DecodingConfig(method=method, min_size=8, max_hole=20)
    whole = decode(planes, config)
    for block in ((512, 512), (683, 410)):
        assert _crosses_every_border(whole, block)
        assert np.array_equal(_in_blocks(planes, block, config), whole)


def test_objects_in_a_zarr_array_are_the_same(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    planes, _ = cell_planes((96, 128), 2, 1)
    canvas = zarr.create_array(tmp_path / "objects.zarr", shape=(96, 128), chunks=(40, 32), dtype="int32")
    config = DecodingConfig(method="distance", max_hole=9)
    decode_blocks(_store(planes, (40, 32), canvas), config)
    assert np.array_equal(canvas[:], decode(planes, config))


def test_each_group_of_components_is_told() -> None:
    events: list[Event] = []
    planes, _ = cell_planes((96, 128), 2, 1)
    decode_blocks(_store(planes, (40, 32)), DecodingConfig(method="distance"), events.append)
    assert [event.done for event in events] == list(range(1, len(events) + 1))
    assert {event.total for event in events} == {len(events)}


def test_empty_image_has_no_objects() -> None:
    for method, n_planes in PLANES.items():
        config = DecodingConfig(method=method, max_hole=3, keep="largest")
        store = _store(np.zeros((n_planes, 20, 20), np.float32), (8, 8))
        assert len(decode_blocks(store, config)) == 0
        assert not store.canvas.any()


def test_component_too_large_to_be_seen_whole_is_refused() -> None:
    planes = np.ones((1, 64, 64), np.float32)
    small = _store(planes, (16, 16), most_bytes=64 * 63 * 64)
    with pytest.raises(GeometryError, match="64 x 64"):
        decode_blocks(small, DecodingConfig(method="depth"))
    decode_blocks(small, DecodingConfig(method="components"))
    assert (small.canvas == 1).all()


class _Forgetful:
    """A canvas that loses one write."""

    def __init__(self, shape: tuple[int, ...], lost: int) -> None:
        self.pixels, self.left = np.zeros(shape, np.int32), lost
        self.shape = shape

    def __getitem__(self, box: Any) -> np.ndarray:
        return self.pixels[box].copy()

    def __setitem__(self, box: Any, values: np.ndarray) -> None:
        self.left -= 1
        if self.left:
            self.pixels[box] = values


def test_every_lost_write_is_noticed() -> None:
    planes, _ = cell_planes((128, 128), 2, 0)
    config = DecodingConfig(method="distance")
    careful = _Forgetful((128, 128), lost=0)
    decode_blocks(_store(planes, (64, 64), careful), config)
    n_writes, noticed = -careful.left, 0
    for lost in range(1, n_writes + 1):
        canvas = _Forgetful((128, 128), lost)
        try:
            decode_blocks(_store(planes, (64, 64), canvas), config)
        except StorageError:
            noticed += 1
    assert noticed == n_writes > 8


def test_method_without_its_plane_is_refused() -> None:
    with pytest.raises(ConfigError, match="distance"):
        decode_blocks(_store(np.ones((1, 8, 8)), (4, 4)), DecodingConfig(method="distance"))
