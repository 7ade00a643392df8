from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image as Picture

from dicom_series import write_series
from seglet.core.errors import DatasetError
from seglet.core.image import Image, LabelClass, Labels
from seglet.data.cases import Case
from seglet.data.channels import read_case_image
from seglet.data.fitting import frame_of
from seglet.io.files import write_image
from seglet.io.listing import as_file, list_files
from seglet.io.sources import File
from seglet.metrics.evaluate import Prediction
from seglet.predicted import Matched
from seglet.writing import (
    mask_names,
    mask_places,
    read_prediction,
    write_prediction,
)

Mask = NDArray[np.integer]
BINARY = Labels(classes=(LabelClass(name="no", value=0), LabelClass(name="yes", value=255)))


EVERY_VALUE = Labels(classes=BINARY.classes, threshold=40)


def case(name: str, identity: str = "") -> Case:
    return Case(id=identity or Path(name).stem, images=(File(Path("data"), name),))


@pytest.mark.parametrize(
    ("image", "mask"),
    [
        ("images/a.png", "a.png"),
        ("a.tif", "a.tif"),
        ("a.tiff", "a.tiff"),
        ("a.jpg", "a.png"),
        ("a.JPEG", "a.png"),
        ("a.gif", "a.png"),
        ("a.bmp", "a.png"),
        ("dots.in.name.png", "dots.in.name.png"),
        ("Ümläut 1.png", "Ümläut 1.png"),
        ("a.nii.gz", "a.nii.gz"),
        ("a.mhd", "a.mha"),
        ("a.ima", "a.dcm"),
        ("a.h5", "a.tif"),
    ],
)
def test_a_mask_is_named_like_its_image_unless_the_format_would_smear_it(image: str, mask: str) -> None:
    assert mask_names([case(image)]) == {case(image).id: mask}


def test_a_file_of_one_channel_gives_way_to_the_id() -> None:
    one = replace(case("imagesTs/liver_1_0000.nii.gz", "liver_1"), channels=("0000",))
    assert mask_names([one]) == {"liver_1": "liver_1.nii.gz"}


@pytest.mark.parametrize("suffix", [".tif", ".nii.gz", ".nii", ".nrrd", ".mha", ".dcm"])
def test_masks_and_probabilities_of_a_volume_come_back_in_every_format(tmp_path: Path, suffix: str) -> None:
    hu = np.arange(3 * 5 * 6).reshape(3, 5, 6).astype(np.int16)
    if suffix == ".dcm":
        write_series(tmp_path / "a", hu)
        image = as_file(tmp_path / "a")
    else:
        image = File(tmp_path, f"a{suffix}")
        write_image(tmp_path / image.name, Image(hu[None], (2.0, 0.7, 0.7), "mm"))
    one = Case("a", (image,), (image,))
    indexes = (hu > 40).astype(np.uint8)
    indexes[0] = 0  # DICOM-SEG leaves such slices out
    given = Prediction("a", indexes, np.random.default_rng(0).random((1, 3, 5, 6), np.float32))
    path = write_prediction(tmp_path / "out" / f"a{suffix}", given, BINARY, one, probabilities=True)
    frame = frame_of(read_case_image(one), image)
    np.testing.assert_array_equal(read_prediction(as_file(path), BINARY, frame)[0], indexes)
    found = Matched(((one, as_file(path)),), frozenset(list_files(tmp_path / "out")), BINARY, BINARY)
    (read,) = [predicted for _, predicted in replace(found, truth=EVERY_VALUE)]
    np.testing.assert_array_equal(read.labels, indexes)
    assert read.probabilities is not None
    np.testing.assert_allclose(read.probabilities, given.probabilities, atol=1e-6)


def test_images_of_the_same_name_give_way_to_their_ids() -> None:
    cases = [case("p1/1.png", "p1_1"), case("p2/1.tif", "p2_1"), case("p2/2.png", "p2_2")]
    assert mask_names(cases) == {"p1_1": "p1_1.png", "p2_1": "p2_1.tif", "p2_2": "2.png"}


def test_places_of_files_folders_and_datasets(cells: Path, tmp_path: Path) -> None:
    Picture.new("L", (9, 9)).save(tmp_path / "alone.jpg")
    places = mask_places([cells, tmp_path / "alone.jpg"], tmp_path / "out")
    assert sorted(path.name for path in places) == [*(f"{i:03}.png" for i in range(5)), "alone.png"]
    assert all(found.labels == () for found in places.values()), "masks of a dataset are not read"
    assert {path.parent for path in places} == {tmp_path / "out"}


def test_the_same_image_twice_is_one_mask(cells: Path, tmp_path: Path) -> None:
    image = cells / "images/000.png"
    assert len(mask_places([image, image], tmp_path)) == 1


def test_two_images_of_one_name_cannot_share_a_folder(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        Picture.new("L", (9, 9)).save(tmp_path / folder / "1.png")
    with pytest.raises(DatasetError, match=r"b/1\.png: found a mask of the same name as that of .*a/1\.png"):
        mask_places([tmp_path / "a", tmp_path / "b"], tmp_path / "out")


def test_masks_never_overwrite_their_images(cells: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"found the folder of the images themselves: .*000\.png"):
        mask_places([cells / "images"], cells / "images")
    (tmp_path / "link").symlink_to(cells / "images")
    with pytest.raises(DatasetError, match="the folder of the images themselves"):
        mask_places([cells / "images" / "000.png"], tmp_path / "link")


def test_masks_are_not_written_among_the_images(cells: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"images/out: found a folder inside .*images, whose images are"):
        mask_places([cells / "images"], cells / "images/out")
    mask_places([cells / "images"], cells / "out")
    mask_places([cells / "images/000.png"], cells / "images/out")


def test_a_prediction_is_written_with_the_users_values(tmp_path: Path) -> None:
    probabilities = np.random.default_rng(0).random((1, 3, 4), np.float32)
    predicted = Prediction("a", np.eye(3, 4, dtype=np.uint8), probabilities)
    Picture.fromarray(np.zeros((3, 4), np.uint8)).save(tmp_path / "image.png")
    case = Case("a", (File(tmp_path, "image.png"),))
    path = write_prediction(tmp_path / "a.png", predicted, BINARY, case, probabilities=True)
    np.testing.assert_array_equal(np.asarray(Picture.open(path)), np.eye(3, 4) * 255)
    np.testing.assert_array_equal(
        tifffile.imread(tmp_path / "a_probabilities.tif").squeeze(), probabilities[0]
    )
    write_prediction(tmp_path / "b.png", predicted, BINARY, case, probabilities=False)
    assert not (tmp_path / "b_probabilities.tif").exists()


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.nii.gz"])
def test_objects_are_numbered_and_come_back(tmp_path: Path, name: str) -> None:
    shape = (4, 6) if name != "a.nii.gz" else (2, 4, 6)
    objects = np.zeros(shape, np.int32)
    objects[..., 1:3, 1:2], objects[..., 1:3, 2:4] = 1, 300
    file = as_file(tmp_path / name)
    write_image(tmp_path / name, Image(np.zeros((1, *shape), np.uint8)))
    image = Case("a", (file,))
    frame = frame_of(read_case_image(image), file, None)
    touching = BINARY.model_copy(update={"encoding": "objects"})
    predicted = Prediction("a", (objects > 0).astype(np.uint8), objects=objects)
    path = write_prediction(tmp_path / "out" / name, predicted, touching, image, probabilities=False)
    labels, found = read_prediction(as_file(path), touching, frame)
    np.testing.assert_array_equal(found, objects)
    np.testing.assert_array_equal(labels, objects > 0)
