"""Cases become samples, or errors that name every file."""

from pathlib import Path

import numpy as np
import pytest

from seglet.core.errors import DatasetError, FormatError, GeometryError
from seglet.core.image import IGNORE, LabelClass, Labels
from seglet.data.cases import Case, find_cases
from seglet.data.masks import MaskConfig, understand_masks
from seglet.data.samples import read_sample, read_samples
from seglet.io.files import write_mask
from seglet.io.listing import as_file

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


FILES = Labels(
    encoding="files",
    classes=tuple(LabelClass(name=name, value=k) for k, name in enumerate(("background", "axon", "myelin"))),
)


def test_files_of_classes_are_merged_in_the_order_of_the_classes(tmp_path: Path) -> None:
    axon = np.array([[255, 250, 3, 0]], np.uint8)  # slightly gray
    myelin = np.array([[0, 1, 1, 0]], np.uint8)
    write(tmp_path, image=axon, axon=axon, myelin=myelin)
    image, *masks = (as_file(tmp_path / f"{name}.png") for name in ("image", "myelin", "axon"))
    case = Case("x", (image,), tuple(masks), classes=("myelin", "axon"))
    sample = read_sample(case, FILES)
    assert sample.labels is not None and sample.objects is None
    assert sample.labels.tolist() == [[1, 2, 2, 0]]
    alone = read_sample(Case("x", (image,), (masks[1],), classes=("axon",)), FILES).labels
    assert alone is not None and alone.tolist() == [[1, 1, 0, 0]]
    with pytest.raises(DatasetError, match=r"image\.png: found masks of nerve; .* axon, myelin"):
        read_sample(Case("x", (image,), (masks[0],), classes=("nerve",)), FILES)


def test_pixels_that_nobody_labelled_stay_so_among_files_of_classes(tmp_path: Path) -> None:
    axon = np.array([[0, 255, 128, 128]], np.uint8)
    write(tmp_path, axon=axon, myelin=np.array([[0, 0, 0, 255]], np.uint8))
    files = tuple(as_file(tmp_path / f"{name}.png") for name in ("axon", "myelin"))
    labels = FILES.model_copy(update={"ignore": 128})
    sample = read_sample(Case("x", files[:1], files, classes=("axon", "myelin")), labels)
    assert sample.labels is not None and sample.labels.tolist() == [[0, 1, IGNORE, 2]]


def test_a_volume_has_all_that_its_case_has(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 2, (3, 4, 5)).astype(np.uint8)
    fov = np.zeros_like(values)
    fov[1:] = 1
    for name, mask in (
        ("image", values),
        ("mask", values * 255),
        ("fov", fov),
        ("second", values[::-1] * 255),
    ):
        write_mask(tmp_path / f"{name}.nii.gz", mask)
    image, mask, inside, second = (
        as_file(tmp_path / f"{name}.nii.gz") for name in ("image", "mask", "fov", "second")
    )
    sample = read_sample(Case("x", (image,), (mask,), fov=inside, second=second), TWO)
    assert sample.labels is not None and sample.fov is not None and sample.second is not None
    np.testing.assert_array_equal(sample.labels, values)
    np.testing.assert_array_equal(sample.fov, fov == 1)
    np.testing.assert_array_equal(sample.second, values[::-1])


def test_pages_of_stacks_are_samples(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 2, (3, 4, 5)).astype(np.uint8)
    write_mask(tmp_path / "image.tif", values * 9)
    write_mask(tmp_path / "mask.tif", values * 255)
    image, mask = as_file(tmp_path / "image.tif"), as_file(tmp_path / "mask.tif")
    for page in range(3):
        sample = read_sample(Case("x", (image,), (mask,), page=page), TWO)
        np.testing.assert_array_equal(sample.image.pixels[0], values[page] * 9)
        np.testing.assert_array_equal(sample.labels, values[page])


def test_marked_cells_without_a_mask_are_ignored(tmp_path: Path) -> None:
    mask = np.zeros((60, 60), np.uint16)
    mask[5:12, 5:12] = 4
    markers = np.zeros((60, 60), np.uint16)
    markers[8, 8], markers[40, 40] = 1, 2
    for name, values in (("image", mask), ("seg", mask), ("tra", markers)):
        write_mask(tmp_path / f"{name}.tif", values)
    image, seg, tra = (as_file(tmp_path / f"{name}.tif") for name in ("image", "seg", "tra"))
    labels = OBJECTS.model_copy(update={"encoding": "instances"})
    sample = read_sample(Case("x", (image,), (seg,), tracks=tra), labels)
    assert sample.labels is not None and sample.objects is not None
    assert sample.labels[8, 8] == sample.objects[8, 8] == 1
    assert sample.labels[40, 40] == sample.labels[40, 44] == IGNORE
    assert sample.labels[40, 50] == sample.labels[20, 20] == 0


@pytest.mark.data
def test_real_nuclei_keep_every_object(data_folder: Path) -> None:
    case = find_cases(data_folder / "dsb2018" / "stage1_train.zip").cases[0]
    sample = read_sample(case, OBJECTS)
    assert sample.objects is not None
    assert int(sample.objects.max()) == len(case.labels)
    assert sample.image.n_channels == 3
