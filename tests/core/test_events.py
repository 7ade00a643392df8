"""How a long step says where it stands."""

from dataclasses import FrozenInstanceError

import pytest

from seglet.core.events import Event, Tell, quiet


def test_event_counts_nothing_unless_told() -> None:
    assert Event("reading") == Event("reading", message="", done=0, total=0)


def test_event_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Event("reading").done = 3  # type: ignore[misc]


def test_quiet_is_a_listener_that_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    tell: Tell = quiet
    tell(Event("training", "a sentence", 1, 2))
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""
