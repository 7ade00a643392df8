from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image as Picture

from seglet.core.errors import DatasetError, FormatError, GeometryError
from seglet.core.events import Event, quiet
from seglet.core.image import LabelClass, Labels
from seglet.data.cases import find_cases
from seglet.data.masks import MaskConfig
from seglet.data.synthetic import make_dataset
from seglet.io.files import read_mask
from seglet.io.sources import File
from seglet.predicted import Matched, as_truth, match_predictions
from seglet.writing import mask_names

Mask = NDArray[np.integer]
BINARY = Labels(classes=(LabelClass(name="no", value=0), LabelClass(name="yes", value=255)))


EVERY_VALUE = Labels(classes=BINARY.classes, threshold=40)


def rewritten(cells: Path, out: Path, write: Callable[[Path, Mask], object]) -> Path:
    """The true masks as another tool writes them."""
    out.mkdir()
    for path in sorted((cells / "masks").iterdir()):
        write(out / path.stem, np.asarray(Picture.open(path)))
    return out


def matched(folder: Path, data: Path) -> Matched:
    return match_predictions(folder, as_truth(find_cases(data)), MaskConfig(), quiet)


def save(path: Path, pixels: Mask) -> None:
    Picture.fromarray(pixels).save(path.with_name(path.name + ".png"))


WAYS: dict[str, Callable[[Path, Mask], object]] = {
    "the same": save,
    "0 and 1": lambda path, mask: save(path, mask // 255),
    "1 and 2": lambda path, mask: save(path, mask // 255 + 1),
    "1-bit": lambda path, mask: save(path, mask > 0),
    "tiff": lambda path, mask: tifffile.imwrite(f"{path}.tif", mask // 255),
    "16-bit tiff": lambda path, mask: tifffile.imwrite(f"{path}.tiff", mask.astype(np.uint16) * 257),
    "red": lambda path, mask: save(path, np.stack([mask, mask * 0, mask * 0], -1)),
    "colors": lambda path, mask: save(path, np.stack([mask, mask * 0, 255 - mask], -1)),
    "rgba": lambda path, mask: save(path, np.stack([mask, mask, mask, mask * 0 + 255], -1)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("truth", ["dataset", "masks alone"])
def test_masks_of_any_tool_are_understood(cells: Path, tmp_path: Path, way: str, truth: str) -> None:
    folder = rewritten(cells, tmp_path / "found", WAYS[way])
    pairs = list(matched(folder, cells if truth == "dataset" else cells / "masks"))
    assert len(pairs) == 5
    for sample, predicted in pairs:
        np.testing.assert_array_equal(sample.labels, predicted.labels)
        assert predicted.labels.any()


def test_masks_that_show_nothing_are_background(cells: Path, tmp_path: Path) -> None:
    folder = rewritten(cells, tmp_path / "found", lambda path, mask: save(path, mask * 0))
    assert not any(predicted.labels.any() for _, predicted in matched(folder, cells))


def test_a_class_that_was_never_predicted_does_not_shift_the_others(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", layout="palette", n_images=3, shape=(64, 64))
    folder = tmp_path / "found"
    folder.mkdir()
    for path in sorted((data / "masks").iterdir()):
        save(folder / path.stem, (read_mask(File(path.parent, path.name)) == 2).astype(np.uint8) * 2)
    for sample, predicted in matched(folder, data):
        np.testing.assert_array_equal(predicted.labels == 2, np.asarray(sample.labels) == 2)
        assert set(np.unique(predicted.labels)) == {0, 2}


def test_strange_values_of_several_classes_are_refused_by_name(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", layout="palette", n_images=3, shape=(64, 64))
    folder = tmp_path / "found"
    folder.mkdir()
    for path in sorted((data / "masks").iterdir()):
        mask = read_mask(File(path.parent, path.name))
        save(folder / path.stem, np.where(mask > 0, mask + 10, 0).astype(np.uint8))
    with pytest.raises(FormatError, match=r"found/000\.png: found mask values 11"):
        list(matched(folder, data))


def test_color_masks_are_read_by_their_colors_though_one_is_all_red(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", layout="pairs", n_images=3, shape=(64, 64))
    for path in (data / "masks").iterdir():
        mask = np.asarray(Picture.open(path)) > 0
        colors = np.where(mask[..., None], (220, 0, 0), (0, 0, 0)).astype(np.uint8)
        if path.stem == "001":
            colors[mask & (np.arange(64) > 32)] = (0, 200, 0)
        Picture.fromarray(colors).save(path)
    for sample, predicted in matched(data / "masks", data):
        np.testing.assert_array_equal(sample.labels, predicted.labels)


def test_probabilities_beside_masks_are_left_alone(cells: Path, tmp_path: Path) -> None:
    folder = rewritten(cells, tmp_path / "found", save)
    tifffile.imwrite(folder / "000_probabilities.tif", np.zeros((1, 64, 64), np.float32))
    assert len(matched(folder, cells).pairs) == 5


def test_a_part_of_the_images_may_be_predicted_and_it_is_told(cells: Path, tmp_path: Path) -> None:
    folder = rewritten(cells, tmp_path / "found", save)
    (folder / "003.png").unlink()
    told: list[Event] = []
    found = match_predictions(folder, find_cases(cells), MaskConfig(), told.append)
    assert [c.id for c, _ in found.pairs] == ["000", "001", "002", "004"]
    assert any("4 masks for 5 labelled images" in event.message for event in told)


def test_masks_named_like_no_image_are_listed(cells: Path, tmp_path: Path) -> None:
    folder = rewritten(
        cells, tmp_path / "found", lambda path, mask: save(path.with_name(f"x{path.name}"), mask)
    )
    with pytest.raises(
        DatasetError, match=r"5 of 5 masks named like no labelled image: x000\.png.*such as 000"
    ):
        matched(folder, cells)


def test_an_empty_folder_is_refused(cells: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="found no files"):
        matched(tmp_path, cells)
    (tmp_path / "readme.txt").touch()
    with pytest.raises(DatasetError, match="no masks at all"):
        matched(tmp_path, cells)


def test_two_masks_of_one_image_are_refused(cells: Path, tmp_path: Path) -> None:
    folder = rewritten(cells, tmp_path / "found", save)
    tifffile.imwrite(folder / "002.tif", np.zeros((64, 64), np.uint8))
    with pytest.raises(DatasetError, match=r"two masks of 002: 002\.png, 002\.tif"):
        matched(folder, cells)


def test_masks_of_another_size_name_both_files(cells: Path, tmp_path: Path) -> None:
    folder = rewritten(cells, tmp_path / "found", lambda path, mask: save(path, mask[:50]))
    with pytest.raises(
        GeometryError,
        match=r"found/000\.png: found 64x50 pixels; expected 64x64 pixels as in .*images/000\.png",
    ):
        list(matched(folder, cells))


def test_more_classes_than_the_truth_has_are_refused(cells: Path, tmp_path: Path) -> None:
    thirds = (np.arange(64, dtype=np.uint8) // 22)[None]
    folder = rewritten(cells, tmp_path / "found", lambda path, mask: save(path, mask * 0 + thirds))
    with pytest.raises(DatasetError, match=r"found masks of 3 classes .*expected 2 as in the truth"):
        matched(folder, cells)


def test_a_damaged_mask_is_named(cells: Path, tmp_path: Path) -> None:
    folder = rewritten(cells, tmp_path / "found", save)
    (folder / "001.png").write_bytes(b"not a picture")
    with pytest.raises(DatasetError, match=r"found/001\.png"):
        matched(folder, cells)


def test_images_of_one_name_are_matched_by_id_alone(tmp_path: Path) -> None:
    for patient, gray in (("p1", 255), ("p2", 0)):
        for role, value in (("images", 7), ("masks", gray)):
            (tmp_path / "data" / patient / role).mkdir(parents=True)
            Picture.new("L", (9, 9), value).save(tmp_path / "data" / patient / role / "1.png")
    dataset = find_cases(tmp_path / "data")
    assert len(dataset.cases) == 2
    folder = tmp_path / "found"
    folder.mkdir()
    for found, name in mask_names(dataset.cases).items():
        Picture.new("L", (9, 9), 255 * ("1" in found.split("_")[0])).save(folder / name)
    pairs = list(match_predictions(folder, dataset, MaskConfig(), quiet))
    assert [sample.labels.mean() for sample, _ in pairs] == [p.labels.mean() for _, p in pairs]  # type: ignore[union-attr]
    Picture.new("L", (9, 9)).save(folder / "1.png")
    with pytest.raises(DatasetError, match=r"named like no labelled image: 1\.png"):
        match_predictions(folder, dataset, MaskConfig(), quiet)


def test_a_strange_value_names_the_file(cells: Path, tmp_path: Path) -> None:
    folder = rewritten(cells, tmp_path / "found", save)
    found = matched(folder, cells)
    save(folder / "004", np.full((64, 64), 9, np.uint8))  # changed after it was looked at
    with pytest.raises(FormatError, match=r"found/004\.png: found mask values 9"):
        list(found)


def test_a_dataset_with_masks_is_its_own_truth(cells: Path) -> None:
    dataset = find_cases(cells)
    assert as_truth(dataset) is dataset
    alone = as_truth(replace(dataset, cases=tuple(replace(c, labels=()) for c in dataset.cases)))
    assert all(c.labels == (c.image,) for c in alone.cases)


def test_masks_that_tell_touching_objects_apart_keep_them_apart(tmp_path: Path) -> None:
    objects = np.zeros((32, 32), np.uint8)
    objects[4:12, 4:12], objects[4:12, 12:20], objects[20:28, 4:12] = 1, 2, 3
    for folder in ("data/images", "data/masks", "apart", "merged"):
        (tmp_path / folder).mkdir(parents=True)
    for k in range(2):
        save(tmp_path / f"data/images/{k}", np.arange(1024, dtype=np.uint8).reshape(32, 32))
        save(tmp_path / f"data/masks/{k}", objects)
        save(tmp_path / f"apart/{k}", objects[::-1] * 7)
        save(tmp_path / f"merged/{k}", (objects > 0).astype(np.uint8) * 255)
    told = MaskConfig(encoding="instances")
    apart = match_predictions(tmp_path / "apart", find_cases(tmp_path / "data"), told, quiet)
    for _, prediction in apart:
        assert prediction.objects is not None
        assert len(np.unique(prediction.objects)) == 4
        np.testing.assert_array_equal(prediction.objects > 0, objects[::-1] > 0)
    seven = MaskConfig(encoding="instances", ignore=7)  # of the truth; predicted, it is an object's number
    for _, prediction in match_predictions(tmp_path / "apart", find_cases(tmp_path / "data"), seven, quiet):
        np.testing.assert_array_equal(prediction.labels, objects[::-1] > 0)
    merged = match_predictions(tmp_path / "merged", find_cases(tmp_path / "data"), told, quiet)
    assert [prediction.objects for _, prediction in merged] == [None, None]
