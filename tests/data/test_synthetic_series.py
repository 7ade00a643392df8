"""Series of pictures hold what the scenes show."""

from pathlib import Path

import numpy as np
import tifffile

from seglet.data.synthetic_scenes import Scene
from seglet.data.synthetic_series import markers, without_largest, write_ctc, write_isbi_stacks

RNG = np.random.default_rng(0)


def scene(number: int) -> Scene:
    objects = np.zeros((12, 14), np.int32)
    objects[1:5, 1:5], objects[6:11, 3:12] = 1, 2
    return Scene(number, RNG.integers(0, 255, (12, 14), np.uint8), objects)


def test_sequences_have_gold_silver_and_markers(tmp_path: Path) -> None:
    scenes = [scene(k) for k in range(6)]
    write_ctc(tmp_path, iter(scenes), 6)
    names = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.tif")}
    assert names == {
        *(f"{s}/t00{k}.tif" for s in ("01", "02") for k in range(3)),
        *(f"{s}_ST/SEG/man_seg00{k}.tif" for s in ("01", "02") for k in range(3)),
        *(f"{s}_GT/TRA/man_track00{k}.tif" for s in ("01", "02") for k in range(3)),
        *(f"{s}_GT/SEG/man_seg00{k}.tif" for s in ("01", "02") for k in (0, 2)),
    }
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "02/t001.tif"), scenes[4].image)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "02_ST/SEG/man_seg001.tif"), scenes[4].objects)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "01_GT/SEG/man_seg000.tif"), scenes[0].objects)
    partly = tifffile.imread(tmp_path / "01_GT/SEG/man_seg002.tif")
    np.testing.assert_array_equal(partly, scenes[2].objects == 1)
    assert set(np.unique(tifffile.imread(tmp_path / "01_GT/TRA/man_track002.tif"))) == {0, 1, 2}


def test_markers_lie_inside_their_objects() -> None:
    objects = scene(0).objects.astype(np.uint16)
    marked = markers(objects)
    assert (marked[marked > 0] == objects[marked > 0]).all()
    assert [int((marked == k).sum()) > 0 for k in (1, 2)] == [True, True]
    assert (marked > 0).sum() < (objects > 0).sum()


def test_the_largest_object_is_left_out() -> None:
    assert set(np.unique(without_largest(scene(0).objects.astype(np.uint16)))) == {0, 1}


def test_stacks_hold_the_pictures_in_order(tmp_path: Path) -> None:
    scenes = [scene(k) for k in range(4)]
    write_isbi_stacks(tmp_path, iter(scenes), 4)
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "train-volume.tif"), np.stack([one.image for one in scenes[:3]])
    )
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "train-labels.tif")[1] == 255, scenes[1].truth)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "test-volume.tif")[0], scenes[3].image)
