"""The settings of decoding: what they refuse, and where seeds lie."""

import pytest
from pydantic import ValidationError

from seglet.postprocessing.settings import SEEDS_ABOVE, DecodingConfig


def test_seeds_lie_where_the_method_says() -> None:
    assert {m: DecodingConfig(method=m).seeds_above for m in SEEDS_ABOVE} == dict(SEEDS_ABOVE)
    assert DecodingConfig(method="depth", seed_threshold=7).seeds_above == 7


def test_components_and_undecided_are_not_split() -> None:
    for method in (None, "components"):
        assert not DecodingConfig(method=method).is_split
        assert DecodingConfig(method=method).seeds_above == float("inf")
    assert all(DecodingConfig(method=method).is_split for method in SEEDS_ABOVE)


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "magic"},
        {"threshold": 1.0},
        {"seed_threshold": -1},
        {"smoothing": -0.1},
        {"min_size": -1},
        {"max_hole": -1},
        {"keep": "smallest"},
        {"edge": "cut"},
        {"treshold": 0.5},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        DecodingConfig(**wrong)
