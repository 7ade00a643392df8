import sys
from pathlib import Path
from typing import Any

import pytest

from seglet.core.errors import MissingExtra, TrainingError
from seglet.tuning.space import Space
from seglet.tuning.study import Study

SPACE = Space(
    levels=(2, 3, 4),
    widths=(8, 16, 32),
    learning_rate=(0.0001, 0.01),
    batch_sizes=(4, 8),
    losses=("cross_entropy+dice", "dice"),
    first={"levels": 3, "width": 16, "learning_rate": 0.001, "loss": "dice", "batch_size": 8},
)
SEARCHED = {"recipe": {"name": "auto", "window": (0.1, 0.2)}, "data": ["a", "b"]}


def study(path: Path, seed: int = 0, n_trials: int = 20, **searched: Any) -> Study:
    return Study(path, SEARCHED | searched, SPACE, seed=seed, n_trials=n_trials)


def test_the_recipe_comes_first_and_all_else_lies_in_the_ranges(tmp_path: Path) -> None:
    it = study(tmp_path / "study.db")
    assert it.ask().params == SPACE.first
    for _ in range(12):
        params = it.ask().params
        assert params["levels"] in SPACE.levels
        assert params["width"] in SPACE.widths
        assert 0.0001 <= params["learning_rate"] <= 0.01
        assert params["loss"] in SPACE.losses
        assert params["batch_size"] in SPACE.batch_sizes


def test_a_network_of_another_shape_keeps_it(tmp_path: Path) -> None:
    first = {name: v for name, v in SPACE.first.items() if name not in ("levels", "width")}
    fixed = SPACE.model_copy(update={"widths": (), "first": first})
    it = Study(tmp_path / "study.db", SEARCHED, fixed, seed=0, n_trials=20)
    assert set(it.ask().params) == set(it.ask().params) == {"learning_rate", "loss", "batch_size"}


def test_what_is_tried_follows_from_the_seed(tmp_path: Path) -> None:
    drawn = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        it = study(tmp_path / name, seed)
        drawn.append([it.ask().params for _ in range(4)])
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_trials_are_remembered_with_what_became_of_them(tmp_path: Path) -> None:
    it = study(tmp_path / "study.db")
    it.finish(it.ask(), 0.75, 12.0)
    pruned = it.ask()
    it.is_hopeless(pruned, 0.25, 0.5)
    it.is_hopeless(pruned, 0.5, 0.625)
    it.finish(pruned, None, 3.0)
    it.finish(it.ask(), None, 1.0, "diverged")
    it.interrupt(it.ask(), 2.0, "SIGINT")
    again = study(tmp_path / "study.db").tried()
    assert again == it.tried()
    assert [t.state for t in again] == ["finished", "pruned", "pruned", "interrupted"]
    assert [t.val_dice for t in again] == [0.75, 0.625, None, None]
    assert [t.seconds for t in again] == [12.0, 3.0, 1.0, 2.0]
    assert [t.note for t in again] == ["", "", "diverged", "SIGINT"]
    assert again[0].params == SPACE.first


def test_what_was_interrupted_is_tried_again_before_anything_else(tmp_path: Path) -> None:
    it = study(tmp_path / "study.db")
    it.ask()
    cut = it.ask()
    it.interrupt(cut, 2.0, "SIGINT")
    assert it.ask().params == cut.params


def test_what_was_killed_is_known_as_such_and_tried_again(tmp_path: Path) -> None:
    it = study(tmp_path / "study.db")
    it.finish(it.ask(), 0.5, 1.0)
    killed = it.ask().params
    again = study(tmp_path / "study.db")
    assert [t.state for t in again.tried()] == ["finished", "interrupted"]
    assert again.tried()[1].seconds == 0
    assert again.ask().params == killed


def test_a_study_that_goes_on_draws_nothing_twice(tmp_path: Path) -> None:
    rates = set()
    for _ in range(6):
        it = study(tmp_path / "study.db")
        trial = it.ask()
        it.finish(trial, 0.5, 1.0)
        rates.add(trial.params["learning_rate"])
    assert len(rates) == 6


def test_trials_far_behind_most_others_are_hopeless_but_not_at_their_beginning(tmp_path: Path) -> None:
    it = study(tmp_path / "study.db")
    for _ in range(4):
        good = it.ask()
        for share in (0.1, 0.5, 0.9):
            assert not it.is_hopeless(good, share, 0.8)
        it.finish(good, 0.8, 1.0)
    bad, fine = it.ask(), it.ask()
    assert not it.is_hopeless(bad, 0.1, 0.2)
    assert it.is_hopeless(bad, 0.5, 0.3)
    assert not it.is_hopeless(fine, 0.1, 0.2)
    assert not it.is_hopeless(fine, 0.5, 0.9)


def test_trials_are_compared_though_their_rounds_end_elsewhere(tmp_path: Path) -> None:
    it = study(tmp_path / "study.db")
    for place in (0.501, 0.52, 0.54, 0.58):
        good = it.ask()
        assert not it.is_hopeless(good, place, 0.8)
        it.finish(good, 0.8, 1.0)
    assert it.is_hopeless(it.ask(), 0.56, 0.3)


def test_one_that_is_better_at_the_same_time_is_no_median(tmp_path: Path) -> None:
    it = study(tmp_path / "study.db")
    for place in (0.9, 0.4, 0.6, 0.7):
        good = it.ask()
        it.is_hopeless(good, place, 0.8)
        it.finish(good, 0.8, 1.0)
    assert not it.is_hopeless(it.ask(), 0.9, 0.3)


def test_the_first_trials_are_never_hopeless(tmp_path: Path) -> None:
    it = study(tmp_path / "study.db")
    for dice in (0.9, 0.1, 0.1):
        trial = it.ask()
        assert not it.is_hopeless(trial, 0.9, dice)
        it.finish(trial, dice, 1.0)


def test_the_sampler_learns_which_settings_are_good(tmp_path: Path) -> None:
    it = study(tmp_path / "study.db", n_trials=40)
    for _ in range(40):
        trial = it.ask()
        it.finish(trial, 1 - abs(trial.params["width"] - 32) / 32, 1.0)
    late = [t.params["width"] for t in it.tried()[20:]]
    assert late.count(32) > 12
    importance = it.importance()
    assert max(importance, key=lambda name: importance[name]) == "width"
    assert sum(importance.values()) == pytest.approx(1)


def test_of_few_trials_nothing_is_said_about_importance(tmp_path: Path) -> None:
    it = study(tmp_path / "study.db")
    for _ in range(7):
        it.finish(it.ask(), 0.5, 1.0)
    assert it.importance() == {}


def test_the_study_of_something_else_is_refused_by_name(tmp_path: Path) -> None:
    study(tmp_path / "study.db")
    with pytest.raises(TrainingError, match="a study of another data; expected") as caught:
        study(tmp_path / "study.db", data=["a", "c"])
    assert "another -o" in caught.value.remedy


def test_an_older_study_goes_on_with_its_own_space(tmp_path: Path) -> None:
    study(tmp_path / "study.db")
    other = SPACE.model_copy(update={"batch_sizes": (1, 2)})
    again = Study(tmp_path / "study.db", SEARCHED, other, seed=0, n_trials=20)
    assert again.space == SPACE


def test_a_damaged_file_is_no_study(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    study(path)
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(TrainingError, match="cannot be opened"):
        study(path)


def test_any_path_will_do(tmp_path: Path) -> None:
    folder = tmp_path / "what? 100% #1 & ü"
    folder.mkdir()
    it = study(folder / "study.db")
    it.finish(it.ask(), 0.5, 1.0)
    assert len(study(folder / "study.db").tried()) == 1
    assert [path.name for path in folder.iterdir()] == ["study.db"]


def test_without_optuna_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingExtra, match=r"pip install 'seglet\[tune\]'"):
        study(tmp_path / "study.db")
