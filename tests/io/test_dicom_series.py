"""Which files make one image."""

from pathlib import Path

import numpy as np
import pytest

from dicom_series import write_radiograph, write_series
from seglet.core.errors import FormatError
from seglet.io.dicom_seg_write import write
from seglet.io.dicom_series import choose, series_in

HU = np.arange(4 * 5 * 6).reshape(4, 5, 6)


def test_slices_of_a_folder_are_one_series_named_like_the_folder(tmp_path: Path) -> None:
    paths = write_series(tmp_path / "ct", HU)
    (series,) = series_in([*reversed(paths), tmp_path / "ct" / "readme.txt"])
    assert (series.name, series.path, series.modality) == ("ct", tmp_path / "ct", "CT")
    assert series.paths == tuple(paths)
    assert series.part == series.uid != ""


def test_several_series_in_one_folder_are_told_apart_by_number_and_description(tmp_path: Path) -> None:
    write_series(tmp_path, HU, names=[f"a{k}.dcm" for k in range(4)], SeriesDescription="Lung 1/2")
    write_series(tmp_path, HU, names=[f"b{k}.dcm" for k in range(4)], SeriesNumber=7)
    write_series(tmp_path, HU, names=[f"c{k}.dcm" for k in range(4)], SeriesNumber=7)
    assert [s.name for s in series_in(tmp_path.iterdir())] == ["CT_3_Lung_1_2", "CT_7", "CT_7_2"]


def test_radiographs_are_images_of_their_own_even_in_one_series(tmp_path: Path) -> None:
    for name in ("a.dcm", "b.dcm"):
        write_radiograph(tmp_path / name, HU[0], SeriesInstanceUID="1.2.3")
    found = series_in(tmp_path.iterdir())
    assert [(s.name, s.path, s.part) for s in found] == [
        ("a", tmp_path / "a.dcm", ""),
        ("b", tmp_path / "b.dcm", ""),
    ]


def test_a_segmentation_beside_its_slices_is_a_series_of_its_own(tmp_path: Path) -> None:
    paths = write_series(tmp_path, HU)
    write(tmp_path / "seg.dcm", np.ones(HU.shape, np.uint8), ("background", "liver"), tmp_path, "")
    assert [(s.name, s.modality) for s in series_in(tmp_path.iterdir())] == [("CT_3", "CT"), ("seg", "SEG")]
    assert {header.path for header in choose(tmp_path, "", "here")} == set(paths)


def test_localizers_are_left_out(tmp_path: Path) -> None:
    write_series(tmp_path, HU)
    write_series(tmp_path, HU[:1], names=["scout.dcm"], ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    (series,) = series_in(tmp_path.iterdir())
    assert len(series.paths) == 4


def test_an_unreadable_file_is_listed_and_named_when_its_folder_is_opened(tmp_path: Path) -> None:
    paths = write_series(tmp_path, HU)
    paths[2].write_bytes(paths[2].read_bytes()[:300])
    series = series_in(paths)
    assert [s.path for s in series if not s.uid] == [paths[2]]
    for part in ("", next(s.uid for s in series if s.uid)):
        with pytest.raises(FormatError, match=r"slice_002\.dcm"):
            choose(tmp_path, part, "here")


def test_choosing_among_several_lists_them_all(tmp_path: Path) -> None:
    for letter, number in (("a", 1), ("b", 2)):
        write_series(tmp_path, HU, names=[f"{letter}{k}" for k in range(4)], SeriesNumber=number)
    first, second = series_in(tmp_path.iterdir())
    with pytest.raises(FormatError, match=f"2 series: CT_1 .4 files, {first.uid}.*{second.uid}.*Name one"):
        choose(tmp_path, "", "here")
    assert {h.number for h in choose(tmp_path, second.uid, "here")} == {2}
    with pytest.raises(FormatError, match=r"here: found 2 series"):
        choose(tmp_path, "1.2.3", "here")


def test_a_folder_without_images_says_so(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no DICOM images"):
        choose(tmp_path, "", "here")
