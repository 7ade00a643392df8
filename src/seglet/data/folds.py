"""Cross-validation: the cases divided into folds, each tested once by a model that has not seen it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from seglet.core.errors import ConfigError
from seglet.data.cases import Case
from seglet.data.drawing import N_DRAWS, Classes, fewest_lacking, group_units
from seglet.data.splits import (
    RULES,
    Split,
    SplitConfig,
    named_cases,
    split_cases,
    split_from_text,
    split_to_text,
)

FEW = 10  # labelled cases; fewer are left out one by one
FOLDS_FILE = "a list of splits as a run with folds writes it (folds.yaml)"


def choose_folds(cases: Sequence[Case], config: SplitConfig) -> int | None:
    """How many folds there will be, or None for a single split.

    Raises
    ------
    ConfigError
        If there are fewer cases (or groups) than folds.
    """
    labelled = [case for case in cases if case.labels]
    if config.folds == "none":
        return None
    if config.folds == "auto":
        is_said = any(rule != "auto" for rule in (config.test, config.validation)) or config.train != "rest"
        is_given = any(case.split in ("test", "validation") for case in labelled)
        n_units = len(group_units(labelled))
        few = len(labelled) < FEW and n_units > 2
        return n_units if few and not is_said and not is_given else None
    n_units = len(group_units(_inside(labelled, config)))
    if config.folds > n_units:
        expected = f"at most {n_units}, one for each labelled case or group outside the test part"
        raise ConfigError("split.folds", found=str(config.folds), expected=expected, remedy=RULES)
    return config.folds


def make_folds(
    cases: Sequence[Case], config: SplitConfig, n_folds: int, classes: Classes | None = None
) -> tuple[Split, ...]:
    """Divide the labelled cases into folds of like size, groups whole and every class in each if possible.

    Parameters
    ----------
    cases : sequence of Case
        All cases; a test part that is said, or that the dataset gives, stays out of all folds.
    config : SplitConfig
        Rules; who validates is drawn anew from the training cases of each fold, but cases that the rule
        names validate in all of them. Where a rule says who trains, these are divided.
    n_folds : int
        As many as units at most.
    classes : mapping or None
        Foreground classes that each case shows, by id.

    Returns
    -------
    tuple of Split
        In each, `test` is the fold.
    """
    labelled = [case for case in cases if case.labels]
    inside, validation = _inside(labelled, config), named_cases(labelled, config.validation, "validation")
    units = group_units(inside)
    rng = np.random.default_rng([config.seed, n_folds])
    every = {case.id for case in inside}
    tries = N_DRAWS if classes and n_folds < len(units) else 1
    draws = (_deal(units, n_folds, rng) for _ in range(tries))
    parts = fewest_lacking(draws, lambda dealt: [*dealt, *(every - part for part in dealt)], classes or {})
    if validation is None:
        return tuple(_split(inside, part, config, number, classes) for number, part in enumerate(parts))
    return tuple(
        Split(
            train=tuple(case for case in inside if case.id not in part),
            validation=tuple(validation),
            test=tuple(case for case in inside if case.id in part),
        )
        for part in parts
    )


def folds_to_text(folds: Sequence[Split]) -> str:
    """Write the ids of all folds as YAML: a list of splits."""
    return yaml.safe_dump([yaml.safe_load(split_to_text(one)) for one in folds], sort_keys=False)


def folds_from_text(text: str, cases: Sequence[Case]) -> tuple[Split, ...]:
    """Read folds back; a single split gives one.

    Raises
    ------
    ConfigError
        If the text is neither, or names an unknown case.
    """
    try:
        content = yaml.load(text, Loader=yaml.BaseLoader)  # all scalars stay text: an id may be 01 or no
    except yaml.YAMLError as error:
        raise ConfigError(
            "folds", found=f"no YAML ({error})", expected=FOLDS_FILE, remedy="Use the file of a run."
        ) from error
    if isinstance(content, list):
        return tuple(split_from_text(yaml.safe_dump(one, allow_unicode=True), cases) for one in content)
    return (split_from_text(text, cases),)


def read_folds(path: Path, cases: Sequence[Case]) -> tuple[Split, ...]:
    """Read the splits in a file.

    Raises
    ------
    ConfigError
        If the file cannot be read or does not fit the cases.
    """
    try:
        return folds_from_text(path.read_text(encoding="utf-8"), cases)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            "split.file",
            found=f"{path} ({error})",
            expected="split.yaml or folds.yaml as a run writes it",
            remedy="Check the path.",
        ) from error


def _inside(labelled: Sequence[Case], config: SplitConfig) -> list[Case]:
    """Cases that are divided: those outside the parts that rules or the dataset set aside.

    A test part that would merely be drawn is not, nor is who validates unless they are named.
    """
    is_drawn = config.test == "auto" and not any(case.split == "test" for case in labelled)
    is_named = named_cases(labelled, config.validation, "validation") is not None
    rules = {
        "test": "none" if is_drawn else config.test,
        "validation": config.validation if is_named else "none",
    }
    return list(split_cases(labelled, config.model_copy(update=rules)).train)


def _deal(units: Sequence[Sequence[Case]], n_folds: int, rng: np.random.Generator) -> list[set[str]]:
    """Deal units to the smallest fold so far, the largest first, equal ones in random order."""
    parts: list[set[str]] = [set() for _ in range(n_folds)]
    shuffled = [units[k] for k in rng.permutation(len(units))]
    for unit in sorted(shuffled, key=len, reverse=True):
        min(parts, key=len).update(case.id for case in unit)
    return parts


def _split(
    inside: Sequence[Case], part: set[str], config: SplitConfig, number: int, classes: Classes | None
) -> Split:
    test = [case for case in inside if case.id in part]
    others = [case for case in inside if case.id not in part]
    rules = SplitConfig(validation=config.validation, test="none", seed=config.seed + number)
    free = split_cases(others, rules, classes)
    return Split(free.train, free.validation, tuple(test))
