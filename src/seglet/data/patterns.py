"""The pattern language of layouts: paths with `{id}` and other variables in place of what differs.

| in a pattern | matches |
|---|---|
| `{id}` | the name of a case, within one folder or file name |
| `{key}` | as `{id}`, but the case is named by the whole name of its image |
| `{number}` | digits, compared by value: `7` and `007` are the same |
| `{group}` | what belongs together when cases are split: a patient, a specimen |
| `{split}` | `train`, `training`, `tr`, `val`, `validation`, `test`, `testing`, `ts` … |
| `{channel}` | which channel of the image a file holds, where each has its own |
| `{class}` | which class a mask shows, where each has its own; as little as fits, as `{channel}` |
| `*` | anything within one folder or file name |
| `.*` at the end | any suffix; `.nii.gz` and the like are one |
| `**/` | any folders, or none |

A variable that occurs twice must match the same both times. Upper and lower case are the same.
"""

import re
from functools import lru_cache
from pathlib import PurePosixPath

from seglet.core.errors import ConfigError
from seglet.io.sources import DOUBLE_SUFFIXES, suffix_of

SPLITS = {
    "training": "train",
    "train": "train",
    "tr": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "testing": "test",
    "test": "test",
    "ts": "test",
}

VARIABLES = {
    "id": "[^/]+",
    "key": "[^/]+",
    "number": "[0-9]+",
    "group": "[^/]+",
    "split": "|".join(SPLITS),
    "channel": "[^/]+?",
    "class": "[^/]+?",
}
_DOUBLE = [re.escape(suffix) for suffix in DOUBLE_SUFFIXES]
SUFFIX = "(?:" + "|".join(_DOUBLE) + r"|\.[^./]+" + "".join(f"(?<!{suffix})" for suffix in _DOUBLE) + ")"

SYNTAX = (
    "Patterns are paths below the dataset's folder with {id} in place of the name of a case, for example "
    'image: "images/{id}.*" and labels: "masks/{id}_mask.png"; * stands for anything within a name, '
    "**/ for any folders, {split} for train, validation or test, {group} for a patient or specimen, "
    "{channel} and {class} where each channel of an image or each class of a mask is a file of its own."
)

_TOKEN = re.compile(r"\{[^{}]*\}|\*\*/|\*\*|\.\*$|\*|[^{}*.]+|.")


@lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Turn a pattern into a regular expression for whole names.

    Raises
    ------
    ConfigError
        If a variable is unknown or a brace stands alone.
    """
    seen: set[str] = set()
    expression = "".join(_translate(token, pattern, seen) for token in _TOKEN.findall(pattern))
    return re.compile(expression, re.IGNORECASE)


def variables(pattern: str) -> frozenset[str]:
    """Name the variables of a pattern."""
    return frozenset(compile_pattern(pattern).groupindex)


def match(pattern: str, name: str) -> dict[str, str] | None:
    """Match a name against a pattern.

    Returns
    -------
    dict or None
        What each variable matched; numbers without leading zeros, splits as ``train``, ``validation`` or
        ``test``; None where the name does not match.
    """
    found = compile_pattern(pattern).fullmatch(name)
    if found is None:
        return None
    values = found.groupdict()
    if "number" in values:
        values["number"] = str(int(values["number"]))
    if "split" in values:
        values["split"] = SPLITS[values["split"].lower()]
    return values


def n_literal(pattern: str) -> int:
    """Count the letters that a pattern says outright: the more, the surer a match is meant."""
    return sum(len(token) for token in _TOKEN.findall(pattern) if token[0] not in "{}*" and token != ".*")


def stem_of(name: str) -> str:
    """Last part of a path without its suffix, `.nii.gz` and its like counting as one."""
    last = PurePosixPath(name).name
    return last[: len(last) - len(suffix_of(last))]


def literal(text: str) -> str:
    """Write a piece of a path so that it stands for itself in a pattern; what cannot becomes `*`."""
    return re.sub(r"[{}*]", "*", text)


def _translate(token: str, pattern: str, seen: set[str]) -> str:
    match token:
        case "**/":
            return "(?:[^/]+/)*"
        case "**":
            return ".*"
        case "*":
            return "[^/]*"
        case ".*":
            return SUFFIX
    if token[0] not in "{}":
        return re.escape(token)
    name = token[1:-1]
    if token in "{}" or name not in VARIABLES:
        expected = "one of " + ", ".join(f"{{{known}}}" for known in VARIABLES)
        raise ConfigError(f"pattern {pattern}", found=token, expected=expected, remedy=SYNTAX)
    if name in seen:
        return f"(?P={name})"
    seen.add(name)
    return f"(?P<{name}>{VARIABLES[name]})"
