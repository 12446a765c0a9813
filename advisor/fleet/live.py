"""A sweep as it goes on: a table on a terminal, lines elsewhere, JSON for programs.

Each of them is called with the events, by several threads at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from advisor.base.errors import UsageError
from advisor.base.figures import figure
from advisor.base.resources import installing
from advisor.fleet.events import Event, Spent, to_line
from advisor.fleet.tally import Tally
from advisor.fleet.view import MachineView, SweepView
from advisor.fleet.words import line_of, progress_of, short
from advisor.report.answer import money
from advisor.report.cells import clean

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.table import Table

_DRAWN_PER_S = 4
_MOST_MACHINES = 20
"""Rows of a table: more would leave no room on a terminal for the lines above it."""

_TOLD_EVERY_S = 60.0
"""Seconds between two lines that say how far all has come, where there is no table."""

_COLUMNS = ("machine", "GPUs", "$/h", "state", "on it", "done", "jobs/h", "speed")
_AT_THE_RIGHT = frozenset(_COLUMNS[2:3] + _COLUMNS[4:])
_UNKNOWN = "-"


class JsonLines:
    """One JSON object per line, each an event.

    Parameters
    ----------
    stream : of the program that reads them
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._turn = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Write an event, at once."""
        with self._turn:
            self._stream.write(f"{to_line(event)}\n")
            self._stream.flush()


class Lines:
    """A line for each event that people want to hear of, and one a minute for all.

    Parameters
    ----------
    notify : takes one line
    now : returns the time, seconds since 1970
    """

    def __init__(self, notify: Callable[[str], None], now: Callable[[], float]) -> None:
        self._notify, self._now = notify, now
        self._tally = Tally()
        self._turn = threading.Lock()
        self._told_at = now()

    def __call__(self, event: Event) -> None:
        """Write what there is to say of an event."""
        with self._turn:
            self._tally.hear(event)
            line = line_of(event)
            if line is not None:
                self._notify(line)
            now = self._now()
            if isinstance(event, Spent) and now - self._told_at >= _TOLD_EVERY_S:
                self._told_at = now
                self._notify(progress_of(self._tally.view(now)))


class LiveTable:
    """A table of the machines, below the lines of what has happened.

    Parameters
    ----------
    console : of the terminal
    now : returns the time, seconds since 1970
    """

    def __init__(self, console: Console, now: Callable[[], float]) -> None:
        self._console, self._now = console, now
        self._tally = Tally()
        self._turn = threading.Lock()

    def __call__(self, event: Event) -> None:
        """Take account of an event, and write what there is to say of it."""
        with self._turn:
            self._tally.hear(event)
        line = line_of(event)
        if line is not None:
            self.notify(line)

    def notify(self, line: str) -> None:
        """Write a line above the table."""
        self._console.print(clean(line), soft_wrap=True)

    def draw(self) -> Group:
        """Return what is to be seen now."""
        with self._turn:
            view = self._tally.view(self._now())
        return drawn(view)


@contextmanager
def live_table(stream: TextIO, now: Callable[[], float]) -> Iterator[LiveTable]:
    """Show a table on a terminal for a while; its last state stays there.

    Parameters
    ----------
    stream : a terminal
    now : returns the time, seconds since 1970

    Raises
    ------
    UsageError
        if rich is not installed
    """
    try:
        from rich.console import Console  # noqa: PLC0415  (extra)
        from rich.live import Live  # noqa: PLC0415  (extra)
    except ImportError as error:
        message = f"rich is not installed: {installing('fleet')}"
        raise UsageError(message) from error
    console = Console(file=stream, markup=False, emoji=False, highlight=False)
    table = LiveTable(console, now)
    with Live(
        get_renderable=table.draw,
        console=console,
        refresh_per_second=_DRAWN_PER_S,
        redirect_stdout=False,
        redirect_stderr=False,
    ):
        yield table


def drawn(view: SweepView) -> Group:
    """Return a sweep as rich shows it: its machines, and a line for all of it."""
    from rich.console import Group  # noqa: PLC0415  (extra)
    from rich.text import Text  # noqa: PLC0415  (extra)

    return Group(_table(view), Text(progress_of(view)))


def _table(view: SweepView) -> Table:
    from rich.table import Table  # noqa: PLC0415  (extra)
    from rich.text import Text  # noqa: PLC0415  (extra)

    table = Table(box=None, pad_edge=False)
    for name in _COLUMNS:
        at_the_right = name in _AT_THE_RIGHT
        table.add_column(name, justify="right" if at_the_right else "left", no_wrap=True)
    for machine in view.machines[:_MOST_MACHINES]:
        table.add_row(*map(Text, _cells(machine)))
    left_out = len(view.machines) - _MOST_MACHINES
    if left_out > 0:
        table.add_row(Text(f"and {left_out} more"))
    return table


def _cells(machine: MachineView) -> tuple[str, ...]:
    """Return what a row says; jobs per hour are those seen of those predicted."""
    seen, predicted = machine.seen_jobs_per_hour, machine.predicted_jobs_per_hour
    return (
        short(machine.label),
        f"{machine.num_gpus} × {short(machine.gpu_name)}",
        money(machine.usd_per_hour),
        machine.state,
        str(machine.running),
        str(machine.done),
        f"{_figure(seen)} of {_figure(predicted)}",
        _UNKNOWN if machine.speed is None else f"{100 * machine.speed:.0f} %",
    )


def _figure(value: float | None) -> str:
    return _UNKNOWN if value is None else figure(value, 2)
