"""Pairs of folders with a table of the cases."""

import csv
from pathlib import Path

import numpy as np

from same_data import assert_same_data, understood
from seglet.core.events import quiet
from seglet.data.convert_folders import write_pairs
from seglet.data.synthetic import make_dataset
from seglet.io.files import read_mask
from seglet.io.listing import as_file


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "cases.csv").open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_images_are_copied_and_masks_are_named_alike(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "vessels", "chasedb1", n_images=4, shape=(40, 48))
    before = understood(data)
    write_pairs(*before, tmp_path / "out", quiet)
    found = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    eyes = ("Image_01L", "Image_01R", "Image_02L", "Image_02R")
    masks = {f"{folder}/{eye}.png" for folder in ("masks", "fov", "second") for eye in eyes}
    images = {f"images/{eye}.jpg" for eye in eyes}
    assert found == {"cases.csv", "dataset.json"} | masks | images
    original = (data / "images" / "Image_01L.jpg").read_bytes()
    assert (tmp_path / "out" / "images" / "Image_01L.jpg").read_bytes() == original
    assert rows_of(tmp_path / "out")[0] == {
        "id": "Image_01L",
        "image": "images/Image_01L.jpg",
        "label": "masks/Image_01L.png",
        "mask": "fov/Image_01L.png",
        "second": "second/Image_01L.png",
        "group": "01",
        "split": "",
    }
    assert_same_data(before, understood(tmp_path / "out"))
    assert understood(tmp_path / "out")[0].layout.name == "CHASE_DB1", "by which its protocol is known"


def test_cases_without_masks_and_colors_stay_as_they_are(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "cells", "rgb-colors", n_images=3, shape=(40, 48))
    (data / "masks" / "001.png").unlink()
    before = understood(data)
    write_pairs(*before, tmp_path / "out", quiet)
    assert [row["label"] for row in rows_of(tmp_path / "out")] == ["masks/000.png", "", "masks/002.png"]
    assert_same_data(before, understood(tmp_path / "out"))
    first = read_mask(as_file(tmp_path / "out" / "masks" / "000.png"), keep_colors=True)
    assert np.array_equal(first, read_mask(as_file(data / "masks" / "000.png"), keep_colors=True))


def test_groups_are_not_guessed_where_there_were_none(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "cells", "pairs", n_images=4, shape=(40, 48))
    for folder in ("images", "masks"):
        for number, name in enumerate(("p1_1", "p1_2", "p2_1", "p2_2")):
            (data / folder / f"{number:03}.png").rename(data / folder / f"{name}.png")
    guessed, labels = understood(data)
    assert [case.group for case in guessed.cases] == ["1", "1", "2", "2"]
    alone = guessed.__class__(
        data,
        guessed.layout,
        tuple(case.__class__(case.id, case.images, case.labels) for case in guessed.cases),
    )
    for before in (guessed, alone):
        out = tmp_path / f"out {before.cases[0].group}"
        write_pairs(before, labels, out, quiet)
        assert_same_data((before, labels), understood(out))
