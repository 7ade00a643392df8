"""What is measured in one image, and the files of all."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import roifile
from numpy.typing import NDArray

from seglet.core.errors import ConfigError, GeometryError
from seglet.core.image import IGNORE, Image, Sample
from seglet.data.run_lengths import objects_of, read_runs
from seglet.measurements import MeasureConfig, Measurement, measure_sample, write_measurements

NAMES = ("background", "liver", "tumor")


def sample_of(
    labels: NDArray[np.integer], objects: NDArray[np.integer] | None = None, **grid: object
) -> Sample:
    pixels = np.arange(labels.size, dtype=np.float32).reshape(1, *labels.shape)
    numbered = None if objects is None else objects.astype(np.int32)
    return Sample("case/1", Image(pixels, **grid), labels.astype(np.uint8), numbered)  # type: ignore[arg-type]


def measured(what: str, sample: Sample, names: tuple[str, ...] = NAMES) -> Measurement:
    return measure_sample(sample, what, names, is_bright=True, file="1.png")  # type: ignore[arg-type]


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def cells() -> Sample:
    """A square, one that touches it with another number, and a class that is apart."""
    labels = np.zeros((6, 8), int)
    labels[1:3, 1:5] = 1
    labels[4:6, 6:8] = 2
    objects = np.zeros_like(labels)
    objects[1:3, 1:3], objects[1:3, 3:5], objects[4:6, 6:8] = 4, 7, 9
    return sample_of(labels, objects, spacing=(0.5, 0.5), unit="um")


def test_objects_are_those_that_the_mask_numbers(cells: Sample) -> None:
    found = measured("objects", cells)
    assert found.table["number"].tolist() == [4, 7, 9]
    assert found.table["class"].tolist() == ["liver", "liver", "tumor"]
    assert found.table["area_um2"].tolist() == [1.0, 1.0, 1.0]
    assert found.summary["n_objects"] == 3
    assert (found.summary["n_liver"], found.summary["n_tumor"]) == (2, 1)


def test_without_numbers_objects_are_what_is_connected_by_sides() -> None:
    found = measured("objects", sample_of(np.eye(3, dtype=int)), ("background", "cell"))
    assert found.table["number"].tolist() == [1, 2, 3]
    assert "class" not in found.table


def test_what_nobody_labelled_does_not_count() -> None:
    labels = np.array([[1, 1, 0, IGNORE], [0, 0, 1, IGNORE]])
    sample = sample_of(labels, labels.clip(max=1))
    found = measured("objects", sample, ("background", "cell"))
    assert found.table["n_pixels"].tolist() == [3]
    assert found.summary["share"] == 0.5


def test_organs_have_volumes_in_milliliters() -> None:
    labels = np.zeros((4, 10, 10), int)
    labels[1:3, 2:7, 2:7] = 1
    found = measured("organs", sample_of(labels, spacing=(5.0, 2.0, 2.0), unit="mm"))
    assert found.table["class"].tolist() == ["liver"]
    assert found.table["volume_ml"].tolist() == [pytest.approx(1.0)]
    assert found.summary == {
        "volume_mm3_liver": 1000.0,
        "volume_ml_liver": pytest.approx(1.0),
        "share_liver": 0.125,
        "volume_mm3_tumor": 0.0,
        "volume_ml_tumor": 0.0,
        "share_tumor": 0.0,
    }


def test_vessels_have_segments() -> None:
    labels = np.zeros((9, 20), int)
    labels[4, 2:18] = 1
    found = measured("vessels", sample_of(labels, spacing=(3.0, 3.0), unit="um"), ("background", "vessel"))
    assert found.summary["length_um"] == 45
    assert found.table["length_um"].tolist() == [45]


def test_a_mask_that_is_its_own_image_has_no_intensities(cells: Sample) -> None:
    found = measure_sample(cells, "objects", NAMES, is_bright=False, file="1.png")
    assert not [name for name in found.table if name.startswith("intensity")]


def test_all_files_say_the_same(cells: Sample, tmp_path: Path) -> None:
    found = measured("objects", cells)
    config = MeasureConfig(parquet=True, geojson=True, coco=True, imagej=True, kaggle=True)
    written = write_measurements([found], "objects", NAMES, config, tmp_path)
    assert all(path.exists() for path in written)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in written}
    rows = read_csv(tmp_path / "objects.csv")
    assert [(row["image"], row["number"], row["area_um2"]) for row in rows] == [
        ("case/1", "4", "1.0"),
        ("case/1", "7", "1.0"),
        ("case/1", "9", "1.0"),
    ]
    assert read_csv(tmp_path / "images.csv")[0]["n_objects"] == "3"
    table = pyarrow.parquet.read_table(tmp_path / "objects.parquet")
    assert table.column_names == list(rows[0])
    assert table["class"].to_pylist() == ["liver", "liver", "tumor"]
    features = json.loads((tmp_path / "geojson" / "case_1.geojson").read_text())["features"]
    assert [one["properties"]["classification"]["name"] for one in features] == ["liver", "liver", "tumor"]
    assert features[0]["properties"]["measurements"]["area_um2"] == 1.0
    coco = json.loads((tmp_path / "coco.json").read_text())
    assert [one["category_id"] for one in coco["annotations"]] == [1, 1, 2]
    assert [one["name"] for one in coco["categories"]] == ["liver", "tumor"]
    assert [one.name for one in roifile.roiread(tmp_path / "imagej" / "case_1.zip")] == [
        "0004",
        "0007",
        "0009",
    ]
    again = objects_of(read_runs(tmp_path / "kaggle.csv")["case/1"], (6, 8))
    assert np.array_equal(again > 0, np.asarray(cells.objects) > 0)


def test_columns_of_all_images_stand_and_cells_without_number_are_empty(
    cells: Sample, tmp_path: Path
) -> None:
    empty = sample_of(np.zeros((3, 3), int), np.zeros((3, 3), int))  # in pixels
    found = [measured("objects", cells), measured("objects", empty)]
    write_measurements(found, "objects", NAMES, MeasureConfig(), tmp_path)
    first, second = read_csv(tmp_path / "images.csv")
    assert (first["total_area_um2"], first["total_area_px2"]) == ("3.0", "")
    assert (second["total_area_px2"], second["mean_area_px2"]) == ("0.0", "")


@pytest.mark.parametrize("kind", ["geojson", "coco", "imagej", "kaggle"])
def test_flat_formats_refuse_volumes_and_nothing_is_written(kind: str, tmp_path: Path) -> None:
    found = measured("organs", sample_of(np.ones((2, 3, 3), int)))
    with pytest.raises(GeometryError):
        write_measurements([found], "organs", NAMES, MeasureConfig(**{kind: True}), tmp_path)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_what_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigError, match="objects, vessels, organs"):
        MeasureConfig(what="cells")  # type: ignore[arg-type]
