"""A sweep is shown as a table on a terminal, as lines elsewhere, as JSON to programs."""

from __future__ import annotations

import io
import json
import threading

import pytest

from advisor.fleet.events import (
    Event,
    JobDone,
    JobStarted,
    MachineReady,
    MachineRented,
    Spent,
    SweepBegun,
)
from advisor.fleet.live import JsonLines, Lines, drawn, live_table
from advisor.fleet.tally import view_of

COLUMNS = "machine GPUs $/h state on it done jobs/h speed"

SAID: list[Event] = [
    SweepBegun(at=0.0, sweep="s", jobs=2, budget_usd=5.0),
    MachineRented(
        at=0.0,
        label="adv-1",
        instance_id=1,
        gpu_name="RTX\x1b[2J 4090",
        num_gpus=2,
        slots=2,
        usd_per_hour=1.0,
        predicted_job_s=3600.0,
    ),
    MachineReady(at=60.0, label="adv-1", setup_s=60.0),
    JobStarted(at=60.0, job="a[red]", label="adv-1", attempt=1),
    JobDone(at=7260.0, job="a[red]", label="adv-1", attempt=1, took_s=7200.0),
]


def test_json_is_one_event_per_line_from_any_thread() -> None:
    """Lines of several threads are never mixed."""
    stream = io.StringIO()
    show = JsonLines(stream)

    def tell() -> None:
        for event in SAID * 20:
            show(event)

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert len(names) == 4 * 20 * len(SAID)
    assert set(names) == {event.name for event in SAID}


def test_lines_say_what_has_happened_and_now_and_then_how_far() -> None:
    """Without a terminal: a line per event, and one a minute for all of it."""
    now = [0.0]
    lines: list[str] = []
    show = Lines(lines.append, lambda: now[0])
    for event in SAID:
        now[0] = event.at
        show(event)
    assert lines[-1] == "a[red]: done after 2 h"
    before = len(lines)
    for at in (7261.0, 7262.0):
        now[0] = at
        show(Spent(at=at, usd=2.0))
    (line,) = lines[before:]
    assert line == (
        "1 of 2 jobs done, 0 on machines, 1 waiting; $2.00 so far of $5.00, "
        "$3.00 at the end, 60 min left"
    )


def test_a_terminal_has_a_table_of_the_machines() -> None:
    """Predicted and seen throughput stand beside each other; nothing is obeyed."""
    pytest.importorskip("rich", reason="the extra 'fleet' is not installed")
    from rich.console import Console  # noqa: PLC0415  (extra)

    stream = io.StringIO()
    console = Console(file=stream, width=100, color_system=None)
    console.print(drawn(view_of(SAID, 7260.0)))
    head, row, progress = stream.getvalue().splitlines()
    assert head.split() == COLUMNS.split()
    cells = "adv-1 2 × RTX[2J 4090 1.00 ready 0 1 1 of 2 50 %"
    assert row.split() == cells.split()
    assert progress.startswith("1 of 2 jobs done")


def test_a_table_of_many_machines_stays_short() -> None:
    """What has no room is counted."""
    pytest.importorskip("rich", reason="the extra 'fleet' is not installed")
    from rich.console import Console  # noqa: PLC0415  (extra)

    many: list[Event] = [
        MachineRented(
            at=0.0,
            label=f"adv-{number}",
            instance_id=number,
            gpu_name="A100",
            num_gpus=1,
            slots=1,
            usd_per_hour=1.0,
        )
        for number in range(50)
    ]
    stream = io.StringIO()
    Console(file=stream, width=100).print(drawn(view_of([SAID[0], *many], 0.0)))
    assert "and 30 more" in stream.getvalue()
    assert len(stream.getvalue().splitlines()) < 25


def test_lines_stand_above_the_table_as_they_are() -> None:
    """No line is read as markup, and the last table stays when it is over."""
    pytest.importorskip("rich", reason="the extra 'fleet' is not installed")
    stream = io.StringIO()
    with live_table(stream, lambda: 7260.0) as table:
        for event in SAID:
            table(event)
        table.notify("the market [bold]\x1b[2J is slow")
    text = stream.getvalue()
    assert "a[red]: done after 2 h" in text
    assert "the market [bold][2J is slow" in text
    assert "\x1b[2J" not in text
    last = " ".join(text.rpartition("jobs/h")[2].split())
    assert "1 of 2 jobs done, 0 on machines, 1 waiting" in last
