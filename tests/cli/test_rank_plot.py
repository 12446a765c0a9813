"""`rank --plot` draws each offer where its figures are, marked by what bounds it."""

from __future__ import annotations

import fcntl
import json
import math
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from advisor.report.scatter import letters

Advisor = Callable[..., Any]
RANK = ("rank", "resnet50", "--market", "sample")
MINUTES = {"h": 1.0, "min": 60.0, "s": 3600.0}


@pytest.fixture(autouse=True)
def plotext() -> None:
    pytest.importorskip("plotext", reason="the extra 'plots' is not installed")


@dataclass
class Plot:
    """A plot that was read back from its text.

    Attributes
    ----------
    marks : (column, row) -> mark
    columns, rows : label of a tick -> where it is
    """

    marks: dict[tuple[int, int], str]
    columns: dict[str, int]
    rows: dict[str, int]

    @classmethod
    def read(cls, text: str) -> Plot:
        lines = text.splitlines()
        top = next(n for n, line in enumerate(lines) if "┌" in line)
        bottom = next(n for n, line in enumerate(lines) if "└" in line)
        left = lines[top].index("┌")
        inner = dict(enumerate(lines[top + 1 : bottom], top + 1))
        rows = {one[:left].strip(): n for n, one in inner.items() if one[left] == "┤"}
        ticks = [n for n, c in enumerate(lines[bottom]) if c == "┬"]
        below = [(m.start(), m[0]) for m in re.finditer(r"\S+", lines[bottom + 1])]
        columns = {
            label: min(ticks, key=lambda at: abs(at - start - len(label) // 2))
            for start, label in below
        }
        marks = {
            (column, n): c
            for n, line in inner.items()
            for column, c in enumerate(line)
            if column > left and c not in " │┤"
        }
        return cls(marks, columns, rows)

    def near(self, usd: float, time: float) -> Iterator[str]:
        """Yield the marks at a place, and those next to it."""
        column, row = _place(self.columns, usd), _place(self.rows, time)
        for (x, y), mark in self.marks.items():
            if abs(x - column) <= 1.0 and abs(y - row) <= 1.0:
                yield mark


def _place(ticks: dict[str, int], value: float) -> float:
    """Return where a value is on a logarithmic axis, by two of its ticks."""
    known = sorted((float(label.replace(",", "")), at) for label, at in ticks.items())
    (low, first), (high, last) = known[0], known[-1]
    share = math.log(value / low) / math.log(high / low)
    return first + share * (last - first)


def drawn(advisor: Advisor, *arguments: str, **variables: str) -> tuple[str, Plot, str]:
    """Return what is printed, the plot in it, and the unit of time."""
    outcome = advisor(*RANK, "--plot", *arguments, variables=variables)
    assert outcome.exit_code == 0, outcome.stderr
    unit = re.match(r"(h|min|s) per epoch", outcome.stdout)
    assert unit
    return outcome.stdout, Plot.read(outcome.stdout), unit[1]


def offers(advisor: Advisor, *arguments: str) -> list[dict[str, Any]]:
    """Return the offers of the document, without those that are not drawn."""
    outcome = advisor(*RANK, *arguments, "--format", "json")
    found = json.loads(outcome.stdout)["offers"]
    return [one for one in found if "start_doubtful" not in one["flags"]]


def front(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return those that no other beats on both, the cheapest first."""
    best: list[dict[str, Any]] = []
    for one in sorted(found, key=lambda o: (o["epoch_usd"], o["epoch_hours"])):
        if not best or one["epoch_hours"] < best[-1]["epoch_hours"]:
            best.append(one)
    return best


def test_every_offer_has_its_mark_at_its_figures(advisor: Advisor) -> None:
    """To the next character: those of the front in capitals, in the letter that binds."""
    _, plot, unit = drawn(advisor, COLUMNS="120", LINES="50")
    found, letter = offers(advisor), letters()
    assert len(found) > 500
    for one in found:
        place = one["epoch_usd"], one["epoch_hours"] * MINUTES[unit]
        assert any(plot.near(*place)), one["offer_id"]
    for one in front(found):
        place = one["epoch_usd"], one["epoch_hours"] * MINUTES[unit]
        assert letter[one["bound_by"]].upper() in set(plot.near(*place))
    capitals = [at for at, mark in plot.marks.items() if mark.isupper()]
    assert 0 < len(capitals) <= len(front(found))


def test_nothing_is_drawn_below_the_front(advisor: Advisor) -> None:
    """To the left of each mark of the front no mark is lower."""
    _, plot, _ = drawn(advisor, COLUMNS="100", LINES="40")
    for (column, row), mark in plot.marks.items():
        if mark.isupper():
            below = [1 for x, y in plot.marks if x < column and y > row]
            assert not below


def test_the_legend_counts_what_is_drawn(advisor: Advisor) -> None:
    """By what binds; what the marks do not show is said in words."""
    text, _, _ = drawn(advisor)
    found = offers(advisor)
    joined = " ".join(text.split())
    for name in {one["bound_by"] for one in found}:
        number = sum(one["bound_by"] == name for one in found)
        assert f"{letters()[name]} {name} ({number:,})" in joined
    assert f"of {len(found):,} offers" in joined


def test_the_front_is_listed_from_left_to_right(advisor: Advisor) -> None:
    """With the offers to rent."""
    text, _, _ = drawn(advisor)
    listed = re.findall(r"^ *\d+ +(\d{6,}) ", text, re.MULTILINE)
    assert [int(one) for one in listed] == [
        one["offer_id"] for one in front(offers(advisor))
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("columns", "lines"),
    [(40, 30), (60, 30), (80, 24), (100, 30), (120, 24), (200, 60), (80, 100)],
)
def test_it_fits_the_screen(advisor: Advisor, columns: int, lines: int) -> None:
    """In width and height, with a line left for the prompt."""
    text, plot, _ = drawn(advisor, COLUMNS=str(columns), LINES=str(lines))
    assert max(map(len, text.splitlines())) <= columns
    assert len(text.splitlines()) < lines
    assert len(plot.rows) >= 2
    assert len(plot.columns) >= 2


def test_a_pipe_gets_no_colors_and_the_whole_front(advisor: Advisor) -> None:
    """Eighty characters wide, whatever the screen is."""
    text, _, _ = drawn(advisor)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 80
    assert "more of the front" not in text


def test_one_offer_is_a_plot_too(advisor: Advisor) -> None:
    """Of one mark, a capital."""
    _, plot, _ = drawn(advisor, "--top", "1")
    assert [mark.isupper() for mark in plot.marks.values()] == [True]


def test_what_draws_nothing_says_why(advisor: Advisor) -> None:
    """Where nothing fits, as without a plot."""
    plotted, listed = (
        advisor(*RANK, "--budget", "0.000001", *plot) for plot in (["--plot"], [])
    )
    assert plotted == listed
    assert plotted.exit_code == 6
    assert plotted.stdout == ""


def test_a_plot_is_for_people(advisor: Advisor) -> None:
    """Not in a format for programs."""
    outcome = advisor(*RANK, "--plot", "--format", "json")
    assert outcome.exit_code == 2
    assert "--plot and --format json contradict each other" in outcome.stderr


def test_a_missing_library_is_told_before_anybody_is_asked(
    advisor: Advisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line, no headline."""
    monkeypatch.setitem(sys.modules, "plotext", None)
    outcome = advisor(*RANK, "--plot")
    assert outcome.exit_code == 2
    assert outcome.stderr.splitlines() == [
        "--plot needs plotext: pip install '.[plots]' in the checkout of advisor"
    ]


def on_a_terminal(folder: Path, columns: int, lines: int, **variables: str) -> str:
    """Return what a plot of a ranking writes to a terminal of a size."""
    ours, theirs = pty.openpty()
    size = struct.pack("HHHH", lines, columns, 0, 0)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
    stated = ("COLUMNS", "LINES", "NO_COLOR")
    clean = {name: one for name, one in os.environ.items() if name not in stated}
    own = {"ADVISOR_CACHE_DIR": str(folder), "ADVISOR_DATA_DIR": str(folder)}
    process = subprocess.Popen(
        [sys.executable, "-m", "advisor", *RANK, "--plot"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**clean, **own, **variables},
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the program has closed its end
            break
        shown += piece
    os.close(ours)
    assert process.wait(timeout=60) == 0
    return shown.decode()


COLOR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.slow
@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (110, 45)])
def test_a_terminal_is_filled_and_not_scrolled(
    tmp_path: Path, columns: int, lines: int
) -> None:
    """With the headline; marks have colors, and those of the front are bold."""
    shown = on_a_terminal(tmp_path, columns, lines)
    assert "\x1b[1mG" in shown
    assert re.search(r"\x1b\[[0-9;]*38;5;\d+mg", shown)
    plain = COLOR.sub("", shown).replace("\r\n", "\n").rstrip("\n")
    text = [line.rpartition("\r")[2] for line in plain.split("\n")]  # as it ends
    assert max(map(len, text)) <= columns
    assert lines - 3 <= len(text) < lines


def test_no_color_is_none(tmp_path: Path) -> None:
    """As the user's environment asks for it (no-color.org)."""
    assert not COLOR.search(on_a_terminal(tmp_path, 80, 24, NO_COLOR="1"))
