"""A sweep is shown as a table on a terminal, as lines elsewhere, as JSON to programs."""

from __future__ import annotations

import io
import json
import threading

import pytest

from advisor.base.progress import quiet
from advisor.fleet.events import (
    Event,
    JobDone,
    JobStarted,
    MachineReady,
    MachineReleased,
    MachineRented,
    Spent,
    SweepBegun,
)
from advisor.fleet.live import JsonLines, Lines, LiveTable, drawn, live_table
from advisor.fleet.tally import view_of

COLUMNS = "instance GPUs $/h state on it done jobs/h speed"

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
        "1 of 2 jobs done, 0 on machines, 1 waiting; at most $2.00 so far of $5.00, "
        "$3.00 at the end, 60 min left"
    )


def test_a_machine_that_is_given_back_is_told_once() -> None:
    """Whoever gives it back says so, and why it ends is told before."""
    lines: list[str] = []
    show = Lines(lines.append, lambda: 0.0)
    show(SAID[1])
    before = list(lines)
    show(MachineReleased(at=0.0, label="adv-1", reason="nothing is left for it"))
    assert lines == before


def test_a_terminal_has_a_table_of_the_machines() -> None:
    """Predicted and seen throughput stand beside each other; nothing is obeyed."""
    pytest.importorskip("rich", reason="the extra 'fleet' is not installed")
    from rich.console import Console  # noqa: PLC0415  (extra)

    stream = io.StringIO()
    console = Console(file=stream, width=100, color_system=None)
    console.print(drawn(view_of(SAID, 7260.0), ["waiting for the machine: 5 s"]))
    head, row, progress, spent, doing = stream.getvalue().splitlines()
    assert head.split() == COLUMNS.split()
    cells = "1 2 × RTX[2J 4090 1.00 ready 0 1 1 of 2 50 %"
    assert row.split() == cells.split()
    assert progress.startswith("1 of 2 jobs done")
    assert spent.startswith("at most $2.02 so far of $5.00")
    assert doing == "waiting for the machine: 5 s"


def test_all_of_a_table_has_room_on_a_narrow_terminal() -> None:
    """At 80 columns nothing is cut: a machine is known by its instance."""
    pytest.importorskip("rich", reason="the extra 'fleet' is not installed")
    from rich.console import Console  # noqa: PLC0415  (extra)

    rented = MachineRented(
        at=0.0,
        label="advisor:a-rather-long-name:6b0d156d-e402661e1e24e6a3",
        instance_id=21000002,
        gpu_name="RTX 4070S Ti",
        num_gpus=4,
        slots=4,
        usd_per_hour=0.103,
        predicted_job_s=300.0,
    )
    stream = io.StringIO()
    said = [SAID[0], rented]
    Console(file=stream, width=80).print(drawn(view_of(said, 60.0)))
    head, row, *_ = stream.getvalue().splitlines()
    assert head.split() == COLUMNS.split()
    assert row.split()[:5] == ["21000002", "4", "×", "RTX", "4070S"]
    assert "…" not in stream.getvalue()


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
    """No line is read as markup; a machine has the name that the market gives it."""
    pytest.importorskip("rich", reason="the extra 'fleet' is not installed")
    stream = io.StringIO()
    with live_table(stream, lambda: 7260.0, lambda _: None, quiet) as table:
        for event in SAID:
            table(event)
        table.notify("the market [bold]\x1b[2J is slow")
    text = stream.getvalue()
    assert "a[red]: done after 2 h" in text
    assert "instance 1: ready after 60 s" in text
    assert "the market [bold][2J is slow" in text
    assert "\x1b[2J" not in text


def test_no_table_is_in_the_way_of_a_question() -> None:
    """Before the first event lines and progress go where they went before."""
    pytest.importorskip("rich", reason="the extra 'fleet' is not installed")
    stream = io.StringIO()
    lines: list[str] = []
    doings: list[str] = []

    def progress(what: str, *_: object) -> None:
        doings.append(what)

    with live_table(stream, lambda: 0.0, lines.append, progress) as table:
        table.notify("10 jobs on 1 machine")
        table.progress("planning 10 jobs")
        assert stream.getvalue() == ""
        table(SAID[0])
        table.notify("the market is slow")
        table.progress("waiting for the machine", 5.0, None, "s")
        assert "waiting for the machine: 5 s" in _shown(table)
        table.progress("")
        assert "waiting for the machine" not in _shown(table)
        table.progress("waiting for its end")
        table.notify("instance 1: released")
        assert "waiting for its end" not in _shown(table)
    assert lines == ["10 jobs on 1 machine"]
    assert doings == ["planning 10 jobs", ""]
    assert "the market is slow" in stream.getvalue()


def _shown(table: LiveTable) -> str:
    from rich.console import Console  # noqa: PLC0415  (extra)

    stream = io.StringIO()
    Console(file=stream, width=100).print(table.draw())
    return stream.getvalue()
