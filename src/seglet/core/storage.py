"""Writing that never leaves a half-written file looking whole: write aside, then rename."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seglet.core.errors import StorageError

NOT_WRITABLE = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
    *(errno.ENOENT, errno.ENAMETOOLONG),  # folders were made before: the system refuses them there
)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a path beside `path` to write to, and rename it to `path` once the block succeeds.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written; nothing stands at `path` then that was not
        there before.
    """
    aside = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    with speaking_of(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield aside
            aside.replace(path)
        finally:
            with suppress(OSError):
                aside.unlink()


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole or not at all."""
    with whole_file(path) as aside:
        aside.write_text(text, encoding="utf-8")


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Give a folder beside `path` to fill, and put it in the place of `path` once the block succeeds.

    Raises
    ------
    StorageError
        If the disk is full or the folder cannot be written; the folder that was at `path` stays then.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with speaking_of(path):
        try:
            shutil.rmtree(aside, ignore_errors=True)
            aside.mkdir(parents=True)
            yield aside
            put_in_place(aside, path)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def put_in_place(made: Path, path: Path) -> None:
    """Rename a folder to `path`; what was there is removed then, and stays where that fails.

    Raises
    ------
    StorageError
        If the folder that `path` is in cannot be written.
    """
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    with speaking_of(path):
        try:
            if path.is_dir():
                path.replace(old)
            made.replace(path)
        finally:
            if old.exists() and not path.exists():  # the second renaming failed
                old.replace(path)
            shutil.rmtree(old, ignore_errors=True)


@contextmanager
def speaking_of(path: Path) -> Iterator[None]:
    """Turn the system's errors about writing `path` into ones that say what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = "free some space or choose another disk"
            raise StorageError(
                path, found="a full disk", expected="room to write", remedy=f"Please {free}."
            ) from error
        if error.errno in NOT_WRITABLE:
            raise StorageError(
                path,
                found=f"a place that cannot be written ({error.strerror})",
                expected="a writable folder",
                remedy="Choose another output folder or change its permissions.",
            ) from error
        raise
