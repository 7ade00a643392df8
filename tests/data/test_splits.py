"""Rules that pick cases."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seglet.core.errors import ConfigError
from seglet.data.cases import Case
from seglet.data.splits import Split, SplitConfig, split_cases, split_from_text, split_to_text
from seglet.io.sources import File


def cases(*names: str) -> list[Case]:
    root = Path("set")
    return [
        Case(name, (File(root, f"images/{name}.png"),), (File(root, f"masks/{name}.png"),)) for name in names
    ]


def numbered(n: int) -> list[Case]:
    return cases(*(f"{k:02d}" for k in range(n)))


def ids(group: tuple[Case, ...]) -> list[str]:
    return [case.id for case in group]


def sizes(split: Split) -> tuple[int, int, int]:
    return len(split.train), len(split.validation), len(split.test)


@pytest.mark.parametrize(
    ("n", "expected"), [(1, (1, 0, 0)), (2, (2, 0, 0)), (3, (2, 1, 0)), (8, (5, 1, 2)), (20, (14, 2, 4))]
)
def test_automatic_sizes(n: int, expected: tuple[int, int, int]) -> None:
    assert sizes(split_cases(numbered(n), SplitConfig())) == expected


def test_the_seed_decides_and_repeats() -> None:
    drawn = [ids(split_cases(numbered(30), SplitConfig(seed=seed)).test) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_places_count_from_zero() -> None:
    split = split_cases(numbered(25), SplitConfig(validation="every 10 from 0", test="every 10 from 5"))
    assert ids(split.validation) == ["00", "10", "20"]
    assert ids(split.test) == ["05", "15"]
    split = split_cases(numbered(25), SplitConfig(validation="none", test="last 6"))
    assert ids(split.test) == ["19", "20", "21", "22", "23", "24"]


def test_few_training_images_leave_the_test_images_as_they_are() -> None:
    few = split_cases(numbered(25), SplitConfig(train="first 5", test="last 5"))
    many = split_cases(numbered(25), SplitConfig(test="last 5"))
    assert len(few.train) == 5
    assert (few.test, few.validation) == (many.test, many.validation)


def test_ids_patterns_and_files_name_cases(tmp_path: Path) -> None:
    chase = cases(*(f"Image_{k:02d}{eye}" for k in range(1, 15) for eye in "LR"))
    split = split_cases(chase, SplitConfig(test="Image_1[1-4]*", validation="none"))
    assert sizes(split) == (20, 0, 8)
    (tmp_path / "ids.txt").write_text("Image_02L\n\nImage_02R\n")
    config = SplitConfig(train=("Image_01L", "Image_03*"), validation=str(tmp_path / "ids.txt"), test="none")
    split = split_cases(chase, config)
    assert ids(split.train) == ["Image_01L", "Image_03L", "Image_03R"]
    assert ids(split.validation) == ["Image_02L", "Image_02R"]


def test_what_is_drawn_spares_what_is_named() -> None:
    split = split_cases(numbered(10), SplitConfig(train=tuple(f"{k:02d}" for k in range(6)), test=0.2))
    assert len(split.train) == 6
    assert len(split.test) == 2


def test_the_dataset_s_own_split_is_kept() -> None:
    own = [replace(case, split="test" if k < 3 else "train") for k, case in enumerate(numbered(12))]
    split = split_cases(own, SplitConfig())
    assert ids(split.test) == ["00", "01", "02"]
    assert sizes(split) == (8, 1, 3)


@pytest.mark.parametrize("config", [SplitConfig(), SplitConfig(validation="last 4")])
def test_drawn_test_cases_spare_those_that_validate(config: SplitConfig) -> None:
    own = [replace(case, split="train" if k < 16 else "validation") for k, case in enumerate(numbered(20))]
    split = split_cases(own, config)
    assert ids(split.validation) == ["16", "17", "18", "19"]
    assert sizes(split) == (12, 4, 4)


def test_drawn_test_cases_spare_the_groups_of_those_that_are_named() -> None:
    grouped = [replace(case, group=f"g{k // 2}") for k, case in enumerate(numbered(12))]
    trained = ("02", "03", "04", "05")
    for seed in range(8):
        split = split_cases(grouped, SplitConfig(train=trained, validation="00", test=0.3, seed=seed))
        assert ids(split.validation) == ["00"]
        assert len(split.test) == 4
        assert set(ids(split.test)) <= {"06", "07", "08", "09", "10", "11"}
    with pytest.raises(ConfigError, match="groups g0 in both"):
        split_cases(grouped, SplitConfig(validation="00"))


@pytest.mark.parametrize(
    ("sizes_of_groups", "expected"), [((90, 10), 10), ((60, 50, 9, 1), 10), ((50, 45), 45)]
)
def test_a_large_group_is_not_drawn_where_a_smaller_one_does(
    sizes_of_groups: tuple[int, ...], expected: int
) -> None:
    groups = [name for name, n in zip("abcd", sizes_of_groups, strict=False) for _ in range(n)]
    grouped = [replace(case, group=g) for case, g in zip(numbered(len(groups)), groups, strict=True)]
    for seed in range(8):
        split = split_cases(grouped, SplitConfig(seed=seed, validation="none"))
        assert len(split.test) == expected


def test_unlabelled_cases_are_left_out() -> None:
    all_cases = [*numbered(4), replace(cases("x")[0], labels=())]
    assert "x" not in ids(split_cases(all_cases, SplitConfig()).train)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=40), st.integers(0, 5))
def test_groups_never_straddle_and_nobody_is_lost(groups: list[int], seed: int) -> None:
    grouped = [replace(case, group=f"g{g}") for case, g in zip(numbered(len(groups)), groups, strict=True)]
    split = split_cases(grouped, SplitConfig(seed=seed))
    parts = [{case.group for case in part} for part in (split.train, split.validation, split.test)]
    assert sum(map(len, parts)) == len(set(groups))
    assert sum(sizes(split)) == len(groups)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"test": "last 0"}, "picks none"),
        ({"test": "every 10 from 50"}, "picks none"),
        ({"test": "zz*"}, "fits no case"),
        ({"test": "009"}, "Did you mean '09'"),
        ({"test": "frist 5"}, "unknown case 'frist 5'"),
        ({"test": 1.5}, "fraction between 0 and 1"),
        ({"test": 6}, "fraction between 0 and 1"),
        ({"test": "rest"}, "Only split.train"),
        ({"train": "none"}, "picks none"),
        ({"validation": "first 3", "test": "first 4"}, "in both"),
        ({"train": "0*", "validation": "none", "test": "last 2"}, "in both"),
        ({"test": "gone.txt"}, "gone.txt"),
    ],
)
def test_impossible_rules_are_refused(config: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        split_cases(numbered(10), SplitConfig.model_validate(config))


def test_too_few_to_draw_from_says_what_is_left_and_how_to_do_without() -> None:
    sequences = [replace(case, group="01" if case.id < "05" else "02") for case in numbered(10)]
    with pytest.raises(
        ConfigError, match=r"only group 0[12];.*split\.validation=none.*`seglet check` says how"
    ):
        split_cases(sequences, SplitConfig(validation=0.1))
    with pytest.raises(ConfigError, match=r"only case 0[01];.*split\.validation=none"):
        split_cases(numbered(2), SplitConfig(validation=0.1, test=0.5))


def test_a_rule_that_cuts_a_group_is_refused() -> None:
    grouped = [replace(case, group=case.id[0]) for case in cases("a1", "a2", "b1", "b2")]
    with pytest.raises(ConfigError, match="groups b in both"):
        split_cases(grouped, SplitConfig(test="last 1", validation="none"))


def test_nothing_labelled_is_refused() -> None:
    with pytest.raises(ConfigError, match="picks none"):
        split_cases([], SplitConfig())


def test_a_split_comes_back_from_its_text() -> None:
    some = cases("0", "01", "no", "1e3", "täst")
    split = Split(tuple(some[:2]), tuple(some[2:3]), tuple(some[3:]))
    assert split_from_text(split_to_text(split), some) == split


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: [00]\nvalidation: []\ntest: [0x]", "unknown case '0x'"),
        ("train: [00]", "other keys"),
        ("- 1", "no mapping"),
        ("train: [", "no YAML"),
        ("train: [00]\nvalidation: []\ntest: [00]", "in both"),
    ],
)
def test_texts_that_are_no_split_of_these_cases_are_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        split_from_text(text, numbered(3))
