"""Which of the readers of layouts is believed."""

from pathlib import Path

import pytest

from seglet.core.errors import DatasetError
from seglet.data.layouts import count_pairs
from seglet.data.recognition import is_readable, recognize
from seglet.io.listing import list_files
from seglet.io.sources import File


def names(text: str) -> list[File]:
    return [File(Path("set"), name) for name in text.split()]


def test_derivatives_come_before_folders_called_labels() -> None:
    text = "sub-1/ct/sub-1_ct.nii.gz derivatives/labels/sub-1/ct/sub-1_ct_seg-manual.nii.gz"
    assert recognize(names(text)).name == "BIDS, derivatives _seg-manual"


def test_aliases_are_what_patterns_see() -> None:
    files = [File(Path("d"), "x.h5", part, f"x.h5/{part}") for part in ("raw", "labels")]
    assert recognize(files).image == "**/{id}.h5/raw"


def test_parts_of_containers_and_known_suffixes_are_readable() -> None:
    root = Path("d")
    assert is_readable(File(root, "x.h5", "raw", "x.h5/raw"))
    assert is_readable(File(root, "a.PNG"))
    assert not is_readable(File(root, "notes.txt"))


@pytest.mark.parametrize(
    "text", ["notes.txt", "images/a.png images/b.png labels/x.png labels/y.png", "one/a.png two/a.png", ""]
)
def test_what_cannot_be_told_is_explained(text: str) -> None:
    with pytest.raises(DatasetError, match=r"expected folders called images.*Give a layout.*\{id\}"):
        recognize(names(text))


@pytest.mark.data
@pytest.mark.parametrize(
    ("folder", "n_pairs"),
    [
        ("dsb2018/stage1_train.zip", 332),
        ("dsb2018", 332),
        ("bbbc039", 20),
        ("chasedb1", 28),
        ("hrf", 4),
        ("isbi2012", 25),
        ("vnc_em", 10),
        ("lgg_mr", 141),
        ("hippocampus", 90),
    ],
)
def test_real_datasets_are_recognized(data_folder: Path, folder: str, n_pairs: int) -> None:
    files = list_files(data_folder / folder)
    assert count_pairs(recognize(files), [file.shown_name for file in files]) == n_pairs
