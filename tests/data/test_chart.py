"""A chart holds what every file of a case showed, or why it could not be read."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from seglet.data import chart
from seglet.data.cases import Case
from seglet.data.chart import look_at
from seglet.io.files import write_mask
from seglet.io.listing import as_file
from seglet.io.sources import File

PIXELS = np.random.default_rng(0).integers(0, 255, (20, 30), np.uint8)


def written(root: Path, name: str, values: np.ndarray) -> File:
    write_mask(root / name, values)
    return File(root, name)


def test_all_files_of_a_case_are_seen(tmp_path: Path) -> None:
    names = ("image", "second channel", "label", "fov", "second")
    files = {name: written(tmp_path, f"{name}.png", PIXELS) for name in names}
    case = Case(
        "a",
        (files["image"], files["second channel"]),
        (files["label"],),
        fov=files["fov"],
        second=files["second"],
    )
    seen = look_at(case)
    assert [look.file for look in seen.images] == list(case.images)
    assert [look.file for look in seen.masks] == list(case.labels)
    assert seen.fov is not None
    assert seen.second is not None
    assert seen.problems == ()
    assert not np.isnan(seen.masks[0].contrast)


def test_what_cannot_be_read_is_a_problem_and_the_rest_is_seen(tmp_path: Path) -> None:
    image, label = written(tmp_path, "a.png", PIXELS), File(tmp_path, "gone.png")
    (tmp_path / "broken.png").write_bytes((tmp_path / "a.png").read_bytes()[:100])
    seen = look_at(Case("a", (image,), (label, File(tmp_path, "broken.png"))))
    assert [problem.file.name for problem in seen.problems] == ["gone.png", "broken.png"]
    assert len(seen.images) == 1


def test_a_page_of_a_stack_is_a_flat_image(tmp_path: Path) -> None:
    stack = np.random.default_rng(0).integers(0, 255, (4, 20, 30), np.uint8)
    for name in ("image.tif", "label.tif"):
        tifffile.imwrite(tmp_path / name, stack, photometric="minisblack", metadata={"axes": "ZYX"})
    looks = [
        look_at(Case(str(k), (File(tmp_path, "image.tif"),), (File(tmp_path, "label.tif"),), page=k))
        for k in (0, 3)
    ]
    assert [look.images[0].place.shape for look in looks] == [(20, 30), (20, 30)]
    assert looks[0].images[0].digest != looks[1].images[0].digest
    assert looks[1].masks[0].survey.counts.sum() == 600


def test_of_a_sparse_store_what_was_written_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    array = zarr.create_array(tmp_path / "a.zarr", shape=(1 << 13, 1 << 16), chunks=(64, 64), dtype="u1")
    array[6144:6400, 2560:2816] = 7
    monkeypatch.setattr(chart, "BOX_PIXELS", 256 * 256)
    file = as_file(tmp_path / "a.zarr")
    seen = look_at(Case("a", (file,), (file,)))
    assert (seen.images[0].low, seen.images[0].high) == (7, 7)
    assert seen.masks[0].survey.values.tolist() == [7]


def test_of_a_huge_file_only_boxes_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart, "BOX_PIXELS", 64)
    tifffile.imwrite(tmp_path / "a.tif", np.tile(PIXELS, (10, 10)))
    file = File(tmp_path, "a.tif")
    assert look_at(Case("a", (file,))).images[0].is_whole
    monkeypatch.setattr(chart, "LARGEST_WHOLE", 1000)
    seen = look_at(Case("a", (file,), (file,)))
    assert seen.problems == ()
    assert not seen.images[0].is_whole
    assert seen.images[0].place.shape == seen.masks[0].place.shape == (200, 300)
    assert seen.masks[0].survey.counts.sum() in (64, 16 * 64)
