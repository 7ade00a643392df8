"""Findings as a page; data repaired, packed and in another layout."""

from pathlib import Path

import pytest

from seglet import pipeline
from seglet.core.errors import ConfigError, DatasetError, StorageError
from seglet.data.datasets import open_dataset
from seglet.preparing import convert, pack, repair, report_findings


def test_they_are_use_cases_of_the_pipeline() -> None:
    assert (pipeline.convert, pipeline.pack) == (convert, pack)
    assert (pipeline.repair, pipeline.report_findings) == (repair, report_findings)


def test_findings_become_a_page(cells: Path, tmp_path: Path) -> None:
    page = report_findings(pipeline.check(cells), tmp_path / "check.html")
    assert cells.name in page.read_text(encoding="utf-8")


def test_a_copy_is_written_beside_the_original(cells: Path, tmp_path: Path) -> None:
    log = repair(pipeline.check(cells), tmp_path / "copy")
    assert log.out == tmp_path / "copy"
    copied, original = (open_dataset(folder).cases for folder in (log.out, cells))
    assert [case.id for case in copied] == [case.id for case in original]


def test_a_pack_has_all_cases(cells: Path, tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    written = pack(cells, tmp_path / "data.h5", settings=["split.test=last 1"])
    assert len(written.cases) == 5
    assert len(open_dataset(tmp_path / "data.h5").cases) == 5


def test_a_layout_that_is_unknown_or_a_folder_in_use_is_refused(cells: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        convert(cells, tmp_path / "out", "zip")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").touch()
    with pytest.raises((StorageError, DatasetError)):
        convert(cells, tmp_path / "used", "nnunet")
