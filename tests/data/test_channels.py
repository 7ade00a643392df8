"""The image of a case out of several files, or of one page."""

from pathlib import Path

import numpy as np
import pytest

from seglet.core.errors import GeometryError
from seglet.core.image import Image
from seglet.data.cases import Case
from seglet.data.channels import open_case, read_case_image
from seglet.io.files import write_image
from seglet.io.listing import as_file
from seglet.io.sources import File

RNG = np.random.default_rng(0)


def stored(path: Path, pixels: np.ndarray, spacing: tuple[float, ...] = ()) -> File:
    write_image(path, Image(pixels, spacing, "mm" if spacing else "px"))
    return as_file(path)


def test_files_become_channels_in_the_wider_type(tmp_path: Path) -> None:
    first = RNG.integers(0, 200, (1, 3, 4, 5)).astype(np.uint8)
    second = RNG.normal(size=(1, 3, 4, 5)).astype(np.float32)
    files = (stored(tmp_path / "a.tif", first), stored(tmp_path / "b.nii.gz", second, (3.0, 2.0, 1.0)))
    image = read_case_image(Case("x", files))
    assert image.pixels.dtype == np.float32
    assert image.spacing == (3.0, 2.0, 1.0)
    np.testing.assert_array_equal(image.pixels, np.concatenate([first, second]))


def test_a_missing_channel_is_zero_in_its_place(tmp_path: Path) -> None:
    planes = RNG.integers(1, 200, (2, 1, 4, 5)).astype(np.uint8)
    files = tuple(stored(tmp_path / f"{k}.png", plane) for k, plane in enumerate(planes))
    image = read_case_image(Case("x", files, missing=(1,)))
    np.testing.assert_array_equal(image.pixels, [planes[0, 0], planes[0, 0] * 0, planes[1, 0]])
    assert read_case_image(Case("x", files[:1], missing=(0, 2))).pixels[:, 0, 0].tolist() == [
        0,
        planes[0, 0, 0, 0],
        0,
    ]


def test_channels_of_other_extent_are_refused_with_both_names(tmp_path: Path) -> None:
    files = (stored(tmp_path / "a.png", np.zeros((1, 4, 5), np.uint8)),)
    files += (stored(tmp_path / "b.png", np.zeros((1, 4, 6), np.uint8)),)
    with pytest.raises(GeometryError, match=r"b\.png: found 6x4 pixels; expected 5x4 pixels as in .*a\.png"):
        read_case_image(Case("x", files))


def test_a_page_is_a_flat_image_with_the_spacing_of_its_axes(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 200, (1, 3, 4, 5)).astype(np.uint8)
    file = stored(tmp_path / "a.nii.gz", pixels, (3.0, 2.0, 1.0))
    image = read_case_image(Case("x", (file,), page=1))
    assert image.spacing == (2.0, 1.0)
    assert image.origin == image.direction == ()
    np.testing.assert_array_equal(image.pixels, pixels[:, 1])


def test_boxes_are_those_of_the_whole(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 200, (2, 1, 6, 7, 8)).astype(np.uint16)
    files = tuple(stored(tmp_path / f"{k}.tif", one) for k, one in enumerate(pixels))
    opened = open_case(Case("x", files, missing=(0,)))
    assert opened.extent == (3, 6, 7, 8)
    box = (slice(1, 4), slice(2, 7), slice(0, 3))
    np.testing.assert_array_equal(opened.read(box)[1:], pixels[:, 0, 1:4, 2:7, 0:3])
    np.testing.assert_array_equal(opened.load().pixels[1:], pixels[:, 0])


def test_channels_that_lie_otherwise_are_turned_to_the_first(tmp_path: Path) -> None:
    upright, mirrored = np.eye(3), np.diag([1.0, -1.0, 1.0])
    pixels = RNG.integers(0, 200, (2, 1, 4, 5, 6)).astype(np.int16)
    files = []
    for k, (values, direction, y) in enumerate(
        [(pixels[0], upright, 0.0), (pixels[1][:, :, ::-1], mirrored, 8.0)]
    ):
        grid = ((3.0, 2.0, 1.0), "mm", (0.0, y, 0.0), tuple(direction.ravel().tolist()))
        write_image(tmp_path / f"{k}.nii.gz", Image(np.ascontiguousarray(values), *grid))
        files.append(as_file(tmp_path / f"{k}.nii.gz"))
    image = read_case_image(Case("x", tuple(files)))
    np.testing.assert_array_equal(image.pixels, pixels[:, 0])


@pytest.mark.data
def test_four_real_contrasts_are_four_channels(data_folder: Path) -> None:
    files = sorted((data_folder / "msles" / "patient07").glob("*brain*.nii.gz"))
    image = read_case_image(Case("7", tuple(map(as_file, files))))
    assert image.n_channels == 4
    assert len(image.shape) == len(image.spacing) == 3
    assert all(channel.any() for channel in image.pixels)
