"""What dataset.json says of channels and classes."""

import json
from pathlib import Path

import pytest

from seglet.core.errors import FormatError
from seglet.core.image import LabelClass, Labels
from seglet.data.dataset_json import Addition, Description, Member, read_description
from seglet.io.listing import list_files


def said(folder: Path, content: object) -> Description:
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / "dataset.json").write_text(text, encoding="utf-8")
    return read_description(list_files(folder))


def test_the_decathlon_numbers_its_names(tmp_path: Path) -> None:
    found = said(
        tmp_path, {"modality": {"1": "T1w", "0": "FLAIR"}, "labels": {"2": "tail", "0": "background"}}
    )
    assert found.channels == ("FLAIR", "T1w")
    assert list(found.classes.items()) == [("background", 0), ("tail", 2)]


def test_nnunet_names_its_numbers(tmp_path: Path) -> None:
    found = said(
        tmp_path, {"channel_names": {"0": "CT"}, "labels": {"liver": 1, "background": 0, "ignore": "2"}}
    )
    assert found == Description(("CT",), {"background": 0, "liver": 1, "ignore": 2})


def test_regions_that_overlap_are_no_classes(tmp_path: Path) -> None:
    assert said(tmp_path, {"labels": {"background": 0, "whole": [1, 2], "core": 2}}).classes == {}


def test_other_files_of_this_name_say_nothing(tmp_path: Path) -> None:
    assert said(tmp_path, {"title": "x"}) == Description()
    assert read_description([]) == Description()


@pytest.mark.parametrize("content", ["{", "[1]", {"labels": {"liver": "one"}}, {"modality": {"a": "CT"}}])
def test_what_is_broken_is_named(tmp_path: Path, content: object) -> None:
    with pytest.raises(FormatError, match=r"dataset\.json"):
        said(tmp_path, content)


def test_a_single_fold_is_a_split_and_several_are_none(tmp_path: Path) -> None:
    fold = {"train": ["a", "b"], "val": ["c"]}
    (tmp_path / "splits_final.json").write_text(json.dumps([fold]), encoding="utf-8")
    assert said(tmp_path, {}).split == {"a": "train", "b": "train", "c": "validation"}
    (tmp_path / "splits_final.json").write_text(json.dumps([fold, fold]), encoding="utf-8")
    assert said(tmp_path, {}).split == {}
    (tmp_path / "splits_final.json").write_text("[", encoding="utf-8")
    with pytest.raises(FormatError, match=r"splits_final\.json"):
        said(tmp_path, {})


def test_what_seglet_adds_is_read_back_wherever_the_dataset_stands(tmp_path: Path) -> None:
    labels = Labels(classes=(LabelClass(name="out", value=0), LabelClass(name="in", value=(1, 2, 3))))
    own = Addition(labels=labels, layout="DRIVE", cases={"images/a.png": Member(id="1", split="test")})
    (tmp_path / "below").mkdir()
    assert said(tmp_path / "below", {"seglet": own.model_dump(mode="json")}).own == own
    found = read_description(list_files(tmp_path)).own
    assert (found.labels, list(found.cases)) == (labels, ["below/images/a.png"])
    with pytest.raises(FormatError, match="unfit key 'seglet'"):
        said(tmp_path / "below", {"seglet": {"labels": 3}})
