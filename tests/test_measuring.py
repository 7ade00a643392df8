"""Masks of any tool in numbers."""

import csv
import shutil
import sys
from math import prod
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from skimage.measure import label

from seglet.core.errors import ConfigError, DatasetError, MissingExtra
from seglet.core.events import Event
from seglet.data.synthetic import make_dataset
from seglet.io.files import open_image, read_mask
from seglet.io.listing import as_file
from seglet.measurements import MeasureConfig
from seglet.measuring import measure, parse_spacing


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def pictures(folder: Path) -> dict[str, np.ndarray]:
    return {path.stem: np.asarray(Picture.open(path)) for path in sorted(folder.iterdir())}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ((), "px")),
        ("0.65um", ((0.65,), "um")),
        ("0.65 µm", ((0.65,), "um")),
        ("5mm,0.8mm,0.8mm", ((5.0, 0.8, 0.8), "mm")),
        ("5, 0.8, 0.8mm", ((5.0, 0.8, 0.8), "mm")),
        ("0.5cm", ((5.0,), "mm")),
    ],
)
def test_spacings_are_understood(text: str, expected: tuple[tuple[float, ...], str]) -> None:
    assert parse_spacing(text) == expected


@pytest.mark.parametrize(
    "text", ["0.65", "um", "0um", "-1um", "1um,1mm", "1,2,3,4um", "1.2.3um", "1px", "1um,"]
)
def test_other_spacings_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="--spacing"):
        parse_spacing(text)


@pytest.fixture(scope="module")
def folders(cells: Path) -> tuple[Path, Path]:
    """Masks and images."""
    return next(p for p in cells.iterdir() if p.is_dir() and p.name != "images"), cells / "images"


def test_masks_alone_are_counted(folders: tuple[Path, Path], tmp_path: Path) -> None:
    heard: list[Event] = []
    measured = measure(folders[0], tmp_path, tell=heard.append)
    assert measured.what == "objects"
    masks = pictures(folders[0])
    counts = {name: int(label(mask > 0, connectivity=1).max()) for name, mask in masks.items()}
    assert {row["image"]: row["n_objects"] for row in measured.images} == counts
    rows = rows_of(tmp_path / "objects.csv")
    assert len(rows) == measured.n_rows == sum(counts.values())
    assert "intensity_mean" not in rows[0]
    assert any("--spacing" in event.message for event in heard)


def test_images_beside_masks_give_intensities_and_a_spacing_gives_units(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    measure(*folders[:1], tmp_path, folders[1], MeasureConfig(spacing="0.5um"))
    row = rows_of(tmp_path / "objects.csv")[0]
    assert float(row["area_um2"]) == int(row["n_pixels"]) / 4
    assert float(row["intensity_min"]) <= float(row["intensity_mean"]) <= float(row["intensity_max"])


def test_a_dataset_is_its_true_masks_with_its_images(
    cells: Path, folders: tuple[Path, Path], tmp_path: Path
) -> None:
    measure(cells, tmp_path / "a")
    measure(folders[0], tmp_path / "b", folders[1])
    assert (tmp_path / "a" / "objects.csv").read_text() == (tmp_path / "b" / "objects.csv").read_text()


def test_a_run_is_its_predictions(run_folder: Path, tmp_path: Path) -> None:
    measured = measure(run_folder, tmp_path)
    assert len(measured.images) == len(list((run_folder / "predictions").iterdir()))
    assert (tmp_path / "images.csv").is_file()


def test_volumes_are_organs_in_milliliters(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", "volumes", "decathlon", n_images=2)
    measured = measure(data, tmp_path / "out")
    assert measured.what == "organs"
    first = rows_of(tmp_path / "out" / "objects.csv")[0]
    mask = read_mask(as_file(data / "labelsTr" / f"{first['image']}.nii.gz"))
    image = open_image(as_file(data / "labelsTr" / f"{first['image']}.nii.gz"))
    assert int(first["n_pixels"]) == np.count_nonzero(mask == int(first["number"]))
    assert image.unit == "mm"
    assert float(first["volume_ml"]) == pytest.approx(int(first["n_pixels"]) * prod(image.spacing) / 1000)


def test_retinas_of_known_datasets_are_vessels(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "data", "vessels", "chasedb1", n_images=2, shape=(128, 128))
    measured = measure(data, tmp_path / "out")
    assert measured.what == "vessels"
    assert measured.n_rows == sum(row["n_segments"] for row in measured.images)


def test_masks_named_like_no_image_are_listed(folders: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(folders[0], tmp_path / "masks")
    first = sorted((tmp_path / "masks").iterdir())[0]
    first.rename(first.with_name("stranger.png"))
    with pytest.raises(DatasetError, match=r"stranger\.png"):
        measure(tmp_path / "masks", tmp_path / "out", folders[1])
    assert not (tmp_path / "out").exists()


def test_a_spacing_of_other_axes_is_refused_and_nothing_written(cells: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"1\.0, 2\.0, 3\.0"):
        measure(cells, tmp_path / "out", config=MeasureConfig(spacing="1,2,3mm"))
    assert not (tmp_path / "out").exists()


def test_without_pyarrow_the_extra_is_named(
    cells: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"seglet\[parquet\]"):
        measure(cells, tmp_path / "out", config=MeasureConfig(parquet=True))


@pytest.mark.data
def test_true_nuclei_are_counted_and_have_the_areas_of_their_pixels(
    data_folder: Path, tmp_path: Path
) -> None:
    folder = data_folder / "bbbc039"
    measured = measure(folder, tmp_path)
    raw = {
        name: mask if mask.ndim == 2 else mask[..., 0] for name, mask in pictures(folder / "masks").items()
    }
    sizes = {name: np.bincount(label(mask, connectivity=2).ravel())[1:] for name, mask in raw.items()}
    assert {row["image"]: row["n_objects"] for row in measured.images} == {
        n: len(s) for n, s in sizes.items()
    }
    areas: dict[str, list[float]] = {name: [] for name in sizes}
    for row in rows_of(tmp_path / "objects.csv"):
        areas[row["image"]].append(float(row["area_px2"]))
    assert {name: sorted(own) for name, own in areas.items()} == {
        n: sorted(s.tolist()) for n, s in sizes.items()
    }


@pytest.mark.data
def test_retinas_are_vessels(data_folder: Path, tmp_path: Path) -> None:
    for folder in ("images", "labels1"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    for path in [*sorted((data_folder / "chasedb1").glob("*/Image_01L*"))]:
        (tmp_path / "data" / path.parent.name).mkdir(exist_ok=True)
        shutil.copy(path, tmp_path / "data" / path.parent.name / path.name)
    measured = measure(tmp_path / "data", tmp_path / "out", config=MeasureConfig(what="vessels"))
    (image,) = measured.images
    assert 3000 < image["length_px"] < 20_000
    assert 4 < image["mean_width_px"] < 12
    assert 1 <= image["tortuosity"] < 1.3
    assert len(rows_of(tmp_path / "out" / "segments.csv")) == image["n_segments"]
