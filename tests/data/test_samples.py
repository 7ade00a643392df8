"""Cases become samples, or errors that name every file."""

from pathlib import Path

import numpy as np
import pytest

from seglet.core.errors import DatasetError, FormatError, GeometryError
from seglet.core.image import LabelClass, Labels
from seglet.data.cases import find_cases
from seglet.data.masks import MaskConfig, understand_masks
from seglet.data.samples import read_sample, read_samples
from seglet.io.files import write_mask

TWO = Labels(classes=(LabelClass(name="background", value=0), LabelClass(name="vessel", value=255)))
OBJECTS = Labels(
    encoding="objects",
    classes=(LabelClass(name="background", value=0), LabelClass(name="object", value=255)),
)
MASK = np.array([[0, 255, 255], [0, 0, 255]], np.uint8)


def write(root: Path, **files: np.ndarray) -> None:
    for name, values in files.items():
        write_mask(root / (name.replace("__", "/") + ".png"), values)


def test_a_sample_has_all_that_its_case_has(tmp_path: Path) -> None:
    write(tmp_path, images__1=MASK, labels__1=MASK, labels2__1=MASK[::-1].copy(), masks__1=MASK)
    sample = read_sample(find_cases(tmp_path).cases[0], TWO)
    assert sample.id == "1"
    assert sample.image.pixels.shape == (1, 2, 3)
    assert sample.labels is not None and sample.second is not None and sample.fov is not None
    assert sample.labels.tolist() == [[0, 1, 1], [0, 0, 1]]
    assert sample.second.tolist() == [[0, 0, 1], [0, 1, 1]]
    assert sample.fov.dtype == bool
    assert sample.objects is None


def test_masks_stay_unread_without_a_scheme(tmp_path: Path) -> None:
    write(tmp_path, images__1=MASK, labels__1=MASK)
    assert read_sample(find_cases(tmp_path).cases[0], None).labels is None


def test_object_files_are_merged_and_numbered(tmp_path: Path) -> None:
    first, second = np.zeros((3, 4), np.uint8), np.zeros((3, 4), np.uint8)
    first[:, :2], second[1:, 1:3] = 255, 255
    write(tmp_path, a__images__a=first, a__masks__1=first, a__masks__2=first * 0, a__masks__3=second)
    sample = read_sample(find_cases(tmp_path).cases[0], OBJECTS)
    assert sample.objects is not None and sample.labels is not None
    assert sample.objects.tolist() == [[1, 1, 0, 0], [1, 2, 2, 0], [1, 2, 2, 0]]
    assert np.array_equal(sample.labels, sample.objects > 0)


@pytest.mark.parametrize("folder", ["labels", "labels2", "masks"])
def test_sizes_that_differ_name_both_files(tmp_path: Path, folder: str) -> None:
    files = {"images__1": MASK, "labels__1": MASK, "labels2__1": MASK, "masks__1": MASK}
    write(tmp_path, **{**files, f"{folder}__1": MASK[:, :2].copy()})
    with pytest.raises(
        GeometryError, match=rf"{folder}/1\.png: found 2x2 pixels; expected 3x2 .*images/1\.png"
    ):
        read_sample(find_cases(tmp_path).cases[0], TWO)


def test_values_that_are_no_class_name_the_file(tmp_path: Path) -> None:
    write(tmp_path, images__1=MASK, labels__1=MASK // 5)
    with pytest.raises(FormatError, match=r"labels/1\.png: found mask values 51"):
        read_sample(find_cases(tmp_path).cases[0], TWO)


def test_all_bad_cases_are_listed_at_once(tmp_path: Path) -> None:
    for k in range(4):
        write(tmp_path, **{f"images__{k}": MASK, f"labels__{k}": MASK})
    (tmp_path / "images" / "1.png").write_bytes(b"")
    (tmp_path / "labels" / "3.png").write_bytes(b"no image")
    with pytest.raises(DatasetError, match=r"2 cases.*images/1\.png.*labels/3\.png"):
        read_samples(find_cases(tmp_path).cases, TWO)


def test_samples_come_in_order_and_tell_how_far(tmp_path: Path) -> None:
    for k in range(11):
        write(tmp_path, **{f"images__{k}": MASK, f"labels__{k}": MASK})
    told: list[int] = []
    samples = read_samples(find_cases(tmp_path).cases, TWO, lambda event: told.append(event.done))
    assert [sample.id for sample in samples] == [str(k) for k in range(11)]
    assert told == list(range(1, 12))


def test_red_masks_among_colored_ones_keep_their_color(tmp_path: Path) -> None:
    red = np.zeros((2, 3, 3), np.uint8)
    red[0, 0] = (255, 0, 0)
    green = red[..., ::-1].copy()
    write(tmp_path, images__1=MASK, images__2=MASK, masks__1=red, masks__2=green)
    cases = find_cases(tmp_path).cases
    labels = understand_masks(cases, MaskConfig())
    assert labels.n_classes == 3
    samples = read_samples(cases, labels)
    assert {int(sample.labels.max()) for sample in samples if sample.labels is not None} == {1, 2}


@pytest.mark.data
def test_real_nuclei_keep_every_object(data_folder: Path) -> None:
    case = find_cases(data_folder / "dsb2018" / "stage1_train.zip").cases[0]
    sample = read_sample(case, OBJECTS)
    assert sample.objects is not None
    assert int(sample.objects.max()) == len(case.labels)
    assert sample.image.n_channels == 3
