"""What a recipe says of the plan."""

from typing import Any

import pytest
from pydantic import ValidationError

from seglet.preprocessing.settings import PlanConfig


def test_nothing_has_to_be_said() -> None:
    assert set(PlanConfig().model_dump().values()) == {None}


@pytest.mark.parametrize(
    "said",
    [
        {"window": (100, 100)},
        {"window": (100, -100)},
        {"patch_size": (8,)},
        {"patch_size": (0, 8)},
        {"channels": ()},
        {"strides": ((3, 3),)},
        {"kernels": ((2, 2),)},
        {"spacing": (float("inf"), 1.0)},
        {"slice_axis": 3},
        {"reading": "cloud"},
    ],
)
def test_impossible_values_are_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PlanConfig(**said)
