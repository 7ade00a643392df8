"""Where a dataset keeps its images and masks: a layout is data."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import model_validator

from seglet.core.config import Config
from seglet.core.errors import ConfigError
from seglet.data.patterns import SYNTAX, match, variables

NAMING = frozenset({"id", "key", "number", "group", "split"})  # variables by which files find each other


class Layout(Config):
    """Patterns of the files of a dataset; the pattern language stands in `seglet.data.patterns`.

    Attributes
    ----------
    name : str
        What messages call it.
    image : str
        Pattern of the images; holds ``{id}``, ``{key}`` or ``{number}``, or names a single file. With
        ``{channel}`` each channel of an image is a file of its own. Empty: the layout is recognized, and
        what else is said here changes it.
    labels : str, tuple of str or None
        Pattern of the masks; of several patterns, the first that finds any for an image. With ``{class}``
        each class has a mask of its own.
    fov, second, tracks : str or None
        Patterns of the fields of view, of a second observer's masks, and of markers of objects that may
        lack a mask. A file belongs to the image that agrees with it in all the variables both patterns have.
    group : str or None
        Pattern of ids whose ``{group}`` or ``{number}`` says what belongs together, ``mouse{number}_*``.
        None: guessed where no other pattern says it; ``""``: every case stands for itself.
    objects : bool
        Whether the masks of one image are many files, one per object.
    pages : bool
        Whether every page of a stack is a case of its own.
    missing : str
        Whether a case that lacks a channel is an ``"error"``, or the channel is read as zeros (``"allow"``).
    table : Path or None
        A CSV file below the dataset's folder that lists the cases, in place of all patterns.
    """

    name: str = "custom"
    image: str = ""
    labels: str | tuple[str, ...] | None = None
    fov: str | None = None
    second: str | None = None
    tracks: str | None = None
    group: str | None = None
    objects: bool = False
    pages: bool = False
    missing: Literal["error", "allow"] = "error"
    table: Path | None = None

    @property
    def label_patterns(self) -> tuple[str, ...]:
        """The patterns of the masks, the preferred first."""
        if self.labels is None:
            return ()
        return (self.labels,) if isinstance(self.labels, str) else self.labels

    @property
    def partners(self) -> dict[str, tuple[str, ...]]:
        """The patterns of everything that belongs to an image, by what it is."""
        others = {"fov": self.fov, "second": self.second, "tracks": self.tracks}
        patterns = {role: () if pattern is None else (pattern,) for role, pattern in others.items()}
        return {role: found for role, found in {"labels": self.label_patterns, **patterns}.items() if found}

    @model_validator(mode="after")
    def _check_patterns(self) -> "Layout":
        if self.table is not None or not self.image:
            return self
        names = variables(self.image) & NAMING
        if not names and re.search("[{}*]", self.image):
            raise ConfigError(
                "layout.image", found=repr(self.image), expected="{id} in the pattern", remedy=SYNTAX
            )
        for role, patterns in self.partners.items():
            for pattern in patterns:
                if names and not names & variables(pattern):
                    expected = "the same {id}, {key} or {number} as in the image's pattern"
                    raise ConfigError(f"layout.{role}", found=repr(pattern), expected=expected, remedy=SYNTAX)
        if self.group:
            _check_group(self.group)
        return self


def changed(layout: Layout, said: Layout) -> Layout:
    """A layout with everything that another one says."""
    silent = Layout()
    values = {name: value for name, value in said if value != getattr(silent, name)}
    return Layout(**{**dict(layout), **values})


def channels_anywhere(layout: Layout) -> Layout | None:
    """The layout of new images like these, wherever they stand, where each channel has a file of its own.

    ``images{split}/{id}_{channel}.*`` becomes ``**/{id}_{channel}.*``; None where channels share a file.
    """
    parts = layout.image.split("/")
    named = [k for k, part in enumerate(parts) if variables(part) & {"id", "key", "number", "channel"}]
    if "channel" not in variables(layout.image):
        return None
    image = "/".join(["**", *parts[named[0] :]])
    return Layout(name="one file per channel", image=image, missing=layout.missing)


def count_pairs(layout: Layout, names: Sequence[str]) -> int:
    """Count the images that have labels."""
    images = list(matches(layout.image, names))
    paired: set[int] = set()
    for pattern in layout.label_patterns:
        shared = sorted(variables(layout.image) & variables(pattern))
        labels = {tuple(values[v].lower() for v in shared) for values in matches(pattern, names)}
        paired |= {k for k, values in enumerate(images) if tuple(values[v].lower() for v in shared) in labels}
    return len(paired)


def matches(pattern: str, names: Sequence[str]) -> Iterator[dict[str, str]]:
    """Give the variables of the names that a pattern matches."""
    return (values for values in (match(pattern, name) for name in names) if values is not None)


def _check_group(pattern: str) -> None:
    if not variables(pattern) & {"group", "number"}:
        expected = "a pattern of ids with {group} or {number}, such as mouse{number}_*"
        raise ConfigError("layout.group", found=repr(pattern), expected=expected, remedy=SYNTAX)
