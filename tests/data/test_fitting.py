"""Masks are brought onto the grid of their image, or refused by name."""

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest

from seglet.core.errors import GeometryError
from seglet.core.image import Image
from seglet.core.orientation import turn, turn_back, upright
from seglet.data.fitting import (
    check_size,
    extent,
    frame_of,
    in_order_of,
    open_page,
    read_fitting,
    values_of,
)
from seglet.io.files import open_mask, read_image, write_image
from seglet.io.listing import as_file
from seglet.io.sources import File

RNG = np.random.default_rng(0)
VALUES = RNG.integers(0, 4, (3, 4, 5)).astype(np.uint8)
STRAIGHT = tuple(float(value) for value in np.eye(3).ravel())


def volume(path: Path, values: np.ndarray, direction: tuple[float, ...] = STRAIGHT) -> File:
    grid = ((1.0, 1.0, 1.0), "mm", (0.0, 0.0, 0.0), direction)
    write_image(path, Image(values[None], *grid))
    return as_file(path)


def orientations() -> list[tuple[float, ...]]:
    found = []
    for order, signs in product(permutations(range(3)), product((1.0, -1.0), repeat=3)):
        matrix = np.zeros((3, 3))
        matrix[range(3), order] = signs
        found.append(tuple(matrix.ravel().tolist()))
    return found


def test_masks_in_all_48_orientations_come_onto_their_image(tmp_path: Path) -> None:
    image = volume(tmp_path / "image.nii.gz", VALUES * 0)
    frame = frame_of(read_image(image), image)
    wanted = upright(frame.image.direction)
    for k, direction in enumerate(orientations()):
        values = turn_back(turn(VALUES, wanted), upright(direction))
        mask = volume(tmp_path / f"{k}.nii.gz", np.ascontiguousarray(values), direction)
        np.testing.assert_array_equal(read_fitting(mask, frame), VALUES)


def test_a_mask_saved_without_a_grid_is_not_turned(tmp_path: Path) -> None:
    mirrored = (1.0, 0.0, 0.0, 0.0, -1.0, 0.0, 0.0, 0.0, -1.0)
    write_image(tmp_path / "i.nii.gz", Image(VALUES[None], (2.0, 0.7, 0.7), "mm", (9.0, 8.0, 7.0), mirrored))
    image = as_file(tmp_path / "i.nii.gz")
    mask = volume(tmp_path / "m.nii.gz", VALUES)
    np.testing.assert_array_equal(read_fitting(mask, frame_of(read_image(image), image)), VALUES)


def test_boxes_of_a_turned_volume_are_those_of_the_whole(tmp_path: Path) -> None:
    image = open_mask(volume(tmp_path / "image.nii.gz", VALUES * 0))
    for k, direction in enumerate(orientations()):
        values = turn_back(turn(VALUES, upright(image.direction)), upright(direction))
        stored = open_mask(volume(tmp_path / f"{k}.nii", np.ascontiguousarray(values), direction))
        turned = in_order_of(stored, image)
        box = (slice(1, 3), slice(0, 3), slice(2, 5))
        np.testing.assert_array_equal(turned.read(box)[0], VALUES[box])
        assert (turned.shape, turned.direction) == (image.shape, image.direction)


def test_an_orientation_that_would_not_fit_is_not_followed(tmp_path: Path) -> None:
    image = volume(tmp_path / "image.nrrd", VALUES)
    matrix = np.eye(3)[[1, 0, 2]]
    mask = volume(tmp_path / "mask.nrrd", VALUES, tuple(matrix.ravel().tolist()))
    np.testing.assert_array_equal(read_fitting(mask, frame_of(read_image(image), image)), VALUES)


def test_volumes_of_other_extent_are_refused_with_both_names(tmp_path: Path) -> None:
    image = volume(tmp_path / "image.nii.gz", VALUES)
    mask = volume(tmp_path / "mask.nii.gz", VALUES[:2])
    with pytest.raises(
        GeometryError, match=r"mask\.nii\.gz: found 5x4x2 voxels; expected 5x4x3 voxels .*image\.nii\.gz"
    ):
        read_fitting(mask, frame_of(read_image(image), image))


def test_a_flat_mask_fits_a_volume_of_one_slice_and_back(tmp_path: Path) -> None:
    flat, deep = volume(tmp_path / "d.nii.gz", VALUES[:1]), tmp_path / "f.tif"
    write_image(deep, Image(VALUES[:1]))
    read = read_fitting(as_file(deep), frame_of(read_image(flat), flat))
    np.testing.assert_array_equal(read, VALUES[:1])
    read = read_fitting(flat, frame_of(read_image(as_file(deep)), as_file(deep)))
    np.testing.assert_array_equal(read, VALUES[0])


def test_pages_of_a_stack_are_flat_masks(tmp_path: Path) -> None:
    write_image(tmp_path / "stack.tif", Image(VALUES[None]))
    file = as_file(tmp_path / "stack.tif")
    np.testing.assert_array_equal(values_of(open_mask(file), file, 2), VALUES[2])
    with pytest.raises(GeometryError, match=r"stack\.tif: found 3 pages; expected page 4"):
        open_page(open_mask(file), 3, file)
    write_image(tmp_path / "flat.png", Image(VALUES[:1]))
    file = as_file(tmp_path / "flat.png")
    np.testing.assert_array_equal(values_of(open_mask(file), file, 7), VALUES[0])


def test_a_volume_three_voxels_wide_stays_one(tmp_path: Path) -> None:
    file = volume(tmp_path / "narrow.nii.gz", VALUES[..., :3])
    read = read_fitting(file, frame_of(read_image(file), file))
    np.testing.assert_array_equal(read, VALUES[..., :3])
    assert read.dtype.kind == "i"


def test_colors_count_as_flat() -> None:
    here = File(Path("x"), "m.png")
    check_size((4, 5, 3), here, (4, 5), here)
    with pytest.raises(GeometryError, match="3x5x4 voxels; expected 6x5x4 voxels"):
        check_size((4, 5, 3), here, (4, 5, 6), here)
    assert extent((4, 5)) == "5x4 pixels"


@pytest.mark.data
def test_a_real_dicom_segmentation_comes_onto_its_series(data_folder: Path) -> None:
    folder = data_folder / "ct" / "dicom_seg"
    series = as_file(folder / "ct-3slice")
    image = read_image(series)
    mask = read_fitting(as_file(folder / "liver.dcm"), frame_of(image, series))
    assert mask.shape == image.shape
    inside = image.pixels[0][mask == 1]
    assert inside.size > 1000
    assert 0 < np.median(inside) < 200  # HU of liver, also with contrast agent
