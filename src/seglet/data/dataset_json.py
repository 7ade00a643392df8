"""The ``dataset.json`` of the Decathlon and nnU-Net, with what seglet adds to it: names, groups, splits."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field, ValidationError

from seglet.core.config import Config
from seglet.core.errors import ConfigError, FormatError
from seglet.core.image import Labels
from seglet.io.sources import File

NAME = "dataset.json"
SPLITS_NAME = "splits_final.json"  # nnU-Net's folds; ids of the training cases
KEY = "seglet"  # under which `Addition` stands


class Member(Config):
    """A case as it was called before it was converted, and where it belongs."""

    id: str
    group: str | None = None
    split: str | None = None


class Addition(Config):
    """What seglet adds to a ``dataset.json``.

    Attributes
    ----------
    labels : Labels or None
        How the masks are written, in full.
    layout : str or None
        Name of the layout that the dataset had, by which its protocol is known.
    cases : dict
        Each case by its first image file: written as a path from the folder of the ``dataset.json``, read
        as one from that of the dataset.
    values : dict
        What the masks wrote for each class before they were converted.
    """

    labels: Labels | None = None
    layout: str | None = None
    cases: dict[str, Member] = Field(default_factory=dict)
    values: dict[str, int | tuple[int, int, int]] = Field(default_factory=dict)


@dataclass(frozen=True)
class Description:
    """What a dataset says of itself.

    Attributes
    ----------
    channels : tuple of str
        Names of the channels in their order; empty where it does not say.
    classes : dict
        Name and mask value of each class, the background included; empty where it does not say, or says
        regions that overlap, which are no classes.
    split : dict
        ``train`` or ``validation`` by id, where nnU-Net's ``splits_final.json`` beside it has one fold.
    own : Addition
        What seglet said when it wrote it.
    """

    channels: tuple[str, ...] = ()
    classes: dict[str, int] = field(default_factory=dict)
    split: dict[str, str] = field(default_factory=dict)
    own: Addition = field(default_factory=Addition)


def read_description(files: Sequence[File]) -> Description:
    """Read the ``dataset.json`` that stands highest among the files of a dataset, if there is one.

    Raises
    ------
    FormatError
        If it is no JSON, or numbers its channels or classes by what is no number.
    """
    found = [file for file in files if file.name.rpartition("/")[2].lower() == NAME]
    if not found:
        return Description()
    file = min(found, key=lambda one: (one.name.count("/"), one.name))
    said = _json(file)
    if not isinstance(said, Mapping):
        raise _unfit(file, f"a {type(said).__name__}")
    folder = file.name[: -len(NAME)]
    beside = [one for one in files if one.root == file.root and one.name == folder + SPLITS_NAME]
    split = _split(beside[0]) if beside else {}
    own = _own(said, file)
    own = own.model_copy(update={"cases": {folder + place: one for place, one in own.cases.items()}})
    return Description(_channels(said, file), _classes(said, file), split, own)


def _json(file: File) -> Any:
    with file.open() as stream:
        content = stream.read()
    try:
        return json.loads(content)
    except (UnicodeDecodeError, ValueError) as error:
        raise _unfit(file, f"no JSON ({error})") from error


def _own(said: Mapping[str, Any], file: File) -> Addition:
    try:
        return Addition.model_validate(said.get(KEY, {}))
    except (ValidationError, ConfigError) as error:
        remedy = f"Remove the key {KEY!r}, or convert the dataset again."
        found = f"an unfit key {KEY!r} ({str(error).splitlines()[0]})"
        raise FormatError(str(file), found=found, expected="what seglet wrote", remedy=remedy) from error


def _split(file: File) -> dict[str, str]:
    """Read a single fold; several are a cross-validation, of which none is the dataset's split."""
    folds = _json(file)
    if not isinstance(folds, list) or len(folds) != 1 or not isinstance(folds[0], Mapping):
        return {}
    parts = {"train": folds[0].get("train", ()), "validation": folds[0].get("val", ())}
    return {str(name): part for part, names in parts.items() for name in names}


def _channels(said: Mapping[str, Any], file: File) -> tuple[str, ...]:
    names = said.get("channel_names", said.get("modality"))
    if not isinstance(names, Mapping):
        return ()
    numbered = {_number(number, file): str(name) for number, name in names.items()}
    return tuple(numbered[number] for number in sorted(numbered))


def _classes(said: Mapping[str, Any], file: File) -> dict[str, int]:
    """Read ``{"0": "liver"}`` of the Decathlon and ``{"liver": 0}`` of nnU-Net."""
    labels = said.get("labels")
    if not isinstance(labels, Mapping) or any(isinstance(value, list | tuple) for value in labels.values()):
        return {}
    if all(str(key).isdecimal() for key in labels):
        classes = {str(name): int(value) for value, name in labels.items()}
    else:
        classes = {str(name): _number(value, file) for name, value in labels.items()}
    return dict(sorted(classes.items(), key=lambda item: item[1]))


def _number(text: object, file: File) -> int:
    if not str(text).isdecimal():
        raise _unfit(file, f"{text!r} where a number is due")
    return int(str(text))


def _unfit(file: File, found: str) -> FormatError:
    expected = 'the dataset.json of nnU-Net: channel_names {"0": "CT"}, labels {"background": 0, "liver": 1}'
    return FormatError(str(file), found=found, expected=expected, remedy="Correct the file, or remove it.")
