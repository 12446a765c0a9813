"""A sweep as it goes on: a table on a terminal, lines elsewhere, JSON for programs.

Each of them is called with the events, by several threads at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from advisor.base.errors import UsageError
from advisor.base.figures import figure
from advisor.base.progress import Progress, in_words
from advisor.base.resources import installing
from advisor.fleet.events import Event, Spent, to_line
from advisor.fleet.tally import Tally
from advisor.fleet.view import MachineView, SweepView
from advisor.fleet.words import jobs_in_words, line_of, progress_of, short, spent_of
from advisor.report.answer import money
from advisor.report.cells import clean

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.table import Table

_DRAWN_PER_S = 4
_MOST_MACHINES = 20
"""Rows of a table: more would leave no room on a terminal for the lines above it."""

_MOST_DOINGS = 3
"""Lines below a table of what is being done, such as waiting for a machine to start."""

_TOLD_EVERY_S = 60.0
"""Seconds between two lines that say how far all has come, where there is no table."""

_COLUMNS = ("instance", "GPUs", "$/h", "state", "on it", "done", "jobs/h", "speed")
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
            line = line_of(event, self._tally.name_of)
            if line is not None:
                self._notify(line)
            now = self._now()
            if isinstance(event, Spent) and now - self._told_at >= _TOLD_EVERY_S:
                self._told_at = now
                self._notify(progress_of(self._tally.view(now)))


class LiveTable:
    """A table of the machines, below the lines of what has happened.

    It is there from the first event on, so that questions before that stand alone.

    Parameters
    ----------
    console : of the terminal
    now : returns the time, seconds since 1970
    notify, progress : are told until it is there
    """

    def __init__(
        self,
        console: Console,
        now: Callable[[], float],
        notify: Callable[[str], None],
        progress: Progress,
    ) -> None:
        from rich.live import Live  # noqa: PLC0415  (extra)

        self._console, self._now = console, now
        self._before, self._progress_before = notify, progress
        self._tally = Tally()
        self._doing: dict[int, str] = {}
        self._turn = threading.Lock()
        self._live = Live(
            get_renderable=self.draw,
            console=console,
            refresh_per_second=_DRAWN_PER_S,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __call__(self, event: Event) -> None:
        """Take account of an event, and write what there is to say of it."""
        with self._turn:
            self._tally.hear(event)
            line = line_of(event, self._tally.name_of)
        if not self._live.is_started:
            self._progress_before("")
            self._live.start()
        if line is not None:
            self.notify(line)

    def close(self) -> None:
        """Take the table away; the lines above it stay."""
        self._live.stop()

    def notify(self, line: str) -> None:
        """Write a line, above the table where it is there; what led to it is over."""
        if self._live.is_started:
            with self._turn:
                self._doing.pop(threading.get_ident(), None)
            self._console.print(clean(line), soft_wrap=True)
        else:
            self._before(line)

    def progress(
        self, what: str, done: float = 0.0, of: float | None = None, unit: str = ""
    ) -> None:
        """Show what a thread is at, below the table where it is there."""
        if not self._live.is_started:
            self._progress_before(what, done, of, unit)
            return
        with self._turn:
            self._doing.pop(threading.get_ident(), None)
            if what and (of is None or done < of):
                text = clean(in_words(what, done, of, unit))
                self._doing[threading.get_ident()] = text

    def draw(self) -> Group:
        """Return what is to be seen now."""
        with self._turn:
            view = self._tally.view(self._now())
            doing = list(self._doing.values())
        return drawn(view, doing)


@contextmanager
def live_table(
    stream: TextIO,
    now: Callable[[], float],
    notify: Callable[[str], None],
    progress: Progress,
) -> Iterator[LiveTable]:
    """Show a table on a terminal for a while; the lines above it stay there.

    Parameters
    ----------
    stream : a terminal
    now : returns the time, seconds since 1970
    notify, progress : are told until the first event

    Raises
    ------
    UsageError
        if rich is not installed
    """
    try:
        from rich.console import Console  # noqa: PLC0415  (extra)
    except ImportError as error:
        message = f"rich is not installed: {installing('fleet')}"
        raise UsageError(message) from error
    console = Console(file=stream, markup=False, emoji=False, highlight=False)
    table = LiveTable(console, now, notify, progress)
    try:
        yield table
    finally:
        table.close()


def drawn(view: SweepView, doing: Sequence[str] = ()) -> Group:
    """Return a sweep as rich shows it: its machines, all its jobs, what it costs.

    Parameters
    ----------
    doing : what is being done besides
    """
    from rich.console import Group  # noqa: PLC0415  (extra)
    from rich.text import Text  # noqa: PLC0415  (extra)

    lines = [jobs_in_words(view), spent_of(view), *doing[:_MOST_DOINGS]]
    texts = (Text(line, no_wrap=True, overflow="ellipsis") for line in lines)
    return Group(*([_table(view)] if view.machines else ()), *texts)


def _table(view: SweepView) -> Table:
    from rich.table import Table  # noqa: PLC0415  (extra)
    from rich.text import Text  # noqa: PLC0415  (extra)

    table = Table(box=None, pad_edge=False, header_style="none")
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
        str(machine.instance_id),
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
