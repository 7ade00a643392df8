"""How a dataset writes its masks: understood from the values in them, then decoded and encoded."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator, model_validator

from seglet.core.config import Config
from seglet.core.errors import ConfigError, DatasetError, FormatError
from seglet.core.events import Tell, quiet
from seglet.core.image import IGNORE, MAX_CLASSES, Labels, Others
from seglet.data.cases import Case
from seglet.data.chart import is_huge, read_boxes
from seglet.data.encodings import (
    OVERRIDE,
    Choice,
    Value,
    choose_labels,
    labels_as_named,
    labels_as_told,
    labels_of_files,
    packed,
    shown,
    unpacked,
)
from seglet.data.fitting import values_of
from seglet.data.parallel import read_all
from seglet.data.survey import (
    MOST_COUNTED,
    Survey,
    as_volume,
    color_codes,
    connected_pieces,
    count_values,
    is_color,
    planes,
    survey_mask,
)
from seglet.io.files import as_mask, open_mask
from seglet.io.sources import File

NOTHING_SAID: Mapping[str, int] = MappingProxyType({})


class MaskConfig(Config):
    """How masks are to be read.

    Attributes
    ----------
    encoding : str
        ``auto`` looks at the masks. ``binary`` takes two classes from any two values, with grays between
        them cut half way; the others are those of `seglet.core.image.Labels`.
    classes : mapping or None
        Name of each class and its value or color, background first; read from the masks if None.
    others : str
        Values that `classes` does not name: an ``error``, or part of the ``background``.
    ignore : int, color or None
        Value of pixels that nobody labelled; in color masks an int is a gray level.
    """

    encoding: Choice = "auto"
    classes: dict[str, Value] | None = None
    others: Others = "error"
    ignore: Value | None = None

    @field_validator("classes")
    @classmethod
    def _check_classes(cls, classes: dict[str, Value] | None) -> dict[str, Value] | None:
        if classes is not None:
            n_colors = sum(isinstance(value, tuple) for value in classes.values())
            if not 2 <= len(classes) <= MAX_CLASSES or len(set(classes.values())) < len(classes):
                expected = f"2 to {MAX_CLASSES} classes, each with a value of its own"
                raise ConfigError("masks.classes", found=str(classes), expected=expected, remedy=OVERRIDE)
            if n_colors not in (0, len(classes)):
                expected = "values or colors, not both"
                raise ConfigError("masks.classes", found=str(classes), expected=expected, remedy=OVERRIDE)
        return classes

    @model_validator(mode="after")
    def _check_others(self) -> Self:
        if self.others == "background" and self.classes is None:
            expected = "masks.classes beside it: which values are not the others"
            raise ConfigError("masks.others", found="background", expected=expected, remedy=OVERRIDE)
        return self


def understand_masks(
    cases: Sequence[Case],
    config: MaskConfig,
    tell: Tell = quiet,
    classes: Mapping[str, int] = NOTHING_SAID,
) -> Labels:
    """Find out how the masks of a dataset are written by looking at all of them.

    Where every object or class has a file of its own, or somebody says what the values mean, nothing needs
    to be looked at. Of a volume too large for the memory, boxes spread over it are looked at.

    Parameters
    ----------
    cases : sequence of Case
        Where the masks are.
    config : MaskConfig
        What the user says of them.
    tell : callable
        Hears of progress.
    classes : mapping
        What the dataset says of them, see `seglet.data.cases.Dataset.classes`.

    Raises
    ------
    DatasetError
        If masks cannot be read (lists every one), or their values make no sense.
    ConfigError
        If the settings contradict each other.
    """
    per_object = any(len(case.labels) > 1 for case in cases)
    told = _as_told(config, cases, classes, per_object=per_object)
    if told is not None:
        return told
    masks = [(file, case.page) for case in cases for file in case.labels]
    surveys, bad = read_all(_survey_file, masks, "reading masks", tell)
    if bad:
        listed = "; ".join(map(str, bad))
        remedy = "Repair these files or take them out of the dataset."
        found = f"{len(bad)} bad files: {listed}"
        raise DatasetError("masks", found=found, expected="masks that can be read", remedy=remedy)
    return choose_labels(surveys, config.encoding, config.ignore)


def labels_from(
    surveys: Sequence[Survey],
    config: MaskConfig,
    *,
    per_object: bool,
    cases: Sequence[Case] = (),
    classes: Mapping[str, int] = NOTHING_SAID,
) -> Labels:
    """Decide as `understand_masks` does, on masks that were looked at already."""
    told = _as_told(config, cases, classes, per_object=per_object)
    return told or choose_labels(surveys, config.encoding, config.ignore)


def decode(mask: NDArray[np.integer], labels: Labels, where: str = "mask") -> NDArray[np.uint8]:
    """Turn raw mask values into class indexes.

    Parameters
    ----------
    mask : ([z,] y, x) or (y, x, 3) integer array
        Raw values or colors; where each class has a file of its own, the file of the only class, or the
        numbers of the classes, as predictions are written.
    labels : Labels
        How they are written.
    where : str
        The mask's name, for messages.

    Returns
    -------
    ([z,] y, x) uint8 array
        Class indexes; `IGNORE` where nobody labelled.

    Raises
    ------
    FormatError
        If a value stands for no class, and `labels` do not take it for background.
    """
    codes = _codes(mask, labels)
    if labels.threshold is not None:
        indexes = (codes > labels.threshold).astype(np.uint8)
    elif _is_one_of_two(labels):
        indexes = upper_half(codes).astype(np.uint8)
    elif labels.tell_objects_apart:
        indexes = (codes != _code(labels.classes[0].value, codes, mask)).astype(np.uint8)
    else:
        indexes = _looked_up(codes, labels, where)
    if labels.ignore is not None:
        indexes[codes == _code(labels.ignore, codes, mask)] = IGNORE
    return indexes


def upper_half(values: NDArray[np.integer]) -> NDArray[np.bool_]:
    """What is brighter than half of the brightest: masks of two values, soft edges cut half way."""
    inside: NDArray[np.bool_] = values > values.max(initial=0) / 2
    return inside


def decode_objects(mask: NDArray[np.integer], labels: Labels) -> NDArray[np.int32] | None:
    """Number the objects of a mask in which every object has its own value.

    A value is one object, also in several pieces; only where there are at least twice as many pieces as
    values, values merely keep neighbours apart and every connected piece is an object (unless the labels
    say that they are numbers).

    Returns
    -------
    ([z,] y, x) int32 array or None
        Numbers from 1 on, 0 for background and ignored pixels; None for other encodings.
    """
    if labels.encoding != "instances":
        return None
    codes = _codes(mask, labels)
    inside = codes != _code(labels.classes[0].value, codes, mask)
    if labels.ignore is not None:
        inside &= codes != _code(labels.ignore, codes, mask)
    if labels.is_numbered:
        return np.where(inside, codes, 0).astype(np.int32)
    objects = np.zeros(codes.shape, np.int32)
    objects[inside] = np.unique(codes[inside], return_inverse=True)[1] + 1
    pieces = connected_pieces(objects)
    reused = int(pieces.max(initial=0)) >= 2 * max(int(objects.max(initial=0)), 1)
    return pieces if reused else objects


def encode(indexes: NDArray[np.integer], labels: Labels) -> NDArray[np.integer]:
    """Write class indexes with the user's own values.

    Returns
    -------
    ([z,] y, x) uint8, uint16 or uint32 array, or (y, x, 3) uint8 array for colors
        `IGNORE` becomes the value for unlabelled pixels; background where there is none, or where objects
        are told apart in colors but written in gray.
    """
    background = labels.classes[0].value
    fits = labels.ignore is not None and isinstance(labels.ignore, int) == isinstance(background, int)
    unlabelled = labels.ignore if fits else background
    values = [one.value for one in labels.classes]
    table = np.array([*values, *[background] * (IGNORE - len(values)), unlabelled])
    written: NDArray[np.integer] = table.astype(np.min_scalar_type(int(table.max())))[indexes]
    return written


def unknown_values(one: Survey, labels: Labels) -> list[int]:
    """List the values of a mask that stand for no class; colors as 24-bit numbers."""
    if labels.others == "background":
        return []
    if labels.threshold is not None or labels.encoding in ("instances", "objects", "files"):
        return []
    known = {packed(value) for value in _known_values(labels)}
    in_color = labels.encoding == "colors"
    values = one.values * 0x010101 if in_color and one.kind == "gray" else one.values
    values = values >> 16 if not in_color and one.kind == "red" else values
    return [int(value) for value in values if int(value) not in known]


def _as_told(
    config: MaskConfig, cases: Sequence[Case], classes: Mapping[str, int], *, per_object: bool
) -> Labels | None:
    """Decide by what is said and by the names of the files; None where masks must be looked at."""
    class_files = sorted({name for case in cases for name in case.classes})
    if class_files:
        if config.encoding not in ("auto", "binary"):
            expected = "auto or binary, where each class has a mask file of its own"
            raise ConfigError("masks.encoding", found=config.encoding, expected=expected, remedy=OVERRIDE)
        return labels_of_files(class_files, tuple(config.classes or ()), config.ignore)
    encoding = config.encoding
    if encoding == "auto" and per_object:
        encoding = "objects"
    elif encoding == "auto" and any(case.tracks is not None for case in cases):
        encoding = "instances"  # markers number objects, so do the masks beside them
    if config.classes is not None:
        told = labels_as_told(config.classes, encoding, config.ignore)
        return told.model_copy(update={"others": config.others})
    if encoding in ("objects", "instances"):
        return choose_labels([], encoding, config.ignore)
    if encoding in ("auto", "values") and set(classes) - {"ignore", "background"}:
        return labels_as_named(classes, config.ignore)
    return None


def _survey_file(mask: tuple[File, int | None]) -> Survey:
    file, page = mask
    stored = open_mask(file)
    if page is None and stored.is_random and is_huge(stored):
        return survey_mask(as_volume(as_mask(read_boxes(stored), str(file))))
    return survey_mask(values_of(stored, file, page, keep_colors=True))


def _is_one_of_two(labels: Labels) -> bool:
    """Whether a mask holds one class or object, whichever two values it has."""
    is_single = labels.encoding == "objects" or (labels.encoding == "files" and labels.n_classes == 2)
    return is_single and labels.classes[0].value == 0


def _codes(mask: NDArray[np.integer], labels: Labels) -> NDArray[np.integer]:
    """Give one number per pixel: the raw value, or the color as a 24-bit number."""
    if is_color(mask):
        return color_codes(mask)
    return mask.astype(np.int64) * 0x010101 if labels.encoding == "colors" else mask


def _code(value: Value, codes: NDArray[np.integer], mask: NDArray[np.integer]) -> int:
    in_color = codes is not mask
    return value * 0x010101 if in_color and isinstance(value, int) else packed(value)


def _looked_up(codes: NDArray[np.integer], labels: Labels, where: str) -> NDArray[np.uint8]:
    known = np.array([packed(value) for value in _known_values(labels)], np.int64)
    low, high = int(codes.min(initial=known.min())), int(codes.max(initial=known.max()))
    if high - low < MOST_COUNTED:  # a table is ten times faster than a search
        strange = np.setdiff1d(count_values(codes)[0], known)
        table = np.zeros(high - low + 1, np.uint8)
        table[known - low] = np.arange(len(known))
        indexes = np.empty(codes.shape, np.uint8)
        for plane, written in zip(planes(codes), planes(indexes), strict=True):
            written[...] = table[plane if low == 0 else plane.astype(np.int64) - low]
    else:
        order = np.argsort(known)
        nearest = order[np.searchsorted(known, codes, sorter=order).clip(max=len(known) - 1)]
        is_strange = known[nearest] != codes
        strange = np.unique(codes[is_strange])
        indexes = np.where(is_strange, 0, nearest).astype(np.uint8)
    if len(strange) and labels.others == "error":
        values = [unpacked(int(v)) if labels.encoding == "colors" else int(v) for v in strange[:5]]
        expected = "only " + ", ".join(f"{shown(one.value)} ({one.name})" for one in labels.classes)
        found = f"mask values {', '.join(map(shown, values))}"
        raise FormatError(where, found=found, expected=expected, remedy=OVERRIDE)
    return indexes


def _known_values(labels: Labels) -> Iterable[Value]:
    return [*(one.value for one in labels.classes), *([] if labels.ignore is None else [labels.ignore])]
