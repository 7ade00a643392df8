"""Any layout from any other, with its split."""

from dataclasses import replace
from pathlib import Path

import pytest

from same_data import assert_same_data, understood
from seglet.core.errors import ConfigError, DatasetError, FormatError
from seglet.core.events import Event
from seglet.data.convert import TARGETS, divided, require_place, write_as
from seglet.data.splits import SplitConfig, split_cases, split_to_text
from seglet.data.synthetic import make_dataset
from seglet.io.sources import File


@pytest.fixture
def cells(tmp_path: Path) -> Path:
    return make_dataset(tmp_path / "d", "cells", "instances", n_images=6, shape=(64, 64))


@pytest.mark.parametrize("to", TARGETS)
def test_every_layout_is_written_and_read_back_with_its_split(cells: Path, to: str, tmp_path: Path) -> None:
    dataset, labels = understood(cells)
    rules = SplitConfig(test="last 1", validation=("001", "003"))
    told: list[Event] = []
    before = divided(dataset, labels, rules), labels
    out = tmp_path / ("x.h5" if to == "hdf5" else "x")
    write_as(to, *before, out, told.append)
    after = understood(out)
    assert_same_data(before, after, without=("objects",) if to == "nnunet" else ())
    assert split_cases(after[0].cases, SplitConfig()).validation
    assert [case.id for case in split_cases(after[0].cases, SplitConfig()).test] == ["005"]
    assert "6 cases" in told[-1].message


@pytest.mark.parametrize("to", TARGETS)
def test_nothing_is_left_of_what_failed(cells: Path, to: str, tmp_path: Path) -> None:
    dataset, labels = understood(cells)
    gone = replace(dataset.cases[5], labels=(File(cells, "masks/none.tif"),))
    broken = replace(dataset, cases=(*dataset.cases[:5], gone))
    with pytest.raises(FormatError, match=r"none\.tif"):
        write_as(to, broken, labels, tmp_path / "x.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_what_is_in_use_is_never_written_to(cells: Path, tmp_path: Path) -> None:
    dataset, _ = understood(cells)
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes.txt").write_text("mine")
    (tmp_path / "used.h5").write_bytes(b"mine")
    for to, name in (("pairs", "used"), ("pairs", "d/inside"), ("hdf5", "used.h5"), ("hdf5", "d/x.h5")):
        with pytest.raises(DatasetError, match="Choose another place"):
            require_place(to, dataset, tmp_path / name)
    with pytest.raises(ConfigError, match=r"'nnUNet'.*one of nnunet, pairs"):
        require_place("nnUNet", dataset, tmp_path / "new")
    with pytest.raises(FormatError, match=r"suffix '\.zip'"):
        require_place("hdf5", dataset, tmp_path / "x.zip")
    (tmp_path / "empty").mkdir()
    require_place("pairs", dataset, tmp_path / "empty")


def test_the_folder_of_a_table_is_no_dataset(cells: Path, tmp_path: Path) -> None:
    (cells / "mine.csv").write_text("image,label\nimages/001.tif,masks/001.tif\n")
    dataset, labels = understood(cells / "mine.csv")
    write_as("pairs", dataset, labels, cells / "pairs")
    assert_same_data((dataset, labels), understood(cells / "pairs"))


def test_a_dataset_that_nobody_divides_stays_undivided(cells: Path) -> None:
    dataset, labels = understood(cells)
    for rules in (SplitConfig(), SplitConfig(seed=3), SplitConfig(folds=3)):
        assert divided(dataset, labels, rules) == dataset
    assert divided(dataset, None, SplitConfig(test="last 1")) == dataset


def test_a_draw_is_that_of_training(cells: Path) -> None:
    dataset, labels = understood(cells)
    rules = SplitConfig(test=0.3, seed=5)
    found = divided(dataset, labels, rules)
    expected = split_cases(dataset.cases, rules, {case.id: frozenset({1}) for case in dataset.cases})
    for role in ("train", "validation", "test"):
        assert [c.id for c in found.cases if c.split == role] == [c.id for c in getattr(expected, role)]


def test_the_split_of_a_dataset_is_kept_and_unlabelled_cases_keep_their_part(cells: Path) -> None:
    dataset, labels = understood(cells)
    parts = ("train", "train", "train", "validation", "test", "test")
    cases = [replace(case, split=part) for case, part in zip(dataset.cases, parts, strict=True)]
    cases[5] = replace(cases[5], labels=())
    given = replace(dataset, cases=tuple(cases))
    assert divided(given, labels, SplitConfig()) == given


def test_that_overlaps_of_mask_files_are_lost_is_told(tmp_path: Path) -> None:
    dataset, labels = understood(make_dataset(tmp_path / "d", layout="kaggle", n_images=1, shape=(40, 48)))
    told: list[Event] = []
    write_as("pairs", dataset, labels, tmp_path / "out", told.append)
    assert any("overlap" in one.message for one in told)


def test_cases_in_no_part_are_left_out_and_that_is_said(cells: Path) -> None:
    dataset, labels = understood(cells)
    told: list[Event] = []
    rules = SplitConfig(train="first 2", test="last 1", validation="none")
    found = divided(dataset, labels, rules, told.append)
    assert [(case.id, case.split) for case in found.cases] == [
        *(("000", "train"), ("001", "train"), ("005", "test"))
    ]
    assert "3 labelled cases" in told[0].message


def test_of_folds_only_what_stays_out_is_a_part(cells: Path) -> None:
    dataset, labels = understood(cells)
    found = divided(dataset, labels, SplitConfig(folds=2, test="last 2"))
    assert [case.split for case in found.cases] == ["train"] * 4 + ["test"] * 2


def test_the_split_of_a_run_is_taken_and_its_folds_are_refused(cells: Path, tmp_path: Path) -> None:
    dataset, labels = understood(cells)
    text = split_to_text(split_cases(dataset.cases, SplitConfig(test="first 2", validation="none")))
    (tmp_path / "split.yaml").write_text(text)
    found = divided(dataset, labels, SplitConfig(file=tmp_path / "split.yaml"))
    assert [case.split for case in found.cases] == ["test"] * 2 + ["train"] * 4
    one = "  ".join(f"{line}\n" for line in text.splitlines())
    (tmp_path / "folds.yaml").write_text(f"- {one}\n- {one}")
    with pytest.raises(ConfigError, match="2 folds"):
        divided(dataset, labels, SplitConfig(file=tmp_path / "folds.yaml"))
