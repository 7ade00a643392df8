"""Which masks make volumes, and how they are read."""

from pathlib import Path

import numpy as np
import pytest

from seglet.core.errors import DatasetError, GeometryError
from seglet.core.image import LabelClass, Labels
from seglet.data.datasets import open_dataset
from seglet.data.layouts import Layout
from seglet.io.files import write_image, write_mask
from seglet.predicted import as_truth
from seglet.stacking import find_volumes, read_volume

LABELS = Labels(classes=(LabelClass(name="background", value=0), LabelClass(name="liver", value=255)))


def write_slices(folder: Path, numbers: list[int], pattern: str = "liver_{:04}.png") -> Path:
    """Slices of which slice n is foreground in row n."""
    for number in numbers:
        mask = np.zeros((12, 9), np.uint8)
        mask[number] = 255
        write_mask(folder / pattern.format(number), mask)
    return folder


def write_volume(path: Path, spacing: tuple[float, ...] = (4.0, 2.0, 1.0), unit: str = "mm") -> Path:
    from seglet.core.image import Image

    mask = np.zeros((1, 5, 6, 7), np.uint8)
    mask[0, 2:4, 2:5, 2:6] = 255
    write_image(path, Image(mask, spacing, unit, (10.0, 20.0, 30.0), (1.0, 0, 0, 0, 1, 0, 0, 0, 1)))
    return path


def test_slices_are_stacked_by_number_not_by_name(tmp_path: Path) -> None:
    write_slices(tmp_path, [9, 10, 11], "scan_{}.png")
    (volume,) = find_volumes(as_truth(open_dataset(tmp_path)))
    assert volume.id == "scan"
    classes, grid = read_volume(volume, LABELS, (5.0, 0.5, 0.5), "mm")
    assert classes.shape == (3, 12, 9)
    assert [int(np.flatnonzero(plane[:, 0])[0]) for plane in classes] == [9, 10, 11]
    assert classes.max() == 1
    assert (grid.spacing, grid.unit) == ((5.0, 0.5, 0.5), "mm")


def test_two_stacks_in_one_folder_are_two_volumes(tmp_path: Path) -> None:
    write_slices(tmp_path, [1, 2], "a_{}.png")
    write_slices(tmp_path, [3, 4, 5], "b_{}.png")
    volumes = find_volumes(as_truth(open_dataset(tmp_path)))
    assert {volume.id: len(volume.slices) for volume in volumes} == {"a": 2, "b": 3}


def test_every_second_slice_is_even_too(tmp_path: Path) -> None:
    write_slices(tmp_path, [0, 2, 4])
    assert len(find_volumes(as_truth(open_dataset(tmp_path)))[0].slices) == 3


def test_slices_named_by_their_number_alone_are_called_after_their_folder(tmp_path: Path) -> None:
    write_slices(tmp_path / "brain", [0, 1, 2], "{}.png")
    assert find_volumes(as_truth(open_dataset(tmp_path / "brain")))[0].id == "brain"


def test_pages_of_a_stack_are_its_slices(tmp_path: Path) -> None:
    stack = np.zeros((3, 12, 9), np.uint8)
    stack[1] = 255
    write_mask(tmp_path / "stack.tif", stack)
    dataset = as_truth(open_dataset(tmp_path, Layout(image="{id}.tif", pages=True)))
    (volume,) = find_volumes(dataset)
    assert volume.id == "stack"
    classes, _ = read_volume(volume, LABELS, (1.0,), "um")
    assert (classes == stack // 255).all()


def test_a_volume_knows_its_grid_unless_told_otherwise(tmp_path: Path) -> None:
    write_volume(tmp_path / "ct.nii.gz")
    (volume,) = find_volumes(as_truth(open_dataset(tmp_path)))
    classes, grid = read_volume(volume, LABELS)
    assert classes.sum() == 2 * 3 * 4
    assert (grid.spacing, grid.unit, grid.origin) == ((4.0, 2.0, 1.0), "mm", (10.0, 20.0, 30.0))
    told = read_volume(volume, LABELS, (2.0,), "um")[1]
    assert (told.spacing, told.unit) == ((2.0, 2.0, 2.0), "um")


@pytest.mark.parametrize(
    ("numbers", "found"),
    [([1, 2, 5], "without number 3, 4"), ([3], "one flat mask"), ([0, 2, 3, 4], "without number 1")],
)
def test_what_is_no_whole_stack_is_refused(tmp_path: Path, numbers: list[int], found: str) -> None:
    write_slices(tmp_path, numbers)
    with pytest.raises(DatasetError, match=found):
        find_volumes(as_truth(open_dataset(tmp_path)))


def test_two_masks_of_one_slice_are_refused(tmp_path: Path) -> None:
    write_slices(tmp_path, [1, 2], "a_{}.png")
    write_slices(tmp_path, [2, 3], "a_{:03}.png")
    with pytest.raises(DatasetError, match="two slices 2 of a"):
        find_volumes(as_truth(open_dataset(tmp_path)))


def test_images_without_masks_are_no_volumes(tmp_path: Path) -> None:
    write_slices(tmp_path, [1, 2])
    with pytest.raises(DatasetError, match="no masks"):
        find_volumes(open_dataset(tmp_path))


def test_slices_of_two_sizes_are_refused(tmp_path: Path) -> None:
    write_slices(tmp_path, [1, 2])
    write_mask(tmp_path / "liver_0003.png", np.zeros((5, 5), np.uint8))
    (volume,) = find_volumes(as_truth(open_dataset(tmp_path)))
    with pytest.raises(GeometryError, match="5x5 pixels and 9x12 pixels"):
        read_volume(volume, LABELS, (1.0,), "mm")


@pytest.mark.parametrize("spacing", [(), (0.5, 0.5)])
def test_an_unknown_spacing_is_asked_for(tmp_path: Path, spacing: tuple[float, ...]) -> None:
    write_slices(tmp_path, [1, 2])
    (volume,) = find_volumes(as_truth(open_dataset(tmp_path)))
    with pytest.raises(GeometryError, match="--spacing"):
        read_volume(volume, LABELS, spacing, "mm")
