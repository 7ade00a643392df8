"""The one door to datasets."""

from pathlib import Path

from seglet.data.datasets import labels_of, open_dataset
from seglet.data.layouts import Layout
from seglet.data.masks import MaskConfig
from seglet.data.pack import write_pack
from seglet.data.synthetic import make_dataset


def test_folders_archives_tables_and_packs_are_opened(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "d", n_images=2, shape=(40, 48))
    archive = make_dataset(tmp_path / "z", "cells", "kaggle-zip", n_images=2, shape=(40, 48))
    dataset = open_dataset(folder)
    write_pack(dataset, labels_of(dataset, dataset.cases, MaskConfig()), tmp_path / "d.h5")
    (tmp_path / "t.csv").write_text("image,label\nd/images/001.png,d/masks/001.png\n")
    opened = {path: open_dataset(path) for path in (folder, archive, tmp_path / "d.h5", tmp_path / "t.csv")}
    assert [len(one.cases) for one in opened.values()] == [2, 2, 2, 1]
    assert all(case.labels for one in opened.values() for case in one.cases)


def test_a_layout_is_asked_for_by_folders_alone(tmp_path: Path) -> None:
    folder = make_dataset(tmp_path / "d", n_images=2, shape=(40, 48))
    layout = Layout(image="images/{id}.*")
    dataset = open_dataset(folder)
    write_pack(dataset, labels_of(dataset, dataset.cases, MaskConfig()), tmp_path / "d.h5")
    assert [case.labels for case in open_dataset(folder, layout).cases] == [(), ()]
    assert all(case.labels for case in open_dataset(tmp_path / "d.h5", layout).cases)


def test_what_the_user_says_of_the_masks_comes_first(tmp_path: Path) -> None:
    dataset = open_dataset(make_dataset(tmp_path / "d", n_images=2, shape=(40, 48)))
    labels = labels_of(dataset, dataset.cases, MaskConfig(classes={"outside": 0, "cell": 255}))
    assert labels.names == ("outside", "cell")
    write_pack(dataset, labels, tmp_path / "d.h5")
    packed = open_dataset(tmp_path / "d.h5")
    assert labels_of(packed, packed.cases, MaskConfig()) == labels
    assert labels_of(packed, packed.cases, MaskConfig(encoding="values")).names[0] == "background"
