"""What every settings class shares."""

import pytest
from pydantic import ValidationError

from seglet.core.config import Config


class _Small(Config):
    size: int = 1


def test_unknown_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="siez"):
        _Small(siez=2)  # type: ignore[call-arg]


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        _Small().size = 2  # type: ignore[misc]


def test_equal_settings_are_equal_and_hashable() -> None:
    assert {_Small(size=2), _Small(size=2), _Small()} == {_Small(size=2), _Small(size=1)}
