"""Writing whole or not at all, and errors that say what to do."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from seglet.core.errors import StorageError
from seglet.core.storage import speaking_of, whole_file, whole_folder, write_text


def test_file_stands_only_once_the_block_succeeds(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    with whole_file(path) as aside:
        aside.write_text("content", encoding="utf-8")
        assert not path.exists()
        assert aside.parent == path.parent
        assert aside.suffix == path.suffix  # writers choose their format by it
    assert path.read_text(encoding="utf-8") == "content"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError("bug"), KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
def test_old_file_survives_a_failure(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old", encoding="utf-8")
    with pytest.raises((type(error), StorageError)), whole_file(path) as aside:
        aside.write_text("half", encoding="utf-8")
        raise error
    assert path.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("door", [whole_file, whole_folder, speaking_of])
def test_full_disk_says_what_to_do(tmp_path: Path, door: Callable, number: int) -> None:
    path = tmp_path / "a.txt"
    with pytest.raises(StorageError, match="full disk") as caught, door(path):
        raise OSError(number, os.strerror(number))
    assert caught.value.where == str(path)
    assert "free some space" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_forbidden_place_says_what_to_do(tmp_path: Path, number: int) -> None:
    with pytest.raises(StorageError, match="cannot be written") as caught, speaking_of(tmp_path):
        raise OSError(number, os.strerror(number))
    assert os.strerror(number) in caught.value.found


def test_folder_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(StorageError, match="cannot be written"):
        write_text(tmp_path / "file" / "a.txt", "content")
    with pytest.raises(StorageError, match="cannot be written"), whole_folder(tmp_path / "file" / "a"):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_folder_in_the_place_of_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(StorageError, match="cannot be written"):
        write_text(tmp_path / "a.txt", "content")
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_file_in_the_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("mine", encoding="utf-8")
    with pytest.raises(StorageError, match="cannot be written"), whole_folder(tmp_path / "model"):
        pass
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model").read_text(encoding="utf-8") == "mine"


def test_other_system_errors_pass_unchanged(tmp_path: Path) -> None:
    error = OSError(errno.EIO, "broken disk")
    with pytest.raises(OSError, match="broken disk") as caught, speaking_of(tmp_path):
        raise error
    assert caught.value is error


def test_text_is_utf8(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "µm → 5")
    assert (tmp_path / "a.txt").read_bytes() == "µm → 5".encode()


def _fill(folder: Path, text: str) -> None:
    with whole_folder(folder) as aside:
        (aside / "a.txt").write_text(text, encoding="utf-8")
        (aside / f"{text}.txt").write_text(text, encoding="utf-8")


def test_folder_replaces_the_old_one_whole(tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "model"
    _fill(folder, "old")
    _fill(folder, "new")
    assert sorted(p.name for p in folder.iterdir()) == ["a.txt", "new.txt"]
    assert (folder / "a.txt").read_text(encoding="utf-8") == "new"
    assert list(folder.parent.iterdir()) == [folder]


@pytest.mark.parametrize("error", [RuntimeError("bug"), KeyboardInterrupt()])
def test_old_folder_survives_a_failure(tmp_path: Path, error: BaseException) -> None:
    folder = tmp_path / "model"
    _fill(folder, "old")
    with pytest.raises(type(error)), whole_folder(folder) as aside:
        (aside / "a.txt").write_text("half", encoding="utf-8")
        raise error
    assert sorted(p.name for p in folder.iterdir()) == ["a.txt", "old.txt"]
    assert (folder / "a.txt").read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [folder]


def test_old_folder_comes_back_when_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "model"
    _fill(folder, "old")
    rename = Path.replace

    def fail_on_new(self: Path, target: Path) -> Path:
        if self.name.endswith(".part"):
            raise OSError(errno.ENOSPC, "full")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", fail_on_new)
    with pytest.raises(StorageError, match="full disk"):
        _fill(folder, "new")
    assert (folder / "a.txt").read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [folder]


def test_leftovers_of_a_killed_process_are_cleared(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (tmp_path / f".model.{os.getpid()}.part").mkdir()
    (tmp_path / f".model.{os.getpid()}.part" / "stray").write_text("", encoding="utf-8")
    _fill(folder, "new")
    assert sorted(p.name for p in folder.iterdir()) == ["a.txt", "new.txt"]
