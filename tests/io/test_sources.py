"""Names of files, and files out of archives."""

import zipfile
from pathlib import Path

import pytest

from seglet.core.errors import FormatError
from seglet.io.sources import File, archive, suffix_of


@pytest.mark.parametrize(
    ("name", "suffix", "stem"),
    [
        ("a/b.PNG", ".png", "b"),
        ("x.nii.gz", ".nii.gz", "x"),
        ("x.v2.ome.tif", ".ome.tif", "x.v2"),
        ("im0001.ppm.gz", ".ppm.gz", "im0001"),
        ("README", "", "README"),
    ],
)
def test_double_suffixes_count_as_one(name: str, suffix: str, stem: str) -> None:
    file = File(Path("set"), name)
    assert (suffix_of(name), file.suffix, file.stem) == (suffix, suffix, stem)


def test_an_alias_is_shown_in_place_of_the_name() -> None:
    file = File(Path("set"), "patient1/ct", "1.2.3", "patient1/ct.dcm")
    assert (str(file), file.suffix, file.stem) == ("set/patient1/ct.dcm", ".dcm", "ct")
    assert str(File(Path("set"), "x.h5", "raw")) == "set/x.h5 [raw]"


def test_a_member_of_an_archive_is_on_disk_for_a_while(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as packed:
        packed.writestr("a/x.bin", b"123")
    with File(tmp_path / "set.zip", "a/x.bin").on_disk() as path:
        assert (path.suffix, path.read_bytes()) == (".bin", b"123")
    assert not path.exists()
    with File(tmp_path, "set.zip").on_disk() as path:
        assert path == tmp_path / "set.zip"


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_text("no archive")
    with pytest.raises(FormatError, match=r"x\.zip.*whole zip archive"):
        archive(tmp_path / "x.zip")
