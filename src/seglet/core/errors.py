"""The exception tree. A message says where it happened, what was found, what was expected and what to do.

SegletError
├── FormatError      one file cannot be read or written
├── DatasetError     a dataset as a whole cannot be used; lists every bad file
├── GeometryError    sizes, axes or grids do not fit together
├── ConfigError      a setting is unknown or impossible (exit code 2)
├── ModelError       a model or run folder cannot be loaded
├── TrainingError    a run cannot start or go on
├── StorageError     a disk is full or a folder cannot be written
└── MissingExtra     an optional dependency is not installed
"""

from pathlib import PurePath


class SegletError(Exception):
    """Everything seglet raises on purpose.

    Parameters
    ----------
    where : str or path
        File, folder or setting that the message is about.
    found, expected, remedy : str
        What stands there, what should, and what the user can do.
    """

    def __init__(self, where: str | PurePath, *, found: str, expected: str, remedy: str) -> None:
        self.where, self.found, self.expected, self.remedy = str(where), found, expected, remedy
        super().__init__(f"{where}: found {found}; expected {expected}. {remedy}")

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.where, self.found, self.expected, self.remedy)


class FormatError(SegletError):
    """One file cannot be read or written."""


class DatasetError(SegletError):
    """A dataset as a whole cannot be used; the message lists every bad file."""


class GeometryError(SegletError):
    """Sizes, axes or grids do not fit together."""


class ConfigError(SegletError):
    """A setting is unknown or impossible."""


class ModelError(SegletError):
    """A model or run folder cannot be loaded."""


class TrainingError(SegletError):
    """A training run cannot start or go on."""


class EngineError(SegletError):
    """A network cannot be run as it was asked for, or would not say the same then."""


class StorageError(SegletError):
    """A disk is full or a folder cannot be written."""


class MissingExtra(SegletError):
    """An optional dependency is not installed."""


def _rebuild(kind: type[SegletError], where: str, found: str, expected: str, remedy: str) -> SegletError:
    return kind(where, found=found, expected=expected, remedy=remedy)
