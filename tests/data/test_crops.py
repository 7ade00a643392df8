"""Windows of cases on disk: where they lie, what they show, where they are in the world."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from seglet.core.grid import Region
from seglet.core.image import IGNORE, Box, Image, Sample, StoredImage, StoredSample
from seglet.data.crops import Crop, choose_crops, images_of, read_piece

SHAPE = (40, 60, 80)
RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 255, (2, *SHAPE), np.uint8)
LYING = (0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, -1.0, 0.0)


def sample(labels: NDArray[np.uint8], **grid: object) -> StoredSample:
    pixels = PIXELS[:, : labels.shape[0], : labels.shape[1]] if labels.ndim == 2 else PIXELS
    image = StoredImage((2, *labels.shape), np.dtype(np.uint8), lambda box: pixels[(slice(None), *box)], True)
    return StoredSample("a", replace(image, **grid), lambda box: labels[box])  # type: ignore[arg-type]


def test_a_crop_reads_its_box_alone() -> None:
    labels = RNG.integers(0, 3, SHAPE).astype(np.uint8)
    region = Region((3, 10, 20), (13, 30, 50))
    crop = Crop(sample(labels), region)
    read = crop.read()
    assert crop.id == read.id == "a@3-10-20"
    assert read.labels is not None
    np.testing.assert_array_equal(read.image.pixels, PIXELS[(slice(None), *region.slices)])
    np.testing.assert_array_equal(read.labels, labels[region.slices])
    part = (slice(2, 5), slice(None), slice(1, None))
    np.testing.assert_array_equal(crop.image.read(part), read.image.pixels[(slice(None), *part)])
    assert read_piece(crop).id == read.id
    assert read_piece(read) is read


@pytest.mark.parametrize("direction", [(), LYING])
def test_a_crop_lies_in_the_world_where_its_pixels_do(direction: tuple[float, ...]) -> None:
    grid = {"spacing": (2.0, 1.0, 0.5), "unit": "mm", "origin": (5.0, 6.0, 7.0), "direction": direction}
    found = Crop(sample(np.zeros(SHAPE, np.uint8), **grid), Region((1, 2, 4), (9, 9, 9))).image
    moved = (2.0, 2.0, 2.0) if not direction else (2.0, 2.0, -2.0)
    assert found.origin == (5 + moved[0], 6 + moved[1], 7 + moved[2])
    assert (found.spacing, found.direction) == ((2.0, 1.0, 0.5), direction)


def test_crops_are_spread_over_the_image_and_the_same_every_time() -> None:
    found = choose_crops(sample(np.zeros(SHAPE, np.uint8)), (8, 8, 8), 24)
    assert len({crop.id for crop in found}) == 24
    assert [crop.id for crop in choose_crops(sample(np.zeros(SHAPE, np.uint8)), (8, 8, 8), 24)] == [
        crop.id for crop in found
    ]
    starts = np.array([crop.region.start for crop in found])
    assert (starts.max(axis=0) > np.array(SHAPE) / 2).all()
    assert (starts.min(axis=0) < np.array(SHAPE) / 4).all()


def test_a_small_image_is_cut_without_a_rest() -> None:
    found = choose_crops(sample(np.ones((30, 50), np.uint8)), (20, 50), 9)
    assert [crop.region for crop in found] == [Region((0, 0), (20, 50)), Region((20, 0), (30, 50))]


def test_rare_foreground_is_half_of_all_where_it_can_be_found() -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[:, :16, :16] = 1
    found = choose_crops(sample(labels), (8, 8, 8), 20)
    shows = [bool((labels[crop.region.slices] == 1).any()) for crop in found]
    assert len(shows) == 20
    assert 0 < sum(shows) <= 10


def test_frequent_foreground_keeps_its_share() -> None:
    labels = np.ones(SHAPE, np.uint8)
    labels[:8] = 0
    found = choose_crops(sample(labels), (8, 8, 8), 40)
    share = np.mean([bool(labels[crop.region.slices].any()) for crop in found])
    assert 0.7 <= share <= 0.9


def test_foreground_is_looked_for_where_a_mask_was_written() -> None:
    labels = np.zeros(SHAPE, np.uint8)
    labels[32:, 56:, 72:] = 1

    def is_written(box: Box) -> bool:
        return bool(labels[box].any())

    found = choose_crops(replace(sample(labels), is_written=is_written), (4, 4, 4), 6)
    shows = [bool(labels[crop.region.slices].any()) for crop in found]
    assert sum(shows) == 3


def test_nothing_is_cut_where_nobody_labelled_or_the_image_is_empty() -> None:
    labels = np.full(SHAPE, IGNORE, np.uint8)
    assert choose_crops(sample(labels), (8, 8, 8), 5) == ()
    labels[:20] = 0
    found = choose_crops(
        sample(labels, is_written=lambda box: box[1].start < 30), (8, 8, 8), 50
    )  # of the image
    assert found
    assert all(crop.region.start[0] < 20 and crop.region.start[1] < 30 for crop in found)


def test_the_one_place_that_was_labelled_is_found() -> None:
    labels = np.full((2000, 2000), IGNORE, np.uint8)
    labels[1210:1220, 735:745] = 1
    pixels = np.zeros((1, 10, 10), np.uint8)
    image = StoredImage((1, *labels.shape), np.dtype(np.uint8), lambda box: pixels[(slice(None), *box)], True)
    (crop,) = choose_crops(StoredSample("a", image, lambda box: labels[box]), (50, 50), 2)
    assert crop.region == Region((1200, 700), (1250, 750))


def test_windows_know_their_images() -> None:
    crop = Crop(sample(np.zeros(SHAPE, np.uint8)), Region((0, 0, 0), (8, 8, 8)))
    whole = Sample("b", Image(PIXELS))
    assert images_of([crop, whole]) == {"a@0-0-0": "a"}
