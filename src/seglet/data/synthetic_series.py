"""Synthetic pictures in series: cells over time (Cell Tracking Challenge), stacks of sections (ISBI 2012)."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

from seglet.data.synthetic_scenes import Scene, black_and_white, save

GOLD_EVERY = 2  # frames; the others have silver truth alone
MARKER_RADIUS = 2  # px
TEST_SHARE = 4  # one section of so many is in the stack without labels


def write_ctc(folder: Path, scenes: Iterator[Scene], n_images: int) -> Path:
    """Write two sequences as the Cell Tracking Challenge: ``01/t000.tif``, ``01_GT/SEG/man_seg000.tif`` ….

    Every second frame has gold truth; but for the first frame, its largest cell has a marker and no mask.
    """
    n_first = (n_images + 1) // 2
    for scene in scenes:
        sequence = "01" if scene.number < n_first else "02"
        time = scene.number if sequence == "01" else scene.number - n_first
        save(folder / sequence / f"t{time:03}.tif", scene.image)
        objects = scene.objects.astype(np.uint16)
        save(folder / f"{sequence}_ST/SEG/man_seg{time:03}.tif", objects)
        save(folder / f"{sequence}_GT/TRA/man_track{time:03}.tif", markers(objects))
        if time % GOLD_EVERY == 0:
            gold = without_largest(objects) if time else objects
            save(folder / f"{sequence}_GT/SEG/man_seg{time:03}.tif", gold)
    return folder


def write_isbi_stacks(folder: Path, scenes: Iterator[Scene], n_images: int) -> Path:
    """Write ``train-volume.tif``, ``train-labels.tif`` (inside 255) and an unlabelled ``test-volume.tif``."""
    n_test = n_images // TEST_SHARE
    pictures = list(scenes)
    train, test = pictures[: n_images - n_test], pictures[n_images - n_test :]
    tifffile.imwrite(
        folder / "train-volume.tif", np.stack([one.image for one in train]), photometric="minisblack"
    )
    labels = np.stack([black_and_white(one.truth) for one in train])
    tifffile.imwrite(folder / "train-labels.tif", labels, photometric="minisblack")
    if test:
        tifffile.imwrite(
            folder / "test-volume.tif", np.stack([one.image for one in test]), photometric="minisblack"
        )
    return folder


def markers(objects: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Mark each object by a disc of its number around its innermost pixel."""
    marked = np.zeros_like(objects)
    y, x = np.indices(objects.shape)
    for number in range(1, int(objects.max()) + 1):
        depth = ndimage.distance_transform_edt(objects == number)
        middle = np.unravel_index(int(depth.argmax()), depth.shape)
        near = (y - middle[0]) ** 2 + (x - middle[1]) ** 2 <= MARKER_RADIUS**2
        marked[near & (objects == number)] = number
    return marked


def without_largest(objects: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Leave out the largest object."""
    largest = int(np.bincount(objects.ravel())[1:].argmax()) + 1
    return np.where(objects == largest, 0, objects).astype(np.uint16)
