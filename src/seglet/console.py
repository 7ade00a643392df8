"""How the command line tells a person where it stands: bars on a terminal, plain lines elsewhere."""

import json
import math
import signal
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from seglet.core.errors import ConfigError, SegletError
from seglet.core.events import Event

PLAIN_WIDTH = 120  # of tables that no terminal limits
FIGURE = set("0123456789.- –−")  # of numbers, intervals and what stands for none
PLAIN_EVERY = 0.25  # share of a step's work between two plain lines


class Teller(AbstractContextManager["Teller"]):
    """Listens to events and shows them on standard error, so that standard output stays for results."""

    def __init__(self, *, silent: bool = False) -> None:
        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._silent = silent
        columns = (TextColumn("{task.description:<12}"), BarColumn(), TextColumn("{task.percentage:3.0f}%"))
        self._bars = Progress(*columns, TimeElapsedColumn(), console=self.console, transient=True)
        self._tasks: dict[str, TaskID] = {}
        self._said: dict[str, float] = {}

    def __enter__(self) -> "Teller":
        if self.console.is_terminal and not self._silent:
            self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars.live.is_started:  # else it would print an empty line
            self._bars.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if self._silent:
            return
        if event.message:
            self.console.print(f"[bold]{event.stage}[/bold]  {_safe(event.message)}")
        if event.total and self.console.is_terminal:
            self._move_bar(event)
        elif event.total:
            self._say_share(event)

    def _move_bar(self, event: Event) -> None:
        if event.stage not in self._tasks:
            self._tasks[event.stage] = self._bars.add_task(event.stage)
        task = self._tasks[event.stage]
        self._bars.update(task, completed=event.done, total=event.total, visible=event.done < event.total)

    def _say_share(self, event: Event) -> None:
        share = event.done / event.total
        before = self._said.get(event.stage, 0.0)
        if share < before:  # the stage began anew
            before = 0.0
        if event.message or share - before >= PLAIN_EVERY or (share >= 1 and before < 1):
            self._said[event.stage] = share
            if not event.message:
                self.console.print(f"{event.stage}  {event.done} of {event.total}")


@contextmanager
def door(as_json: bool) -> Iterator[Teller]:
    """Turn errors into messages and exit codes: 1 failed, 2 misused."""
    teller = Teller(silent=as_json)
    try:
        with teller, _clearing_up():
            yield teller
    except SegletError as error:
        if as_json:
            print_json({"error": type(error).__name__, **_parts(error)})
        teller.console.print("[bold red]Error[/bold red]", end=" ")
        teller.console.print(str(error), markup=False)
        raise typer.Exit(2 if isinstance(error, ConfigError) else 1) from None
    except KeyboardInterrupt:
        if as_json:
            print_json({"error": "Interrupted"})
        teller.console.print("Interrupted.")
        raise typer.Exit(1) from None


@contextmanager
def _clearing_up() -> Iterator[None]:
    """Heed SIGTERM as Ctrl-C, so that nothing half-made is left behind; training has its own way."""
    if threading.current_thread() is not threading.main_thread():  # no other hears of signals
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parts(error: SegletError) -> dict[str, str]:
    return {"where": error.where, "found": error.found, "expected": error.expected, "remedy": error.remedy}


def print_table(title: str, columns: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """A short table on standard output."""
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        if number > 0 and _all_figures(rows, number):
            header = _narrowed(column, max((len(row[number]) for row in rows), default=0))
            table.add_column(header, justify="right", no_wrap=True)
        else:  # words may be broken into lines, figures never
            table.add_column(column, overflow="fold")  # a name that is cut tells nothing apart
    for row in rows:
        table.add_row(*(_safe(cell) for cell in row))
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PLAIN_WIDTH
    console.print(table)


def print_line(text: str) -> None:
    """One line on standard output, never wrapped."""
    Console(highlight=False, soft_wrap=True).print(_safe(text))


def print_text(text: str) -> None:
    """A paragraph on standard output; broken between words where a terminal is too narrow."""
    console = Console(highlight=False)
    console.print(_safe(text), soft_wrap=not console.is_terminal)


def print_json(document: Any) -> None:
    """Write one JSON document to standard output; nan and infinity become null."""
    sys.stdout.write(json.dumps(_without_nan(document), indent=2, ensure_ascii=False) + "\n")


def show_figure(value: Any) -> str:
    """Four digits; a dash where there is no number."""
    return "–" if value is None or value != value else f"{value:.4f}"


def _all_figures(rows: list[tuple[str, ...]], column: int) -> bool:
    return all(set(row[column]) <= FIGURE for row in rows)


def _narrowed(header: str, width: int) -> str:
    """A header broken between its words, so that a column is no wider than its figures need."""
    longest = max(map(len, header.split()), default=0)
    return "\n".join(textwrap.wrap(header, max(width, longest, 1)))


def _safe(text: str) -> str:
    return text.replace("[", r"\[")


def _without_nan(value: Any) -> Any:
    match value:
        case float():
            return value if math.isfinite(value) else None
        case dict():
            return {key: _without_nan(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_without_nan(inner) for inner in value]
    return value
