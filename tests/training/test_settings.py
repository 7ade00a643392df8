import subprocess
import sys

import pytest
from pydantic import ValidationError

from seglet.core.errors import ConfigError
from seglet.training.settings import FitConfig, seconds


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("90s", 90),
        ("10m", 600),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("45", 45),
        ("1h 2m 3s", 3723),
        ("0.5 m", 30),
    ],
)
def test_durations_are_read_as_people_write_them(written: str, expected: float) -> None:
    assert seconds(written) == expected


@pytest.mark.parametrize("number", [90, 0.5])
def test_numbers_are_seconds(number: float) -> None:
    assert seconds(number) == number


@pytest.mark.parametrize("nonsense", ["soon", "", "10 minutes", "1d", "m", "-5m", "1h;30m", "nan"])
def test_anything_else_is_refused_with_an_example(nonsense: str) -> None:
    with pytest.raises(ConfigError, match=r"Write 90s, 10m or 1h30m") as error:
        seconds(nonsense)
    assert repr(nonsense) in error.value.found


def test_a_budget_may_be_written_in_a_recipe() -> None:
    assert FitConfig(budget_s="2m").budget_s == 120  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": 0},
        {"steps": 0},
        {"budget_s": "0s"},
        {"budget_s": -1},
        {"ema": 1.0},
        {"momentum": 1.0},
        {"clip": -1},
        {"rounds": 0},
        {"patience": 0},
        {"validation_windows": 0},
        {"optimizer": "lamb"},
        {"precision": "fp16"},
        {"learning_rat": 0.1},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FitConfig(**wrong)  # type: ignore[arg-type]


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        FitConfig().learning_rate = 1.0  # type: ignore[misc]


def test_settings_load_neither_torch_nor_lightning() -> None:
    program = (
        "import sys, seglet.training.settings; sys.exit(bool({'torch', 'lightning'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
