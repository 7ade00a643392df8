"""Folds: everyone tested once, groups whole, classes everywhere, leave-one-out for few."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seglet.core.errors import ConfigError
from seglet.data.cases import Case
from seglet.data.folds import choose_folds, folds_from_text, folds_to_text, make_folds, read_folds
from seglet.data.splits import Split, SplitConfig, split_to_text
from seglet.io.sources import File


def make_cases(n: int, per_group: int = 0, split: str | None = None) -> list[Case]:
    file = File(Path("data"), "x.png")
    group = [f"g{k // per_group}" if per_group else None for k in range(n)]
    return [Case(f"{k:03}", (file,), (file,), group=group[k], split=split) for k in range(n)]


def ids(cases: tuple[Case, ...]) -> set[str]:
    return {case.id for case in cases}


@given(st.integers(4, 30), st.integers(0, 3), st.integers(2, 5), st.integers(0, 50))
def test_every_case_is_tested_once_and_groups_stay_whole(n: int, per_group: int, k: int, seed: int) -> None:
    cases = make_cases(n, per_group)
    units = len({case.group or case.id for case in cases})
    if k > units:
        return
    folds = make_folds(cases, SplitConfig(seed=seed), k)
    tested = [case.id for fold in folds for case in fold.test]
    assert sorted(tested) == [case.id for case in cases]
    for fold in folds:
        assert ids(fold.train) | ids(fold.validation) | ids(fold.test) == {case.id for case in cases}
        assert fold.train
        groups = [{case.group for case in part} - {None} for part in (fold.train, fold.validation, fold.test)]
        assert not (groups[0] & groups[1] or groups[0] & groups[2] or groups[1] & groups[2])


def test_folds_are_of_like_size() -> None:
    sizes = [len(fold.test) for fold in make_folds(make_cases(23), SplitConfig(), 5)]
    assert max(sizes) - min(sizes) == 1


def test_no_fold_lacks_a_class_that_enough_cases_show() -> None:
    cases = make_cases(20)
    classes = {case.id: frozenset({1, 2} if int(case.id) >= 15 else {1}) for case in cases}
    for fold in make_folds(cases, SplitConfig(), 5, classes):
        assert any(2 in classes[case.id] for case in fold.test)
        assert any(2 in classes[case.id] for case in fold.train)


def test_fewer_than_ten_cases_are_left_out_one_by_one() -> None:
    assert choose_folds(make_cases(9), SplitConfig()) == 9
    assert choose_folds(make_cases(10), SplitConfig()) is None
    assert choose_folds(make_cases(9, per_group=3), SplitConfig()) == 3


def test_what_is_said_or_given_is_not_overruled() -> None:
    assert choose_folds(make_cases(9), SplitConfig(test="last 2")) is None
    assert choose_folds(make_cases(9), SplitConfig(validation="none")) is None
    assert choose_folds(make_cases(9), SplitConfig(folds="none")) is None
    assert choose_folds(make_cases(6) + make_cases(9, split="test")[6:], SplitConfig()) is None
    assert choose_folds(make_cases(2), SplitConfig()) is None  # one to train on is no choice


def test_a_said_test_part_stays_out_of_all_folds() -> None:
    config = SplitConfig(test="last 4", folds=3)
    folds = make_folds(make_cases(16), config, 3)
    assert {case.id for fold in folds for case in (*fold.train, *fold.validation, *fold.test)} == {
        f"{k:03}" for k in range(12)
    }


def test_named_validation_cases_validate_in_every_fold_and_are_never_tested() -> None:
    for rule in ("003", ("003", "004"), "00[3-4]"):
        config = SplitConfig(validation=rule, folds=3)
        folds = make_folds(make_cases(16), config, 3)
        named = ids(folds[0].validation)
        assert named in ({"003"}, {"003", "004"})
        assert all(ids(fold.validation) == named for fold in folds)
        assert sorted(case.id for fold in folds for case in fold.test) == sorted(
            {f"{k:03}" for k in range(16)} - named
        )
        assert all(len(fold.train) + len(fold.test) == 16 - len(named) for fold in folds)


@pytest.mark.parametrize("rule", ["first 6", "00[0-5]"])
def test_folds_are_made_of_those_that_are_said_to_train(rule: str) -> None:
    folds = make_folds(make_cases(16), SplitConfig(train=rule, folds=3), 3)
    assert {case.id for fold in folds for case in (*fold.train, *fold.validation, *fold.test)} == {
        f"{k:03}" for k in range(6)
    }
    with pytest.raises(ConfigError, match="at most 6"):
        choose_folds(make_cases(16), SplitConfig(train=rule, folds=8))


def test_more_folds_than_groups_are_refused() -> None:
    with pytest.raises(ConfigError, match="at most 3"):
        choose_folds(make_cases(9, per_group=3), SplitConfig(folds=5))


def test_folds_are_read_back_as_written(tmp_path: Path) -> None:
    cases = make_cases(12)
    folds = make_folds(cases, SplitConfig(), 4)
    path = tmp_path / "folds.yaml"
    path.write_text(folds_to_text(folds))
    assert [(ids(f.train), ids(f.validation), ids(f.test)) for f in read_folds(path, cases)] == [
        (ids(f.train), ids(f.validation), ids(f.test)) for f in folds
    ]


def test_a_single_split_is_one_fold() -> None:
    cases = make_cases(3)
    split = Split((cases[0],), (cases[1],), (cases[2],))
    (read,) = folds_from_text(split_to_text(split), cases)
    assert read == split


def test_a_missing_file_and_an_unknown_case_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing\.yaml"):
        read_folds(tmp_path / "nothing.yaml", make_cases(3))
    with pytest.raises(ConfigError, match="stranger"):
        folds_from_text("train: [stranger]\nvalidation: []\ntest: []\n", make_cases(3))
