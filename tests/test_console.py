import io
import json
import os
import re
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
import typer
from rich.console import Console

from seglet.console import Teller, door, print_line, print_table, print_text, show_figure
from seglet.core.errors import ConfigError, ModelError, SegletError
from seglet.core.events import Event


def told(capsys: pytest.CaptureFixture[str], *events: Event, silent: bool = False) -> str:
    with Teller(silent=silent) as tell:
        for event in events:
            tell(event)
    captured = capsys.readouterr()
    assert captured.out == "", "standard output is for results"
    return captured.err


def test_messages_are_plain_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, Event("training", "step 3: val_loss 0.1"), Event("threshold", "0.500", 1, 1))
    assert found.splitlines() == ["training  step 3: val_loss 0.1", "threshold  0.500"]


def test_long_lines_are_not_wrapped_and_brackets_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    text = "[bold]x[/bold] [1, 2] " + "word " * 60 + "end"
    assert told(capsys, Event("reading", text)).splitlines() == [f"reading  {text}"]


def test_counts_are_told_at_every_quarter_and_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, *(Event("checking", done=n, total=100) for n in range(101)))
    assert found.splitlines() == [f"checking  {n} of 100" for n in (25, 50, 75, 100)]


def test_a_stage_that_begins_anew_is_told_anew(capsys: pytest.CaptureFixture[str]) -> None:
    twice = [Event("reading", done=n, total=2) for n in (1, 2, 1, 2)]
    assert told(capsys, *twice).splitlines() == ["reading  1 of 2", "reading  2 of 2"] * 2


def test_silence_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, Event("training", "step 3"), Event("reading", done=1, total=1), silent=True) == ""


def test_the_system_ends_a_command_as_a_person_does(capsys: pytest.CaptureFixture[str]) -> None:
    before, left = signal.getsignal(signal.SIGTERM), []
    with pytest.raises(typer.Exit) as ended, door(as_json=False):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            left.append("cleared up")
    assert ended.value.exit_code == 1
    assert left == ["cleared up"]
    assert capsys.readouterr().err == "Interrupted.\n"
    assert signal.getsignal(signal.SIGTERM) is before


def test_commands_run_in_threads_too() -> None:
    def command() -> str:
        with door(as_json=True):
            return "done"

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(command).result() == "done"


def test_a_terminal_gets_bars() -> None:
    teller = Teller()
    screen = io.StringIO()
    teller.console = Console(file=screen, force_terminal=True, width=80, highlight=False)
    teller._bars.live.console = teller.console
    with teller:
        teller(Event("reading", done=1, total=4))
        teller(Event("reading", "half [way]", 2, 4))
        teller(Event("reading", done=4, total=4))
        tasks = teller._bars.tasks
        assert [(task.description, task.completed, task.visible) for task in tasks] == [("reading", 4, False)]
    assert "half [way]" in screen.getvalue()


def test_a_line_is_printed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    text = "[red] " + "x" * 300
    print_line(text)
    assert capsys.readouterr().out == text + "\n"


def test_a_table_shows_every_cell(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("Title", ("name", "dice", "said"), [("a", "0.5", "[x]"), ("long name", "–", "y")])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].strip() == "Title"
    assert lines[1].split() == ["name", "dice", "said"]
    assert lines[2].split() == ["a", "0.5", "[x]"]
    assert lines[2].index("0.5") > lines[1].index("dice"), "figures stand to the right"


def plain(printed: str) -> list[str]:
    """Lines without what makes them bold."""
    return re.sub(r"\x1b\[[0-9;]*m", "", printed).splitlines()


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 40 columns."""
    for name, value in (("FORCE_COLOR", "1"), ("TERM", "xterm"), ("NO_COLOR", "1"), ("COLUMNS", "40")):
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("narrow")
def test_a_long_name_goes_on_below_and_is_never_cut(capsys: pytest.CaptureFixture[str]) -> None:
    name = "scan_" + "0123456789" * 5
    print_table("", ("image", "dice"), [(name, "0.1234")])
    lines = plain(capsys.readouterr().out)
    assert name in "".join(line.split()[0] for line in lines if line.split())[len("image") :]


@pytest.mark.usefixtures("narrow")
def test_on_a_narrow_terminal_words_are_broken_and_figures_are_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [("a name of many words that is long", "0.1234", "0.1000 – 0.2000")]
    print_table("", ("", "Pooled, all pixels", "95 % interval"), rows)
    lines = plain(capsys.readouterr().out)
    assert all(len(line) <= 40 for line in lines)
    assert any("0.1234" in line and "0.1000 – 0.2000" in line for line in lines)
    assert {"name", "of", "many", "words", "that", "is", "long"} <= set(" ".join(lines).split())


@pytest.mark.usefixtures("narrow")
def test_a_paragraph_is_broken_between_words_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    text = "[2] " + "word " * 30 + "end"
    print_text(text)
    lines = plain(capsys.readouterr().out)
    assert len(lines) > 1 and all(len(line) <= 40 for line in lines)
    assert " ".join(lines).split() == text.split()


def test_a_paragraph_is_one_line_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    text = "[2] " + "word " * 60 + "end"
    print_text(text)
    assert capsys.readouterr().out == text + "\n"


@pytest.mark.parametrize(
    ("value", "shown"), [(0.123456, "0.1235"), (1, "1.0000"), (None, "–"), (float("nan"), "–")]
)
def test_figures_have_four_digits(value: float | None, shown: str) -> None:
    assert show_figure(value) == shown


@pytest.mark.parametrize(("kind", "code"), [(ConfigError, 2), (ModelError, 1)])
def test_errors_leave_by_the_door_as_words_and_exit_codes(
    kind: type[SegletError], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as end, door(False):
        raise kind("here", found="[this]", expected="that", remedy="Do so.")
    said = capsys.readouterr()
    assert end.value.exit_code == code
    assert said.out == ""
    assert said.err == "Error here: found [this]; expected that. Do so.\n"


def test_errors_and_interruptions_are_documents_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit), door(True):
        raise ModelError("here", found="this", expected="that", remedy="Do so.")
    parts = {"where": "here", "found": "this", "expected": "that", "remedy": "Do so."}
    assert json.loads(capsys.readouterr().out) == {"error": "ModelError", **parts}
    with pytest.raises(typer.Exit) as end, door(True):
        raise KeyboardInterrupt
    assert end.value.exit_code == 1
    assert json.loads(capsys.readouterr().out) == {"error": "Interrupted"}
