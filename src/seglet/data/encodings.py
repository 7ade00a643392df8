"""Decide how masks are written, from what was counted in them or from what the user says."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from seglet.core.errors import ConfigError, DatasetError
from seglet.core.image import MAX_CLASSES, LabelClass, Labels
from seglet.data.survey import Survey, Tally, common_kind, looks_interpolated, looks_like_instances, tally

Value = int | tuple[int, int, int]
Choice = Literal["auto", "values", "colors", "instances", "objects", "binary"]

MAX_COLORS = 32
LEAST_AREA = 8  # pixels; colors of mostly fewer are compression noise, not objects
OBJECT = (LabelClass(name="background", value=0), LabelClass(name="object", value=255))
OVERRIDE = "Say masks.encoding, or list masks.classes with the value or color of each."


def choose_labels(surveys: Sequence[Survey], encoding: Choice, ignore: Value | None) -> Labels:
    """Decide how masks are written from what was counted in them.

    Parameters
    ----------
    surveys : sequence of Survey
        One per mask.
    encoding : str
        What the user says; ``auto`` to find out.
    ignore : int, color or None
        Value of pixels that nobody labelled.

    Raises
    ------
    DatasetError
        If there are no masks, too many different values or colors in them, or colors where values are said.
    ConfigError
        If a color is to be ignored in gray masks.
    """
    if encoding in ("objects", "instances"):
        return Labels(encoding=encoding, classes=OBJECT, ignore=ignore)
    if not surveys:
        expected = "at least one mask to look at"
        raise DatasetError("masks", found="no masks", expected=expected, remedy=OVERRIDE)
    kind = "color" if encoding == "colors" else common_kind(surveys)
    if kind == "color" and encoding in ("values", "binary"):
        expected = f"one gray level per pixel for masks.encoding {encoding}"
        remedy = "Say masks.encoding: colors, or leave it out."
        raise DatasetError("masks", found="colors", expected=expected, remedy=remedy)
    ignore = _in_terms(ignore, in_color=kind == "color")
    total = _without_ignored(tally(surveys, kind), ignore)
    if kind == "color":
        return _from_colors(surveys, total, encoding, ignore)
    if encoding == "auto" and len(total.values) > 2:
        if looks_interpolated(surveys, total):
            encoding = "binary"
        elif looks_like_instances(surveys, total):
            return Labels(encoding="instances", classes=OBJECT, ignore=ignore)
    if encoding == "binary" or len(total.values) <= 2:
        return _two_classes(total, ignore)
    return _many_classes(total, ignore)


def labels_as_told(classes: Mapping[str, Value], encoding: Choice, ignore: Value | None) -> Labels:
    """Take the classes as the user lists them, background first.

    Raises
    ------
    ConfigError
        If they do not go with the encoding, or what is ignored not with them.
    """
    listed = tuple(LabelClass(name=name, value=value) for name, value in classes.items())
    first, second, *more = (one.value for one in listed)
    in_color = isinstance(first, tuple)
    if encoding in ("binary", "instances", "objects") and more:
        expected = f"two classes for {encoding} masks"
        raise ConfigError("masks.classes", found=f"{len(listed)}", expected=expected, remedy=OVERRIDE)
    if (encoding == "colors" and not in_color) or (encoding in ("values", "binary") and in_color):
        found = f"{'colors' if in_color else 'values'} with encoding {encoding}"
        raise ConfigError("masks.classes", found=found, expected="the same kind", remedy=OVERRIDE)
    if encoding in ("instances", "objects"):
        return Labels(encoding=encoding, classes=listed, ignore=ignore)
    threshold = None
    if encoding == "binary" and isinstance(first, int) and isinstance(second, int):
        threshold = (first + second) / 2
        if first > second:
            expected = "the background below the foreground"
            raise ConfigError("masks.classes", found=str(classes), expected=expected, remedy=OVERRIDE)
    kind: Literal["colors", "values"] = "colors" if in_color else "values"
    ignore = _in_terms(ignore, in_color=in_color)
    return Labels(encoding=kind, classes=listed, threshold=threshold, ignore=ignore)


def labels_of_files(names: Sequence[str], told: Sequence[str], ignore: Value | None) -> Labels:
    """Take one class per mask file; predictions then number the classes.

    Parameters
    ----------
    names : sequence of str
        The foreground classes that have files.
    told : sequence of str
        The classes as the user lists them, background first, or none: their order decides which of two
        classes that claim a pixel has it, the later one.
    ignore : int or None
        Value of pixels that nobody labelled.

    Raises
    ------
    ConfigError
        If the user lists other classes than there are files of, or a color is to be ignored.
    """
    listed = tuple(told) or ("background", *names)
    if set(listed[1:]) != set(names) or listed[0] in names:
        expected = f"the background, then the classes that have files: {', '.join(names)}"
        raise ConfigError("masks.classes", found=", ".join(listed), expected=expected, remedy=OVERRIDE)
    classes = tuple(LabelClass(name=name, value=k) for k, name in enumerate(listed))
    return Labels(encoding="files", classes=classes, ignore=_in_terms(ignore, in_color=False))


def labels_as_named(classes: Mapping[str, int], ignore: Value | None) -> Labels:
    """Take the classes as the dataset itself names them.

    The class of value 0 is the background, named so where the dataset leaves it out; a class named
    ``ignore`` is none, but what nobody labelled.
    """
    named = dict(classes)
    unlabelled = named.pop("ignore", None)
    complete = named if 0 in named.values() else {"background": 0, **named}
    in_order = dict(sorted(complete.items(), key=lambda item: item[1]))
    return labels_as_told(in_order, "values", unlabelled if ignore is None else ignore)


def describe(labels: Labels) -> str:
    """Say in one sentence how masks are read."""
    written = ", ".join(f"{shown(one.value)} is {one.name}" for one in labels.classes)
    match labels.encoding:
        case "objects":
            text = f"One mask file per object, merged into one label map of {' and '.join(labels.names)}"
        case "instances":
            text = (
                f"Every object has its own value in the mask; {shown(labels.classes[0].value)} is background"
            )
        case "files":
            text = f"One mask file per class: {', '.join(labels.names[1:])}"
        case "colors":
            text = f"{labels.n_classes} classes by color: {written}"
        case _ if labels.threshold is not None:
            high = labels.names[1]
            text = f"Two classes with gray levels between them: values above {labels.threshold:g} are {high}"
        case _:
            text = f"{labels.n_classes} classes by value: {written}"
    if labels.others == "background":
        text = f"{text}; all others are {labels.names[0]}"
    ignored = "" if labels.ignore is None else f"; {shown(labels.ignore)} is not labelled"
    return f"{text}{ignored}."


def packed(value: Value) -> int:
    """Write a value or color as one number."""
    return value if isinstance(value, int) else value[0] << 16 | value[1] << 8 | value[2]


def unpacked(code: int) -> tuple[int, int, int]:
    """Take a color out of its number."""
    return code >> 16, code >> 8 & 255, code & 255


def shown(value: Value) -> str:
    """Write a value or color for a person."""
    return str(value) if isinstance(value, int) else "#{:02x}{:02x}{:02x}".format(*value)


def _in_terms(ignore: Value | None, *, in_color: bool) -> Value | None:
    """Write the ignored value as the masks write theirs: a gray level of color masks as a color."""
    if in_color and isinstance(ignore, int):
        return ignore, ignore, ignore
    if not in_color and isinstance(ignore, tuple):
        remedy = "Say the gray level of unlabelled pixels."
        raise ConfigError(
            "masks.ignore", found=f"color {shown(ignore)}", expected="a value, as in the masks", remedy=remedy
        )
    return ignore


def _without_ignored(total: Tally, ignore: Value | None) -> Tally:
    if ignore is None:
        return total
    kept = total.values != packed(ignore)
    return Tally(total.values[kept], total.counts[kept])


def _from_colors(surveys: Sequence[Survey], total: Tally, encoding: Choice, ignore: Value | None) -> Labels:
    """Few colors are classes; many are objects, if most of them are in one piece."""
    if len(total.values) > (MAX_COLORS if encoding == "auto" else MAX_CLASSES):
        pieces = np.concatenate([one.n_pieces[one.values != 0] for one in surveys])
        areas = np.concatenate([one.counts[one.values != 0] for one in surveys])
        if encoding == "auto" and (pieces == 1).mean() >= 0.5 and np.median(areas) >= LEAST_AREA:
            return Labels(encoding="instances", classes=OBJECT, ignore=ignore)
        remedy = f"Masks must not be saved as JPEG or with soft edges. {OVERRIDE}"
        found = f"{len(total.values)} colors"
        raise DatasetError("masks", found=found, expected="a few colors, or one per object", remedy=remedy)
    background = 0 if 0 in total.values else int(total.values[np.argmax(total.counts)])
    others = [int(value) for value in total.values if value != background]
    named = {f"color_{value:06x}": value for value in others}
    if len(others) == 1:
        named = {"foreground": others[0]}
    listed = {"background": background, **named}
    classes = tuple(LabelClass(name=name, value=unpacked(value)) for name, value in listed.items())
    return Labels(encoding="colors", classes=classes, ignore=ignore)


def _two_classes(total: Tally, ignore: Value | None) -> Labels:
    values = total.values.tolist() or [0]
    low, high = (values[0], values[-1]) if len(values) > 1 else (0, values[0] or 255)
    classes = (LabelClass(name="background", value=low), LabelClass(name="foreground", value=high))
    threshold = (low + high) / 2 if len(values) > 2 else None
    return Labels(classes=classes, threshold=threshold, ignore=ignore)


def _many_classes(total: Tally, ignore: Value | None) -> Labels:
    values = total.values.tolist()
    if len(values) > MAX_CLASSES:
        found = f"{len(values)} different values"
        raise DatasetError("masks", found=found, expected=f"at most {MAX_CLASSES} classes", remedy=OVERRIDE)
    background = 0 if 0 in values else values[0]
    others = [LabelClass(name=f"class_{value}", value=value) for value in values if value != background]
    return Labels(classes=(LabelClass(name="background", value=background), *others), ignore=ignore)
