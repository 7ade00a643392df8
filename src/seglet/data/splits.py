"""Who trains, who validates, who tests: rules that pick cases, kept apart and written down."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import yaml
from pydantic import Field

from seglet.core.config import Config
from seglet.core.errors import ConfigError
from seglet.data.cases import Case
from seglet.data.drawing import Classes, draw_units, group_units

Pick = float | str | tuple[str, ...]
Folds = Annotated[int, Field(ge=2)] | Literal["auto", "none"]

AUTO_TEST = 0.2
AUTO_VALIDATION = 0.15
FEWEST_FOR_TEST = 8
FEWEST_FOR_VALIDATION = 3
FREED = "If groups are no patients, slides or the like: `seglet check` says how to drop them"
RULES = (
    "Use a fraction such as 0.2, 'last 6', 'first 5', 'every 10 from 5', 'rest', 'auto', 'none', ids, "
    "patterns such as 'Image_1[1-4]*', or the path of a .txt file with one id per line."
)
ROLES = ("train", "validation", "test")


class SplitConfig(Config):
    """Which cases play which role; only cases with labels are split.

    Groups (patients, slides, animals) are never torn apart, and what is drawn at random is drawn so that
    each part has every class, as far as that can be.

    Attributes
    ----------
    train, validation, test : fraction, str or tuple of str
        ``"rest"``, ``"auto"``, ``"none"``, a fraction of the labelled cases drawn at random, ``"first 5"``,
        ``"last 6"``, ``"every 10 from 5"`` (of the sorted ids, the first being 0), an id, a pattern of ids,
        a ``.txt`` file with one id per line, or several ids and patterns. Positions in `train` count among
        what test and validation leave.
        ``"auto"`` takes the dataset's own split; where there is none, 20 % of at least 8 cases test and
        15 % of at least 3 others validate.
    folds : int, "auto" or "none"
        Into how many folds the cases are divided, each tested once by a model that has not seen it; test
        cases that are said or that the dataset sets aside stay out of all folds. ``"auto"``: leave one out
        where fewer than ten cases are labelled and neither rules nor dataset say who tests or validates;
        else none.
    file : Path or None
        A split.yaml or folds.yaml as a run writes it, taken in place of all rules.
    seed : int
        Seed of what is drawn at random.
    """

    train: Pick = "rest"
    validation: Pick = "auto"
    test: Pick = "auto"
    folds: Folds = "auto"
    file: Path | None = None
    seed: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True)
class Split:
    """The cases of each role; no case and no group is in two of them."""

    train: tuple[Case, ...]
    validation: tuple[Case, ...]
    test: tuple[Case, ...]

    @property
    def cases(self) -> tuple[Case, ...]:
        """All that have a role."""
        return (*self.train, *self.validation, *self.test)


def split_cases(cases: Sequence[Case], config: SplitConfig, classes: Classes | None = None) -> Split:
    """Divide the labelled cases; what is drawn at random keeps groups whole.

    Parameters
    ----------
    cases : sequence of Case
        All of them; those without labels are left out.
    config : SplitConfig
        Rules.
    classes : mapping or None
        Foreground classes that each case shows, by id; a draw that leaves a part without one is avoided.

    Raises
    ------
    ConfigError
        If a rule picks nothing or is unknown, if an id is unknown, or if two roles claim a case or a group.
    """
    labelled = [case for case in cases if case.labels]
    named = {role: named_cases(labelled, rule, role) for role, rule in _rules(config).items()}
    test = _claimed(labelled, config.test, "test", named)
    validation = _claimed(labelled, config.validation, "validation", named)
    if test is None:
        others = _apart(labelled, named["train"], validation)
        test = _drawn(others, len(labelled), config.test, "test", config.seed, classes)
    if validation is None:
        others = _apart(labelled, named["train"], test)
        validation = _drawn(others, len(others), config.validation, "validation", config.seed, classes)
    train = _train(_without(labelled, test, validation), config, named["train"])
    split = Split(tuple(train), tuple(validation), tuple(test))
    _refuse_overlap(split)
    return split


def split_to_text(split: Split) -> str:
    """Write the ids of a split as YAML."""
    ids = {role: [case.id for case in getattr(split, role)] for role in ROLES}
    return yaml.safe_dump(ids, sort_keys=False, allow_unicode=True)


def split_from_text(text: str, cases: Sequence[Case]) -> Split:
    """Read a split back.

    Raises
    ------
    ConfigError
        If the text is no split, or names a case that is not among `cases`.
    """
    try:
        ids = yaml.load(text, Loader=yaml.BaseLoader)  # all scalars stay text: an id may be 01 or no
    except yaml.YAMLError as error:
        raise _no_split(f"no YAML ({error})") from error
    if not isinstance(ids, Mapping) or set(ids) != set(ROLES):
        raise _no_split("other keys" if isinstance(ids, Mapping) else "no mapping")
    by_id = {case.id: case for case in cases}
    chosen = {}
    for role in ROLES:
        names = ids[role] if isinstance(ids[role], list) else []
        chosen[role] = tuple(by_id[_known_id(name, list(by_id), f"split.{role}")] for name in names)
    split = Split(**chosen)
    _refuse_overlap(split)
    return split


def _rules(config: SplitConfig) -> dict[str, Pick]:
    return {"train": config.train, "validation": config.validation, "test": config.test}


def named_cases(cases: Sequence[Case], rule: Pick, role: str) -> list[Case] | None:
    """Pick by ids, patterns or a list; None where the rule names no cases.

    Raises
    ------
    ConfigError
        If it names an unknown case.
    """
    if isinstance(rule, float) or rule in ("rest", "auto", "none"):
        return None
    rules = (rule,) if isinstance(rule, str) else rule
    if isinstance(rule, str) and _positions(rule, cases) is not None:
        return None
    wanted: set[str] = set()
    for one in rules:
        wanted |= _ids_of(one, [case.id for case in cases], f"split.{role}")
    return _filled([case for case in cases if case.id in wanted], rule, role)


def _ids_of(rule: str, ids: Sequence[str], where: str) -> set[str]:
    if rule in ids:
        return {rule}
    if rule.lower().endswith(".txt"):
        return {_known_id(name, ids, f"{where} ({rule})") for name in _lines(Path(rule), where)}
    if any(sign in rule for sign in "*?["):
        found = {name for name in ids if fnmatchcase(name, rule)}
        if not found:
            raise ConfigError(where, found=f"{rule!r}, which fits no case", expected=_some(ids), remedy=RULES)
        return found
    return {_known_id(rule, ids, where)}


def _lines(path: Path, where: str) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        expected = "a text file with one id per line"
        raise ConfigError(where, found=f"{path} ({error})", expected=expected, remedy=RULES) from error
    return [line.strip() for line in lines if line.strip()]


def _known_id(name: str, ids: Sequence[str], where: str) -> str:
    if name in ids:
        return name
    close = get_close_matches(str(name), ids, n=1, cutoff=0.4)
    remedy = f"Did you mean {close[0]!r}? {RULES}" if close else RULES
    raise ConfigError(where, found=f"unknown case {name!r}", expected=_some(ids), remedy=remedy)


def _some(ids: Sequence[str]) -> str:
    shown = ", ".join(ids[:4])
    return f"ids such as {shown}" if ids else "labelled cases in the dataset"


def _positions(rule: str, cases: Sequence[Case]) -> list[Case] | None:
    """Pick by place in the order of the ids; None where the rule says no place."""
    if found := re.fullmatch(r"first ([0-9]+)", rule.strip()):
        return list(cases[: int(found[1])])
    if found := re.fullmatch(r"last ([0-9]+)", rule.strip()):
        return list(cases[max(len(cases) - int(found[1]), 0) :])
    if found := re.fullmatch(r"every ([1-9][0-9]*)(?: from ([0-9]+))?", rule.strip()):
        return list(cases[int(found[2] or 0) :: int(found[1])])
    return None


def _claimed(
    cases: Sequence[Case], rule: Pick, role: str, named: Mapping[str, list[Case] | None]
) -> list[Case] | None:
    """Pick what a rule of test or validation says outright; None where something must be drawn."""
    if rule == "none":
        return []
    if rule == "rest":
        remedy = f"Only split.train can be 'rest'. {RULES}"
        raise ConfigError(f"split.{role}", found="'rest'", expected="a rule that picks", remedy=remedy)
    if rule == "auto":
        own = [case for case in cases if case.split == role]
        return _without(own, *(named[other] for other in ROLES if other != role)) or None
    if isinstance(rule, float):
        return None
    picked = named[role] if named[role] is not None else _positions(str(rule), cases)
    return _filled(picked or [], rule, role)


def _drawn(
    cases: Sequence[Case], n_all: int, rule: Pick, role: str, seed: int, classes: Classes | None = None
) -> list[Case]:
    """Draw whole groups at random until a fraction of `n_all` cases is reached.

    A group that would bring more than twice the wanted number is passed over; where none fits, the smallest
    is taken. Of many draws the first is kept that lacks the fewest classes on either side.
    """
    automatic = {"test": (AUTO_TEST, FEWEST_FOR_TEST), "validation": (AUTO_VALIDATION, FEWEST_FOR_VALIDATION)}
    fraction, fewest = automatic[role] if rule == "auto" else (_fraction(rule, role), 0)
    units = group_units(cases)
    if rule == "auto" and (len(cases) < fewest or len(units) < 2):
        return []
    if len(units) < 2:
        raise _too_few(cases, role)
    n_wanted = min(max(round(fraction * n_all), 1), len(cases) - 1)
    rng = np.random.default_rng([seed, ROLES.index(role)])
    ids = draw_units(units, n_wanted, rng, classes)
    return [case for case in cases if case.id in ids]


def _too_few(cases: Sequence[Case], role: str) -> ConfigError:
    group = cases[0].group if cases else None
    freed = "" if group is None else f" {FREED}."
    left = [f"case {case.id}" if group is None else f"group {group}" for case in cases[:1]]
    return ConfigError(
        f"split.{role}",
        found=f"only {left[0]}" if left else "no case",
        expected="at least two cases (or groups) to draw from",
        remedy=f"Say split.{role}=none for no {role} images.{freed} {RULES}",
    )


def _fraction(rule: Pick, role: str) -> float:
    if not isinstance(rule, float) or not 0 < rule < 1:
        expected = "a fraction between 0 and 1"
        raise ConfigError(f"split.{role}", found=f"{rule}", expected=expected, remedy=RULES)
    return rule


def _apart(cases: Sequence[Case], *taken: Sequence[Case] | None) -> list[Case]:
    """Leave out the cases that are taken, and all that share a group with one of them."""
    groups = {case.group for chosen in taken if chosen for case in chosen} - {None}
    return [case for case in _without(cases, *taken) if case.group not in groups]


def _train(rest: list[Case], config: SplitConfig, named: list[Case] | None) -> list[Case]:
    rule = config.train
    if rule in ("rest", "auto"):
        picked = rest
    elif isinstance(rule, float):
        picked = _drawn(rest, len(rest), rule, "train", config.seed)
    else:
        picked = named if named is not None else _positions(str(rule), rest) or []
    return _filled(picked, rule, "train")


def _filled(picked: list[Case], rule: Pick, role: str) -> list[Case]:
    if not picked:
        expected = "at least one labelled case"
        raise ConfigError(
            f"split.{role}", found=f"{rule!r}, which picks none", expected=expected, remedy=RULES
        )
    return picked


def _without(cases: Sequence[Case], *taken: Sequence[Case] | None) -> list[Case]:
    ids = {case.id for group in taken if group for case in group}
    return [case for case in cases if case.id not in ids]


def _refuse_overlap(split: Split) -> None:
    """Refuse a case or a group that is in two roles: what was trained on must not be scored."""
    for first, second in (("train", "validation"), ("train", "test"), ("validation", "test")):
        one, other = getattr(split, first), getattr(split, second)
        shared = sorted({case.id for case in one} & {case.id for case in other})
        groups = sorted({case.group for case in one} & {case.group for case in other} - {None})
        if shared or groups:
            what = f"cases {', '.join(shared[:5])}" if shared else f"groups {', '.join(groups[:5])}"
            expected = "every case, and every group, in one of them only"
            remedy = "Change one of the two rules so that they do not share them"
            freed = f" {FREED}." if groups else ""
            remedy = f"{remedy}.{freed} {RULES}"
            raise ConfigError(
                f"split.{first}, split.{second}", found=f"{what} in both", expected=expected, remedy=remedy
            )


def _no_split(found: str) -> ConfigError:
    expected = "lists of ids under train, validation and test"
    return ConfigError("split", found=found, expected=expected, remedy="Use the split written by a run.")
