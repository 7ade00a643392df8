"""Sequences as in the Cell Tracking Challenge."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from same_data import assert_same_data, understood
from seglet.core.errors import DatasetError
from seglet.core.events import Event, quiet
from seglet.data.cases import find_cases
from seglet.data.convert_ctc import write_ctc
from seglet.data.synthetic import make_dataset


def names_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.tif")}


def test_groups_become_sequences(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "cells", "kaggle-zip", n_images=3, shape=(40, 48))
    dataset, labels = understood(data)
    groups = ("mouse b", None, "mouse b")
    parts = ("train", "test", "train")
    cases = tuple(replace(c, group=g, split=p) for c, g, p in zip(dataset.cases, groups, parts, strict=True))
    dataset = replace(dataset, cases=cases)
    write_ctc(dataset, labels, tmp_path / "out", quiet)
    frames = ("01/t000.tif", "01/t001.tif", "02/t000.tif")
    truth = {f"{f[:2]}_GT/{kind}{f[4:]}" for f in frames for kind in ("SEG/man_seg", "TRA/man_track")}
    assert names_below(tmp_path / "out") == {*frames, *truth}
    assert find_cases(tmp_path / "out").layout.name == "Cell Tracking Challenge"
    outlined = tifffile.imread(tmp_path / "out/01_GT/SEG/man_seg000.tif")
    assert outlined.dtype == np.uint16
    assert np.array_equal(outlined, tifffile.imread(tmp_path / "out/01_GT/TRA/man_track000.tif"))
    assert_same_data((dataset, labels), understood(tmp_path / "out"))


def test_what_has_no_place_is_told(tmp_path: Path) -> None:
    dataset, labels = understood(
        make_dataset(tmp_path / "d", "cells", "kaggle-zip", n_images=1, shape=(40, 48))
    )
    assert labels is not None
    cases = tuple(replace(case, second=case.labels[0]) for case in dataset.cases)
    told: list[Event] = []
    write_ctc(replace(dataset, cases=cases), labels, tmp_path / "out", told.append)
    assert any("second observer" in one.message for one in told)


def test_without_our_own_words_it_is_still_a_dataset_of_the_challenge(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "cells", "instances", n_images=4, shape=(64, 64))
    write_ctc(*understood(data), tmp_path / "out", quiet)
    (tmp_path / "out" / "dataset.json").unlink()
    dataset, labels = understood(tmp_path / "out")
    assert labels.encoding == "instances"
    assert [(case.id, case.group) for case in dataset.cases] == [
        (f"0{number}_t000", f"0{number}") for number in (1, 2, 3, 4)
    ]


def test_markers_of_what_nobody_outlined_are_kept(tmp_path: Path) -> None:
    data = make_dataset(tmp_path / "d", "cells", "ctc", n_images=6, shape=(64, 64))
    before = understood(data)
    write_ctc(*before, tmp_path / "out", quiet)
    assert_same_data(before, understood(tmp_path / "out"))
    one = tmp_path / "out" / "01"
    assert (one / "t001.tif").read_bytes() == (data / "01" / "t001.tif").read_bytes()


def test_what_has_no_objects_or_is_not_all_labelled_is_refused(tmp_path: Path) -> None:
    classes = make_dataset(tmp_path / "classes", "cells", "palette", n_images=2, shape=(40, 48))
    with pytest.raises(DatasetError, match=r"class_1.*expected masks that tell objects apart"):
        write_ctc(*understood(classes), tmp_path / "out", quiet)
    with pytest.raises(DatasetError, match="images without masks"):
        write_ctc(understood(classes)[0], None, tmp_path / "out", quiet)
    dataset, labels = understood(
        make_dataset(tmp_path / "d", "cells", "instances", n_images=4, shape=(64, 64))
    )
    with pytest.raises(DatasetError, match=r"000\.tif: found pixels that nobody labelled"):
        write_ctc(dataset, labels.model_copy(update={"ignore": 1}), tmp_path / "out", quiet)
